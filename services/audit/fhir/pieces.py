"""The pieces every shape of an AuditEvent is put together from: agents, entities, details."""

from __future__ import annotations

import base64
from typing import Any

from services.audit.domain.facts import Facts
from services.audit.fhir import names
from services.audit.fhir.names import coding, concept, identified

Json = dict[str, Any]
# These shapes have no agent for the organization the user belongs to.
WITHOUT_ORGANIZATION = frozenset({"disclosure-source", "session", "token", "export"})


def service(facts: Facts) -> Json:
    """The service that saw it."""
    return identified(names.SERVICE, facts.producer, "Device")


def organization(facts: Facts) -> Json:
    """The organization whoever did it belongs to."""
    return identified(names.ORGANIZATION, facts.organization_id or names.UNKNOWN, "Organization")


def party(role: Json, who: Json, *, is_placed: bool = False) -> Json:
    """An agent that is a system or an organization; BALP asks where some of them are."""
    party: Json = {"type": role, "who": who, "requestor": False}
    return party | ({"network": names.NETWORK_UNKNOWN} if is_placed else {})


def user(facts: Facts, type_: Json) -> Json:
    """Whoever did it."""
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


def query(facts: Facts) -> Json:
    """What was looked for, by the names of the criteria; their values are PHI and are not here."""
    query = f"{facts.record_type}?{','.join(facts.criteria)}"
    entity: Json = {"type": names.SYSTEM_OBJECT, "role": names.QUERY}
    return entity | {"query": base64.b64encode(query.encode()).decode()}


def record(facts: Facts) -> Json:
    """The record it was done to."""
    if facts.record_id:
        system = f"urn:kindred:{facts.record_type.lower()}"
        what = identified(system, facts.record_id, names.RESOURCES.get(facts.record_type, ""))
    else:
        what = {"display": facts.record_type or "event"}
    entity: Json = {"what": what, "type": names.SYSTEM_OBJECT, "role": names.DOMAIN_RESOURCE}
    return entity | ({"name": facts.record_type} if facts.record_type else {})


def patient(facts: Facts) -> list[Json]:
    """The person it is about, where there is one."""
    if not facts.subject_id:
        return []
    what = identified(names.PEER, facts.subject_id, "Patient")
    return [{"what": what, "type": names.PERSON, "role": names.PATIENT}]


def about(facts: Facts) -> list[Json]:
    """The person, and the referral where it is not the record itself."""
    entities = patient(facts)
    is_record = facts.interaction != "search" and facts.record_type == "Referral" and facts.record_id
    if facts.referral_id and not (is_record and facts.referral_id == facts.record_id):
        what = identified(names.REFERRAL, facts.referral_id, "ServiceRequest")
        entities.append({"what": what, "type": coding(names.RESOURCE_TYPE, "ServiceRequest")})
    return entities


def transaction(facts: Facts) -> Json:
    """The request's id, and with it what only we say of the event: digest, flags, particulars."""
    trace = facts.trace_id or facts.correlation_id
    what = identified("", trace) if trace else identified(names.EVENT, facts.event_id)
    return {"what": what, "type": names.TRANSACTION, "detail": details(facts)}


def details(facts: Facts, *, is_closed: bool = False) -> list[Json]:
    """`is_closed` where the profile leaves no other place for event type, referral and trace."""
    digest = base64.b64encode(facts.content_digest).decode()
    detail: list[Json] = [{"type": "sha256", "valueBase64Binary": digest}]
    detail += [{"type": "flag", "valueString": flag} for flag in facts.flags]
    if is_closed:
        detail.append({"type": "event-type", "valueString": facts.event_type})
        told = {"referral": facts.referral_id, "trace": facts.trace_id or facts.correlation_id}
        told |= {"peer": facts.subject_id} if facts.shape == "token" else {}
        detail += [{"type": name, "valueString": value} for name, value in told.items() if value]
    if facts.shape in WITHOUT_ORGANIZATION and facts.organization_id:
        detail.append({"type": "organization", "valueString": facts.organization_id})
    detail += [{"type": name, "valueString": value} for name, value in facts.particulars if value]
    if facts.unread:
        kept = "received" if facts.shape == "outside" else "unread"
        detail.append({"type": kept, "valueBase64Binary": base64.b64encode(facts.unread).decode()})
    return detail
