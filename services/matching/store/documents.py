"""How a case looks as a MongoDB document; pure, both ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from bson.binary import Binary

from services.matching.domain.case import Case, Checkin, Handoff, Offer
from services.matching.domain.moving import ended_at_a_wish
from services.matching.domain.need import Need
from services.matching.domain.place import Place
from services.matching.domain.score import Term

Document = dict[str, Any]
_OFFER_FIELDS = frozenset(field.name for field in fields(Offer))


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


def in_regions(regions: frozenset[str]) -> Document:
    """The query for cases of facilities in these states; a facility nobody can place has none, "elsewhere" is that."""
    states = [None if region == "elsewhere" else region for region in sorted(regions)]
    return {"need.source_place.3": {"$in": states}}


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
        "is_unheard": offer.is_unheard,
    }


def _to_offer(document: Mapping[str, Any]) -> Offer:
    # What a newer version stored besides is passed over (P10).
    facts = {name: value for name, value in document.items() if name in _OFFER_FIELDS}
    facts["terms"] = tuple(Term(code, points) for code, points in facts["terms"])
    facts["ways"] = frozenset(facts["ways"])
    facts["token_sha256"] = bytes(facts["token_sha256"])
    return Offer(**facts)
