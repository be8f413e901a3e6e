"""Task, ServiceRequest and Consent as their own source reads and finds them; each read is audited before it leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from chassis import telemetry
from chassis.errors import Kind, Refusal
from chassis.identity import Caller, current_caller
from services.intake import handlers
from services.intake.bootstrap import Room
from services.intake.domain.referral import Referral
from services.intake.doorway import BREAKING, PURPOSES, READERS, WHY_BROKEN, a_reader, of_an_organization
from services.intake.fhir import (
    asking,
    consent_out,
    labelled,
    outcome,
    search_values,
    searching,
    service_request,
    task,
)

if TYPE_CHECKING:
    from services.intake.store.documents import Kept

Resource = dict[str, Any]
_MOST_FIELDS = 200
SHOWN: Mapping[str, Callable[[Referral, Kept], Resource | None]] = {
    "Task": lambda referral, kept: labelled.marked(
        task.of(referral, kept.placer_identifiers), kept.submission
    ),
    "ServiceRequest": lambda referral, kept: labelled.marked(
        service_request.of(referral, kept.submission), kept.submission
    ),
    "Consent": consent_out.of,
}


def read(name: str, room: Room, request: Request) -> Response:
    """GET /fhir/{type}/{id}: 304 where the caller has this version already."""
    resource, referral = _read(name, room, request)
    headers = tags(resource, referral) | _banner(request)
    if asking.is_unchanged(request, resource["meta"]["versionId"]):
        return Response(status_code=304, headers=headers)
    return outcome.answer(resource, headers=headers, is_pretty=outcome.is_pretty(request))


def vread(name: str, room: Room, request: Request) -> Response:
    """GET /fhir/{type}/{id}/_history/{version}: the current version; no other one is kept (R4 http.html#vread)."""
    resource, referral = _read(name, room, request)
    if request.path_params["version"] != resource["meta"]["versionId"]:
        message = "Only the current version is kept; what changed and when is in the audit trail."
        raise Refusal("history-not-kept", Kind.NOT_FOUND, message)
    headers = tags(resource, referral) | _banner(request)
    return outcome.answer(resource, headers=headers, is_pretty=outcome.is_pretty(request))


def _banner(request: Request) -> dict[str, str]:
    """What a client shows above a record that was read past a policy."""
    is_broken = current_caller().purpose_of_use == BREAKING
    return {"Break-Glass": "on record; reviewed within a day"} if is_broken else {}


def _read(name: str, room: Room, request: Request) -> tuple[Resource, Referral]:
    why_broken = request.headers.get(WHY_BROKEN, "")
    caller = a_reader(room, current_caller(), why_broken)
    referral_id = search_values.referral_id(name, request.path_params["id"])
    return shown(name, room, caller, referral_id, why_broken)


def shown(
    name: str, room: Room, caller: Caller, referral_id: str, why_broken: str = ""
) -> tuple[Resource, Referral]:
    """The resource, after the read is in the audit trail; raises ReferralUnknown, NOT_FOUND."""
    cause = telemetry.current_cause()
    referral, kept = handlers.read_referral(room, caller, referral_id, name, cause, why_broken=why_broken)
    resource = SHOWN[name](referral, kept)
    if resource is None:
        raise Refusal("consent-unknown", Kind.NOT_FOUND, "No consent came with this referral yet.")
    return resource, referral


def tags(resource: Resource, referral: Referral) -> dict[str, str]:
    """ETag and Last-Modified of what is shown."""
    version = resource["meta"]["versionId"]
    return {"ETag": f'W/"{version}"', "Last-Modified": task.http_date(referral.state_at)}


def search(name: str, room: Room, request: Request) -> Response:
    """GET /fhir/{type} and POST /fhir/{type}/_search: the caller's own, page by page."""
    caller = of_an_organization(current_caller(), *READERS, purposes=PURPOSES)
    is_strict = asking.preferred(request).is_strict
    query = searching.read(name, _sent(request), marker(room, caller), room.clock.now(), is_strict=is_strict)
    cause = telemetry.current_cause()
    found = handlers.search(room, caller, query.wanted, name, criteria=query.criteria, cause=cause)
    base = base_of(request)
    entries = []
    for referral, kept in found.rows:
        resource = SHOWN[name](referral, kept)
        if resource is not None:
            full_url = f"{base}/{name}/{resource['id']}"
            entries.append({"fullUrl": full_url, "resource": resource, "search": {"mode": "match"}})
    links = [{"relation": "self", "url": searching.link(base, query, query.wanted.after)}]
    links.append({"relation": "first", "url": searching.link(base, query)})
    if found.after is not None:
        links.append({"relation": "next", "url": searching.link(base, query, found.after)})
    bundle: Resource = {"resourceType": "Bundle", "type": "searchset", "link": links}
    if found.total is not None:
        bundle["total"] = found.total
    if entries:
        bundle["meta"] = {"security": labelled.mark_of_all(kept.submission for _, kept in found.rows)}
        bundle["entry"] = entries
    return outcome.answer(bundle, is_pretty=outcome.is_pretty(request))


def _sent(request: Request) -> list[tuple[str, str]]:
    """The parameters of the address, and of the form where one was posted."""
    sent = list(request.query_params.multi_items())
    if request.method != "POST" or not request.state.body:
        return sent
    asking.json_sent(request, "application/x-www-form-urlencoded")
    try:
        text = request.state.body.decode()
        return sent + parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError:
        raise Refusal("form-unreadable", Kind.INVALID, "The form cannot be read.") from None


def marker(room: Room, caller: Caller) -> search_values.Marker:
    """The marks of the caller's numbers."""
    source_id = caller.organization_id
    return search_values.Marker(source_id, partial(room.marks.order, source_id), room.marks.person)


def base_of(request: Request) -> str:
    """The address of this server as the caller reached it."""
    return str(request.base_url).rstrip("/") + "/fhir"
