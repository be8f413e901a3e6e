"""A FHIR search as it is asked: parameters, modifiers, date prefixes, paging and order; pure, and strict.

What is not understood is refused with its name: a search that silently drops a criterion shows too much.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from chassis.errors import Fault, Kind, Refusal
from services.audit.search import marks

USUAL_COUNT = 50
MOST_COUNT = 500
_MOST_VALUES = 50
_MOST_CRITERIA = 20
_COMMA = re.compile(r"(?<!\\),")
_PIPE = re.compile(r"(?<!\\)\|")
_ESCAPED = re.compile(r"\\([\\,|$])")
_DATE = re.compile(
    r"(eq|ne|gt|lt|ge|le|sa|eb|ap)?"
    r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})(?:T([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})?)?)?)?"
)
_CURSOR = re.compile(r"([0-9]{1,15})_(-?[0-9]{1,15})_([0-9]{1,15})")
_MODIFIERS = {
    **dict.fromkeys(marks.TOKENS, frozenset({"", "not"})),
    **dict.fromkeys(marks.STRINGS, frozenset({"", "exact", "contains"})),
    **dict.fromkeys(marks.REFERENCES, frozenset({"", "identifier", "Patient"})),
    **dict.fromkeys(marks.URIS, frozenset({""})),
    **dict.fromkeys(marks.DATES, frozenset({""})),
}
# R4 binds these two to whole value sets: another code is a slip of the pen, and "nothing found" would hide it.
_CODES = {"action": "C, R, U, D, E", "outcome": "0, 4, 8, 12"}
_IGNORED = frozenset({"_format", "_pretty"})
_SORTS = {"date": False, "-date": True, "_lastUpdated": False, "-_lastUpdated": True}
_EARLIEST, _LATEST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Value:
    """One acceptable value: text, and for a token or identifier its system (None where none was named)."""

    text: str
    system: str | None = None


@dataclass(frozen=True, slots=True)
class Criterion:
    """One parameter: any of its values is enough; with `not` none of them may be there."""

    parameter: str
    modifier: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page goes on: the log's size when the search began, and the last hit."""

    size: int
    moment: datetime
    number: int

    def text(self) -> str:
        """The cursor as it stands in a link."""
        millis = (self.moment - _EPOCH) // timedelta(milliseconds=1)
        return f"{self.size}_{millis}_{self.number}"


@dataclass(frozen=True, slots=True)
class Asked:
    """A whole search; every criterion must hold."""

    criteria: tuple[Criterion, ...] = ()
    since: datetime = _EARLIEST
    until: datetime = _LATEST
    without: tuple[tuple[datetime, datetime], ...] = ()
    count: int = USUAL_COUNT
    is_newest_first: bool = True
    only_total: bool = False
    cursor: Cursor | None = None

    def names(self) -> list[str]:
        """The parameters that were used, never their values."""
        named = {each.parameter for each in self.criteria}
        if self.since != _EARLIEST or self.until != _LATEST or self.without:
            named.add("date")
        return sorted(named)

    def of(self, parameter: str) -> list[str]:
        """The texts that were asked for under one parameter."""
        return [value.text for each in self.criteria if each.parameter == parameter for value in each.values]


def read(given: Iterable[tuple[str, str]], now: datetime) -> Asked:
    """The search that these parameters mean; raises Refusal INVALID naming the parameter at fault."""
    asked = Asked()
    criteria: list[Criterion] = []
    pairs = [(name, value) for name, value in given if value != ""]
    if len(pairs) > _MOST_CRITERIA:
        raise _refused("", "search-too-long", f"At most {_MOST_CRITERIA} parameters are read.")
    for name, value in pairs:
        parameter, _, modifier = name.partition(":")
        if parameter in _CONTROLS:
            asked = _CONTROLS[parameter](asked, value)
        elif parameter in marks.DATES:
            asked = _with_date(asked, name, value, now)
        elif parameter in _MODIFIERS:
            criteria.append(_criterion(parameter, modifier, value))
        elif parameter not in _IGNORED:
            raise _refused(name, "search-parameter-unknown", "This parameter is not known here.")
    return replace(asked, criteria=tuple(criteria))


def _criterion(parameter: str, modifier: str, text: str) -> Criterion:
    if modifier not in _MODIFIERS[parameter]:
        raise _refused(
            f"{parameter}:{modifier}", "search-modifier-unsupported", "This modifier is not supported."
        )
    parts = [part for part in _COMMA.split(text) if part]
    if not 1 <= len(parts) <= _MOST_VALUES:
        raise _refused(
            parameter, "search-value-unreadable", f"Between one and {_MOST_VALUES} values are read."
        )
    has_system = parameter in marks.TOKENS or modifier == "identifier"
    values = tuple(_value(part, has_system=has_system) for part in parts)
    if parameter in marks.STRINGS and any(
        len(marks.folded(each.text)) < marks.PREFIXES[0] for each in values
    ):
        raise _refused(parameter, "search-value-unreadable", "Give at least two characters.")
    known = _CODES.get(parameter)
    if known and any(each.text and each.text.upper() not in known.split(", ") for each in values):
        raise _refused(parameter, "search-value-unreadable", f"One of these codes is read: {known}.")
    return Criterion(parameter, modifier, values)


