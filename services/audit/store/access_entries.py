"""Saying that something is done to the log itself, and knowing under which event it was said."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.access import AccessLog, provenance
from chassis.envelope import Cause
from chassis.identity import Caller
from chassis.ids import new_id
from kindred.access.v1.events_pb2 import RecordRead


def said_event_id(
    access: AccessLog,
    caller: Caller,
    *,
    record_type: str,
    record_id: str,
    action: str,
    cause: Cause,
    subject_id: str = "",
    criteria: Sequence[str] = (),
) -> str:
    """The deed is in a majority's journal before it is done; returns the id of the event that says so."""
    aggregate_id = new_id("acc")
    event = RecordRead(
        provenance=provenance(caller, subject_id),
        record_type=record_type,
        record_id=record_id,
        action=action,
        criteria=criteria,
    )
    access.aggregates.insert(aggregate_id, {"deed": action}, says=[event], cause=cause)
    document = access.aggregates.collection.find_one({"_id": aggregate_id}, {"outbox": 1}) or {}
    for said in document.get("outbox", ()):
        return str(said["id"])
    # The relay was quicker: the event is a row of the outbox by now.
    row = access.aggregates.database["outbox"].find_one({"aggregate_id": aggregate_id}, {"_id": 1})
    return str(row["_id"]) if row else aggregate_id
