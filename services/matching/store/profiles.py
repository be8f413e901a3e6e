"""How a specialist looks as a MongoDB document; pure, both ways."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from services.matching import places, roster_forms, roster_text, taxonomy
from services.matching.domain import wellbeing
from services.matching.domain.limits import Limit
from services.matching.domain.place import Place
from services.matching.domain.shifts import Calendar, Shifts, Span, Window
from services.matching.domain.specialist import TRANSPORTS, Certification, Specialist, Standing
from services.matching.domain.wellbeing import Care

Document = dict[str, Any]


def from_specialist(
    row: Specialist, zip_code: str, released: list[str], private: list[str], withheld: list[str]
) -> Document:
    """The profile without the id; attributes as they were told, so that a newer taxonomy can add parents.

    `withheld` are categories, never attributes: what is withheld MUST NOT be stored.
    """
    return {
        "role": row.role,
        "programme_id": row.programme_id,
        "zip": zip_code,
        "time_zone": row.shifts.time_zone,
        "always": row.shifts.is_always_on_call,
        "windows": [[w.weekday, w.start_minute, w.end_minute] for w in row.shifts.windows],
        "languages": dict(row.languages),
        "released": released,
        "private": private,
        "withheld": withheld,
        "certifications": [_from_certification(c) for c in row.certifications],
        "modalities": sorted(row.modalities),
        "radius_miles": row.radius_miles,
    } | _later_facts(row)


def _later_facts(row: Specialist) -> Document:
    """What profiles have since roster columns were added; left out where there is nothing to say, as before (P10)."""
    zone = row.shifts.time_zone
    facts = {
        "transport": row.transport if row.transport != TRANSPORTS[0] else "",
        "on_call": [[w.weekday, w.start_minute, w.end_minute] for w in row.shifts.on_call],
        "time_off": [roster_text.span_text(span, zone) for span in row.calendar.off],
        "extra_shifts": [roster_text.span_text(span, zone) for span in row.calendar.extra],
        "limits": [_from_limit(limit) for limit in row.limits],
        "supervisor_id": row.supervisor_id,
    }
    return {name: fact for name, fact in facts.items() if fact}


def _from_limit(limit: Limit) -> Document:
    return {
        "kind": limit.kind,
        "value": limit.value,
        "last_day": limit.last_day.isoformat() if limit.last_day else "",
    }


def _to_limit(document: Mapping[str, Any]) -> Limit:
    day = document["last_day"]
    return Limit(document["kind"], document["value"], date.fromisoformat(day) if day else None)


def _to_spans(told: Iterable[str], zone: str) -> tuple[Span, ...]:
    read = roster_forms.spans(zone)
    return tuple(span for one in told for span in read(one))


def to_specialist(document: Mapping[str, Any], never: frozenset[str] = frozenset()) -> Specialist:
    """The specialist of a profile that was stored; `never` is opened by who may."""
    known, zone = taxonomy.read(), document["time_zone"]
    place = places.find(document["zip"])
    return Specialist(
        specialist_id=document["_id"],
        role=document["role"],
        programme_id=document["programme_id"],
        # A ZIP that was abolished since has no place: they can still be reached by phone.
        place=place or Place(0, 0, 0, "", document["time_zone"]),
        shifts=Shifts(
            tuple(Window(*window) for window in document["windows"]),
            document["always"],
            zone,
            tuple(Window(*window) for window in document.get("on_call", ())),
        ),
        languages=document["languages"],
        released=known.with_parents(document["released"]),
        held=known.with_parents([*document["released"], *document["private"]]),
        # Profiles stored before there was such a list have none (P10).
        perhaps_held=known.within(document.get("withheld", ())),
        certifications=tuple(_to_certification(c) for c in document["certifications"]),
        modalities=frozenset(document["modalities"]),
        radius_miles=document["radius_miles"],
        transport=document.get("transport", TRANSPORTS[0]),
        calendar=Calendar(
            _to_spans(document.get("time_off", ()), zone), _to_spans(document.get("extra_shifts", ()), zone)
        ),
        limits=tuple(_to_limit(limit) for limit in document.get("limits", ())),
        never=never,
        supervisor_id=document.get("supervisor_id", ""),
    )


def to_standing(caseload: Mapping[str, Any], profile: Mapping[str, Any], care: Care) -> Standing:
    """How much a specialist carries, and whether they rest."""
    accepted, deaths = caseload.get("accepted_at", ()), caseload.get("deaths_at", ())
    return Standing(
        caseload["load_milli"],
        caseload["capacity_milli"],
        caseload["waiting_since"],
        strains=wellbeing.strains(care, accepted, deaths, profile["time_zone"]),
        rests_until=wellbeing.rests_until(care, accepted, profile.get("resting_until")),
    )


def _from_certification(certification: Certification) -> Document:
    return {
        "state": certification.state,
        "payers": sorted(certification.payers),
        "age_bands": sorted(certification.age_bands),
        "from": certification.valid_from.isoformat(),
        "until": certification.valid_until.isoformat(),
    }


def _to_certification(document: Mapping[str, Any]) -> Certification:
    return Certification(
        document["state"],
        frozenset(document["payers"]),
        frozenset(document["age_bands"]),
        date.fromisoformat(document["from"]),
        date.fromisoformat(document["until"]),
    )
