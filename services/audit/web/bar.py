"""The search bar: one line of words becomes a FHIR search, and says how it was understood; pure.

It knows ids of people (peer_...), referrals (ref-...) and entries (evt-...), accounts (anything with a hyphen or colon),
purposes of use (BTG), kinds of events (access.denied.v1, or plain words), days, months, "today", "7 days" and "denied".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chassis.identity import PURPOSES

_DAY = re.compile(r"\d{4}-\d{2}(-\d{2})?")
_RANGE = re.compile(r"(\d{4}-\d{2}(?:-\d{2})?)\.\.(\d{4}-\d{2}(?:-\d{2})?)")
_EVENT = re.compile(r"[a-z]+\.[a-z-]+\.v[0-9]+")
_RECORD = re.compile(r"(?:(?:ref|off|con|ntc|rej|sub)[-_]\w+|(?:Referral|Task|Consent)/[\w.-]+)")
_ENTRY = re.compile(r"(evt|rcv)[-_][0-9a-f]+")
_LAST = re.compile(r"(\d{1,4})(d|days|day|dias|días|dia|día)")
# Plain words, in both languages, and the parameter each stands for.
_WORDS = {
    **dict.fromkeys(("denied", "denegado", "denegados", "denegada"), ("outcome", "8")),
    **dict.fromkeys(("refused", "rechazado", "rechazada"), ("outcome", "4")),
    **dict.fromkeys(("read", "reads", "leído", "lecturas"), ("event-type", "record.read.v1")),
    **dict.fromkeys(("disclosed", "disclosures", "divulgado", "divulgaciones"), ("event-type", "disclosure.made.v1")),
    **dict.fromkeys(("exported", "exports", "exportado", "exportaciones"), ("event-type", "record.exported.v1")),
    **dict.fromkeys(("glass", "break-glass"), ("purpose", "BTG")),
    **dict.fromkeys(("emergency", "emergencia"), ("purpose", "ETREAT")),
}  # fmt: skip
_TODAY = frozenset({"today", "hoy"})
_YESTERDAY = frozenset({"yesterday", "ayer"})
_FILLERS = frozenset(
    {"who", "saw", "by", "for", "on", "last", "the", "in", "por", "de", "el", "la", "los", "en"}
)


@dataclass(frozen=True, slots=True)
class Understood:
    """The parameters of the search, and the words that meant nothing: they are told, never guessed at."""

    parameters: tuple[tuple[str, str], ...]
    unknown: tuple[str, ...]


def understood(line: str, now: datetime) -> Understood:
    """What the line asks for."""
    parameters: list[tuple[str, str]] = []
    unknown: list[str] = []
    for word in line.replace(",", " ").split()[:20]:
        found = _meaning(word, now.astimezone(UTC))
        if found is None:
            unknown.append(word)
        parameters += found or ()
    return Understood(tuple(parameters), tuple(unknown))


def _meaning(word: str, now: datetime) -> list[tuple[str, str]] | None:
    lower = word.lower()
    if lower in _FILLERS:
        return []
    if lower in _WORDS:
        return [_WORDS[lower]]
    if word.upper() in PURPOSES:
        return [("purpose", word.upper())]
    if _EVENT.fullmatch(lower):
        return [("event-type", lower)]
    return _time(lower, now) or _id(word)


def _time(lower: str, now: datetime) -> list[tuple[str, str]] | None:
    if lower in _TODAY:
        return [("date", now.date().isoformat())]
    if lower in _YESTERDAY:
        return [("date", (now - timedelta(days=1)).date().isoformat())]
    if _DAY.fullmatch(lower):
        return [("date", lower)]
    if found := _RANGE.fullmatch(lower):
        return [("date", f"ge{found[1]}"), ("date", f"le{found[2]}")]
    if found := _LAST.fullmatch(lower):
        return [("date", f"ge{(now - timedelta(days=int(found[1]))).date().isoformat()}")]
    return None


def _id(word: str) -> list[tuple[str, str]] | None:
    if _ENTRY.fullmatch(word):
        return [("_id", word.replace("_", "-"))]
    if word.startswith("peer_") or word.startswith("Patient/"):
        return [("patient", word)]
    if _RECORD.fullmatch(word):
        return [("entity", word)]
    if re.fullmatch(r"[A-Za-z0-9_.@]+[-:][A-Za-z0-9_.:@-]+", word):
        return [("agent", word)]
    return None
