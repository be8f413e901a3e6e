"""How each column of a roster is written: its text read into the domain, or what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from services.matching import places, taxonomy, tongues
from services.matching.domain import limits as own_limits
from services.matching.domain.limits import Limit
from services.matching.domain.place import Place
from services.matching.domain.shifts import MINUTES_PER_DAY, Span, Window, span_on_wall_clock
from services.matching.domain.specialist import AGE_BANDS, LEVELS, MODALITIES, PAYERS, Certification

_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_STATE = re.compile(r"[A-Z]{2}")
_WINDOW = re.compile(r"([a-z]{3})(?:-([a-z]{3}))? +(\d\d):(\d\d)-(\d\d):(\d\d)")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MOST_ITEMS = 200
# In `attributes`: what is private stays as it is on the roster. An export has it where the reader may not see more.
PRIVATE_STAYS = "*:private"

# In `email` and `phone`: how they are reached stays as it is. Matching does not know it, so an export cannot have it.
EMAIL_KEPT = "kept"


class Bad(Exception):  # noqa: N818  it is always turned into a RowFault
    """A column that cannot be read: a stable code and a sentence, never the value."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


def an_id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise Bad("not-an-id", "An id has 1 to 64 letters, digits or . _ : -")
    return text


def one_of(*known: str) -> Callable[[str], str]:
    def reader(text: str) -> str:
        if text not in known:
            raise Bad("unknown-value", f"One of: {', '.join(known)}.")
        return text

    return reader


def short(text: str) -> str:
    if len(text) > 80:
        raise Bad("too-long", "At most 80 characters.")
    return text


