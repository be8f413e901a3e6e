"""PID, PV1 and their numbers to the domain's person, visit and record numbers; only what a sender said."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from services.intake.domain.person import RecordNumber
from services.intake.hl7v2 import times
from services.intake.hl7v2.message import Message, Segment, Value

# Table 0203. Numbers that are no number of a person in a record: they would join strangers, or are not needed.
_NOT_A_RECORD = frozenset(
    re.findall(
        "[A-Z]+",
        "SS DL AN ANC AND ANT VN BA BC CC TAX PPN PCN MA MC MCD MCN MCR HC MB SN WC WCN NPI DEA BR BRN XX",
    )
)
_SOCIAL_SECURITY = "USSSA"
_PLACEHOLDERS = frozenset({"0", "00000000", "999999999", "UNKNOWN", "NONE", "NA", "N/A"})
_NOT_A_VOICE = frozenset({"FX", "BP", "INTERNET", "X.400", "MD", "TDD"})
_NOT_THEIRS = frozenset({"WPN", "NET"})
# Table 0200 in the order in which a name speaks for its bearer: legal, unsaid, official, display, birth.
_NAME_TYPES = ("L", "", "U", "R", "C", "D", "B", "P", "T")
_FORMER = frozenset({"M", "B"})  # maiden name, name at birth
_SEXES = {"F": "female", "M": "male", "O": "other", "A": "other"}  # table 0001; no word about gender
_NOT_HOME = frozenset(
    {"B", "O", "F", "BA", "BI", "BDL", "BR", "N"}
)  # table 0190: work, birth, bad and others
_ZIP = re.compile(r"([0-9]{5})(-?[0-9]{4})?")
_KEPT_SIGNS = re.compile(r"[^0-9A-Za-z+#*x.() -]")


def person_said(message: Message, source_id: str) -> dict[str, Any]:
    """What PID says of the person, by the domain's names; what is not in it is not said, null is said as empty."""
    pid = message.first("PID")
    if pid is None:
        return {}
    said: dict[str, Any] = {}
    if any(pid.is_said(field) for field in (2, 3, 4)):
        said["record_numbers"] = record_numbers(_numbers_of(pid), source_id)
    if pid.is_said(5):
        name = _name(pid.values(5))
        said["suffix"] = name.text(5) if name else ""
        said["family_name"] = name.text(1) if name else ""
        said["given_name"] = " ".join(filter(None, (name.text(2), name.text(3)))) if name else ""
    if pid.is_said(7):
        said["birth_date"] = times.birth_date(pid.text(7))
    former = [value.text(1) for value in (*pid.values(5), *pid.values(9)) if value.text(7).upper() in _FORMER]
    if former:
        said["former_names"] = tuple(dict.fromkeys(filter(None, former)))
    if pid.is_said(8):
        said["sex"] = _SEXES.get(pid.text(8).upper(), "")
    if pid.is_said(11):
        said["home_zip"] = _home_zip(pid.values(11))
    if pid.is_said(13) or pid.is_said(40):
        said["phones"] = phones((*pid.values(13), *pid.values(40)))
    return said


def _home_zip(values: list[Value]) -> str:
    """Five digits of where the person lives: a key to find them again, told to nobody."""
    for value in values:
        match = _ZIP.fullmatch(value.text(5))
        if match and value.text(7).upper() not in _NOT_HOME:
            return match[1]
    return ""


def _numbers_of(pid: Segment) -> list[Value]:
    """PID-3; of senders before version 2.3 the fields beside it."""
    return pid.values(3) or [*pid.values(2), *pid.values(4)]


def record_numbers(values: Iterable[Value], source_id: str) -> tuple[RecordNumber, ...]:
    """Numbers of the person's records with the authority that gave them; not their payer's or their visit's."""
    found = [
        RecordNumber(authority(value, 4, source_id), value.text(1)) for value in values if is_record(value)
    ]
    return tuple(dict.fromkeys(found))


