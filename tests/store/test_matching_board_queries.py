"""No query of the board, the report or the sessions scans a collection (explain on a real mongod)."""

from __future__ import annotations

from datetime import timedelta

from tests.matching_room import a_room, a_row, a_submission, enroll, submit


def _stages(plan):
    yield plan["stage"]
    for key in ("inputStage", "inputStages"):
        inner = plan.get(key, [])
        for one in inner if isinstance(inner, list) else [inner]:
            yield from _stages(one)


def test_what_a_board_and_a_report_look_for_is_in_an_index(mongo_uri, database, clock, tmp_path):
    """Waiting, carried, a month, a programme, one specialist's page: never COLLSCAN, never SORT; a strange query is."""
    with a_room(mongo_uri, database, clock, tmp_path / "keys") as room:
        enroll(room, [a_row(f"s{n}") for n in range(20)])
        submit(room, *[a_submission(f"ref_{n}") for n in range(20)])
        cases, people, now = room.database["cases"], room.database["specialists"], clock.now()
        carried = {"assigned_specialist_id": {"$in": ["s1", "s2"], "$gt": ""}}
        queries = {
            "unfilled": cases.find({"state": "unfilled"}).sort("opened_at", 1),
            "seeking": cases.find({"state": "seeking"}),
            "carried": cases.find(carried),
            "month": cases.find({"opened_at": {"$gte": now - timedelta(days=30), "$lt": now}}).sort(
                "opened_at", 1
            ),
            "members": people.find({"programme_id": "bronx-peers"}, {"_id": 1}),
            "asked": cases.find({"offers.specialist_id": "s1"}).sort("opened_at", -1).limit(20),
        }
        found = {
            name: set(_stages(cursor.explain()["queryPlanner"]["winningPlan"]))
            for name, cursor in queries.items()
        }
        assert not {name: stages for name, stages in found.items() if stages & {"COLLSCAN", "SORT"}}
        strange = cases.find({"wave": 2}).explain()["queryPlanner"]["winningPlan"]
        assert "COLLSCAN" in set(_stages(strange))
        expiring = {"work_sessions", "work_sign_ins"}
        assert all(
            any("expireAfterSeconds" in index for index in room.database[name].list_indexes())
            for name in expiring
        )


def test_a_mark_differs_when_a_case_does_and_tells_nothing(mongo_uri, database, clock, tmp_path):
    """A board's mark is another after a new referral and after a yes, and the same while nothing happens."""
    with a_room(mongo_uri, database, clock, tmp_path / "keys") as room:
        enroll(room, [a_row("rosa")])
        empty = room.boards.mark_of_board("bronx-peers")
        submit(room, a_submission("ref_1"))
        asked = room.boards.mark_of_board("bronx-peers")
        assert len({empty, asked}) == 2 and asked == room.boards.mark_of_board("bronx-peers")
        assert room.boards.mark_of_person("rosa") != room.boards.mark_of_person("otto")
        assert "ref_1" not in asked
