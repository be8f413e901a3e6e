"""The columns of a roster entry as people read and change them: each item in words, each form one item of a column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from babel.dates import format_date, format_datetime

from chassis.errors import Kind, Refusal
from services.matching import taxonomy, tongues
from services.matching.roster_forms import PRIVATE_STAYS

LISTS = ("languages", "attributes", "on_call", "extra_shifts", "time_off", "limits")
Words = Mapping[str, str]


@dataclass(frozen=True)
class Item:
    """One entry of a column: as it is written, and as it is read."""

    text: str
    told: str


def items(column: str, text: str, reader: str, words: Words) -> list[Item]:
    """A column's entries, each in words."""
    tell = _TELL[column]
    written = [one.strip() for one in text.split(";") if one.strip() and one.strip() != PRIVATE_STAYS]
    return [Item(one, tell(one, reader, words)) for one in written]


def with_item(column: str, text: str, fields: Mapping[str, str]) -> str:
    """The column with what the form adds; the roster's own reading says what is wrong with it."""
    added = _ADD[column](fields)
    key = added.partition(":")[0]
    kept = [
        one for one in text.split(";") if one and not (column in _BY_KEY and one.partition(":")[0] == key)
    ]
    return ";".join([*kept, added])


def without_item(column: str, text: str, fields: Mapping[str, str]) -> str:
    """The column without one entry."""
    return ";".join(one for one in text.split(";") if one and one.strip() != fields.get("item", ""))


def known(column: str) -> str:
    """The column, where people change its entries one by one; raises Refusal INVALID."""
    if column not in LISTS:
        raise Refusal("column-unknown", Kind.INVALID, "There is no such column to change.")
    return column


_BY_KEY = ("languages", "attributes")  # said again, it replaces what was said


def _language(text: str, reader: str, words: Words) -> str:
    tag, _, level = text.partition(":")
    return f"{tongues.name(tag, reader)}, {words[f'level_{level}']}"


def _attribute(text: str, reader: str, words: Words) -> str:
    code, _, use = text.partition(":")
    return f"{taxonomy.read().label(code, reader)} ({words[f'use_{use}']})"


def _window(text: str, reader: str, words: Words) -> str:
    day, _, times = text.partition(" ")
    first, dash, last = day.partition("-")
    days = f"{words[f'day_{first}']}{dash and ' – '}{words[f'day_{last}'] if dash else ''}"
    return f"{days}, {times.replace('-', ' – ')}"


def window(text: str, reader: str, words: Words) -> str:
    """A weekly window in words, "always" too."""
    return words["always"] if text == "always" else _window(text, reader, words)


def _span(text: str, reader: str, words: Words) -> str:
    begins, _, ends = text.partition("..")
    if len(begins) == 10:
        days = [format_date(date.fromisoformat(one), "EEE d MMM y", locale=reader) for one in (begins, ends)]
        return days[0] if begins == ends else " – ".join(days)
    times = (datetime.fromisoformat(one) for one in (begins, ends))
    return " – ".join(format_datetime(one, "EEE d MMM y, HH:mm", locale=reader) for one in times)


def _limit(text: str, reader: str, words: Words) -> str:
    kind, _, rest = text.partition(":")
    value, _, day = rest.partition(":")
    labels = {
        "source": lambda: words["limit_source"].format(source=value),
        "experience": lambda: taxonomy.read().label(value, reader),
        "age-band": lambda: words[f"age_{value}"],
        "urgency": lambda: words[f"tag_{value}"],
    }
    last = format_date(date.fromisoformat(day), "d MMM y", locale=reader) if day else ""
    until = words["until_day"].format(day=last) if last else words["for_good"]
    return f"{labels[kind]()}, {until}"


_TELL: Mapping[str, Callable[[str, str, Words], str]] = {
    "languages": _language,
    "attributes": _attribute,
    "on_call": _window,
    "extra_shifts": _span,
    "time_off": _span,
    "limits": _limit,
}


def _add_days(fields: Mapping[str, str]) -> str:
    first = fields.get("first", "")
    return f"{first}..{fields.get('last', '') or first}"


def _add_shift(fields: Mapping[str, str]) -> str:
    day, begins, ends = (fields.get(name, "") for name in ("day", "begins", "ends"))
    try:
        last = date.fromisoformat(day) + timedelta(days=1 if ends <= begins else 0)
    except (ValueError, OverflowError):
        return f"{day} {begins}..{day} {ends}"  # the roster's reading says what is wrong
    return f"{day} {begins}..{last} {ends}"


_ADD: Mapping[str, Callable[[Mapping[str, str]], str]] = {
    "languages": lambda told: f"{told.get('tag', '')}:{told.get('level', '')}",
    "attributes": lambda told: f"{told.get('code', '')}:{told.get('use', '')}",
    "on_call": lambda told: f"{told.get('weekday', '')} {told.get('begins', '')}-{told.get('ends', '')}",
    "extra_shifts": _add_shift,
    "time_off": _add_days,
    "limits": lambda told: ":".join(
        part
        for part in (told.get("kind") or f"source:{told.get('source', '')}", told.get("until", ""))
        if part
    ),
}