def _value(part: str, *, has_system: bool) -> Value:
    pieces = [_ESCAPED.sub(r"\1", piece) for piece in _PIPE.split(part)]
    if has_system and len(pieces) > 1:
        return Value("|".join(pieces[1:]), pieces[0])
    return Value("|".join(pieces))


def _with_date(asked: Asked, name: str, value: str, now: datetime) -> Asked:
    if ":" in name:
        raise _refused(name, "search-modifier-unsupported", "A date takes a prefix, not a modifier.")
    if "," in value:
        raise _refused(name, "search-value-unreadable", "Repeat the parameter instead of listing dates.")
    prefix, start, end = _span(name, value)
    if prefix == "ap":  # R4 search.html#prefix: a tenth of the time between then and now
        slack = abs(now - start) / 10
        start, end = _clipped(start, -slack), _clipped(end, slack)
    since, until, without = asked.since, asked.until, asked.without
    if prefix in ("", "eq", "ap"):
        since, until = max(since, start), min(until, end)
    elif prefix == "ge":
        since = max(since, start)
    elif prefix in ("gt", "sa"):
        since = max(since, end)
    elif prefix == "le":
        until = min(until, end)
    elif prefix in ("lt", "eb"):
        until = min(until, start)
    else:
        without = (*without, (start, end))
    return replace(asked, since=since, until=until, without=without)


def _span(name: str, value: str) -> tuple[str, datetime, datetime]:
    """Prefix, first moment and first moment after; a date without a time zone is UTC's."""
    found = _DATE.fullmatch(value)
    if found is None:
        raise _refused(
            name, "search-value-unreadable", "Write a date as 2026, 2026-11, 2026-11-21 or a moment."
        )
    prefix, year, month, day, hour, minute, second, fraction, zone = found.groups()
    try:
        if hour is None:
            start = datetime(int(year), int(month or 1), int(day or 1), tzinfo=UTC)
            return prefix or "", start, _next(start, has_month=bool(month), has_day=bool(day))
        text = f"{year}-{month}-{day}T{hour}:{minute}:{second or '00'}{(zone or 'Z').replace('Z', '+00:00')}"
        start = datetime.fromisoformat(text).astimezone(UTC)
        if fraction:
            millis = int(fraction[:3].ljust(3, "0"))
            start += timedelta(milliseconds=millis)
            return prefix or "", start, start + timedelta(milliseconds=1)
        return prefix or "", start, start + (timedelta(seconds=1) if second else timedelta(minutes=1))
    except (ValueError, OverflowError):
        raise _refused(name, "search-value-unreadable", "There is no such day or time.") from None


def _next(start: datetime, *, has_month: bool, has_day: bool) -> datetime:
    if has_day:
        return start + timedelta(days=1)
    if not has_month:
        return start.replace(year=start.year + 1)
    return (start + timedelta(days=32)).replace(day=1)


def _clipped(moment: datetime, by: timedelta) -> datetime:
    try:
        return moment + by
    except OverflowError:
        return _EARLIEST if by < timedelta() else _LATEST


def _count(asked: Asked, value: str) -> Asked:
    if not value.isdecimal() or len(value) > 9:
        raise _refused("_count", "search-value-unreadable", "_count is a whole number.")
    count = int(value)
    return replace(asked, count=min(count, MOST_COUNT), only_total=asked.only_total or count == 0)


def _sort(asked: Asked, value: str) -> Asked:
    if value not in _SORTS:
        known = ", ".join(_SORTS)
        raise _refused("_sort", "search-value-unreadable", f"Entries are sorted by one of: {known}.")
    return replace(asked, is_newest_first=_SORTS[value])


def _summary(asked: Asked, value: str) -> Asked:
    if value not in ("count", "false"):
        raise _refused("_summary", "search-value-unreadable", "_summary is count or false.")
    return replace(asked, only_total=asked.only_total or value == "count")


def _cursor(asked: Asked, value: str) -> Asked:
    found = _CURSOR.fullmatch(value)
    try:
        if found:
            size, millis, number = (int(each) for each in found.groups())
            return replace(asked, cursor=Cursor(size, _EPOCH + timedelta(milliseconds=millis), number))
    except OverflowError:
        pass
    raise _refused("_cursor", "search-value-unreadable", "Use the link of the last page.")


_CONTROLS = {"_count": _count, "_sort": _sort, "_summary": _summary, "_cursor": _cursor}


def link(given: Sequence[tuple[str, str]], cursor: Cursor) -> list[tuple[str, str]]:
    """The parameters of the next page."""
    return [pair for pair in given if pair[0] != "_cursor"] + [("_cursor", cursor.text())]


def _refused(path: str, code: str, message: str) -> Refusal:
    # The name is repeated only where it is one of ours: whatever else stood there may be anybody's words.
    shown = path if re.fullmatch(r"[A-Za-z_-]{1,32}(:[A-Za-z-]{1,20})?", path) else ""
    return Refusal(code, Kind.INVALID, message, faults=[Fault(shown, code, message)])
