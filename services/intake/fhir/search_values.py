"""The values of R4 search parameters, one function for each kind; whoever is named becomes a mark."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.intake.domain.person import ANY_SYSTEM, RecordNumber
from services.intake.domain.states import State
from services.intake.domain.wanted import Span
from services.intake.fhir import names, service_request, task
from services.intake.fhir.parcel import end_of

MOST_ALTERNATIVES = 100
_UNESCAPED_COMMA = re.compile(r"(?<!\\),")
_ESCAPED = re.compile(r"\\([\\,|$])")
_DATE = re.compile(
    r"(eq|ne|gt|lt|ge|le|sa|eb|ap)?"
    r"([0-9]{4}(?:-[0-9]{2}(?:-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?"
    r"(?:Z|[+-][0-9]{2}:[0-9]{2})?)?)?)?)"
)
_MARK = re.compile(r"[0-9a-f]{40}")
_REFERRAL = re.compile(r"[A-Za-z0-9.-]{1,64}")
_NEAR = 0.1  # R4 search.html#prefix: `ap` is a tenth of the time between then and now
_REQUEST_STATUSES = frozenset(
    {"draft", "active", "on-hold", "revoked", "completed", "entered-in-error", "unknown"}
)
_TASK_STATUSES = frozenset(
    """draft requested received accepted rejected ready cancelled in-progress on-hold failed completed
    entered-in-error""".split()  # noqa: SIM905
)
_CONSENT_STATUSES = frozenset({"draft", "proposed", "active", "rejected", "inactive", "entered-in-error"})
_PRIORITIES = {"stat": "immediate", "urgent": "urgent", "routine": "routine"}


class Unreadable(ValueError):  # noqa: N818
    """A value that means nothing; the message says what would, and repeats nothing of it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True)
class Marker:
    """The marks of a source's numbers: keyed hashes, from which nobody reads the number."""

    source_id: str
    order: Callable[[RecordNumber], str]
    person: Callable[[RecordNumber], str]


def alternatives(value: str) -> list[str]:
    """The values of which one is enough."""
    found = [_ESCAPED.sub(r"\1", one) for one in _UNESCAPED_COMMA.split(value) if one]
    if not found or len(found) > MOST_ALTERNATIVES:
        raise Unreadable(f"Between one and {MOST_ALTERNATIVES} values are read.")
    return found


def referral_id(name: str, value: str) -> str:
    """The referral behind a resource's id: a Consent's begins with con, everything else's is the referral's own."""
    is_consent = name == "Consent" and value.startswith("con")
    return "ref" + value.removeprefix("con") if is_consent else value


def last_step(value: str) -> str:
    """The id in a reference, however much of its address stands before it."""
    return value.rpartition("/")[2]


def focus(value: str) -> str:
    """The referral behind ServiceRequest/<id>."""
    head, _, last = value.rpartition("/")
    if head and not head.endswith("ServiceRequest"):
        raise Unreadable("The focus of a Task is a ServiceRequest.")
    return last


def _token(value: str) -> tuple[str | None, str]:
    """System and code; the system is None where none was said."""
    system, bar, code = value.rpartition("|")
    return (system if bar else None), code


def numbers(name: str, sent: Sequence[str], marker: Marker) -> tuple[frozenset[str], str]:
    """Ids and marks of the numbers, and the numbers as a link may show them."""
    marks, shown = set(), []
    for one in sent:
        system, value = _token(one)
        if system == names.ORDER_MARK and _MARK.fullmatch(value):
            marks.add(value)
            shown.append(one)
        elif system == names.REFERRAL_ID or (name == "Consent" and value.startswith("con-")):
            marks.add(referral_id(name, value))
            shown.append(f"{names.REFERRAL_ID}|{value}" if _REFERRAL.fullmatch(value) else "")
        else:
            found = [marker.order(RecordNumber(names.system_of(system or "", marker.source_id), value))]
            if (
                system is None
            ):  # of any system (R4 search.html#token); what was marked before knows its own alone
                found.append(marker.order(RecordNumber(ANY_SYSTEM, value)))
            marks.update(found)
            shown.extend(f"{names.ORDER_MARK}|{mark}" for mark in found)
    return frozenset(marks), ",".join(shown)


def people(sent: Sequence[str], marker: Marker) -> tuple[frozenset[str], frozenset[str], str]:
    """Pseudonyms, marks of record numbers, and both as a link may show them."""
    peers, marks, shown = set(), set(), []
    for one in sent:
        system, value = _token(one)
        if system == names.PEER_ID:
            peers.add(value)
            shown.append(one)
            continue
        is_mark = system == names.PERSON_MARK and _MARK.fullmatch(value)
        number = RecordNumber(names.system_of(system or "", marker.source_id), value)
        mark = value if is_mark else marker.person(number)
        marks.add(mark)
        shown.append(f"{names.PERSON_MARK}|{mark}")
    return frozenset(peers), frozenset(marks), ",".join(shown)