def email(text: str) -> str:
    """The address; "" for `kept`, where they were told before."""
    if text == EMAIL_KEPT:
        return ""
    try:
        # The reserved domains of RFC 2606 are what development, demo and tests write to.
        return validate_email(text, check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError:
        raise Bad("not-an-email", "This is not an e-mail address.") from None


def phone(text: str) -> str:
    """The number in E.164, of the USA where it has no country code; `kept` as it is."""
    if text == EMAIL_KEPT:
        return text
    try:
        number = phonenumbers.parse(text, "US")
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_possible_number(number):
        raise Bad("not-a-phone", "This is not a telephone number.")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def language(text: str) -> str:
    tag = tongues.primary(text)
    if not tag:
        raise Bad("unknown-language", "Send a BCP 47 language tag such as es.")
    return tag


def languages(text: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for item in _items(text):
        tag, _, level = item.partition(":")
        if level not in LEVELS:
            raise Bad("unknown-level", f"A language is written es:native; levels: {', '.join(LEVELS)}.")
        found[language(tag)] = max(LEVELS[level], found.get(language(tag), 0))
    return found


def attributes(text: str) -> tuple[list[str], list[str]]:
    kept: dict[str, set[str]] = {"released": set(), "private": set()}
    for item in _items(text):
        if item == PRIVATE_STAYS:
            continue
        code, _, use = item.partition(":")
        if code not in taxonomy.read():
            raise Bad("unknown-attribute", "An attribute is not in the taxonomy.")
        if use not in kept:
            raise Bad("release-not-said", "An attribute is written code:released or code:private.")
        kept[use].add(code)
    # Told twice in two ways, the more careful one holds.
    return sorted(kept["released"] - kept["private"]), sorted(kept["private"])


def yes_or_no(text: str) -> bool:
    return one_of("yes", "no")(text) == "yes"


def place(text: str) -> Place:
    found = places.find(text)
    if found is None:
        raise Bad("unknown-zip", "A five-digit ZIP that is on the map.")
    return found


def certifications(text: str) -> tuple[Certification, ...]:
    return tuple(_certification(item) for item in _items(text))


def _certification(text: str) -> Certification:
    parts = text.split("/")
    if len(parts) != 5:
        raise Bad("not-a-certification", "A certification is state/payers/age bands/from/until.")
    state, payers, age_bands, begins, ends = parts
    if not _STATE.fullmatch(state):
        raise Bad("unknown-state", "A state has two capital letters.")
    valid_from, valid_until = _day(begins), _day(ends)
    if valid_until < valid_from:
        raise Bad("ends-before-it-begins", "A certification ends before it begins.")
    return Certification(
        state, _several(payers, PAYERS), _several(age_bands, AGE_BANDS), valid_from, valid_until
    )


def _several(text: str, known: tuple[str, ...]) -> frozenset[str]:
    if text == "any":
        return frozenset(known)
    chosen = frozenset(text.split("+"))
    if not chosen <= frozenset(known):
        raise Bad("unknown-value", f"any, or some of {', '.join(known)} joined by +.")
    return chosen


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Bad("not-a-date", "A day is written 2026-12-31.") from None


def modalities(text: str) -> frozenset[str]:
    return frozenset(one_of(*MODALITIES)(item) for item in _items(text))


def count(most: int) -> Callable[[str], int]:
    def reader(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,6}", text) or int(text) > most:
            raise Bad("not-a-count", f"A whole number from 0 to {most}.")
        return int(text)

    return reader


def windows(text: str) -> tuple[Window, ...] | None:
    """The weekly windows, None for always on call."""
    if text == "always":
        return None
    return tuple(window for item in _items(text) for window in _window(item))


def on_call(text: str) -> tuple[Window, ...]:
    """Weekly windows."""
    return tuple(window for item in _items(text) for window in _window(item))


def _window(text: str) -> list[Window]:
    match = _WINDOW.fullmatch(text)
    if match is None or match[1] not in DAYS or (match[2] or match[1]) not in DAYS:
        raise Bad("not-a-shift", "A shift is written mon-fri 22:00-06:00, or always.")
    first, last = DAYS.index(match[1]), DAYS.index(match[2] or match[1])
    start, end = _minute(match[3], match[4]), _minute(match[5], match[6])
    return [Window((first + n) % 7, start, end) for n in range((last - first) % 7 + 1)]


def _minute(hours: str, minutes: str) -> int:
    minute = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or minute > MINUTES_PER_DAY:
        raise Bad("not-a-shift", "A time is written 00:00 to 24:00.")
    return minute % MINUTES_PER_DAY


def time_zone(text: str) -> str:
    try:
        return ZoneInfo(text).key
    except (ValueError, OSError, KeyError):
        raise Bad("unknown-time-zone", "An IANA time zone such as America/New_York.") from None


def _items(text: str) -> list[str]:
    items = [item.strip() for item in text.split(";") if item.strip()]
    if not items or len(items) > _MOST_ITEMS:
        raise Bad("bad-list", f"1 to {_MOST_ITEMS} entries, separated by semicolons.")
    return items


def spans(zone: str) -> Callable[[str], tuple[Span, ...]]:
    """Reads "2026-12-24..2026-12-26" (both days whole) and "2026-12-24 18:00..2026-12-25 08:00" on this zone's clocks."""

    def reader(text: str) -> tuple[Span, ...]:
        return tuple(_span(item, zone) for item in _items(text))

    return reader


def _span(text: str, zone: str) -> Span:
    first, dots, last = text.partition("..")
    is_days = len(first) == len(last) == 10
    try:
        begins, ends = datetime.fromisoformat(first), datetime.fromisoformat(last)
        ends += timedelta(days=1) if is_days else timedelta()
        if not dots or begins.tzinfo or ends.tzinfo or begins.second or ends.second:
            raise ValueError
    except (ValueError, OverflowError):
        told = "Write 2026-12-24..2026-12-26, or 2026-12-24 18:00..2026-12-25 08:00."
        raise Bad("not-a-span", told) from None
    if ends <= begins:
        raise Bad("ends-before-it-begins", "A span ends before it begins.")
    return span_on_wall_clock(begins, ends, zone)


def limits(text: str) -> tuple[Limit, ...]:
    """What they do not want to be asked: "source:st-brigid;experience:bereavement:2026-12-31"."""
    return tuple(sorted({_limit(item) for item in _items(text)}, key=str))


def _limit(text: str) -> Limit:
    kind, _, rest = text.partition(":")
    value, _, day = rest.partition(":")
    known: dict[str, Callable[[str], object]] = {
        "source": an_id,
        "experience": _attribute,
        "age-band": one_of(*AGE_BANDS),
        "urgency": one_of("immediate", "urgent", "routine"),
    }
    if kind not in own_limits.KINDS or not value:
        raise Bad("not-a-limit", f"A limit is written kind:value or kind:value:last day; {', '.join(known)}.")
    known[kind](value)
    return Limit(kind, value, _day(day) if day else None)


def _attribute(code: str) -> str:
    if code not in taxonomy.read():
        raise Bad("unknown-attribute", "An attribute is not in the taxonomy.")
    return code
