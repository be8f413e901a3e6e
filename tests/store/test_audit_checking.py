"""The daily check of the whole log: planned, done by one, written down; what it finds is a case for an officer."""

from __future__ import annotations

from datetime import timedelta

from chassis import catalog
from chassis.envelope import Cause
from services.audit.checks.checking import RULE, Checker, check
from services.audit.reading_room import prepare_reading, reading_room
from services.audit.store.reviews import DETECTOR
from tests.audit_builders import MOMENT, Log, a_room, some_reads

CAUSE = Cause("cor_test")


class MovingClock:
    """Stands where it is put."""

    moment = MOMENT + timedelta(days=1)

    def now(self):
        """The moment."""
        return self.moment


def said(room) -> list:
    """Every LogChecked that waits for the bus."""
    rows = [row for one in room.database["accesses"].find() for row in one.get("outbox", [])]
    kept = [row for row in rows if row["type"] == "log.checked.v1"]
    return [catalog.message_class(row["type"]).FromString(row["data"]) for row in kept]


def test_a_whole_log_is_said_to_be_whole_and_a_broken_one_is_a_case(
    database, tmp_path, mongo_uri, mongo_client
):
    """The first check comes a while after the start, one process makes it, and the next comes a day later."""
    clock = MovingClock()
    log = Log(a_room(database, tmp_path / "keys", mongo_uri, clock))
    log.record(some_reads(20))
    reading = reading_room(log.room)
    prepare_reading(reading)
    first, second = Checker(log.room, reading), Checker(log.room, reading)
    assert not first.turn() and not second.turn()
    clock.moment += timedelta(minutes=6)
    assert [first.turn(), second.turn()] == [True, False]
    (whole,) = said(log.room)
    assert whole.is_whole and whole.entries == 20 and whole.with_bodies
    assert whole.provenance.actor_id == DETECTOR.actor_id and not reading.reviews.queue()
    entry = log.room.database["entries"].find_one({"_id": 7})
    log.room.database["entries"].update_one(
        {"_id": 7}, {"$set": {"leaf": entry["leaf"].replace(b"R0", b"U0")}}
    )
    clock.moment += timedelta(hours=24)
    assert second.turn()
    broken = said(log.room)[-1]
    assert not broken.is_whole and "leaf-changed" in broken.codes
    (case,) = reading.reviews.queue()
    assert case.rule == RULE and 7 in case.numbers and case.due_at - case.opened_at == timedelta(hours=24)
    asked = check(log.room, False, DETECTOR, CAUSE)
    assert asked.findings and len(said(log.room)) == 3
    for suffix in ("_keys", "_signer"):
        mongo_client.drop_database(database.name + suffix)
