"""A DICOM AuditMessage (PS3.15 A.5, and RFC 3881 before it) as the FHIR AuditEvent that was modelled on it; pure."""

from __future__ import annotations

import base64
import re
from datetime import datetime
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from services.audit.fhir.names import PEER

Json = dict[str, Any]
ORIGINAL = "urn:kindred:atna-message"
_SYSTEMS = {
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "RFC-3881": "http://terminology.hl7.org/CodeSystem/audit-event-type",
    "IHE Transactions": "urn:ihe:event-type-code",
}
_ENTITY_TYPE = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_OBJECT_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
_LIFECYCLE = "http://terminology.hl7.org/CodeSystem/dicom-audit-lifecycle"
_SOURCE_TYPE = "http://terminology.hl7.org/CodeSystem/security-source-type"
_PERSON, _PATIENT = "1", "1"
_CX = re.compile(r"([^^]*)(?:\^[^^]*\^[^^]*)?\^?([^^&]*)&([0-9.]+)&ISO")


class NoAuditMessage(ValueError):  # noqa: N818
    """The bytes are no DICOM AuditMessage."""


def converted(content: bytes) -> tuple[Json, list[str]]:
    """The AuditEvent, with the message as it came inside, and what is odd about it; raises NoAuditMessage."""
    message, flags = _parsed(content), []
    event = message.find("EventIdentification")
    if event is None:
        raise NoAuditMessage("an AuditMessage without EventIdentification")
    recorded, is_zoned = _moment(event.get("EventDateTime", ""))
    if not is_zoned:
        flags.append("no-time-zone")
    document: Json = {
        "resourceType": "AuditEvent",
        "extension": [{"url": ORIGINAL, "valueBase64Binary": base64.b64encode(content).decode()}],
        "type": _coding(event.find("EventID")),
        "subtype": [_coding(one) for one in event.findall("EventTypeCode")],
        "action": event.get("EventActionCode", ""),
        "recorded": recorded,
        "outcome": event.get("EventOutcomeIndicator", ""),
        "outcomeDesc": (event.findtext("EventOutcomeDescription") or "").strip(),
        "purposeOfEvent": _concepts(event.findall("PurposeOfUse")),
        "agent": [_agent(one) for one in message.findall("ActiveParticipant")],
        "source": _source(message.find("AuditSourceIdentification")),
        "entity": [_entity(one) for one in message.findall("ParticipantObjectIdentification")],
    }
    return _full(document), flags


def _parsed(content: bytes) -> Element:
    try:
        text = content.decode(
            "utf-8-sig"
        )  # what RFC 5424 asks for; in UTF-16 a declaration would be overlooked
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise NoAuditMessage("a message that declares entities is not read")
        root = ElementTree.fromstring(text)  # noqa: S314  # nosec B314: no entity can be declared, see above
    except (ElementTree.ParseError, UnicodeDecodeError) as wrong:
        raise NoAuditMessage("not XML") from wrong
    for element in root.iter():  # some senders put it into a namespace of their own
        element.tag = element.tag.rpartition("}")[2]
    if root.tag != "AuditMessage":
        raise NoAuditMessage("another document")
    return root


def _moment(text: str) -> tuple[str, bool]:
    """As R4 wants an instant; a time without a zone is taken for UTC, and that is said."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text, True
    return (text, True) if moment.tzinfo else (f"{text}Z", False)


def _coding(element: Element | None) -> Json:
    """`csd-code` is DICOM's name of the code, `code` that of RFC 3881."""
    if element is None:
        return {}
    system = element.get("codeSystemName") or element.get("codeSystem") or ""
    if re.fullmatch(r"[0-2](\.\d+)+", system):
        system = f"urn:oid:{system}"
    code = element.get("csd-code") or element.get("code") or ""
    display = element.get("originalText") or element.get("displayName") or ""
    return {"system": _SYSTEMS.get(system, system), "code": code, "display": display}


def _concepts(elements: list[Element]) -> list[Json]:
    return [{"coding": [_coding(one)]} for one in elements]


def _agent(element: Element) -> Json:
    roles = _concepts(element.findall("RoleIDCode"))
    network = {
        "address": element.get("NetworkAccessPointID", ""),
        "type": element.get("NetworkAccessPointTypeCode", ""),
    }
    return {
        "type": roles[0] if roles else {},
        "role": roles[1:],
        "who": {"identifier": {"value": element.get("UserID", "")}},
        "altId": element.get("AlternativeUserID", ""),
        "name": element.get("UserName", ""),
        "requestor": element.get("UserIsRequestor", "true").lower() in ("true", "1"),
        "network": network,
    }


def _source(element: Element | None) -> Json:
    if element is None:
        return {}
    # Bare in DICOM's schema of today, an attribute of their own in older ones.
    types = [one.get("csd-code") or one.get("code") or (one.text or "").strip() for one in element.iter()
             if one.tag == "AuditSourceTypeCode"]  # fmt: skip
    types = [code for code in [element.get("code", ""), *types] if code]
    return {
        "site": element.get("AuditEnterpriseSiteID", ""),
        "observer": {"identifier": {"value": element.get("AuditSourceID", "")}},
        "type": [{"system": _SOURCE_TYPE, "code": code} for code in types],
    }


def _entity(element: Element) -> Json:
    kind, role = (
        element.get("ParticipantObjectTypeCode", ""),
        element.get("ParticipantObjectTypeCodeRole", ""),
    )
    identifier = _identifier(element.get("ParticipantObjectID", ""), element)
    is_patient = (kind, role) == (_PERSON, _PATIENT)
    query = (element.findtext("ParticipantObjectQuery") or "").strip()
    name = (element.findtext("ParticipantObjectName") or "").strip()
    sensitivity = element.get("ParticipantObjectSensitivity", "")
    return {
        "what": {"type": "Patient" if is_patient else "", "identifier": identifier},
        "type": {"system": _ENTITY_TYPE, "code": kind} if kind else {},
        "role": {"system": _OBJECT_ROLE, "code": role} if role else {},
        "lifecycle": _bare(_LIFECYCLE, element.get("ParticipantObjectDataLifeCycle", "")),
        "securityLabel": [{"display": sensitivity}] if sensitivity else [],
        "name": "" if query else name,  # R4's sev-1: a name or a query, not both
        "query": query,
        "detail": [
            {"type": one.get("type", ""), "valueBase64Binary": one.get("value", "")}
            for one in element.findall("ParticipantObjectDetail")
            if one.get("type") and one.get("value")
        ],
    }


def _bare(system: str, code: str) -> Json:
    return {"system": system, "code": code} if code else {}


def _identifier(text: str, element: Element) -> Json:
    """HL7 v2's CX ("975cac30^^^&1.2.3&ISO") as value and system; our own pseudonyms as ours; the rest as it is."""
    if text.startswith("peer_"):
        return {"system": PEER, "value": text}
    kind = _coding(element.find("ParticipantObjectIDTypeCode"))
    typed = {"coding": [kind]} if kind.get("code") else {}
    found = _CX.fullmatch(text)
    if found:
        return {"type": typed, "system": f"urn:oid:{found[3]}", "value": found[1]}
    return {"type": typed, "value": text}


def _full(node: Any) -> Any:
    """Without what is empty, as FHIR asks."""
    if isinstance(node, dict):
        kept = {name: _full(value) for name, value in node.items()}
        return {name: value for name, value in kept.items() if value not in ("", {}, [], None)}
    if isinstance(node, list):
        return [one for one in (_full(each) for each in node) if one not in ("", {}, [], None)]
    return node
