"""GET /fhir/metadata: what this server really does, made from its routes, and nothing more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from starlette.routing import Route

from services.intake.fhir import extensions
from services.intake.fhir.searching import PARAMETERS
from services.intake.r4 import table

PUBLISHED = "2026-11-22"
_LIMIT = extensions.BASE + "limit"
Resource = dict[str, Any]
_SEARCHED = {"Subscription": {"_id": "token", "status": "token", "url": "uri"}}
_OAUTH = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
_SECURITY_SERVICES = "http://terminology.hl7.org/CodeSystem/restful-security-service"
_VALIDATE = "http://hl7.org/fhir/OperationDefinition/Resource-validate"
# (shape of the path below its type, method) -> interaction.
_INTERACTIONS = {
    ("", "GET"): "search-type",
    ("", "POST"): "create",
    ("/_search", "POST"): "search-type",
    ("/{id}", "GET"): "read",
    ("/{id}", "PUT"): "update",
    ("/{id}", "PATCH"): "patch",
    ("/{id}", "DELETE"): "delete",
    ("/{id}/_history/{version}", "GET"): "vread",
}
_SAID = {
    "Task": (
        "How a referral stands; its id is the ServiceRequest's. Created with its contained ServiceRequest it submits "
        "one. Updated it cancels (status cancelled with statusReason), withdraws an error (entered-in-error), or "
        "tells that the peer leaves (input expected-departure, or restriction.period.end)."
    ),
    "ServiceRequest": (
        "What was submitted, with its Patient and Encounter contained. Updated it corrects; a contained Consent "
        "replaces the one that is here."
    ),
    "Consent": (
        "What the peer permitted, as it stands. Updated it is a new version; status inactive or entered-in-error, or a "
        "denial, takes it back, and everything stops at once."
    ),
    "Subscription": (
        "A rest-hook to changes of Task, with criteria of _id, status, business-status, priority and patient; signed as "
        "Standard Webhooks says, with ids only (payload application/fhir+json) or an empty body."
    ),
}


def statement(routes: Iterable[Route], most: Mapping[str, int], token_url: str) -> Resource:
    """The CapabilityStatement of exactly these routes; `most` has the limits by their names.

    `token_url` is where systems sign in.
    """
    by_type: dict[str, dict[str, set[str]]] = {}
    system: list[Resource] = []
    for route in routes:
        name, shape = _split(route.path)
        methods = (route.methods or set()) - {"HEAD"}
        if not name:
            system = [{"code": "transaction"}] if "POST" in methods else []
            continue
        kinds = by_type.setdefault(name, {})
        for method in methods:
            kinds.setdefault(_INTERACTIONS.get((shape, method), shape.lstrip("/")), set()).add(method)
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": PUBLISHED,
        "kind": "instance",
        "software": {"name": "Kindred intake"},
        "implementation": {"description": "Takes peer support referrals in and tells how they stand."},
        "fhirVersion": table.load().fhir_version,
        "format": ["application/fhir+json", "json"],
        "patchFormat": ["application/json-patch+json"],
        "rest": [
            {
                "extension": [_limit(name, number) for name, number in most.items()],
                "mode": "server",
                "security": _security(token_url),
                "documentation": (
                    "A transaction, collection or message Bundle with one ServiceRequest, its Patient and their "
                    "Consent becomes a referral, shown as a Task. Send a bearer token, and X-Purpose-Of-Use to read. "
                    f"A body has at most {most['body-bytes']:,} bytes; every limit stands in an extension."
                ),
                "resource": [_resource(name, set(kinds)) for name, kinds in sorted(by_type.items())],
                "interaction": system,
            }
        ],
    }


def _security(token_url: str) -> Resource:
    coding = {"system": _SECURITY_SERVICES, "code": "SMART-on-FHIR"}
    return {
        "extension": [{"url": _OAUTH, "extension": [{"url": "token", "valueUri": token_url}]}],
        "service": [{"coding": [coding]}],
        "description": "SMART Backend Services: private_key_jwt for a token of five minutes.",
    }


def _limit(name: str, most: int) -> Resource:
    parts = [{"url": "of", "valueCode": name}, {"url": "most", "valueInteger": most}]
    return {"url": _LIMIT, "extension": parts}


def _split(path: str) -> tuple[str, str]:
    """Resource type and the rest of the path; the type is empty for the server itself."""
    name, slash, rest = path.removeprefix("/fhir").lstrip("/").partition("/")
    return name, slash + rest


def _resource(name: str, kinds: set[str]) -> Resource:
    operations = sorted(kind for kind in kinds if kind.startswith("$"))
    interactions = sorted(kinds - set(operations))
    shown: Resource = {"type": name}
    if name in _SAID:
        shown["documentation"] = _SAID[name]
    if interactions:
        shown["interaction"] = [{"code": code} for code in interactions]
    if "read" in kinds:
        is_updated = kinds & {"update", "patch"} and name in PARAMETERS
        shown["versioning"] = "versioned-update" if is_updated else "versioned"
        shown["readHistory"] = False
        shown["updateCreate"] = False
    if name in PARAMETERS:
        shown["conditionalCreate"] = "create" in kinds
        shown["conditionalRead"] = "not-match"
        shown["searchParam"] = [
            {"name": parameter, "type": kind} for parameter, kind in sorted(PARAMETERS[name].items())
        ]
    elif "search-type" in kinds:
        shown["searchParam"] = [
            {"name": parameter, "type": kind} for parameter, kind in _SEARCHED[name].items()
        ]
    if operations:
        shown["operation"] = [{"name": one.lstrip("$"), "definition": _VALIDATE} for one in operations]
    return shown
