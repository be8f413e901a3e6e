"""Facts written as the AuditEvent an entry keeps: which shape of BALP, which agents, which entities."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import orjson

from services.audit.domain.facts import Facts
from services.audit.domain.leaf import timestamp
from services.audit.fhir import names, pieces
from services.audit.fhir.names import coding, concept, identified

Json = dict[str, Any]
_NOT_IN_ID = re.compile(r"[^A-Za-z0-9.]")
_REST_PROFILES = {
    "create": "Create",
    "read": "Read",
    "update": "Update",
    "delete": "Delete",
    "search": "Query",
}


def audit_event(facts: Facts) -> bytes:
    """The AuditEvent as JSON, UTF-8, without spaces. Its bytes are committed to and never written again."""
    shape = _SHAPES.get(facts.shape, _rest)
    return orjson.dumps(shape(facts))


def fhir_id(event_id: str) -> str:
    """FHIR ids hold letters, digits, "-" and ".", 64 at most."""
    return _NOT_IN_ID.sub("-", event_id)[:64]


def _document(
    facts: Facts, *, profile: str, type_: Json, subtypes: list[Json], source: Json, is_open: bool = True
) -> Json:
    """What every shape has. Where the profile closes the list of subtypes, ours stands among the details."""
    document: Json = {"resourceType": "AuditEvent", "id": fhir_id(facts.event_id)}
    if profile:
        document["meta"] = {"profile": [names.BALP + profile]}
    kinds = list(subtypes)
    if is_open:
        kinds.append(coding(names.EVENT_TYPE, facts.event_type))
        if facts.purpose_of_use == "BTG":
            kinds.append(coding(names.DCM, "110127", "Emergency Override Started"))
    document |= {
        "type": type_,
        "subtype": kinds,
        "action": facts.action,
        "recorded": timestamp(facts.recorded_at),
        "outcome": facts.outcome,
    }
    if facts.reason:
        document["outcomeDesc"] = facts.reason
    if facts.purpose_of_use:
        document["purposeOfEvent"] = [concept(names.REASON, facts.purpose_of_use)]
    document["source"] = {"site": "kindred", "observer": pieces.service(facts), "type": [source]}
    return document


def _rest(facts: Facts) -> Json:
    """A RESTful read, write or search; a profile is claimed only where it succeeded, as BALP asks."""
    profile = ""
    if facts.outcome == "0" and facts.interaction in _REST_PROFILES:
        patient = "Patient" if facts.subject_id else ""
        profile = f"BasicAudit.{patient}{_REST_PROFILES[facts.interaction]}"
    document = _document(
        facts,
        profile=profile,
        type_=names.REST,
        subtypes=[coding(names.INTERACTION, facts.interaction)],
        source=names.APPLICATION_SERVER,
    )
    document["agent"] = _rest_agents(facts)
    document["entity"] = [
        pieces.query(facts) if facts.interaction == "search" else pieces.record(facts),
        *pieces.about(facts),
        pieces.transaction(facts),
    ]
    return document


def _rest_agents(facts: Facts) -> list[Json]:
    gives_out = facts.action == "R"
    server = names.SOURCE_ROLE if gives_out else names.DESTINATION_ROLE
    client = names.DESTINATION_ROLE if gives_out else names.SOURCE_ROLE
    if facts.action == "D":
        server, client = names.CUSTODIAN, names.APPLICATION
    is_informed = facts.action in "CUD"
    return [
        pieces.party(client, pieces.organization(facts), is_placed=True),
        pieces.party(server, pieces.service(facts), is_placed=True),
        pieces.user(facts, names.INFORMANT if is_informed else names.RECIPIENT),
    ]


def _consent(facts: Facts) -> Json:
    """A decision on a person's consent (BALP AuthZconsent); its list of entities is closed."""
    document = _document(
        facts,
        profile="BasicAudit.AuthZconsent" if facts.subject_id else "",
        type_=coding(names.DCM, "110113", "Security Alert"),
        subtypes=[coding(names.BALP_AUTHZ, "AuthZ-Consent")],
        source=names.SECURITY_SERVER,
        is_open=False,
    )
    document["agent"] = [
        pieces.party(names.APPLICATION, pieces.service(facts), is_placed=True),
        pieces.user(facts, names.RECIPIENT),
        pieces.party(names.PROVIDER, pieces.organization(facts)),
        pieces.party(names.AUTH_SERVER, pieces.service(facts)),
    ]
    consent = identified("urn:kindred:consent", facts.record_id or names.UNKNOWN, "Consent")
    entity = {
        "what": consent,
        "type": coding(names.RESOURCE_TYPE, "Consent"),
        "detail": pieces.details(facts, is_closed=True),
    }
    document["entity"] = [*pieces.patient(facts), entity]
    return document


