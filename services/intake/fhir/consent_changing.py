"""Updates of a Consent over FHIR: a new version of it, or taken back."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from chassis import telemetry
from chassis.errors import Fault
from chassis.identity import current_caller
from services.intake import handlers
from services.intake.bootstrap import Room
from services.intake.domain.errors import SubmissionRejected
from services.intake.domain.referral import Referral
from services.intake.doorway import SUBMITTERS, of_an_organization, rejections_audited
from services.intake.fhir import asking, body, consent_out, consents, creating, stray_extensions
from services.intake.r4 import validator

Resource = dict[str, Any]
# What only the server says, or what is words for people: a Consent that differs in nothing else is the one that is here.
_SERVERS = frozenset({"meta", "text", "language"})


def put_consent(room: Room, request: Request) -> Response:
    """PUT /fhir/Consent/{id}: a new version; status inactive or entered-in-error, or a denial, stops everything."""
    caller = of_an_organization(current_caller(), *SUBMITTERS)
    consent_id, cause = request.path_params["id"], telemetry.current_cause()
    with rejections_audited(room, caller, "fhir"):
        asking.json_sent(request)
        sent = _valid(body.parse(request.state.body, "Consent"), consent_id)
        version = asking.seen_version(request.headers.get("if-match"), sent, "http.If-Match")
        referral, kept = handlers.look(room, caller, consent_out.referral_id(consent_id), cause)
        _same_person(sent, referral)
        if _said(sent) != _said(consent_out.of(referral, kept) or {}):
            consent = consents.read_one(sent, room.settings.consent_recipients)
            key = f"consent:{consent_id}:{version}:{sha256(request.state.body).hexdigest()}"
            referral = handlers.update_consent(
                room,
                caller,
                referral.referral_id,
                replace(consent, consent_id=_sources_own_id(sent)),
                idempotency_key=key,
                where=consents.places("Consent"),
                cause=cause,
                expected_version=version,
            )
    return creating.answered("Consent", room, request, caller, referral=referral, status=200)


def _valid(sent: Any, consent_id: str) -> Resource:
    """A valid Consent of this id in which nothing is passed over; raises SubmissionRejected with every fault."""
    if not isinstance(sent, dict) or sent.get("resourceType") != "Consent":
        raise SubmissionRejected([Fault("Resource", "resource-type-wanted", "A Consent is wanted here.")])
    faults = validator.check(sent) or [
        *stray_extensions.faults(sent),
        *(
            Fault(
                f"Consent.{key}",
                "modifier-unknown",
                "This element changes the meaning and is not understood.",
            )
            for key in ("modifierExtension", "implicitRules")
            if key in sent
        ),
    ]
    if sent.get("id") != consent_id:
        faults.append(Fault("Consent.id", "id-mismatch", "The id in the body is the one in the address."))
    if faults:
        raise SubmissionRejected(faults)
    return sent


def _same_person(sent: Resource, referral: Referral) -> None:
    """A consent that names another person of ours is about somebody else."""
    identifier = sent.get("patient", {}).get("identifier", {})
    if identifier.get("system") == consent_out.PEER_ID and identifier.get("value") != referral.peer_id:
        message = "The consent of this referral is of another person."
        raise SubmissionRejected([Fault("Consent.patient", "subject-mismatch", message)])


def _said(resource: Resource) -> Resource:
    return {key: value for key, value in resource.items() if key not in _SERVERS}


def _sources_own_id(sent: Resource) -> str:
    own = [one for one in sent.get("identifier", []) if one.get("system") == consent_out.SOURCES_OWN_ID]
    return next((one["value"] for one in own if "value" in one), "")
