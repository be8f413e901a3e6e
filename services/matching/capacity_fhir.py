"""Who could come now, as FHIR R4: a search for HealthcareService with HL7 Gravity's capacity status; counts, never who.

SDOH Clinical Care 3.0 calls it the direct capacity status inquiry: no person is named, in the question or the answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chassis.errors import HTTP_STATUS, OUTCOME_TYPE, Fault, Kind, Refusal
from chassis.identity import current_caller, require
from kindred.matching.v1 import coordination_pb2 as pb
from services.matching import capacity_statement, handlers
from services.matching.bootstrap import Room
from services.matching.coordinating import messages
from services.matching.handlers.capacity import MOST_COUNTED, Capacity

PATH = "/fhir/HealthcareService"
_OURS = "https://kindred.example/fhir/"
_GRAVITY = "http://hl7.org/fhir/us/sdoh-clinicalcare/"
_STATUS = _GRAVITY + "StructureDefinition/SDOHCC-ExtensionHealthcareServiceCapacityStatus"
_CODES = _GRAVITY + "CodeSystem/SDOHCC-CodeSystemTemporaryCodes"
_PRIORITIES = {"stat": "immediate", "asap": "immediate", "urgent": "urgent", "routine": "routine"}
_PLACE = "coverage-area.address-postalcode"
# Search parameter -> field of the same question over gRPC; R4's own for the place, ours for the rest.
_TEXTS = {_PLACE: "facility_zip", "priority": "urgency", "age-band": "age_band", "payer": "payer_code"}
_LISTED, _AGREED, _LEAVES = "communication", "interpreter-agreed", "minutes-until-departure"
_KNOWN = frozenset({*capacity_statement.PARAMETERS, "_format", "_pretty"})
_ROLES = ("nurse", "clinician", "supervisor", "coordinator", "system")


def routes(room: Room) -> list[Route]:
    """The search, by GET as R4 has it, and what says so; that is open to everybody, as R4 asks."""
    return [
        Route(capacity_statement.PATH, lambda _: _answer(capacity_statement.statement()), methods=["GET"]),
        Route(PATH, partial(_search, room), methods=["GET"]),
    ]


def refusals(
    render: Callable[[Request, Refusal], Response],
) -> Callable[[Request, Refusal], Response]:
    """An OperationOutcome below /fhir, what `render` makes of it elsewhere."""

    def rendered(request: Request, refusal: Refusal) -> Response:
        return _outcome(refusal) if request.url.path.startswith("/fhir/") else render(request, refusal)

    return rendered


def _search(room: Room, request: Request) -> Response:
    require(
        current_caller(), *_ROLES
    )  # whatever a system's token is scoped for: no record of anybody is shown
    asked = _question(request.query_params)
    try:
        need, minutes = messages.imagined(asked)
    except Refusal as refusal:
        raise _named_as_asked(refusal) from None
    found = handlers.capacity(room, need, minutes)
    return _answer(_bundle(found, str(request.url)))


def _question(told: Mapping[str, str]) -> pb.QueryCapacityRequest:
    faults = [Fault(name, "parameter-unknown", "No such parameter.") for name in told if name not in _KNOWN]
    urgency = told.get("priority", "stat")
    if urgency not in _PRIORITIES:
        faults.append(Fault("priority", "unknown", f"One of {', '.join(_PRIORITIES)}."))
    minutes = told.get(_LEAVES, "0")
    if not (minutes.isascii() and minutes.isdigit() and len(minutes) <= 4):
        faults.append(Fault(_LEAVES, "out-of-range", "0 to 1440."))
    if told.get(_AGREED, "false") not in ("true", "false"):
        faults.append(Fault(_AGREED, "not-a-boolean", "true or false."))
    if faults:
        raise Refusal("request-incomplete", Kind.INVALID, "The request cannot be answered.", faults=faults)
    fields = {field: told[name] for name, field in _TEXTS.items() if name in told}
    languages = [tag for tag in told.get(_LISTED, "").split(",") if tag]
    return pb.QueryCapacityRequest(
        **fields | {"urgency": _PRIORITIES[urgency]},
        languages=languages,
        interpreter_agreed=told.get(_AGREED) == "true",
        minutes_until_departure=int(minutes),
    )


def _named_as_asked(refusal: Refusal) -> Refusal:
    """The same refusal, its faults at the parameters of this search."""
    names = {field: name for name, field in _TEXTS.items()} | {"minutes_until_departure": _LEAVES}
    faults = [Fault(names.get(fault.path, fault.path), fault.code, fault.message) for fault in refusal.faults]
    return Refusal(refusal.code, refusal.kind, refusal.message, faults=faults)


def _bundle(found: Capacity, url: str) -> dict[str, Any]:
    counts = {
        "bedside": found.bedside,
        "phone": ((0, found.by_phone),),
        "video": ((0, found.by_video),),
    }
    entries = [
        {"fullUrl": f"{_OURS}HealthcareService/{one['id']}", "resource": one, "search": {"mode": "match"}}
        for one in (_service(way, bands) for way, bands in counts.items())
    ]
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "timestamp": found.at.isoformat(),
        "total": len(entries),
        "link": [{"relation": "self", "url": url}],
        "entry": entries,
    }


def _service(way: str, bands: tuple[tuple[int, int], ...]) -> dict[str, Any]:
    return {
        "resourceType": "HealthcareService",
        "id": f"peer-support-{way}",
        "extension": [_status(way, bands), *(_count(*band) for band in bands)],
        "active": True,
        "name": f"Peer support: {way}",
        "type": [{"coding": [{"system": _OURS + "CodeSystem/modality", "code": way}]}],
    }


def _status(way: str, bands: tuple[tuple[int, int], ...]) -> dict[str, Any]:
    """Nobody free is a waiting list and no refusal: a referral is taken, and sought for until somebody can."""
    has = any(count for _, count in bands)
    code, display = ("capacity", "Has Capacity") if has else ("waitlist", "No Capacity - Has Waitlist")
    concept = {"coding": [{"system": _CODES, "code": code, "display": display}]}
    parts = [
        {"url": "capacityStatus", "valueCodeableConcept": concept},
        {"url": "capacityNotes", "valueString": _notes(way, bands)},
    ]
    return {"url": _STATUS, "extension": parts}


def _notes(way: str, bands: tuple[tuple[int, int], ...]) -> str:
    if way == "bedside":
        told = "; ".join(f"{_many(count)} within {minutes} minutes" for minutes, count in bands)
        return f"Could be there, by distance: {told or 'nobody before the person leaves'}. An estimate, no promise."
    return f"Could call now: {_many(bands[0][1])}."


def _many(count: int) -> str:
    return f"{count} or more" if count >= MOST_COUNTED else str(count)


def _count(minutes: int, count: int) -> dict[str, Any]:
    parts = [{"url": "specialists", "valueUnsignedInt": count}]
    if minutes:
        parts.append({"url": "minutes", "valueUnsignedInt": minutes})
    return {"url": _OURS + "StructureDefinition/could-come", "extension": parts}


def _outcome(refusal: Refusal) -> Response:
    def issue(code: str, text: str, path: str = "") -> dict[str, Any]:
        details = {"coding": [{"system": _OURS + "CodeSystem/refusal", "code": code}], "text": text}
        place = {"expression": [path]} if path else {}
        return {"severity": "error", "code": OUTCOME_TYPE[refusal.kind], "details": details, **place}

    issues = [issue(fault.code, fault.message, fault.path) for fault in refusal.faults]
    found = {
        "resourceType": "OperationOutcome",
        "issue": issues or [issue(refusal.code, refusal.message or refusal.code)],
    }
    return _answer(found, HTTP_STATUS[refusal.kind])


def _answer(resource: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(resource), status, {"content-type": "application/fhir+json; charset=utf-8"})