def states(name: str, plain: str, sent: Sequence[str]) -> frozenset[State]:
    """The states that are shown with one of the codes."""
    found: set[State] = set()
    for one in sent:
        code = _token(one)[1]
        if plain == "business-status":
            matching = {state for state in State if code in (state.value, task.STATUS[state][1])}
            if not matching:
                raise Unreadable("There is no such business status.")
        elif name == "Task":
            _known(code, _TASK_STATUSES)
            matching = {state for state in State if task.STATUS[state][0] == code}
        else:
            _known(code, _REQUEST_STATUSES)
            matching = {state for state in State if service_request.STATUS.get(state, "active") == code}
        found |= matching
    return frozenset(found)


def in_force(sent: Sequence[str]) -> bool | None:
    """True for active, False for inactive, None for both."""
    codes = {_token(one)[1] for one in sent}
    for code in codes:
        _known(code, _CONSENT_STATUSES)
    if not codes & {"active", "inactive"}:
        raise Unreadable("A Consent here is active or inactive.")
    return None if codes >= {"active", "inactive"} else "active" in codes


def _known(code: str, codes: frozenset[str]) -> None:
    if code not in codes:
        raise Unreadable("There is no such status.")


def urgencies(sent: Sequence[str]) -> frozenset[str]:
    """The urgencies that are shown with one of the priorities."""
    codes = [_token(one)[1] for one in sent]
    if any(code not in (*_PRIORITIES, "asap") for code in codes):
        raise Unreadable("A priority is routine, urgent, asap or stat.")
    return frozenset(_PRIORITIES[code] for code in codes if code in _PRIORITIES)


def owners(sent: Sequence[str], *, is_identifier: bool) -> frozenset[str]:
    """Specialists by their pseudonyms; the platform itself owns what nobody has accepted, "" here."""
    found = set()
    for one in sent:
        system, value = _token(one) if is_identifier else (None, last_step(one))
        is_platform = value == "kindred" and system in (None, names.PLATFORM_ID)
        found.add("" if is_platform else value)
    return frozenset(found)


def is_source(sent: Sequence[str], source_id: str, *, is_identifier: bool) -> bool:
    """True where one of the requesters is the caller's organization; nobody else's referrals are found anyway."""
    if is_identifier:
        tokens = [_token(one) for one in sent]
        return any(value == source_id and system in (None, names.SOURCE_ID) for system, value in tokens)
    return any(last_step(one) == source_id for one in sent)


def span(value: str, now: datetime) -> Span:
    """The time a date parameter means, at the precision it has; days are taken in UTC (R4 search.html#date)."""
    match = _DATE.fullmatch(value)
    bounds = _bounds(match[2]) if match else None
    if match is None or bounds is None:
        raise Unreadable(
            "A date is YYYY, YYYY-MM, YYYY-MM-DD or with a time, after eq, ne, gt, lt, ge, le or ap."
        )
    start, end = bounds
    prefix = match[1] or "eq"
    if prefix == "ap":
        near = abs(now - start) * _NEAR
        return Span(_shifted(start, -near), _shifted(end, near))
    return {
        "eq": Span(start, end),
        "ne": Span(start, end, is_outside=True),
        "gt": Span(start=end),
        "sa": Span(start=end),
        "ge": Span(start=start),
        "lt": Span(end=start),
        "eb": Span(end=start),
        "le": Span(end=end),
    }[prefix]


def _shifted(moment: datetime, by: timedelta) -> datetime:
    try:
        return moment + by
    except OverflowError:
        return moment


def _bounds(text: str) -> tuple[datetime, datetime] | None:
    """The first instant it can mean, and the one after the last."""
    try:
        if "T" not in text:
            whole = (text + "-01-01")[:10] if len(text) == 4 else (text + "-01")[:10]
            start = datetime.fromisoformat(whole).replace(tzinfo=UTC)
            end = end_of(text)
            return None if end is None else (start, end)
        start = datetime.fromisoformat(_six_digits(text))
        start = start.replace(tzinfo=UTC) if start.tzinfo is None else start.astimezone(UTC)
        return start, start + _precision(text)
    except (ValueError, OverflowError):
        return None


def _six_digits(text: str) -> str:
    return re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", text)


def _precision(text: str) -> timedelta:
    clock = re.split("Z|[+-]", text.partition("T")[2])[0]
    if "." in clock:
        return timedelta(milliseconds=1)
    return timedelta(seconds=1) if clock.count(":") == 2 else timedelta(minutes=1)
