"""A roster's columns written again from the domain, in the forms that roster_forms.py reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from services.matching.domain.limits import Limit
from services.matching.domain.shifts import Span, Window
from services.matching.domain.specialist import (
    AGE_BANDS,
    LEVELS,
    MODALITIES,
    PAYERS,
    Certification,
    Specialist,
)
from services.matching.roster_forms import DAYS, EMAIL_KEPT, PRIVATE_STAYS


def columns(
    one: Specialist, profile: Mapping[str, Any], capacity: int, *, shows_private: bool
) -> dict[str, str]:
    """The row of a specialist that, imported again, changes nothing. `profile` is the stored one.

    What is private is there only for the specialist themself and for who runs the system; for everybody else it
    says that it stays. What is withheld was never stored, so it can only stay.
    """
    released = [f"{code}:released" for code in profile["released"]]
    private = [f"{code}:private" for code in profile["private"]] if shows_private else []
    hidden = bool(profile.get("withheld")) or (bool(profile["private"]) and not shows_private)
    zone = one.shifts.time_zone
    return {
        "specialist_id": one.specialist_id,
        "role": one.role,
        "programme_id": one.programme_id,
        "email": EMAIL_KEPT,
        "phone": EMAIL_KEPT if profile.get("contact", {}).get("has_phone") else "",
        "languages": languages_text(one.languages.items()),
        "attributes": ";".join([*released, *private, *([PRIVATE_STAYS] if hidden else [])]),
        "agrees_to_private_use": "no" if profile.get("withheld") else "yes" if profile["private"] else "no",
        "certifications": certifications_text(one.certifications),
        "modalities": ";".join(name for name in MODALITIES if name in one.modalities),
        "zip": profile["zip"],
        "radius_miles": str(one.radius_miles),
        "shifts": "always" if one.shifts.is_always_on_call else windows_text(one.shifts.windows),
        "time_zone": zone,
        "capacity": str(capacity),
        "transport": one.transport,
        "on_call": windows_text(one.shifts.on_call),
        "time_off": spans_text(one.calendar.off, zone),
        "extra_shifts": spans_text(one.calendar.extra, zone),
        "limits": limits_text(one.limits),
        "supervisor_id": one.supervisor_id,
    }


def windows_text(told: Iterable[Window]) -> str:
    """The windows, one day each."""
    return ";".join(
        f"{DAYS[w.weekday]} {_clock(w.start_minute)}-{_clock(w.end_minute)}"
        for w in sorted(told, key=lambda w: (w.weekday, w.start_minute))
    )


def spans_text(told: Iterable[Span], zone: str) -> str:
    """The spans on this zone's clocks."""
    return ";".join(span_text(span, zone) for span in told)


def span_text(span: Span, zone: str) -> str:
    """A span on this zone's clocks; whole days without the time."""
    begins, ends = (at.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for at in (span.begins, span.ends))
    if begins.time() == ends.time() == time():
        return f"{begins.date()}..{(ends - timedelta(days=1)).date()}"
    return f"{begins:%Y-%m-%d %H:%M}..{ends:%Y-%m-%d %H:%M}"


def limits_text(told: Iterable[Limit]) -> str:
    """The limits."""
    return ";".join(
        f"{limit.kind}:{limit.value}" + (f":{limit.last_day}" if limit.last_day else "") for limit in told
    )


def certifications_text(told: Iterable[Certification]) -> str:
    """The certifications; `any` where all payers or age bands are."""
    return ";".join(
        "/".join(
            (
                one.state,
                _joined(one.payers, PAYERS),
                _joined(one.age_bands, AGE_BANDS),
                str(one.valid_from),
                str(one.valid_until),
            )
        )
        for one in told
    )


def languages_text(told: Iterable[tuple[str, int]]) -> str:
    """The languages, best spoken first."""
    names = {number: name for name, number in LEVELS.items()}
    return ";".join(f"{tag}:{names[level]}" for tag, level in sorted(told, key=lambda one: (-one[1], one[0])))


def _joined(chosen: frozenset[str], known: tuple[str, ...]) -> str:
    return "any" if chosen == frozenset(known) else "+".join(name for name in known if name in chosen)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
