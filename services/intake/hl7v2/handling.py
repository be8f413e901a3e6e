"""One message in, its acknowledgement out: stored before it is acknowledged; the same message is answered the same."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prometheus_client import Counter

from chassis import answers as door_answers
from chassis import telemetry
from chassis.errors import WORKER_END, End, Fault, Kind, Refusal
from chassis.identity import Caller
from chassis.mongo import is_outside_trouble
from services.intake import handlers
from services.intake.domain.states import State
from services.intake.hl7v2 import answers, certified, charset, events, faults, identity, message, senders
from services.intake.hl7v2.answers import ACCEPTED, Answer
from services.intake.hl7v2.calls import Call
from services.intake.hl7v2.charset import Charset
from services.intake.hl7v2.events import ACTS, Act, Done
from services.intake.hl7v2.faults import Unacceptable
from services.intake.hl7v2.message import Message, Segment
from services.intake.hl7v2.reading import DOOR
from services.intake.hl7v2.senders import Sender
from services.intake.hl7v2.status import Standing
from services.intake.hl7v2.writing import VERSIONS

if TYPE_CHECKING:
    from services.intake.bootstrap import Room
    from services.intake.store.messages import Marks

IGNORED = Counter("kindred_hl7_ignored_total", "ADT messages that mean nothing to a referral.", ["event"])
REPEATED = Counter("kindred_hl7_repeated_total", "HL7 messages that were answered before.", ["event"])
_TYPES = frozenset({"REF", "ADT"})
_ADT_EVENT = re.compile(r"A\d\d")
# What engines write anew when they send again: date and control id, sequence number, when the event was recorded.
_RESTAMPED = {"MSH": (7, 10, 13), "EVN": (2,)}
_LONGEST_CONTROL_ID = 199
_NO_BODY_KINDS = frozenset({Kind.INVALID, Kind.CONFLICT, Kind.NOT_FOUND, Kind.TOO_LARGE})


@dataclass(frozen=True, slots=True)
class _Envelope:
    """What can be known of a message before it is read: its header, its character set, its sender."""

    raw: bytes
    header: Segment
    charset: Charset

    @property
    def type(self) -> str:
        return self.header.text(9)

    @property
    def event(self) -> str:
        """MSH-9 decides; an EVN that says otherwise is what an engine left there."""
        return self.header.text(9, 2)


def handle(room: Room, raw: bytes) -> bytes:
    """The message's acknowledgement; everything it means is stored before.  Empty where the sender wants none.

    Never raises for what a message holds.  Raises where the database is away, or somebody else was quicker for too
    long: then nothing must be acknowledged, so that the sender sends it again.
    """
    header, chosen = None, Charset("ascii")
    try:
        header = message.header_of(raw)
        chosen = _charset(raw, header)
        answer = _answer(room, _Envelope(raw, header, chosen))
    except Refusal as refusal:
        if WORKER_END[refusal.kind] is End.RETRIED:
            raise
        if header is None:
            _denied(room, refusal.code)
        answer = _refused(refusal)
    except Exception as error:
        if is_outside_trouble(error):
            raise
        error_id = door_answers.note_bug(error, DOOR, "hl7 message")
        text = f"This is a fault of ours; its number is {error_id}."
        answer = Answer(faults.ERROR, (Fault("", "internal-error", text),))
    is_always = room.settings.hl7_always_acknowledge
    return answers.render(answer, header, chosen, room.clock.now(), is_always=is_always)


def refuse_too_large(room: Room, beginning: bytes) -> bytes:
    """The refusal of a message that is longer than is read here, by how it began; audited like any rejection."""
    text = "The message is larger than is read here; nothing of it took effect."
    refusal = Refusal(
        "message-too-large", Kind.TOO_LARGE, text, faults=[Fault("MSH", "message-too-large", text)]
    )
    header, chosen = None, Charset("ascii")
    try:
        header = message.header_of(beginning)
        caller = _caller(_sender(room, header))
        handlers.reject(room, caller, DOOR, refusal, telemetry.current_cause())
    except Refusal as unknown:
        if unknown.code not in ("sender-unknown", "sender-not-certified"):
            _denied(room, refusal.code)
    return answers.render(_refused(refusal), header, chosen, room.clock.now(), is_always=True)


def _charset(raw: bytes, header: Segment) -> Charset:
    """The character set of the answer; where none of ours is declared, ASCII."""
    try:
        return charset.chosen(raw, tuple(value.text() for value in header.values(18)))
    except Unacceptable:
        return Charset("ascii")


def _answer(room: Room, envelope: _Envelope) -> Answer:
    sender = _sender(room, envelope.header)
    caller = _caller(sender)
    try:
        act = _act(room, envelope)
        if act is None:
            IGNORED.labels(envelope.event).inc()
            return Answer(ACCEPTED)
        return _acted(room, envelope, sender, caller, act)
    except Refusal as refusal:
        if refusal.kind in _NO_BODY_KINDS:
            handlers.reject(room, caller, DOOR, refusal, telemetry.current_cause())
        raise


def _sender(room: Room, header: Segment) -> Sender:
    """Who sent it; raises SenderUnknown or NotCertified after the denial is in the audit trail."""
    settings = room.settings
    try:
        sender = senders.read(settings.hl7_sources, settings.hl7_time_zone).of(header)
        certified.require(sender.source_id, certified.read(settings.hl7_certificates))
        return sender
    except (senders.SenderUnknown, certified.NotCertified) as refusal:
        _denied(room, refusal.code)
        raise


def _caller(sender: Sender) -> Caller:
    return Caller(f"{DOOR}:{sender.source_id}", "system", sender.source_id, "TREAT")


def _denied(room: Room, code: str) -> None:
    room.access.record_denied(
        None,
        record_type="Referral",
        record_id="",
        action="hl7 message",
        reason_code=code,
        cause=telemetry.current_cause(),
    )


def _act(room: Room, envelope: _Envelope) -> Act | None:
    """What is to be done, None where nothing is; raises Unacceptable in the order in which HL7 asks for it."""
    header = envelope.header
    if not envelope.type:
        raise Unacceptable("MSH[1]-9", "field-missing", "A message has a type.")
    if envelope.type not in _TYPES:
        raise Unacceptable("MSH[1]-9.1", "message-type-unsupported", "REF and ADT are read here.")
    act = ACTS.get((envelope.type, envelope.event))
    if act is None and not (envelope.type == "ADT" and _ADT_EVENT.fullmatch(envelope.event)):
        raise Unacceptable("MSH[1]-9.2", "event-unsupported", "This event is not read here.")
    if not header.text(12):
        raise Unacceptable("MSH[1]-12", "field-missing", "A message has a version.")
    if header.text(12) not in VERSIONS:
        raise Unacceptable(
            "MSH[1]-12", "version-unsupported", f"Versions {VERSIONS[0]} to {VERSIONS[-1]} are read here."
        )
    if not 0 < len(header.raw(10)) <= _LONGEST_CONTROL_ID:
        raise Unacceptable(
            "MSH[1]-10", "field-missing", "A message has a control id of at most 199 characters."
        )
    if act is not None and header.text(11) not in room.settings.hl7_processing_ids:
        text = "Messages of this processing id are not acted on here: a test must call nobody."
        raise Unacceptable("MSH[1]-11", "processing-id-unsupported", text)
    return act


def _acted(room: Room, envelope: _Envelope, sender: Sender, caller: Caller, act: Act) -> Answer:
    read = _read(room, envelope, sender, caller, act)
    marks = _marks(room, envelope, read, sender)
    is_question = envelope.event == "I15"
    known = None if is_question else room.messages.answered(marks)
    if known is not None:
        if not known.is_same_content:
            text = "This control id (MSH-10) was used for another message; a change needs one of its own."
            raise Unacceptable("MSH[1]-10", "control-id-reused", text)
        REPEATED.labels(envelope.event).inc()
        room.messages.note_repeat(marks)
        return _of_told(known.body, read)
    now = room.clock.now()
    done = act(Call(room, read, sender, caller, telemetry.current_cause(), now, marks.content))
    if done.is_noted:
        room.messages.note(marks, _to_tell(done))
    return _of_told(_to_tell(done), read)


def _read(room: Room, envelope: _Envelope, sender: Sender, caller: Caller, act: Act) -> Message:
    """The whole message; raises Unacceptable where it cannot be read, after a no that shows in it was heeded."""
    try:
        return message.parse(envelope.raw)
    except Unacceptable:
        shown = message.glimpse(envelope.raw)
        events.heed(Call(room, shown, sender, caller, telemetry.current_cause(), room.clock.now(), ""), act)
        raise


def _marks(room: Room, envelope: _Envelope, read: Message, sender: Sender) -> Marks:
    """The control id counts within application, facility and event: feeds of one hospital number for themselves."""
    header = envelope.header
    control = (header.raw(3), header.raw(4), f"{envelope.type}^{envelope.event}", header.raw(10))
    return room.messages.marks(sender.source_id, control, content_of(read))


def content_of(read: Message) -> str:
    """What a message says: everything but what an engine writes anew when it sends it again."""
    return "\r".join(_content(segment) for segment in read.segments)


def _content(segment: Segment) -> str:
    skipped = _RESTAMPED.get(segment.name, ())
    fields = ["" if number in skipped else one for number, one in enumerate(segment.fields)]
    while fields and not fields[-1]:
        fields.pop()
    return "\x1f".join(fields)


def _to_tell(done: Done) -> dict[str, Any]:
    """The answer as it is kept: ids, states and codes."""
    told: dict[str, Any] = {
        "warnings": [{"path": one.path, "code": one.code, "message": one.message} for one in done.warnings]
    }
    if done.referral is not None:
        standing = Standing.of(done.referral)
        told["standing"] = {
            "referral_id": standing.referral_id,
            "state": standing.state.value,
            "state_at": standing.state_at,
            "reason_code": standing.reason_code,
            "promised_arrival_at": standing.promised_arrival_at,
            "modality": standing.modality,
        }
    return told


def _of_told(told: dict[str, Any], read: Message) -> Answer:
    warnings = tuple(Fault(**one) for one in told["warnings"])
    known = told.get("standing")
    if known is None:
        return Answer(ACCEPTED, warnings=warnings)
    standing = Standing(**{**known, "state": State(known["state"])})
    return Answer(ACCEPTED, warnings=warnings, standing=standing, numbers=_numbers(read))


def _numbers(read: Message) -> tuple[str, ...]:
    """What an RRI repeats of the sender's own words, as they came: RF1-6, the record numbers of PID-3, PID-5."""
    rf1, pid = read.first("RF1"), read.first("PID")
    numbers = [value.raw for value in pid.values(3) if identity.is_record(value)] if pid else []
    return (
        rf1.raw(6) if rf1 else "",
        read.delimiters.repetition.join(numbers) if read.delimiters.repetition else "".join(numbers[:1]),
        pid.raw(5) if pid else "",
    )


def _refused(refusal: Refusal) -> Answer:
    return Answer(faults.verdict(refusal), faults.faults_of(refusal), kind=refusal.kind)
