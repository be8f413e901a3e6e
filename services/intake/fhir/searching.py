"""R4 search parameters to what is wanted, and back to links that tell nobody who a person is."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from chassis.errors import Fault, Kind, Refusal
from services.intake.domain.wanted import ALL, CHANGED_AT, SUBMITTED_AT, After, Wanted, narrowed
from services.intake.fhir import search_values as values
from services.intake.fhir.search_values import Marker, Unreadable

MOST_ON_A_PAGE = 100
MOST_PARAMETERS = 100
_SAFE_NAME = re.compile(r"_?[A-Za-z][A-Za-z0-9.:-]{0,40}")
_CURSOR = re.compile(r"(-?[0-9]{1,15})\.([A-Za-z0-9-]{1,64})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_MS = 32_503_680_000_000  # the year 3000
# Asked of the server, not of the resources.
_CONTROLS = frozenset({"_format", "_pretty"})

_SAME = {"_id": "token", "_lastUpdated": "date", "identifier": "token", "status": "token"}
_ABOUT = {"patient": "reference", "subject": "reference"}
# Resource type -> search parameter -> its type; the CapabilityStatement says the same.
PARAMETERS: Mapping[str, Mapping[str, str]] = {
    "Task": {
        **_SAME,
        **_ABOUT,
        "for": "reference",
        "authored-on": "date",
        "modified": "date",
        "owner": "reference",
        "requester": "reference",
        "focus": "reference",
        "priority": "token",
        "business-status": "token",
    },
    "ServiceRequest": {
        **_SAME,
        **_ABOUT,
        "authored": "date",
        "authored-on": "date",
        "requester": "reference",
        "priority": "token",
    },
    "Consent": {**_SAME, "patient": "reference"},
}
_SORTS = {
    "authored-on": SUBMITTED_AT,
    "authored": SUBMITTED_AT,
    "_lastUpdated": CHANGED_AT,
    "modified": CHANGED_AT,
}
_WITH_IDENTIFIER = frozenset({"patient", "subject", "for", "owner", "requester"})


@dataclass(frozen=True)
class Query:
    """A search that was understood.  `used` are its parameters for links: no value in them tells who a person is."""

    name: str
    wanted: Wanted
    used: tuple[tuple[str, str], ...] = ()
    criteria: tuple[str, ...] = ()


@dataclass
class _Reading:
    name: str
    marker: Marker
    now: datetime
    wanted: Wanted
    used: list[tuple[str, str]] = field(default_factory=list)
    criteria: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def read(
    name: str, sent: Sequence[tuple[str, str]], marker: Marker, now: datetime, *, is_strict: bool
) -> Query:
    """The search; raises Refusal INVALID with every fault.

    A parameter nobody knows here is passed over, and missing in the self link, unless `is_strict` (R4 search.html).
    """
    wanted = Wanted(with_consent=name == "Consent")
    reading = _Reading(name, marker, now, wanted)
    if len(sent) > MOST_PARAMETERS:
        raise Refusal("search-too-long", Kind.INVALID, f"At most {MOST_PARAMETERS} parameters are read.")
    for key, value in sent:
        if key in _CONTROLS or not value:
            continue
        _take(reading, key, value, is_strict)
    if reading.faults:
        raise Refusal("search-invalid", Kind.INVALID, faults=reading.faults)
    return Query(name, reading.wanted, tuple(reading.used), tuple(dict.fromkeys(reading.criteria)))


def _take(reading: _Reading, key: str, value: str, is_strict: bool) -> None:
    if key in _RESULTS:
        _attempt(reading, key, lambda: _RESULTS[key](reading, value))
        return
    plain, modifier = _split(key)
    known = PARAMETERS[reading.name]
    if plain not in known:
        if is_strict:
            _blame(reading, key, "search-parameter-unknown", "There is no such search parameter here.")
        return
    if modifier and not (modifier == "identifier" and plain in _WITH_IDENTIFIER):
        _blame(reading, key, "search-modifier-unsupported", "This modifier is not supported.")
        return
    reading.criteria.append(plain)
    _attempt(reading, key, lambda: _criterion(reading, plain, modifier, value))


def _split(key: str) -> tuple[str, str]:
    """Name and modifier; the chain `patient.identifier` means the modifier `patient:identifier`."""
    plain, _, modifier = key.partition(":")
    if plain.endswith(".identifier") and not modifier:
        return plain.removesuffix(".identifier"), "identifier"
    return plain, modifier


def _attempt(reading: _Reading, key: str, work: Callable[[], None]) -> None:
    try:
        work()
    except Unreadable as unreadable:
        _blame(reading, key, "search-value-unreadable", unreadable.message)


def _blame(reading: _Reading, key: str, code: str, message: str) -> None:
    place = f"http.{key}" if _SAFE_NAME.fullmatch(key) else "http"
    reading.faults.append(Fault(place, code, message))


def _criterion(reading: _Reading, plain: str, modifier: str, value: str) -> None:
    alternatives = values.alternatives(value)
    wanted, name, marker = reading.wanted, reading.name, reading.marker
    shown = value
    if plain == "_id":
        ids = frozenset(values.referral_id(name, one) for one in alternatives)
        wanted = replace(wanted, referral_ids=narrowed(wanted.referral_ids, ids))
    elif plain in ("_lastUpdated", "modified", "authored", "authored-on"):
        wanted = _dated(wanted, _SORTS[plain], value, reading.now)
    elif plain == "identifier":
        marks, shown = values.numbers(name, alternatives, marker)
        wanted = replace(wanted, orders=(*wanted.orders, marks))
    elif plain == "status" and name == "Consent":
        wanted = replace(wanted, is_consent_in_force=values.in_force(alternatives))
    elif plain in ("status", "business-status"):
        states = values.states(name, plain, alternatives)
        wanted = replace(wanted, states=states if wanted.states is None else wanted.states & states)
    elif plain == "priority":
        urgencies = values.urgencies(alternatives)
        wanted = replace(wanted, urgencies=narrowed(wanted.urgencies, urgencies))
    elif plain in ("patient", "subject", "for"):
        wanted, shown = _about(wanted, alternatives, modifier, marker)
    elif plain == "owner":
        owners = values.owners(alternatives, is_identifier=bool(modifier))
        wanted = replace(wanted, specialist_ids=narrowed(wanted.specialist_ids, owners))
    elif plain == "requester":
        if not values.is_source(alternatives, marker.source_id, is_identifier=bool(modifier)):
            wanted = replace(wanted, referral_ids=frozenset())
    else:
        ids = frozenset(values.focus(one) for one in alternatives)
        wanted = replace(wanted, referral_ids=narrowed(wanted.referral_ids, ids))
    reading.wanted = wanted
    reading.used.append((plain + (f":{modifier}" if modifier else ""), shown))


def _about(wanted: Wanted, alternatives: list[str], modifier: str, marker: Marker) -> tuple[Wanted, str]:
    if not modifier:
        peers = frozenset(values.last_step(one) for one in alternatives)
        return replace(wanted, peer_ids=narrowed(wanted.peer_ids, peers)), ",".join(alternatives)
    peers, marks, shown = values.people(alternatives, marker)
    if peers and marks:
        raise Unreadable("Ask for our pseudonyms or for record numbers, not for both at once.")
    if peers:
        return replace(wanted, peer_ids=narrowed(wanted.peer_ids, peers)), shown
    return replace(wanted, people=(*wanted.people, marks)), shown


def _dated(wanted: Wanted, which: str, value: str, now: datetime) -> Wanted:
    return replace(wanted, spans=(*wanted.spans, (which, values.span(value, now))))


def _count(reading: _Reading, value: str) -> None:
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise Unreadable("A count is a whole number.")
    limit = min(int(value), MOST_ON_A_PAGE)
    reading.wanted = replace(reading.wanted, limit=limit)
    reading.used.append(("_count", str(limit)))


def _sort(reading: _Reading, value: str) -> None:
    which = value.removeprefix("-")
    if which not in _SORTS or (which not in PARAMETERS[reading.name]):
        raise Unreadable("Sort by one of: " + ", ".join(sorted(_SORTS)) + ", each with - for newest first.")
    reading.wanted = replace(reading.wanted, sort_by=_SORTS[which], is_descending=value.startswith("-"))
    reading.used.append(("_sort", value))


def _total(reading: _Reading, value: str) -> None:
    if value not in ("none", "estimate", "accurate"):
        raise Unreadable("The total is none, estimate or accurate.")
    reading.wanted = replace(reading.wanted, count_to=0 if value == "none" else ALL)
    reading.used.append(("_total", value))


def _summary(reading: _Reading, value: str) -> None:
    if value not in ("count", "false"):
        raise Unreadable("Of the summaries only count is made.")
    if value == "count":
        reading.wanted = replace(reading.wanted, limit=0, count_to=ALL)
        reading.used.append(("_summary", value))


def _cursor(reading: _Reading, value: str) -> None:
    try:
        match = _CURSOR.fullmatch(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).decode("ascii"))
    except ValueError:
        match = None
    if match is None or abs(int(match[1])) > _LATEST_MS:
        raise Unreadable("This is not where a page of ours ended.")
    moment = _EPOCH + timedelta(milliseconds=int(match[1]))
    reading.wanted = replace(reading.wanted, after=After(moment, match[2]))


_RESULTS: dict[str, Callable[[_Reading, str], None]] = {
    "_count": _count,
    "_sort": _sort,
    "_total": _total,
    "_summary": _summary,
    "_cursor": _cursor,
}
# What a client may ask beside the criteria, for whoever reads the CapabilityStatement.
RESULT_PARAMETERS = tuple(sorted({*_RESULTS, *_CONTROLS} - {"_cursor"}))


def link(base: str, query: Query, after: After | None = None) -> str:
    """The page's address; `after` makes it the next one's.  It says what was understood, and names nobody."""
    said = list(query.used)
    if after is not None:
        milliseconds = (after.moment - _EPOCH) // timedelta(milliseconds=1)
        cursor = base64.urlsafe_b64encode(f"{milliseconds}.{after.referral_id}".encode()).decode()
        said.append(("_cursor", cursor.rstrip("=")))
    return f"{base}/{query.name}" + (f"?{urlencode(said)}" if said else "")