def _disclosure_source(facts: Facts) -> Json:
    """PHI leaves us to somebody (BALP PrivacyDisclosure.Source)."""
    told = dict(facts.particulars)
    recipient = identified(names.ACTOR, told.get("recipient_id") or names.UNKNOWN)
    if told.get("recipient_class"):
        recipient["display"] = told["recipient_class"]
    return _disclosure(facts, "Source", "110106", "Export", source=pieces.service(facts), recipient=recipient)


def _disclosure_recipient(facts: Facts) -> Json:
    """PHI came to us from somebody (BALP PrivacyDisclosure.Recipient)."""
    return _disclosure(
        facts,
        "Recipient",
        "110107",
        "Import",
        source=pieces.organization(facts),
        recipient=pieces.service(facts),
    )


def _disclosure(facts: Facts, side: str, code: str, display: str, *, source: Json, recipient: Json) -> Json:
    document = _document(
        facts,
        profile=f"BasicAudit.PrivacyDisclosure.{side}" if facts.subject_id and facts.outcome == "0" else "",
        type_=coding(names.DCM, code, display),
        subtypes=[
            coding(names.LIFECYCLE, "disclose", "Disclose Record Lifecycle Event"),
            coding(names.INTERACTION, facts.interaction),
        ],
        source=names.APPLICATION_SERVER,
    )
    document["agent"] = [
        pieces.party(names.SOURCE_ROLE, source, is_placed=True),
        pieces.party(names.DESTINATION_ROLE, recipient, is_placed=True),
        pieces.user(facts, names.INFORMANT),
    ]
    document["entity"] = [pieces.record(facts), *pieces.about(facts), pieces.transaction(facts)]
    return document


def _session(facts: Facts) -> Json:
    """Somebody signed in or out (DICOM User Authentication)."""
    is_end = facts.event_type.startswith("session.ended")
    code, display = ("110123", "Logout") if is_end else ("110122", "Login")
    document = _document(
        facts,
        profile="",
        type_=coding(names.DCM, "110114", "User Authentication"),
        subtypes=[coding(names.DCM, code, display)],
        source=names.SECURITY_SERVER,
    )
    document["agent"] = [
        pieces.party(names.APPLICATION, pieces.service(facts), is_placed=True),
        pieces.user(facts, names.RECIPIENT),
    ]
    document["entity"] = [*pieces.about(facts), pieces.transaction(facts)]
    return document


def _token(facts: Facts) -> Json:
    """An access token was issued (IHE IUA ITI-71); its lists of agents and entities are closed."""
    document = _document(
        facts,
        profile="IUA.71" if facts.outcome == "0" else "",
        type_=coding(names.DCM, "110114", "User Authentication"),
        subtypes=[coding("urn:ihe:event-type-code", "ITI-71", "Get Access Token")],
        source=names.SECURITY_SERVER,
        is_open=False,
    )
    client = identified("urn:kindred:client", dict(facts.particulars).get("client_id") or names.UNKNOWN)
    document["agent"] = [
        pieces.party(names.APPLICATION, client, is_placed=True),
        pieces.party(names.TOKEN_SERVER, pieces.service(facts), is_placed=True),
        pieces.user(facts, names.RECIPIENT),
    ]
    asked = pieces.query(facts) | {"detail": pieces.details(facts, is_closed=True)}
    document["entity"] = [asked]
    return document


def _export(facts: Facts) -> Json:
    """A report or a list left the system as a file (DICOM Export)."""
    document = _document(
        facts,
        profile="",
        type_=coding(names.DCM, "110106", "Export"),
        subtypes=[coding(names.INTERACTION, facts.interaction)],
        source=names.APPLICATION_SERVER,
    )
    document["agent"] = [
        pieces.party(names.SOURCE_ROLE, pieces.service(facts), is_placed=True),
        pieces.user(facts, names.RECIPIENT),
    ]
    record = pieces.record(facts) | {"role": names.REPORT}
    document["entity"] = [record, *pieces.about(facts), pieces.transaction(facts)]
    return document


_SHAPES: dict[str, Callable[[Facts], Json]] = {
    "rest": _rest,
    "consent": _consent,
    "disclosure-source": _disclosure_source,
    "disclosure-recipient": _disclosure_recipient,
    "session": _session,
    "token": _token,
    "export": _export,
}
