"""AuditEvents of other systems: stored as they came and flagged where they are odd, never refused for their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidTag

from chassis.access import provenance
from chassis.aggregates import AlreadyThere
from chassis.at_rest import AtRest
from chassis.envelope import Cause
from chassis.identity import Caller
from kindred.audit.v1.events_pb2 import EventReceived
from services.audit.domain.facts import Facts
from services.audit.fhir import names, profiles
from services.audit.fhir.profiles import ProfileFault
from services.audit.search import marks

if TYPE_CHECKING:
    from services.audit.reading_room import ReadingRoom as Room

Json = dict[str, Any]
EVENT_TYPE = "event.received.v1"
_OUTCOMES = frozenset({"0", "4", "8", "12"})


@dataclass(frozen=True)
class Received:
    """What was stored: the id it is read under, whether it was there before, and what is odd about it."""

    resource_id: str
    is_new: bool
    faults: Sequence[ProfileFault]


def receive(
    room: Room, caller: Caller, content: bytes, cause: Cause, *, flags: Sequence[str] = ()
) -> Received:
    """The bytes are durable and will be an entry; the same bytes of the same sender are one entry.

    `flags` are what the door they came by found odd.
    """
    document = _parsed(content)
    faults = profiles.faults_of(document)
    digest = hashlib.sha256(f"{caller.organization_id}\n{caller.actor_id}\n".encode() + content).hexdigest()
    aggregate_id = f"rcv_{digest[:32]}"
    event = EventReceived(
        provenance=provenance(caller),  # whom it is about may be a record number: not for the bus
        content_sha256=hashlib.sha256(content).digest(),
        sealed_content=room.at_rest.seal(content, aggregate_id),
        flags=[*_flags(document, faults), *flags],
    )
    is_new = True
    try:
        body = {"recorded_at": room.clock.now()}
        room.access.aggregates.insert(aggregate_id, body, cause=cause, says=[event])
    except AlreadyThere:
        is_new = False
    return Received(aggregate_id.replace("_", "-"), is_new, faults)


def completed(facts: Facts, message: Any, aggregate_id: str, at_rest: AtRest) -> Facts:
    """The facts of an event that another system sent: action, outcome and person as it says them, and its bytes."""
    try:
        content = at_rest.open(message.sealed_content, aggregate_id)
    except (InvalidTag, ValueError):
        return replace(facts, flags=(*facts.flags, "content-unreadable"))
    document = _parsed(content)
    told = document if isinstance(document, dict) else {}
    outcome, action = told.get("outcome"), told.get("action")
    return replace(
        facts,
        action=action if action in ("C", "R", "U", "D", "E") else facts.action,
        outcome=outcome if outcome in _OUTCOMES else facts.outcome,
        subject_id=_patient(document),
        flags=(*facts.flags, *message.flags),
        unread=content,
        particulars=(("received_id", aggregate_id.replace("_", "-")),),
    )


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _patient(document: Any) -> str:
    """The first person the event is about, by our id or by the sender's."""
    if not isinstance(document, dict):
        return ""
    for reference in marks.values(document, "patient"):
        identifier = reference.get("identifier") if isinstance(reference, dict) else None
        if isinstance(identifier, dict) and identifier.get("system") == names.PEER:
            return str(identifier.get("value", ""))
    return next(iter(sorted(marks.patients(document))), "")[:200]


def _flags(document: Any, faults: Sequence[ProfileFault]) -> list[str]:
    """ "outside" always; "not-json", "not-an-audit-event", "not-r4", "not-balp", "no-profile", "several-patients"."""
    flags = ["outside"]
    if document is None:
        return [*flags, "not-json"]
    if not isinstance(document, dict) or document.get("resourceType") != "AuditEvent":
        return [*flags, "not-an-audit-event"]
    claims = profiles.claimed(document)
    if faults:
        flags.append("not-balp" if claims and not profiles.faults_of(document | {"meta": {}}) else "not-r4")
    elif not claims:
        flags.append("no-profile")
    if len(list(marks.values(document, "patient"))) > 1:
        flags.append("several-patients")
    return flags
