"""No hot query of matching scans a collection (explain on a real mongod)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.matching_room import a_room, a_row, a_submission, enroll, submit


@pytest.fixture
def room(mongo_uri, database, clock, tmp_path):
    """A room with some people and cases, so that the planner has a choice."""
    with a_room(mongo_uri, database, clock, tmp_path / "keys") as built:
        enroll(built, [*[a_row(f"s{n}") for n in range(40)], a_row("boss", role="supervisor")])
        submit(built, *[a_submission(f"ref_{n}") for n in range(20)])
        yield built


def _stages(plan):
    yield plan["stage"]
    for key in ("inputStage", "inputStages"):
        inner = plan.get(key, [])
        for one in inner if isinstance(inner, list) else [inner]:
            yield from _stages(one)


def _stages_of(cursor):
    return set(_stages(cursor.explain()["queryPlanner"]["winningPlan"]))


def test_every_hot_query_uses_an_index(room, clock):
    """Offers, the pool, a caseload, the roster by change and by role, due cases: never COLLSCAN, never SORT."""
    cases, people, loads = (room.database[name] for name in ("cases", "specialists", "caseloads"))
    since = clock.now() - timedelta(seconds=5)
    offer = room.cases.case("ref_1").offers[0]
    queries = {
        "offer": cases.find({"offers.offer_id": offer.offer_id}),
        "token": cases.find({"offers.token_sha256": offer.token_sha256}),
        "specialist": cases.find({"offers.specialist_id": "s1"}).sort("opened_at", -1).limit(200),
        "existing": cases.find({"_id": {"$in": ["ref_1", "ref_2"]}}),
        "asked": cases.find({"changed_at": {"$gte": since}}),
        "seeking": cases.find({"state": "seeking"}),
        "due": cases.find({"due_at": {"$lte": clock.now()}}).limit(64),
        "changed": people.find({"updated_at": {"$gte": since}}),
        "loads": loads.find({"updated_at": {"$gte": since}}),
        "supervisors": people.find({"role": "supervisor"}),
        "pool": cases.find({"state": "unfilled"}).sort("opened_at", 1).limit(200),
        "carried": cases.find({"assigned_specialist_id": {"$eq": "s1", "$gt": ""}}),
        "parted": cases.find({"need.peer_id": {"$in": ["peer_ref_1"]}, "is_parted": True}),
        "offered": cases.find({"offers.specialist_id": {"$in": ["s1", "s2"]}, "state": "seeking"}),
        "entries": people.find({"_id": {"$in": ["s1", "s2"]}}),
    }
    stages = {name: _stages_of(cursor) for name, cursor in queries.items()}
    slow = {name: found for name, found in stages.items() if found & {"COLLSCAN", "SORT"}}
    assert not slow
    assert "COLLSCAN" in _stages_of(cases.find({"wave": 2}))
