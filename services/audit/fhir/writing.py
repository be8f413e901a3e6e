"""Facts written as the AuditEvent an entry keeps: which shape of BALP, which agents, which entities."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any

from services.audit.domain.facts import Facts
from services.audit.domain.leaf import timestamp
from services.audit.fhir import names
from services.audit.fhir.names import coding, concept, identified

Json = dict[str, Any]
_NOT_IN_ID = re.compile(r"[^A-Za-z0-9.]")
_to_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
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
    return _to_json(shape(facts)).encode()


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
    document["source"] = {"site": "kindred", "observer": _service(facts), "type": [source]}
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
        _query(facts) if facts.interaction == "search" else _record(facts),
        *_about(facts),
        _transaction(facts),
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
        _party(client, _organization(facts), is_placed=True),
        _party(server, _service(facts), is_placed=True),
        _user(facts, names.INFORMANT if is_informed else names.RECIPIENT),
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
        _party(names.APPLICATION, _service(facts), is_placed=True),
        _user(facts, names.RECIPIENT),
        _party(names.PROVIDER, _organization(facts)),
        _party(names.AUTH_SERVER, _service(facts)),
    ]
    consent = identified("urn:kindred:consent", facts.record_id or names.UNKNOWN, "Consent")
    entity = {
        "what": consent,
        "type": coding(names.RESOURCE_TYPE, "Consent"),
        "detail": _details(facts, is_closed=True),
    }
    document["entity"] = [*_patient(facts), entity]
    return document


def _disclosure_source(facts: Facts) -> Json:
    """PHI leaves us to somebody (BALP PrivacyDisclosure.Source)."""
    told = dict(facts.particulars)
    recipient = identified(names.ACTOR, told.get("recipient_id") or names.UNKNOWN)
    if told.get("recipient_class"):
        recipient["display"] = told["recipient_class"]
    return _disclosure(facts, "Source", "110106", "Export", source=_service(facts), recipient=recipient)


def _disclosure_recipient(facts: Facts) -> Json:
    """PHI came to us from somebody (BALP PrivacyDisclosure.Recipient)."""
    return _disclosure(
        facts, "Recipient", "110107", "Import", source=_organization(facts), recipient=_service(facts)
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
        _party(names.SOURCE_ROLE, source, is_placed=True),
        _party(names.DESTINATION_ROLE, recipient, is_placed=True),
        _user(facts, names.INFORMANT),
    ]
    document["entity"] = [_record(facts), *_about(facts), _transaction(facts)]
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
        _party(names.APPLICATION, _service(facts), is_placed=True),
        _user(facts, names.RECIPIENT),
    ]
    document["entity"] = [_transaction(facts)]
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
        _party(names.APPLICATION, client, is_placed=True),
        _party(names.TOKEN_SERVER, _service(facts), is_placed=True),
        _user(facts, names.RECIPIENT),
    ]
    asked = _query(facts) | {"detail": _details(facts, is_closed=True)}
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
        _party(names.SOURCE_ROLE, _service(facts), is_placed=True),
        _user(facts, names.RECIPIENT),
    ]
    record = _record(facts) | {"role": names.REPORT}
    document["entity"] = [record, *_about(facts), _transaction(facts)]
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


def _service(facts: Facts) -> Json:
    return identified(names.SERVICE, facts.producer, "Device")


def _organization(facts: Facts) -> Json:
    return identified(names.ORGANIZATION, facts.organization_id or names.UNKNOWN, "Organization")


def _party(role: Json, who: Json, *, is_placed: bool = False) -> Json:
    party: Json = {"type": role, "who": who, "requestor": False}
    return party | ({"network": names.NETWORK_UNKNOWN} if is_placed else {})


def _user(facts: Facts, type_: Json) -> Json:
    user: Json = {
        "type": type_,
        "who": identified(names.ACTOR, facts.actor_id or names.UNKNOWN),
        "requestor": True,
    }
    if facts.actor_role:
        user["role"] = [concept(names.ROLE, facts.actor_role)]
    if facts.purpose_of_use:
        user["purposeOfUse"] = [concept(names.REASON, facts.purpose_of_use)]
    return user


def _query(facts: Facts) -> Json:
    """What was looked for, by the names of the criteria; their values are PHI and are not here."""
    query = f"{facts.record_type}?{','.join(facts.criteria)}"
    entity: Json = {"type": names.SYSTEM_OBJECT, "role": names.QUERY}
    return entity | {"query": base64.b64encode(query.encode()).decode()}


def _record(facts: Facts) -> Json:
    if facts.record_id:
        system = f"urn:kindred:{facts.record_type.lower()}"
        what = identified(system, facts.record_id, names.RESOURCES.get(facts.record_type, ""))
    else:
        what = {"display": facts.record_type or "event"}
    entity: Json = {"what": what, "type": names.SYSTEM_OBJECT, "role": names.DOMAIN_RESOURCE}
    return entity | ({"name": facts.record_type} if facts.record_type else {})


def _patient(facts: Facts) -> list[Json]:
    if not facts.subject_id:
        return []
    what = identified(names.PEER, facts.subject_id, "Patient")
    return [{"what": what, "type": names.PERSON, "role": names.PATIENT}]


def _about(facts: Facts) -> list[Json]:
    """The person, and the referral where it is not the record itself."""
    entities = _patient(facts)
    is_record = facts.interaction != "search" and facts.record_type == "Referral" and facts.record_id
    if facts.referral_id and not (is_record and facts.referral_id == facts.record_id):
        what = identified(names.REFERRAL, facts.referral_id, "ServiceRequest")
        entities.append({"what": what, "type": coding(names.RESOURCE_TYPE, "ServiceRequest")})
    return entities


def _transaction(facts: Facts) -> Json:
    """The request's id, and with it what only we say of the event: digest, flags, particulars."""
    trace = facts.trace_id or facts.correlation_id
    what = identified("", trace) if trace else identified(names.EVENT, facts.event_id)
    return {"what": what, "type": names.TRANSACTION, "detail": _details(facts)}


def _details(facts: Facts, *, is_closed: bool = False) -> list[Json]:
    """`is_closed` where the profile leaves no other place for event type, referral and trace."""
    digest = base64.b64encode(facts.content_digest).decode()
    detail: list[Json] = [{"type": "sha256", "valueBase64Binary": digest}]
    detail += [{"type": "flag", "valueString": flag} for flag in facts.flags]
    if is_closed:
        detail.append({"type": "event-type", "valueString": facts.event_type})
        told = {"referral": facts.referral_id, "trace": facts.trace_id or facts.correlation_id}
        detail += [{"type": name, "valueString": value} for name, value in told.items() if value]
    detail += [{"type": name, "valueString": value} for name, value in facts.particulars if value]
    if facts.unread:
        kept = "received" if facts.shape == "outside" else "unread"
        detail.append({"type": kept, "valueBase64Binary": base64.b64encode(facts.unread).decode()})
    return detail