def is_record(value: Value) -> bool:
    """True for a CX that holds a number of a person's record: not a social security, account or insurance number."""
    number, kind = value.text(1).upper(), value.text(5).upper()
    is_social = _SOCIAL_SECURITY in (value.text(4).upper(), value.text(6).upper())
    return bool(number) and number not in _PLACEHOLDERS and kind not in _NOT_A_RECORD and not is_social


def authority(value: Value, component: int, source_id: str) -> str:
    """The system of a CX (data type HD in one component); without a universal one, a name of the source's own."""
    namespace, universal, kind = (value.text(component, part) for part in (1, 2, 3))
    return _system(namespace, universal, kind, source_id)


def entity(value: Value, source_id: str) -> RecordNumber | None:
    """The number in an EI: entity identifier, namespace, universal id and its type."""
    if not value.text(1):
        return None
    return RecordNumber(_system(value.text(2), value.text(3), value.text(4), source_id), value.text(1))


def _system(namespace: str, universal: str, kind: str, source_id: str) -> str:
    if universal and kind.upper() in ("ISO", "") and re.fullmatch(r"[0-2](\.\d+)+", universal):
        return f"urn:oid:{universal}"
    if universal and kind.upper() in ("UUID", "GUID"):
        return f"urn:uuid:{universal.lower()}"
    if universal and kind.upper() in ("URI", "DNS"):
        return universal
    name = namespace or universal
    return f"source:{source_id}:{name}" if name else f"source:{source_id}"


def _name(values: list[Value]) -> Value | None:
    """The name that speaks for the person, legal first; an alias or maiden name only where there is no other."""
    for kind in _NAME_TYPES:
        for value in values:
            if value.text(7).upper() == kind and (value.text(1) or value.text(2)):
                return value
    return values[0] if values else None


def phones(values: Iterable[Value]) -> tuple[str, ...]:
    """Numbers at which a voice answers, as they came; not the place of work, where a call may tell a secret."""
    found = []
    for value in values:
        if value.text(3).upper() in _NOT_A_VOICE or value.text(2).upper() in _NOT_THEIRS:
            continue
        number = phone(value)
        if number:
            found.append(number)
    return tuple(dict.fromkeys(found))


def phone(value: Value) -> str:
    """The number of an XTN: unformatted (12), in one piece (1), or country, area and local number (5 to 7)."""
    whole = value.text(12) or value.text(1)
    if not whole and value.text(7):
        country = f"+{value.text(5).lstrip('+')}" if value.text(5) else ""
        whole = country + value.text(6) + value.text(7)
    number = _KEPT_SIGNS.sub("", whole).strip()
    return number if any(sign.isdigit() for sign in number) else ""


def email(values: Iterable[Value]) -> str:
    """The first e-mail address of an XTN: component 4 of whatever, or component 1 of the internet's."""
    for value in values:
        is_mail = value.text(3).upper() == "INTERNET" or value.text(2).upper() == "NET"
        for candidate in (value.text(4), value.text(1) if is_mail else ""):
            if "@" in candidate:
                return candidate
    return ""


def is_deceased(message: Message) -> bool:
    """PID-30 says yes, or PID-29 a date of death."""
    pid = message.first("PID")
    return pid is not None and (pid.text(30).upper() == "Y" or bool(pid.text(29)))


def visit_of(message: Message, source_id: str) -> RecordNumber | None:
    """The visit's number: PV1-19, else the alternate one of PV1-50, else the account's of PID-18."""
    for name, field in (("PV1", 19), ("PV1", 50), ("PID", 18)):
        segment = message.first(name)
        value = segment.value(field) if segment else None
        if value is not None and value.text(1):
            return RecordNumber(authority(value, 4, source_id), value.text(1))
    return None


def place_of(value: Value) -> str:
    """Unit, room and bed of a PL, in words."""
    return ", ".join(part for part in (value.text(component) for component in (1, 2, 3)) if part)
