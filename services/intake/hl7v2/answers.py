"""Acknowledgements: ACK and RRI with MSA and ERR, in the sender's own version, delimiters and character set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from chassis.errors import Fault, Kind
from services.intake.hl7v2 import faults, topics
from services.intake.hl7v2 import status as statuses
from services.intake.hl7v2.charset import Charset
from services.intake.hl7v2.delimiters import USUAL
from services.intake.hl7v2.message import Segment
from services.intake.hl7v2.writing import OURS, VERSIONS, Pen

if TYPE_CHECKING:
    from services.intake.hl7v2.status import Standing

ACCEPTED = "AA"
_COMMIT = {"AA": "CA", "AE": "CE", "AR": "CR"}
_MOST_ERRORS = 50
_STRUCTURED_SINCE = "2.5"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a sender is told: the code, what is wrong, what was passed over, and how the referral stands."""

    code: str
    errors: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()
    kind: Kind = Kind.INVALID
    standing: Standing | None = None
    numbers: tuple[str, ...] = field(
        default=()
    )  # raw fields of theirs that an RRI repeats: RF1-6, PID-3, PID-5


def render(
    answer: Answer, header: Segment | None, charset: Charset, now: datetime, *, is_always: bool = False
) -> bytes:
    """The acknowledgement's bytes; empty where the sender wants none (MSH-15 and MSH-16, chapter 2 "enhanced mode").

    Without MSH-15 and MSH-16 (original mode) the answer is the application's: RRI to an accepted REF, else ACK.
    With them it is the accept acknowledgement (CA, CE, CR) where MSH-15 asks for one, else the application's where
    MSH-16 does.  `is_always` answers in original mode whatever they ask.
    """
    if header is None:
        pen = Pen("2.5", USUAL, charset)
        top = pen.header((*OURS, "", ""), ("ACK",), now)
        return pen.message([top, *_told(pen, answer, "")])
    accept, application = (header.text(number).upper() for number in (15, 16))
    is_enhanced = bool(accept or application) and not is_always
    if is_enhanced and not _is_wanted(accept, answer) and not _is_wanted(application, answer):
        return b""
    pen = Pen(_version(header), header.delimiters, charset)
    is_commit = is_enhanced and _is_wanted(accept, answer)
    code = _COMMIT[answer.code] if is_commit else answer.code
    is_rri = answer.standing is not None and not is_commit and answer.code == ACCEPTED
    top = _top(pen, header, "RRI" if is_rri else "ACK", now)
    body = _told(pen, answer, header.raw(10), code)
    if is_rri and answer.standing is not None:
        body += statuses.segments(pen, answer.standing, answer.numbers, answer.warnings)
    return pen.message([top, *body])


def _is_wanted(condition: str, answer: Answer) -> bool:
    """Table 0155: always, never, error or reject only, success only."""
    is_success = answer.code == ACCEPTED
    return condition == "AL" or (condition == "ER" and not is_success) or (condition == "SU" and is_success)


def _version(header: Segment) -> str:
    version = header.text(12)
    return version if version in VERSIONS else "2.5"


def _top(pen: Pen, header: Segment, kind: str, now: datetime) -> str:
    """MSH with the parties exchanged; everything else as the sender has it."""
    parties = [header.raw(number) for number in (5, 6, 3, 4)]
    if not parties[0]:
        parties[0] = OURS[0]
    event = header.text(9, 2)
    is_plain = bool(header.raw(18)) and pen.charset.codec == "ascii"  # also where theirs is none we can write
    of_type = [kind, event, "RRI_I12" if kind == "RRI" else "ACK"] if event else [kind]
    return pen.header(
        parties,
        of_type,
        now,
        processing_id=header.raw(11) or "P",
        version_field=header.raw(12) or pen.version,
        charset="ASCII" if is_plain else header.raw(18),
    )


def _told(pen: Pen, answer: Answer, control_id: str, code: str = "") -> list[str]:
    """MSA and ERR.  MSA-2 is the sender's MSH-10 as it came."""
    code = code or answer.code
    told = answer.errors[:_MOST_ERRORS]
    sign = pen.delimiters.field
    is_structured = pen.is_since(_STRUCTURED_SINCE)
    text = "" if is_structured or not told else pen.segment("", told[0].message).removeprefix(sign)
    msa = sign.join(["MSA", code, control_id, text]).rstrip(sign)
    if not control_id and not text:
        msa = sign.join(["MSA", code, ""])
    if is_structured:
        errors = [_err(pen, fault, answer.kind, "E") for fault in told]
        warned = (
            []
            if answer.standing is not None
            else [_err(pen, one, Kind.INVALID, "W") for one in answer.warnings]
        )
        return [msa, *errors, *warned]
    return [msa, *([_old_err(pen, told, answer.kind)] if told else [])]


def _err(pen: Pen, fault: Fault, kind: Kind, severity: str) -> str:
    """ERR since version 2.5: location, HL7's condition, severity, our code, and a sentence without any value."""
    place = faults.located(fault.path)
    number, name = faults.condition(fault.code, kind)
    location = [
        place.segment,
        place.sequence,
        place.field,
        place.repetition if place.component else "",
        place.component,
        place.subcomponent,
    ]
    table = "HL70357"
    ours = [fault.code, "", topics.SYSTEM]
    return pen.segment(
        "ERR", None, location, [number, name, table], severity, ours, None, None, fault.message
    )


def _old_err(pen: Pen, told: Sequence[Fault], kind: Kind) -> str:
    """ERR before version 2.5: ERR-1 repeats (data type ELD): segment, which, field, and the code with ours beside it."""
    signs = pen.delimiters
    fields = []
    for fault in told:
        place = faults.located(fault.path)
        number, name = faults.condition(fault.code, kind)
        coded = [number, name, "HL70357", fault.code, fault.message, topics.SYSTEM]
        one = pen.segment("", [place.segment, place.sequence, place.field, coded])
        fields.append(one.removeprefix(signs.field))
    separator = signs.repetition or signs.field
    return f"ERR{signs.field}{separator.join(fields if signs.repetition else fields[:1])}"
