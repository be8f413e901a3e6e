"""Subscription over FHIR: a rest-hook to changes of the organization's own Tasks.

The signing secret is told once, in the answer to the create; headers that may hold a secret are never shown again.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from chassis import telemetry
from chassis.errors import Fault, Kind, Refusal
from chassis.identity import Caller, current_caller
from services.intake.bootstrap import Room
from services.intake.domain.errors import SubmissionRejected
from services.intake.domain.outward import Subscription
from services.intake.doorway import of_an_organization
from services.intake.fhir import asking, outcome
from services.intake.fhir import body as bodies
from services.intake.fhir.task import http_date, instant
from services.intake.handlers import subscribing
from services.intake.outward import criteria, endpoints, hooks
from services.intake.r4 import validator
from services.intake.store.outward import HeldSubscription, Wanted

OWNERS = ("system", "coordinator")
SECRET = "https://kindred.example/fhir/StructureDefinition/webhook-secret"  # noqa: S105  a name
CONTENT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-payload-content"
PAYLOAD = "application/fhir+json"
_HIDDEN = "********"
_KEPT = ("contact", "end", "reason", "criteria", "channel")
_CHANNEL = ("type", "endpoint", "payload")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}): ?([\x21-\x7e][\x20-\x7e]{0,3999})")
_NOT_THEIRS = frozenset(
    {
        *(
            "host",
            "content-length",
            "content-type",
            "content-encoding",
            "transfer-encoding",
            "connection",
            "te",
        ),
        *("trailer", "upgrade", "expect", "user-agent", "x-kindred-attempt", "proxy-authorization"),
        *("webhook-id", "webhook-timestamp", "webhook-signature"),
    }
)
_MOST_HEADERS = 10
Resource = dict[str, Any]


def post_subscription(room: Room, request: Request) -> Response:
    """POST /fhir/Subscription: stored as requested; 201 with the secret, this once."""
    caller = _owner()
    resource = _read(request)
    draft, wanted = _accepted(room, resource, None)
    held = subscribing.subscribe(room, caller, draft, wanted, telemetry.current_cause())
    shown = spelled(held, wanted)
    shown["channel"]["extension"] = [{"url": SECRET, "valueString": wanted.secret}]
    where = f"/fhir/Subscription/{held.subscription.subscription_id}/_history/{held.version}"
    return outcome.answer(shown, 201, {**_headers(held), "Location": where})


def get_subscription(room: Room, request: Request) -> Response:
    """GET /fhir/Subscription/{id}: how it stands."""
    held = subscribing.read_subscription(room, _owner(), request.path_params["id"])
    return outcome.answer(spelled(held, room.subscriptions.open(held)), headers=_headers(held))


def put_subscription(room: Room, request: Request) -> Response:
    """PUT /fhir/Subscription/{id}: changed, switched off, or asked for again."""
    caller, subscription_id = _owner(), request.path_params["id"]
    resource = _read(request)
    if resource.get("id") != subscription_id:
        raise _refusal("id-differs", "Subscription.id", "The id is the one in the URL.")

    def write(held: HeldSubscription) -> tuple[Subscription, Wanted]:
        return _accepted(room, resource, held)

    version = asking.seen_version(request.headers.get("if-match"), resource, "http.If-Match")
    held = subscribing.resubscribe(
        room, caller, subscription_id, write, telemetry.current_cause(), expected_version=version
    )
    return outcome.answer(spelled(held, room.subscriptions.open(held)), headers=_headers(held))


def delete_subscription(room: Room, request: Request) -> Response:
    """DELETE /fhir/Subscription/{id}: nobody is told any more."""
    caller, if_match = _owner(), request.headers.get("if-match")
    version = 0 if if_match is None else asking.seen_version(if_match, {}, "http.If-Match")
    cause = telemetry.current_cause()
    subscribing.unsubscribe(room, caller, request.path_params["id"], cause, expected_version=version)
    return Response(status_code=204)


def search_subscriptions(room: Room, request: Request) -> Response:
    """GET /fhir/Subscription?status=&_id=&url=: the organization's own, at most as many as it may have."""
    caller = _owner()
    wanted = {name: request.query_params.getlist(name) for name in request.query_params}
    unknown = sorted(wanted.keys() - {"status", "_id", "url", "_count", "_format"})
    if unknown:
        raise _refusal("parameter-unsupported", "Subscription", "Only status, _id and url are searched by.")
    found = []
    for held in room.subscriptions.of_sources([caller.organization_id]):
        shown = spelled(held, room.subscriptions.open(held))
        said = {"status": shown["status"], "_id": shown["id"], "url": shown["channel"]["endpoint"]}
        if all(said[name] in ",".join(wanted.get(name, [said[name]])).split(",") for name in said):
            found.append(shown)
    entries = [{"resource": shown, "search": {"mode": "match"}} for shown in found]
    bundle: Resource = {"resourceType": "Bundle", "type": "searchset", "total": len(found)}
    return outcome.answer(bundle | ({"entry": entries} if entries else {}))


def spelled(held: HeldSubscription, wanted: Wanted) -> Resource:
    """The resource as its owner may see it."""
    subscription = held.subscription
    channel = dict(wanted.resource["channel"])
    if wanted.headers:
        channel["header"] = [f"{line.partition(':')[0]}: {_HIDDEN}" for line in wanted.headers]
    shown: Resource = {
        "resourceType": "Subscription",
        "id": subscription.subscription_id,
        "meta": {"versionId": str(held.version), "lastUpdated": instant(held.changed_at)},
        "status": subscription.status,
        **wanted.resource,
        "channel": channel,
    }
    return shown | ({"error": subscription.error} if subscription.error else {})


def _owner() -> Caller:
    return of_an_organization(current_caller(), *OWNERS)


