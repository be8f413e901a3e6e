"""Who refers and how to call back: PRD and CTD, else the referring doctor of PV1-8."""

from __future__ import annotations

import re
from typing import Any

from services.intake.hl7v2 import identity
from services.intake.hl7v2.message import Message, Segment, Value

_REFERRING = "RP"
_ZIP = re.compile(r"([0-9]{5})(-[0-9]{4})?")
Said = dict[str, Any]


def read(message: Message) -> tuple[Said, Said, str]:
    """(what is said of the referrer, of their address for answers, ZIP of where they work)."""
    provider, contact = _provider(message)
    if provider is None:
        return _doctor(message), {}, ""
    ways = [*provider.values(5), *provider.values(13), *(contact.values(5) if contact else [])]
    name = _name(provider.value(2)) or (_name(contact.value(2)) if contact else "")
    number = next(filter(None, map(identity.phone, filter(_is_voice, ways))), "")
    said = {key: text for key, text in (("name", name), ("phone", number)) if text}
    address = identity.email(ways)
    zips = (_zip(provider.text(11, 5)), _zip(provider.text(3, 5)))
    return said, {"email": address} if address else {}, next(filter(None, zips), "")


def _provider(message: Message) -> tuple[Segment | None, Segment | None]:
    """The referring provider's PRD, and the first CTD behind it."""
    found: Segment | None = None
    for segment in message.segments:
        if segment.name == "PRD":
            if found is not None:
                break
            is_referring = any(value.text(1).upper() == _REFERRING for value in segment.values(1))
            found = segment if is_referring else None
        elif segment.name == "CTD" and found is not None:
            return found, segment
    return found, None


def _doctor(message: Message) -> Said:
    """PV1-8 (XCN): identifier, family, given."""
    pv1 = message.first("PV1")
    if pv1 is None or not pv1.is_said(8):
        return {}
    value = pv1.value(8)
    name = " ".join(part for part in (value.text(3), value.text(2)) if part)
    return {"name": name} if name else {}


def _name(value: Value) -> str:
    """An XPN in the order in which it is spoken: given, family, degree."""
    degree = value.text(6)
    spoken = " ".join(part for part in (value.text(2), value.text(1)) if part)
    return f"{spoken}, {degree}" if spoken and degree else spoken


def _is_voice(value: Value) -> bool:
    return value.text(3).upper() not in ("FX", "BP", "INTERNET", "X.400") and value.text(2).upper() != "NET"


def _zip(text: str) -> str:
    match = _ZIP.fullmatch(text)
    return match[1] if match else ""  # another country's is none of ours
