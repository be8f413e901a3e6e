"""CON segments to the domain's consent: what was said, what it lacks; decided in domain/consent.py."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from services.intake.domain.consent import VERBAL, WRITTEN, Consent
from services.intake.hl7v2 import times, topics
from services.intake.hl7v2.faults import Unacceptable
from services.intake.hl7v2.message import Message, Segment

# CON-2 (table 0496): 001 authorizes a disclosure of health information; every other number is about something else.
_DISCLOSURE = "001"
_OUR_TYPES = frozenset({"peer-referral", "42CFRPart2"})
_STANDARD_TABLE = frozenset({"HL70496", ""})
_GRANTED, _LIMITED, _REFUSED, _RESCINDED, _BYPASSED = "A", "L", "R", "X", "B"
_MODES = {"W": WRITTEN, "V": VERBAL, "T": VERBAL}  # table 0497; by telephone is by word of mouth, too
_PART_2 = "42CFRPart2"
_RESTRICTED = "consent-restricted"
_NEVER = datetime.min.replace(tzinfo=UTC)
_AT_ANY_TIME = datetime.max.replace(tzinfo=UTC)


def read(message: Message, zone: tzinfo) -> tuple[Consent | None, Segment | None]:
    """The newest consent to a disclosure and the CON it stands in; of two as new, the stricter one; or (None, None).

    A consent to something else (an operation, a privacy notice) is no consent to this.  Raises Unacceptable for a
    time that cannot be read.
    """
    own = [segment for segment in message.all("CON") if _is_about_disclosure(segment)]
    if not own:
        return None, None
    read_ones = [(_consent(segment, zone), segment) for segment in own]
    return max(read_ones, key=lambda pair: (_signed_by(pair[0]), _is_stricter(pair[0])))


def _is_about_disclosure(segment: Segment) -> bool:
    code, system = segment.text(2), segment.text(2, 3).upper()
    if system in _STANDARD_TABLE and code.isdigit():
        return code.zfill(3) == _DISCLOSURE
    return True  # a type of the hospital's own, or none: `_deficiency` says what it lacks


def _consent(segment: Segment, zone: tzinfo) -> Consent:
    deficiency, deficient_in = _deficiency(segment)
    status = segment.text(11).upper()
    is_no = status in (_REFUSED, _RESCINDED)
    decided, starts, ends = (_moment(segment, number, zone, is_no=is_no) for number in (13, 14, 15))
    # A no counts from the last moment its date can mean: it is not outdated by a yes of the same day.
    told = decided and (decided.last() if is_no else decided.first)
    decided_at = told.astimezone(UTC) if told else None
    return Consent(
        consent_id=segment.text(4) or segment.text(3),
        is_permitted=_is_permitted(status),
        signed_at=decided_at,
        starts_at=starts.first.astimezone(UTC) if starts else None,
        expires_at=ends.last().astimezone(UTC) if ends else None,
        deficiency=deficiency,
        deficient_in=deficient_in,
        signed_by="peer" if _is_by_subject(segment) else "representative",
        signature_method=_MODES.get(segment.text(10).upper(), ""),
        policies=(_PART_2,) if segment.text(2) == _PART_2 else (),
        revoked_at=(decided_at or _NEVER) if status == _RESCINDED else None,
    )


def _is_permitted(status: str) -> bool | None:
    """CON-11 (table 0498): active and limited permit, refused and rescinded do not, pending says nothing."""
    if status in (_REFUSED, _RESCINDED):
        return False
    return True if status in (_GRANTED, _LIMITED) else None


def _deficiency(segment: Segment) -> tuple[str, str]:
    """(code, part) of what keeps the permission from being one for a referral, or two empty texts."""
    status = segment.text(11).upper()
    if status == _BYPASSED:  # nobody asked the person (CON-20 says why): no consent at all
        return "consent-silent", "is_permitted"
    if _type_is_strange(segment):
        return _RESTRICTED, "type"
    if status == _LIMITED or segment.words(9):
        return _RESTRICTED, "limitations"
    if segment.text(16).upper() == "N" and _is_by_subject(segment):
        return _RESTRICTED, "competence"
    if segment.text(21).upper() == "N":
        return _RESTRICTED, "disclosure"
    return "", ""


def _type_is_strange(segment: Segment) -> bool:
    code, system = segment.text(2), segment.text(2, 3).upper()
    if code in _OUR_TYPES or (system == topics.SYSTEM and code):
        return code not in _OUR_TYPES
    return not (code.isdigit() and code.zfill(3) == _DISCLOSURE)


def _is_by_subject(segment: Segment) -> bool:
    """CON-25 (table 0548): 1 is the person; without it and without a name in CON-24 nobody else is there."""
    relation = segment.text(25)
    return relation == "1" or (not relation and not segment.is_said(24))


def _moment(segment: Segment, field: int, zone: tzinfo, *, is_no: bool) -> times.Moment | None:
    """A no whose time cannot be read is a no without a date; anything else is refused."""
    text = segment.text(field)
    if not text:
        return None
    found = times.read(text, zone)
    if found is None and not is_no:
        raise Unacceptable(segment.at(field), "time-unreadable", "This is not a time.")
    return found


def _signed_by(consent: Consent) -> datetime:
    if consent.is_permitted is False:
        return consent.signed_at or _AT_ANY_TIME
    return consent.signed_at or _NEVER


def _is_stricter(consent: Consent) -> bool:
    return consent.is_permitted is not True or bool(consent.deficiency)


def places(segment: Segment | None) -> dict[str, str]:
    """Where each part of the consent stands in the message."""
    if segment is None:
        return {"consent": "CON"}
    fields = {
        "is_permitted": 11,
        "signature": 10,
        "signed_at": 13,
        "starts_at": 14,
        "expires_at": 15,
        "type": 2,
        "limitations": 9,
        "competence": 16,
        "disclosure": 21,
    }
    return {
        "consent": segment.at(),
        **{f"consent.{part}": segment.at(number) for part, number in fields.items()},
    }
