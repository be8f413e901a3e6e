"""Protos on one side, facts, searches and answers on the other; pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from chassis.clock import to_millisecond
from chassis.envelope import Envelope
from chassis.errors import Fault, Kind, Refusal
from kindred.audit.v1 import audit_pb2
from services.audit.domain import sequences
from services.audit.domain.classes import (
    ACCESS_ACTIONS,
    ACCESS_TYPES,
    CLASSES,
    DENIED,
    NAMES_ITS_RECORD,
    UNCLASSIFIED,
    EventClass,
)
from services.audit.domain.facts import Facts, outcome_word
from services.audit.domain.leaf import timestamp
from services.audit.domain.report import Report
from services.audit.handlers import Found, Hit, Search

# An event this version cannot read is kept whole up to here; of a longer one only its fingerprint is kept.
MAX_UNREAD_BYTES = 65_536
# What MongoDB can compare an index with.
_HIGHEST_INDEX = 2**63 - 1


def facts_from_event(envelope: Envelope, message: Any | None) -> Facts:
    """What the event says to an auditor. Never fails: what is odd about it becomes a flag."""
    event_class = CLASSES.get(envelope.type, UNCLASSIFIED)
    action, interaction, record_type = _deed(envelope.type, event_class, message)
    record_id = _text(message, event_class.record_field)
    provenance = getattr(message, "provenance", None)
    flags = _flags(envelope, message, provenance)
    return Facts(
        event_id=envelope.id,
        event_type=envelope.type,
        producer=envelope.source,
        producer_seq=envelope.producer_seq,
        recorded_at=to_millisecond(envelope.time),
        action=action,
        interaction=interaction,
        outcome=_outcome(event_class, message),
        record_type=record_type,
        record_id=record_id,
        reason=_reason(envelope.type, event_class, message),
        actor_id=_text(provenance, "actor_id"),
        actor_role=_text(provenance, "actor_role"),
        organization_id=_text(provenance, "organization_id"),
        purpose_of_use=_text(provenance, "purpose_of_use"),
        subject_id=_text(provenance, "peer_id"),
        referral_id=_text(message, "referral_id") or (record_id if record_type == "Referral" else ""),
        criteria=tuple(getattr(message, "criteria", ())),
        trace_id=envelope.traceparent[3:35],
        correlation_id=envelope.correlation_id,
        flags=flags,
        content_digest=_digest(envelope),
        unread=_unread(envelope, message),
        shape=event_class.shape,
        particulars=_particulars(event_class, message),
    )


def _outcome(event_class: EventClass, message: Any | None) -> str:
    is_denied = event_class.denial_field and not getattr(message, event_class.denial_field, True)
    return DENIED if is_denied else event_class.outcome


def _particulars(event_class: EventClass, message: Any | None) -> tuple[tuple[str, str], ...]:
    # Whom a referral was put to, or who carried it out, is what makes a later read theirs to make.
    told = (
        (name, _text(message, name)) for name in dict.fromkeys((*event_class.particulars, "specialist_id"))
    )
    return tuple((name, value) for name, value in told if value)


def _deed(event_type: str, event_class: EventClass, message: Any | None) -> tuple[str, str, str]:
    """FHIR action, RESTful interaction and record type; an access event says them itself."""
    usual = event_class.action, event_class.interaction
    if event_type in ACCESS_TYPES and message is not None:
        return (*ACCESS_ACTIONS.get(message.action, usual), message.record_type)
    if event_type in NAMES_ITS_RECORD and message is not None:
        return (*usual, message.record_type)
    return event_class.action, event_class.interaction, event_class.record_type


def _reason(event_type: str, event_class: EventClass, message: Any | None) -> str:
    """The code of a refusal or change; a denial also says what was asked for, where that is a method's name."""
    reason = _text(message, event_class.reason_field)
    action = _text(message, "action") if event_type in ACCESS_TYPES else ""
    return f"{reason} at {action}".strip() if action and action not in ACCESS_ACTIONS else reason


def _flags(envelope: Envelope, message: Any | None, provenance: Any | None) -> tuple[str, ...]:
    flags: list[str] = []
    if message is None:
        flags.append("unknown-type")
    elif envelope.type not in CLASSES:
        flags.append("unclassified")
    if message is not None and not _text(provenance, "actor_id"):
        flags.append("no-actor")
    if envelope.producer_seq < 1:
        flags.append("unnumbered")
    if message is None and len(envelope.data) > MAX_UNREAD_BYTES:
        flags.append("content-not-kept")
    return tuple(flags)


