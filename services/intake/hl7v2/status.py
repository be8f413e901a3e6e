"""How a referral stands, as RRI: in the answer to a REF, and by itself to a receiver when the referral moves.

The message that is sent by itself is an RRI^I12 (structure RRI_I12) without MSA, as chapter 11 permits: MSH, RF1, PRD,
PID, OBR, OBX, NTE. RF1-1 is table 0283 with our state beside it, RF1-6 the source's number, RF1-11 ours; the OBX are
state, reason, promised arrival and modality in the coding system 99KINDRED.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from chassis.errors import Fault
from services.intake.domain.person import RecordNumber
from services.intake.domain.referral import Referral
from services.intake.domain.states import CLOSED, State
from services.intake.hl7v2 import charset as charsets
from services.intake.hl7v2 import topics
from services.intake.hl7v2.charset import Charset
from services.intake.hl7v2.writing import OURS, Composite, Pen

if TYPE_CHECKING:
    from services.intake.store.documents import Kept

_PENDING, _ACCEPTED, _REJECTED, _EXPIRED = "P", "A", "R", "E"
_TEXTS = {_PENDING: "Pending", _ACCEPTED: "Accepted", _REJECTED: "Rejected", _EXPIRED: "Expired"}
# Table 0283 has four values; the state itself stands beside them, so that nothing is lost.
STATUS = {
    State.SUBMITTED: _PENDING,
    State.NEEDS_INFORMATION: _PENDING,
    State.REFUSED: _REJECTED,
    State.SEEKING: _ACCEPTED,
    State.UNFILLED: _ACCEPTED,
    State.ASSIGNED: _ACCEPTED,
    State.MET: _ACCEPTED,
    State.NOT_MET: _ACCEPTED,
    State.ENGAGED: _ACCEPTED,
    State.CANCEL_REQUESTED: _ACCEPTED,
    State.CANCELLED: _REJECTED,
    State.DECLINED_BY_PEER: _REJECTED,
    State.REFERRED_ELSEWHERE: _ACCEPTED,
    State.COMPLETED: _ACCEPTED,
    State.EXPIRED: _EXPIRED,
    State.ENTERED_IN_ERROR: _REJECTED,
}
WAITING = {
    "consent-missing": "The referral is held until the person's written consent comes (REF I13 with CON).",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """What a source may know of its referral; no PHI."""

    referral_id: str
    state: State
    state_at: datetime
    reason_code: str = ""
    promised_arrival_at: datetime | None = None
    modality: str = ""

    @classmethod
    def of(cls, referral: Referral) -> Standing:
        """How the referral stands now."""
        return cls(
            referral.referral_id,
            referral.state,
            referral.state_at,
            referral.reason_code,
            referral.promised_arrival_at,
            referral.modality,
        )


@dataclass(frozen=True, slots=True)
class Receiver:
    """Who hears how referrals move: MSH-5 and MSH-6 (raw, components and all), version and character set (MSH-18)."""

    application: str = ""
    facility: str = ""
    version: str = "2.5.1"
    charset: str = "UNICODE UTF-8"
    processing_id: str = "P"


def status_message(
    referral: Referral, kept: Kept, *, to: Receiver, now: datetime | None = None, control_id: str = ""
) -> bytes:
    """The RRI^I12 that tells the receiver how the referral stands; the person by number and name, as PID requires.

    This discloses PHI to the receiver: whoever sends it audits it first.  `control_id` names the message in MSH-10,
    the same for every try.  Raises Unacceptable where the receiver's character set is none we can write.
    """
    charset = charsets.chosen(b"", (to.charset,)) if to.charset else Charset()
    pen = Pen(to.version, charset=charset)
    parties = (*OURS, to.application, to.facility)
    top = pen.header(
        parties,
        ("RRI", "I12", "RRI_I12"),
        now or referral.state_at,
        control_id=control_id,
        processing_id=to.processing_id,
        charset=to.charset,
    )
    orders = [_entity(number) for number in kept.placer_identifiers[:1]]
    numbers = (
        _plain(pen, orders[0]) if orders else "",
        _repeated(pen, (_numbered(number) for number in kept.person.record_numbers)),
        _plain(pen, [kept.person.family_name, kept.person.given_name]) or '""',
    )
    return pen.message([top, *segments(pen, Standing.of(referral), numbers)])


def segments(
    pen: Pen, standing: Standing, numbers: Sequence[str], warnings: Sequence[Fault] = ()
) -> list[str]:
    """RF1, PRD, PID, OBR, OBX and NTE; `numbers` are raw RF1-6, PID-3 and PID-5."""
    order, person, name = (*numbers, "", "", "")[:3]
    status = STATUS[standing.state]
    state = standing.state.value
    reference = [standing.referral_id, OURS[0]]
    rf1 = ["RF1", _plain(pen, [status, _TEXTS[status], "HL70283", state, "", topics.SYSTEM])]
    # RF1-6 is required: who gave the order no number gets ours there, too.
    rf1 += [
        "",
        "",
        "",
        "",
        order or _plain(pen, reference),
        "",
        "",
        pen.time(standing.state_at),
        "",
        _plain(pen, reference),
    ]
    pid = ["PID", "1", "", person, "", name or '""']
    sign = pen.delimiters.field
    return [
        sign.join(rf1),
        pen.segment("PRD", ["RT", "Referred to Provider", "HL70286"], ["Kindred"]),
        sign.join(pid),
        pen.segment("OBR", "1", None, reference, ["referral-status", "", topics.SYSTEM]),
        *_observations(pen, standing),
        *_notes(pen, standing, warnings),
    ]


def _observations(pen: Pen, standing: Standing) -> list[str]:
    coded = "CWE" if pen.is_since("2.5") else "CE"
    timed = "DTM" if pen.is_since("2.6") else "TS"
    told: list[tuple[str, str, Composite]] = [("state", coded, [standing.state.value, "", topics.SYSTEM])]
    if standing.reason_code:
        told.append(("reason", coded, [standing.reason_code, "", topics.SYSTEM]))
    is_open = standing.state not in CLOSED  # nobody is promised to come to what is over
    if standing.promised_arrival_at is not None and is_open:
        told.append(("promised-arrival", timed, pen.time(standing.promised_arrival_at)))
    if standing.modality and is_open:
        told.append(("modality", coded, [standing.modality, "", topics.SYSTEM]))
    empty = (None,) * 5
    return [
        pen.segment("OBX", str(number), kind, [topic, "", topics.SYSTEM], "1", value, *empty, "F")
        for number, (topic, kind, value) in enumerate(told, start=1)
    ]


def _notes(pen: Pen, standing: Standing, warnings: Sequence[Fault]) -> list[str]:
    """What is waited for, and what was passed over, in words and with its place."""
    lines = []
    if standing.state is State.NEEDS_INFORMATION:
        lines.append(f"{standing.reason_code}: {WAITING.get(standing.reason_code, 'More is needed.')}")
    lines += [f"{one.code} at {one.path}: {one.message}" for one in warnings]
    return [pen.segment("NTE", str(number), "P", line) for number, line in enumerate(lines, start=1)]


def _plain(pen: Pen, composite: Composite) -> str:
    return pen.segment("", composite).removeprefix(pen.delimiters.field)


def _repeated(pen: Pen, numbers: Iterable[Composite]) -> str:
    return pen.delimiters.repetition.join(_plain(pen, number) for number in numbers)


def _entity(number: RecordNumber) -> Composite:
    """A number as EI: the reverse of identity.entity."""
    namespace, universal, kind = _authority(number.system)
    return [number.value, namespace, universal, kind]


def _numbered(number: RecordNumber) -> Composite:
    """A number as CX: the reverse of identity.authority."""
    return [number.value, "", "", _authority(number.system), "MR"]


def _authority(system: str) -> tuple[str, str, str]:
    for prefix, kind in (("urn:oid:", "ISO"), ("urn:uuid:", "UUID")):
        if system.startswith(prefix):
            return "", system.removeprefix(prefix), kind
    if system.startswith("source:"):
        return system.partition(":")[2].partition(":")[2], "", ""
    return "", system, "URI"
