"""Referrals come in over FHIR: as a Bundle, as a ServiceRequest, or as the Task that asks for one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from chassis import telemetry
from chassis.errors import Fault, Kind, Refusal
from chassis.identity import Caller, current_caller
from chassis.shares import give_way
from services.intake import handlers
from services.intake.bootstrap import Room
from services.intake.domain.errors import GlassNeeded, ReferralUnknown
from services.intake.domain.referral import Referral
from services.intake.domain.submission import Urgency
from services.intake.doorway import (
    PURPOSES,
    READERS,
    SUBMITTERS,
    of_an_organization,
    rejections_audited,
)
from services.intake.fhir import (
    asking,
    names,
    ordering,
    outcome,
    reading,
    scoped,
    searching,
    service_request,
    showing,
    task,
)
from services.intake.fhir.parcel import Parcel
from services.intake.handlers import Submitted

_OURS = "ServiceRequest/ref-"


def bundle(room: Room, request: Request) -> Response:
    """POST /fhir: a Bundle becomes a referral, or corrects the one its request names."""
    caller = of_an_organization(current_caller(), *SUBMITTERS)
    with rejections_audited(room, caller, "fhir"):
        asking.json_sent(request)
        parcel = reading.open_bundle(request.state.body)
        told = _corrected(room, caller, parcel) or _submitted(room, caller, parcel)
    answer = task.submitted(parcel.bundle_type, parcel.entry_types, told.referral, was_known=told.was_known)
    return outcome.answer(answer, is_pretty=outcome.is_pretty(request))


def order(name: str, room: Room, request: Request) -> Response:
    """POST /fhir/ServiceRequest and /fhir/Task: one resource and what it contains becomes a referral."""
    caller = of_an_organization(current_caller(), *SUBMITTERS)
    condition = request.headers.get("if-none-exist", "")
    with rejections_audited(room, caller, "fhir"):
        asking.json_sent(request)
        parcel = reading.open_single(request.state.body, name, condition)
        told = _submitted(room, caller, parcel, name, condition)
    return answered(
        name, room, request, caller, referral=told.referral, status=200 if told.was_known else 201
    )


def _submitted(
    room: Room, caller: Caller, parcel: Parcel, name: str = "ServiceRequest", condition: str = ""
) -> Submitted:
    """The referral that is here already, by the condition (R4 http.html#ccreate) or as its request; else a new one."""
    condition = condition or parcel.asked.if_none_exist
    known = _matching(room, caller, name, condition, "http.If-None-Exist") if condition else None
    known = known or _asked_for_ours(room, caller, parcel)
    if known is not None:
        return Submitted(known, was_known=True)
    submission = reading.read(parcel, caller.organization_id, room.taxonomy, room.settings.consent_recipients)
    if submission.urgency is Urgency.ROUTINE:
        give_way()
    return handlers.submit(room, caller, submission, telemetry.current_cause())


def _asked_for_ours(room: Room, caller: Caller, parcel: Parcel) -> Referral | None:
    """A Task sent after its ServiceRequest was made here: each referral has one Task, which was made with it.

    Raises Refusal INVALID where the Task contradicts it.
    """
    asked = ordering.asks_for_ours(parcel)
    if asked is None:
        return None
    task_sent, referral_id = asked
    try:
        referral, kept = handlers.look(room, caller, referral_id, telemetry.current_cause())
    except ReferralUnknown:
        return None
    numbers: dict[str, set[str]] = {names.PEER_ID: {referral.peer_id}}
    for number in kept.submission.person.record_numbers:
        numbers.setdefault(names.uri(number.system), set()).add(number.value)
    if faults := ordering.second_asking(task_sent, referral.urgency, numbers):
        raise Refusal("referral-invalid", Kind.INVALID, "The Task is not accepted.", faults=faults)
    return referral


def _matching(room: Room, caller: Caller, name: str, condition: str, place: str) -> Referral | None:
    """The one referral that matches; raises Refusal CONFLICT several-match (412), FORBIDDEN scope-missing."""
    scoped.require(caller, name, "s")
    pairs = parse_qsl(condition.partition("?")[2] or condition)
    query = searching.read(name, pairs, showing.marker(room, caller), room.clock.now(), is_strict=True)
    if not query.criteria:
        message = "A condition is a search, such as identifier=system|value."
        fault = Fault(place, "condition-empty", message)
        raise Refusal("condition-empty", Kind.INVALID, message, faults=[fault])
    found = handlers.matching(room, caller, query.wanted)
    if len(found) > 1:
        raise Refusal("several-match", Kind.CONFLICT, "Several resources match the condition.")
    return found[0] if found else None


def _corrected(room: Room, caller: Caller, parcel: Parcel) -> Submitted | None:
    """A PUT of a request we gave an id, or that a condition finds, corrects it; None where it is a new one."""
    asked = parcel.asked
    url = asked.url.partition("?")
    if asked.method != "PUT" or url[0].rpartition("/")[0].endswith("Task"):
        return None
    referral_id = ""
    if url[0].rstrip("/").endswith("ServiceRequest") and url[2]:
        known = _matching(room, caller, "ServiceRequest", url[2], asked.path + ".url")
        referral_id = known.referral_id if known else ""
    elif _OURS in url[0]:
        referral_id = url[0].rpartition("/")[2]
    if not referral_id:
        return None
    request = parcel.of_type("ServiceRequest")
    sent = request[0].resource if request else {}
    version = asking.seen_version(asked.if_match or None, sent, asked.path + ".ifMatch")
    referral = corrected(room, caller, parcel, referral_id, version)
    return Submitted(referral, was_known=True)


def corrected(room: Room, caller: Caller, parcel: Parcel, referral_id: str, version: int) -> Referral:
    """What was submitted is replaced by what is in the parcel; raises what `handlers.correct` raises."""
    scoped.require(caller, "ServiceRequest", "u")
    if parcel.of_type("Consent"):
        scoped.require(caller, "Consent", "u")
    cause = telemetry.current_cause()
    known, _ = handlers.look(room, caller, referral_id, cause)
    if known.task_version != version:
        message = "The referral has changed since it was read."
        raise Refusal("version-stale", Kind.CONFLICT, message, version=known.task_version)
    statuses = {"active", service_request.STATUS.get(known.state, "active")}
    recipients = room.settings.consent_recipients
    said = reading.read(parcel, caller.organization_id, room.taxonomy, recipients, statuses)
    key = f"correction:{referral_id}:{version}:{parcel.fingerprint}"
    submission = replace(said, idempotency_key=key)
    return handlers.correct(room, caller, referral_id, submission, cause=cause, expected_version=version)


def answered(
    name: str, room: Room, request: Request, caller: Caller, *, referral: Referral, status: int
) -> Response:
    """What Prefer asked for; the resource itself is a read, so it needs a purpose of use, and is audited.

    Without a purpose, or the scope to read what was there before, the answer has no body.
    """
    headers = {
        "ETag": task.etag(referral),
        "Last-Modified": task.http_date(referral.state_at),
    }
    place = f"{name}/{referral.referral_id}/_history/{referral.task_version}"
    if status == 201 or request.method == "POST":
        headers["Location"] = f"{showing.base_of(request)}/{place}"
    wanted = asking.preferred(request).returns
    if wanted == "operationoutcome":
        resource: dict[str, Any] = outcome.told(f"{place} is stored.")
        return outcome.answer(resource, status, headers, is_pretty=outcome.is_pretty(request))
    may_read = caller.purpose_of_use in PURPOSES and caller.role in READERS
    is_theirs = status == 201 or scoped.permits(caller, name, "r")
    if wanted == "minimal" or not (may_read and is_theirs):
        return Response(status_code=status, headers=headers)
    try:
        resource, _ = showing.shown(name, room, caller, referral.referral_id)
    except GlassNeeded:  # it is stored; who sent it does not read it back without breaking the glass
        return Response(status_code=status, headers=headers)
    return outcome.answer(resource, status, headers, is_pretty=outcome.is_pretty(request))
