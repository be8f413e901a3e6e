"""The body of an entry: a FHIR R4 AuditEvent in the shape of IHE BALP, written from facts and read back."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import Any

from services.audit.domain.facts import Facts
from services.audit.domain.leaf import timestamp

_PROFILE = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
_PROFILES = {"create": "Create", "read": "Read", "update": "Update", "delete": "Delete", "search": "Query"}
_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
_ENTITY_TYPE = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_OBJECT_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
_INTERACTION = "http://hl7.org/fhir/restful-interaction"
_BALP_ENTITY = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType"
EVENT_TYPE = "urn:kindred:event-type"
_ACTOR = "urn:kindred:actor"
_ROLE = "urn:kindred:role"
_PEER = "urn:kindred:peer"
_REFERRAL = "urn:kindred:referral"
_UNKNOWN = "unknown"
_NOT_IN_ID = re.compile(r"[^A-Za-z0-9.]")
_to_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode

# Our nouns and the FHIR resource each stands for (docs/glossary.md).
_RESOURCES = {
    "Referral": "ServiceRequest",
    "Offer": "Task",
    "Notice": "Communication",
    "Specialist": "Practitioner",
}
_TYPE = {
    "system": "http://terminology.hl7.org/CodeSystem/audit-event-type",
    "code": "rest",
    "display": "Restful Operation",
}
_SOURCE_ROLE = {"coding": [{"system": _DCM, "code": "110153", "display": "Source Role ID"}]}
_DESTINATION_ROLE = {"coding": [{"system": _DCM, "code": "110152", "display": "Destination Role ID"}]}
_INFORMANT = {"coding": [{"system": _PARTICIPATION, "code": "INF", "display": "Informant"}]}
_RECIPIENT = {"coding": [{"system": _PARTICIPATION, "code": "IRCP", "display": "information recipient"}]}
_SYSTEM_OBJECT = {"system": _ENTITY_TYPE, "code": "2", "display": "System Object"}
_PERSON = {"system": _ENTITY_TYPE, "code": "1", "display": "Person"}
_DOMAIN_RESOURCE = {"system": _OBJECT_ROLE, "code": "4", "display": "Domain Resource"}
_QUERY = {"system": _OBJECT_ROLE, "code": "24", "display": "Query"}
_PATIENT = {"system": _OBJECT_ROLE, "code": "1", "display": "Patient"}
_TRANSACTION = {"system": _BALP_ENTITY, "code": "XrequestId"}
_APPLICATION_SERVER = {
    "system": "http://terminology.hl7.org/CodeSystem/security-source-type",
    "code": "4",
    "display": "Application Server",
}


def audit_event(facts: Facts) -> bytes:
    """The AuditEvent as JSON, UTF-8, without spaces. Its bytes are committed to and never written again."""
    document: dict[str, Any] = {"resourceType": "AuditEvent", "id": _fhir_id(facts.event_id)}
    if facts.interaction in _PROFILES:
        subject = "Patient" if facts.subject_id else ""
        document["meta"] = {"profile": [f"{_PROFILE}{subject}{_PROFILES[facts.interaction]}"]}
    document |= {
        "type": _TYPE,
        "subtype": [
            {"system": _INTERACTION, "code": facts.interaction},
            {"system": EVENT_TYPE, "code": facts.event_type},
        ],
        "action": facts.action,
        "recorded": timestamp(facts.recorded_at),
        "outcome": facts.outcome,
    }
    if facts.reason:
        document["outcomeDesc"] = facts.reason
    document |= {
        "agent": _agents(facts),
        "source": {
            "site": "kindred",
            "observer": _identified("urn:kindred:service", facts.producer),
            "type": [_APPLICATION_SERVER],
        },
        "entity": _entities(facts),
    }
    return _to_json(document).encode()


def _agents(facts: Facts) -> list[dict[str, Any]]:
    gives_out = facts.action == "R"
    server = {
        "type": _SOURCE_ROLE if gives_out else _DESTINATION_ROLE,
        "who": _identified("urn:kindred:service", facts.producer),
        "requestor": False,
    }
    client = {
        "type": _DESTINATION_ROLE if gives_out else _SOURCE_ROLE,
        "who": _identified("urn:kindred:organization", facts.organization_id or _UNKNOWN),
        "requestor": False,
    }
    user: dict[str, Any] = {
        "type": _INFORMANT if facts.action in "CU" else _RECIPIENT,
        "who": _identified(_ACTOR, facts.actor_id or _UNKNOWN),
        "requestor": True,
    }
    if facts.actor_role:
        user["role"] = [{"coding": [{"system": _ROLE, "code": facts.actor_role}]}]
    if facts.purpose_of_use:
        user["purposeOfUse"] = [{"coding": [{"system": _REASON, "code": facts.purpose_of_use}]}]
    return [client, server, user]


def _entities(facts: Facts) -> list[dict[str, Any]]:
    entities: list[dict[str, Any]] = []
    if facts.interaction == "search":
        query = base64.b64encode(",".join(facts.criteria).encode()).decode()
        entity: dict[str, Any] = {"type": _SYSTEM_OBJECT, "role": _QUERY}
        if query:
            entity["query"] = query
        if facts.record_type:
            entity["name" if not query else "description"] = facts.record_type
        entities.append(entity)
    elif facts.record_type:
        entities.append(_record(facts))
    if facts.subject_id:
        entities.append({"what": _identified(_PEER, facts.subject_id), "type": _PERSON, "role": _PATIENT})
    if facts.referral_id and facts.referral_id != _shown_referral(facts):
        entities.append({"what": _identified(_REFERRAL, facts.referral_id), "type": _SYSTEM_OBJECT})
    if facts.trace_id or facts.correlation_id:
        what = _identified("", facts.trace_id or facts.correlation_id)
        entities.append({"what": what, "type": _TRANSACTION})
    entities.append(_as_received(facts))
    return entities


def _shown_referral(facts: Facts) -> str:
    """The referral that is the record itself, where the entry shows a record."""
    is_shown = facts.interaction != "search" and facts.record_type == "Referral"
    return facts.record_id if is_shown else ""


def _record(facts: Facts) -> dict[str, Any]:
    if not facts.record_id:
        return {"name": facts.record_type, "type": _SYSTEM_OBJECT, "role": _DOMAIN_RESOURCE}
    what = _identified(f"urn:kindred:{facts.record_type.lower()}", facts.record_id)
    resource = _RESOURCES.get(facts.record_type)
    if resource:
        what["type"] = resource
    return {"what": what, "type": _SYSTEM_OBJECT, "role": _DOMAIN_RESOURCE}


def _as_received(facts: Facts) -> dict[str, Any]:
    """The event itself: the digest of its content, what is odd about it, and what could not be read."""
    digest = base64.b64encode(facts.content_digest).decode()
    detail: list[dict[str, Any]] = [{"type": "sha256", "valueBase64Binary": digest}]
    detail += [{"type": "flag", "valueString": flag} for flag in facts.flags]
    if facts.unread:
        detail.append({"type": "unread", "valueBase64Binary": base64.b64encode(facts.unread).decode()})
    return {"name": "event as received", "type": _SYSTEM_OBJECT, "detail": detail}


def _identified(system: str, value: str) -> dict[str, Any]:
    identifier = {"system": system, "value": value} if system else {"value": value}
    return {"identifier": identifier}


def _fhir_id(event_id: str) -> str:
    """FHIR ids hold letters, digits, "-" and ".", 64 at most."""
    return _NOT_IN_ID.sub("-", event_id)[:64]


@dataclass(frozen=True, slots=True)
class ReadBody:
    """What an AuditEvent of ours says, read back; a fact it does not state is ""."""

    event_type: str
    recorded: str
    actor_id: str
    actor_role: str
    purpose_of_use: str
    peer_id: str
    referral_id: str
    trace_id: str
    outcome: str
    flags: tuple[str, ...]
    content_digest: bytes


def read_body(body: bytes) -> ReadBody:
    """The facts of an AuditEvent that `audit_event` wrote."""
    document = json.loads(body)
    user = next(agent for agent in document["agent"] if agent["requestor"])
    entities = document["entity"]
    named = {_system(entity): _value(entity) for entity in entities if "what" in entity}
    detail = next(entity["detail"] for entity in entities if "detail" in entity)
    return ReadBody(
        event_type=next(code["code"] for code in document["subtype"] if code["system"] == EVENT_TYPE),
        recorded=document["recorded"],
        actor_id=_known(_value({"what": user["who"]})),
        actor_role=user.get("role", _NO_CODE)[0]["coding"][0]["code"],
        purpose_of_use=user.get("purposeOfUse", _NO_CODE)[0]["coding"][0]["code"],
        peer_id=named.get(_PEER, ""),
        referral_id=named.get(_REFERRAL, ""),
        trace_id=named.get("", ""),
        outcome=document["outcome"],
        flags=tuple(each["valueString"] for each in detail if each["type"] == "flag"),
        content_digest=base64.b64decode(detail[0]["valueBase64Binary"]),
    )


_NO_CODE = [{"coding": [{"code": ""}]}]


def _known(actor_id: str) -> str:
    return "" if actor_id == _UNKNOWN else actor_id


def _system(entity: dict[str, Any]) -> str:
    return entity["what"]["identifier"].get("system", "")


def _value(entity: dict[str, Any]) -> str:
    return entity["what"]["identifier"]["value"]