def _read(request: Request) -> Resource:
    """A valid R4 Subscription; raises SubmissionRejected with every fault."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (PAYLOAD, "application/json"):
        raise Refusal("content-type-unsupported", Kind.INVALID, f"Send {PAYLOAD}.")
    resource = bodies.parse(request.state.body)
    if not isinstance(resource, dict) or resource.get("resourceType") != "Subscription":
        raise _refusal("resource-type-wrong", "Resource", "A Subscription is wanted here.")
    faults = validator.check(resource)
    if faults:
        raise SubmissionRejected(faults)
    return resource


def _accepted(room: Room, resource: Resource, held: HeldSubscription | None) -> tuple[Subscription, Wanted]:
    """What is stored of a valid resource; raises SubmissionRejected with every reason why it is not taken."""
    channel = resource["channel"]
    faults = [*_unsupported(resource, channel, held)]
    before = room.subscriptions.open(held) if held else None
    # A hidden header goes to no other host than the one it was given for: it is somebody's secret.
    is_moved = before is not None and _host(before.endpoint) != _host(channel.get("endpoint", ""))
    headers = _lines(channel.get("header", []), None if is_moved else before, faults)
    may_be_private = room.settings.outward_allow_private
    for check in (
        lambda: criteria.parse(resource["criteria"]),
        lambda: _reachable(channel.get("endpoint", ""), may_be_private=may_be_private),
    ):
        try:
            check()
        except Refusal as refusal:
            faults.extend(refusal.faults)
    if faults:
        raise SubmissionRejected(faults)
    kept = {name: resource[name] for name in _KEPT if name in resource}
    kept["channel"] = {name: channel[name] for name in _CHANNEL if name in channel}
    subscription = Subscription(
        subscription_id=held.subscription.subscription_id if held else "",
        source_id=held.subscription.source_id if held else "",
        status="off" if resource["status"] == "off" else "requested",
        criteria=resource["criteria"],
        has_payload="payload" in channel,
        ends_at=datetime.fromisoformat(resource["end"]) if "end" in resource else None,
    )
    secret = before.secret if before else hooks.new_secret()
    return subscription, Wanted(channel["endpoint"], headers, secret, kept)


def _unsupported(resource: Resource, channel: Resource, held: HeldSubscription | None) -> list[Fault]:
    """What is valid R4 and cannot be done here."""
    faults = [
        Fault(f"Subscription.{name}", "modifier-unknown", "This element is not understood.")
        for name in ("modifierExtension", "implicitRules")
        if name in resource
    ]
    if resource["status"] not in (("requested", "active", "off") if held else ("requested", "active")):
        text = "A Subscription is requested, or off; whether it is active is told by us."
        faults.append(Fault("Subscription.status", "status-not-yours", text))
    if channel["type"] != "rest-hook":
        faults.append(
            Fault("Subscription.channel.type", "channel-unsupported", "Only rest-hook is known here.")
        )
    content = {
        one.get("valueCode")
        for one in channel.get("_payload", {}).get("extension", [])
        if one.get("url") == CONTENT
    }
    if channel.get("payload", PAYLOAD) != PAYLOAD or content - {"empty", "id-only"}:
        text = f"The payload is absent (an empty body) or {PAYLOAD} (ids only)."
        faults.append(Fault("Subscription.channel.payload", "payload-unsupported", text))
    return faults


def _lines(given: list[str], before: Wanted | None, faults: list[Fault]) -> tuple[str, ...]:
    """The headers; one that comes back hidden keeps what it was."""
    known = {line.partition(": ")[0].lower(): line for line in before.headers} if before else {}
    lines: dict[str, str] = {}
    for position, line in enumerate(given):
        found = _HEADER.fullmatch(line)
        name = found[1].lower() if found else ""
        is_hidden = found is not None and found[2] == _HIDDEN
        if found is None or name in _NOT_THEIRS or name in lines or (is_hidden and name not in known):
            text = "A header is Name: value, once, and none that belongs to the message itself."
            faults.append(Fault(f"Subscription.channel.header[{position}]", "header-unusable", text))
            continue
        lines[name] = known[name] if is_hidden else f"{found[1]}: {found[2]}"
    if len(lines) > _MOST_HEADERS:
        text = f"At most {_MOST_HEADERS} headers are sent."
        faults.append(Fault("Subscription.channel.header", "header-unusable", text))
    return tuple(lines.values())


def _host(url: str) -> str:
    """Where a URL leads to, without what is asked for there."""
    return (
        url.partition("://")[0] + "://" + url.partition("://")[2].partition("/")[0].partition("?")[0].lower()
    )


def _reachable(url: str, *, may_be_private: bool) -> None:
    endpoint = endpoints.read(url, may_be_private=may_be_private)
    try:
        endpoints.addresses(endpoint, endpoints.system_lookup, may_be_private=may_be_private)
    except endpoints.NotPublic:
        text = "The endpoint's name leads to an address that is not on the public network."
        raise endpoints.refusal("endpoint-not-public", text) from None
    except (OSError, UnicodeError):
        raise endpoints.refusal("endpoint-unresolved", "The endpoint's name leads nowhere.") from None


def _headers(held: HeldSubscription) -> dict[str, str]:
    return {"ETag": f'W/"{held.version}"', "Last-Modified": http_date(held.changed_at)}


def _refusal(code: str, place: str, message: str) -> SubmissionRejected:
    return SubmissionRejected([Fault(place, code, message)])


# Path below /fhir -> method -> what answers it.
SERVED = {
    "/Subscription": {"GET": search_subscriptions, "POST": post_subscription},
    "/Subscription/{id}": {
        "GET": get_subscription,
        "PUT": put_subscription,
        "DELETE": delete_subscription,
    },
}
