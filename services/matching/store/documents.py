"""How a case and a specialist look as MongoDB documents; pure, both ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import date, datetime
from typing import Any

from bson.binary import Binary

from services.matching import places, taxonomy
from services.matching.domain.case import Case, Checkin, Handoff, Offer
from services.matching.domain.moving import ended_at_a_wish
from services.matching.domain.need import Need
from services.matching.domain.place import Place
from services.matching.domain.score import Term
from services.matching.domain.shifts import Shifts, Window
from services.matching.domain.specialist import Certification, Specialist, Standing

Document = dict[str, Any]
_OFFER_FIELDS = frozenset(field.name for field in fields(Offer))


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
    }


def to_specialist(document: Mapping[str, Any]) -> Specialist:
    """The specialist of a profile that was stored."""
    known = taxonomy.read()
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
            document["time_zone"],
        ),
        languages=document["languages"],
        released=known.with_parents(document["released"]),
        held=known.with_parents([*document["released"], *document["private"]]),
        # Profiles stored before there was such a list have none (P10).
        perhaps_held=known.within(document.get("withheld", ())),
        certifications=tuple(_to_certification(c) for c in document["certifications"]),
        modalities=frozenset(document["modalities"]),
        radius_miles=document["radius_miles"],
    )


def to_standing(document: Mapping[str, Any]) -> Standing:
    """How much a specialist carries."""
    return Standing(document["load_milli"], document["capacity_milli"], document["waiting_since"])


def from_case(case: Case, now: datetime) -> Document:
    """The case without its id, as changed now."""
    return {
        "changed_at": now,
        "need": _from_need(case.need),
        "state": case.state,
        "wave": case.wave,
        "opened_at": case.opened_at,
        "offers": [_from_offer(offer) for offer in case.offers],
        "assigned_specialist_id": case.assigned_specialist_id,
        "exclusions": dict(case.exclusions),
        "revision": case.revision,
        "stop_code": case.stop_code,
        "assigned_weight_milli": case.assigned_weight_milli,
        "handoff": asdict(case.handoff) if case.handoff else None,
        "checkins": [asdict(one) for one in case.checkins],
        "outcome": case.outcome,
        "is_overdue_told": case.is_overdue_told,
        "rematch_key": case.rematch_key,
        "is_parted": bool(ended_at_a_wish([case])),
    }


def to_case(referral_id: str, body: Mapping[str, Any]) -> Case:
    """The case of a body that was stored."""
    return Case(
        need=_to_need(referral_id, body["need"]),
        opened_at=body["opened_at"],
        state=body["state"],
        wave=body["wave"],
        offers=tuple(_to_offer(offer) for offer in body["offers"]),
        assigned_specialist_id=body["assigned_specialist_id"],
        exclusions=body["exclusions"],
        # Cases stored before there were such facts have none (P10).
        revision=body.get("revision", 1),
        stop_code=body.get("stop_code", ""),
        assigned_weight_milli=body.get("assigned_weight_milli", 0),
        handoff=Handoff(**body["handoff"]) if body.get("handoff") else None,
        checkins=tuple(Checkin(**one) for one in body.get("checkins", ())),
        outcome=body.get("outcome", ""),
        is_overdue_told=body.get("is_overdue_told", False),
        rematch_key=body.get("rematch_key", ""),
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


def _from_need(need: Need) -> Document:
    place = need.source_place
    return {
        "peer_id": need.peer_id,
        "source_id": need.source_id,
        "urgency": need.urgency,
        "experience": sorted(need.experience),
        "preferences": [[code, strength] for code, strength in need.preferences.items()],
        "languages": list(need.languages),
        "is_interpreter_agreed": need.is_interpreter_agreed,
        "age_band": need.age_band,
        "payer": need.payer,
        "source_place": [place.x, place.y, place.z, place.state, place.time_zone] if place else None,
        "expected_departure_at": need.expected_departure_at,
        "consent_expires_at": need.consent_expires_at,
        "modalities": sorted(need.modalities),
        "excluded_ids": sorted(need.excluded_ids),
    }


def _to_need(referral_id: str, document: Mapping[str, Any]) -> Need:
    place = document["source_place"]
    return Need(
        referral_id=referral_id,
        peer_id=document["peer_id"],
        source_id=document["source_id"],
        urgency=document["urgency"],
        experience=frozenset(document["experience"]),
        preferences=dict(document["preferences"]),
        languages=tuple(document["languages"]),
        is_interpreter_agreed=document["is_interpreter_agreed"],
        age_band=document["age_band"],
        payer=document["payer"],
        source_place=Place(*place) if place else None,
        expected_departure_at=document["expected_departure_at"],
        consent_expires_at=document["consent_expires_at"],
        modalities=frozenset(document["modalities"]),
        excluded_ids=frozenset(document["excluded_ids"]),
    )


def _from_offer(offer: Offer) -> Document:
    return {
        "offer_id": offer.offer_id,
        "specialist_id": offer.specialist_id,
        "programme_id": offer.programme_id,
        "time_zone": offer.time_zone,
        "wave": offer.wave,
        "made_at": offer.made_at,
        "deadline_at": offer.deadline_at,
        "terms": [[term.code, term.points_milli] for term in offer.terms],
        "ways": sorted(offer.ways),
        "token_sha256": Binary(offer.token_sha256),
        "state": offer.state,
        "answered_at": offer.answered_at,
        "answer_key": offer.answer_key,
        "reason_code": offer.reason_code,
        "modality": offer.modality,
        "promised_arrival_at": offer.promised_arrival_at,
        "kind": offer.kind,
        "ends_with_shift": offer.ends_with_shift,
        "step": offer.step,
        "step_key": offer.step_key,
    }


def _to_offer(document: Mapping[str, Any]) -> Offer:
    # What a newer version stored besides is passed over (P10).
    facts = {name: value for name, value in document.items() if name in _OFFER_FIELDS}
    facts["terms"] = tuple(Term(code, points) for code, points in facts["terms"])
    facts["ways"] = frozenset(facts["ways"])
    facts["token_sha256"] = bytes(facts["token_sha256"])
    return Offer(**facts)
