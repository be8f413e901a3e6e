"""Searches on a real mongod: no page scans, a merged person is one, an erased one is nobody."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from chassis.envelope import Cause
from chassis.identity import Caller
from cli.local import keys
from services.intake import handlers
from services.intake.bootstrap import Room, build_room, prepare
from services.intake.domain.person import RecordNumber
from services.intake.domain.states import State
from services.intake.domain.wanted import ALL, CHANGED_AT, SUBMITTED_AT, After, Span, Wanted
from services.intake.settings import Settings
from tests.unit.intake.intake_builders import NOW, SOURCE, a_person, a_submission

CAUSE = Cause("cor-1")
NURSE = Caller("nurse-ada", "nurse", SOURCE, "TREAT")
PAGE = 10
MOST_LOOKED_AT = PAGE + 2


@pytest.fixture(scope="module")
def keys_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return keys.create(tmp_path_factory.mktemp("intake-keys"))


@pytest.fixture
def room(mongo_uri: str, database: Any, clock: Any, keys_dir: Path) -> Room:
    settings = Settings(
        mongo_uri=mongo_uri, mongo_database=database.name, amqp_uri="amqp://nowhere", keys_dir=keys_dir
    )
    room = build_room(settings, clock)
    prepare(room)
    return room


@pytest.fixture
def crowded(room: Room) -> Room:
    """Two sources with 300 referrals each, one in ten of them unfilled."""
    room.database.referrals.insert_many(
        {
            "_id": f"ref-{source}-{number:03}",
            "claims": [f"c-{source}-{number}"],
            "source_id": source,
            "status": "unfilled" if number % 10 == 0 else "seeking",
            "peer_id": f"peer_{source}_{number}",
            "orders": [f"{source}-{number}"],
            "submitted_at": NOW - timedelta(minutes=number),
            "status_at": NOW - timedelta(minutes=(number * 7) % 300),
        }
        for source in (SOURCE, "er-elsewhere")
        for number in range(300)
    )
    return room


SOUGHT = (
    Wanted(limit=PAGE),
    Wanted(limit=PAGE, is_descending=False),
    Wanted(limit=PAGE, sort_by=CHANGED_AT),
    Wanted(limit=PAGE, after=After(NOW - timedelta(minutes=100), f"ref-{SOURCE}-100")),
    Wanted(limit=PAGE, states=frozenset({State.UNFILLED})),
    Wanted(limit=PAGE, peer_ids=frozenset({f"peer_{SOURCE}_7"})),
    Wanted(limit=PAGE, orders=(frozenset({f"{SOURCE}-7"}),)),
    Wanted(limit=PAGE, referral_ids=frozenset({f"ref-{SOURCE}-007"})),
    Wanted(
        limit=PAGE, spans=((SUBMITTED_AT, Span(NOW - timedelta(minutes=20), NOW - timedelta(minutes=10))),)
    ),
    Wanted(limit=PAGE, sort_by=CHANGED_AT, spans=((CHANGED_AT, Span(end=NOW - timedelta(minutes=200))),)),
)


def test_no_page_looks_at_what_it_does_not_show(crowded: Room):
    """Each kind of search reads its page by an index, and little more."""
    for wanted in SOUGHT:
        told = crowded.finding.cursor(SOURCE, wanted).explain()
        assert "COLLSCAN" not in str(told["queryPlanner"]["winningPlan"]), wanted
        assert told["executionStats"]["totalDocsExamined"] <= MOST_LOOKED_AT, wanted
        ids = [document["_id"] for document in crowded.finding.cursor(SOURCE, wanted)]
        assert ids and all(f"-{SOURCE}-" in one for one in ids), wanted


def test_a_total_is_told_as_far_as_it_is_counted(crowded: Room):
    """All 300 where that many are counted, no number where there are more, and none where nobody asked."""
    for most, told in ((ALL, 300), (300, 300), (299, None), (0, None)):
        found = crowded.finding.page(SOURCE, Wanted(limit=0, count_to=most))
        assert (found.rows, found.total) == ((), told)


def submit(room: Room, **given: Any) -> Any:
    return handlers.submit(room, NURSE, a_submission(**given), CAUSE).referral


def test_a_person_who_was_merged_is_found_by_every_number(room: Room):
    """Searches by an old pseudonym or another's number find the referrals of the one person they are."""
    first = submit(room)
    number = RecordNumber("urn:oid:2.999.44", "other-9")
    other = a_person(given_name="Lark", family_name="Otherwise", record_numbers=(number,))
    second = submit(room, idempotency_key="k2", person=other, visit=None)
    assert first.peer_id != second.peer_id
    room.database.people.update_one({"_id": second.peer_id}, {"$set": {"merged_into": first.peer_id}})
    both = {first.referral_id, second.referral_id}
    for wanted in (
        Wanted(peer_ids=frozenset({first.peer_id})),
        Wanted(peer_ids=frozenset({second.peer_id})),
        Wanted(people=(frozenset({room.marks.person(number)}),)),
    ):
        found = room.finding.page(SOURCE, wanted)
        assert {one.referral_id for one, _ in found.rows} == both


def test_an_erased_person_is_nobody_and_the_search_goes_on(room: Room):
    """What was sealed for an erased person is not shown; the others of the page are."""
    gone = submit(room)
    number = RecordNumber("urn:oid:2.999.1", "MRN-kept")
    visit = RecordNumber("urn:oid:2.999.2", "V-kept")
    who = a_person(given_name="Lark", record_numbers=(number,))
    kept = submit(room, idempotency_key="k2", person=who, visit=visit)
    room.vault.erase(gone.peer_id)
    room.vault.__init__(  # another process, which has no key in its memory
        room.database.client, room.database.name, (room.settings.keys_dir / "intake.master.key").read_bytes()
    )
    found = room.finding.page(SOURCE, Wanted())
    assert [one.referral_id for one, _ in found.rows] == [kept.referral_id]


def test_a_search_and_all_it_found_are_one_write(room: Room):
    """The search by its criteria, and each record with its subject, are durable before anything leaves."""
    first = submit(room)
    handlers.search(room, NURSE, Wanted(), "Task", criteria=["status"], cause=CAUSE)
    documents = list(room.database.accesses.find())
    assert [len(document["outbox"]) for document in documents] == [2]
    assert {row["type"] for row in documents[0]["outbox"]} == {"record.read.v1"}
    assert first.peer_id.encode() in documents[0]["outbox"][1]["data"]