def _digest(envelope: Envelope) -> bytes:
    """SHA-256 over type, producer, number, time and content of the event."""
    head = f"{envelope.type}\n{envelope.source}\n{envelope.producer_seq}\n{envelope.time.isoformat()}\n"
    return hashlib.sha256(head.encode() + envelope.data).digest()


def _unread(envelope: Envelope, message: Any | None) -> bytes:
    is_kept = message is None and len(envelope.data) <= MAX_UNREAD_BYTES
    return envelope.data if is_kept else b""


def _text(message: Any | None, field: str) -> str:
    value = getattr(message, field, "") if message is not None and field else ""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Timestamp):
        return timestamp(value.ToDatetime(tzinfo=UTC)) if value.seconds else ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(map(str, value)) if isinstance(value, Iterable) else str(value or "")


def search_from_proto(request: audit_pb2.SearchEntriesRequest) -> Search:
    """The search a request means; raises Refusal INVALID for a limit or page token that is none."""
    if request.limit < 0:
        raise _invalid("limit", "The limit is 0 or more.")
    return Search(
        peer_id=request.peer_id,
        referral_id=request.referral_id,
        actor_id=request.actor_id,
        event_type=request.event_type,
        recorded_from=_moment(request, "recorded_from"),
        recorded_until=_moment(request, "recorded_until"),
        limit=request.limit,
        before=_page(request.page_token),
    )


def found_to_proto(found: Found) -> audit_pb2.SearchEntriesResponse:
    """The answer to a search."""
    token = ""
    if found.goes_on_after:
        moment, index = found.goes_on_after
        token = f"{timestamp(moment)}_{index}"
    entries = [entry_to_proto(hit) for hit in found.hits]
    return audit_pb2.SearchEntriesResponse(
        entries=entries, next_page_token=token, checkpoint=found.head.checkpoint
    )


def entry_to_proto(hit: Hit) -> audit_pb2.Entry:
    """One entry; what only the body says is empty where the body cannot be opened any more."""
    entry = audit_pb2.Entry(
        index=hit.index,
        event_id=hit.row["_id"],
        event_type=hit.row["event_type"],
        producer=hit.row["producer"],
        producer_seq=hit.row["producer_seq"],
        actor_id=hit.row["actor_id"],
        outcome=outcome_word(hit.row["outcome"]),
        fhir_json=hit.fhir_json.decode(),
        leaf=hit.leaf,
    )
    entry.recorded_at.FromDatetime(hit.row["recorded_at"])
    if hit.body is not None:
        entry.actor_role = hit.body.actor_role
        entry.purpose_of_use = hit.body.purpose_of_use
        entry.peer_id = hit.body.peer_id
        entry.referral_id = hit.body.referral_id
        entry.trace_id = hit.body.trace_id
    return entry


def report_to_proto(report: Report, most_missing: int = 1_000) -> audit_pb2.CheckLogResponse:
    """What a check found; of each producer the first `most_missing` missing numbers (all ranges are findings)."""
    return audit_pb2.CheckLogResponse(
        tree_size=report.tree_size,
        entries_checked=report.entries_checked,
        findings=[
            audit_pb2.Finding(code=each.code, index=each.index, detail=each.detail)
            for each in report.findings
        ],
        producers=[
            audit_pb2.ProducerState(
                producer=producer,
                highest_seq=sequences.highest(ranges),
                missing=sequences.missing(ranges, most_missing),
            )
            for producer, ranges in report.producers.items()
        ],
    )


def _moment(request: Any, field: str) -> datetime | None:
    if not request.HasField(field):
        return None
    try:
        return getattr(request, field).ToDatetime(tzinfo=UTC)
    except ValueError:
        raise _invalid(field, "The time is out of range.") from None


def _page(token: str) -> tuple[datetime, int] | None:
    if not token:
        return None
    try:
        text, _, index = token.rpartition("_")
        moment = datetime.fromisoformat(text).astimezone(UTC)
        if 0 <= int(index) <= _HIGHEST_INDEX:
            return moment, int(index)
    except (ValueError, OverflowError):
        pass
    raise _invalid("page_token", "Use the token of the last answer.")


def _invalid(path: str, message: str) -> Refusal:
    return Refusal(
        f"{path.replace('_', '-')}-invalid", Kind.INVALID, message, faults=[Fault(path, "invalid", message)]
    )
