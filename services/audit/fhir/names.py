"""Systems, codes and our own names as AuditEvents spell them."""

from __future__ import annotations

from typing import Any

BALP = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE."
DCM = "http://dicom.nema.org/resources/ontology/DCM"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
ENTITY_TYPE = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
OBJECT_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
RESOURCE_TYPE = "http://hl7.org/fhir/resource-types"
INTERACTION = "http://hl7.org/fhir/restful-interaction"
LIFECYCLE = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"
BALP_ENTITY = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType"
BALP_AUTHZ = "https://profiles.ihe.net/ITI/BALP/CodeSystem/AuthZsubType"
BALP_AGENT = "https://profiles.ihe.net/ITI/BALP/CodeSystem/UserAgentTypes"
SECURITY_ROLE = "http://terminology.hl7.org/CodeSystem/extra-security-role-type"
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"

EVENT_TYPE = "urn:kindred:event-type"
ACTOR = "urn:kindred:actor"
ROLE = "urn:kindred:role"
PEER = "urn:kindred:peer"
REFERRAL = "urn:kindred:referral"
SERVICE = "urn:kindred:service"
ORGANIZATION = "urn:kindred:organization"
EVENT = "urn:kindred:event"
UNKNOWN = "unknown"

# Our nouns and the FHIR resource each stands for (docs/glossary.md).
RESOURCES = {
    "Referral": "ServiceRequest",
    "Offer": "Task",
    "Notice": "Communication",
    "Specialist": "Practitioner",
    "Person": "Patient",
    "Consent": "Consent",
    "AuditEvent": "AuditEvent",
    "Task": "Task",
    "ServiceRequest": "ServiceRequest",
}

Coding = dict[str, str]


def coding(system: str, code: str, display: str = "") -> Coding:
    """One FHIR Coding."""
    return {"system": system, "code": code} | ({"display": display} if display else {})


def concept(system: str, code: str, display: str = "") -> dict[str, Any]:
    """One FHIR CodeableConcept."""
    return {"coding": [coding(system, code, display)]}


def identified(system: str, value: str, resource: str = "") -> dict[str, Any]:
    """A FHIR Reference by identifier; `resource` says of which type it is."""
    identifier = {"system": system, "value": value} if system else {"value": value}
    return {"identifier": identifier} | ({"type": resource} if resource else {})


REST = coding("http://terminology.hl7.org/CodeSystem/audit-event-type", "rest", "Restful Operation")
SOURCE_ROLE = concept(DCM, "110153", "Source Role ID")
DESTINATION_ROLE = concept(DCM, "110152", "Destination Role ID")
APPLICATION = concept(DCM, "110150", "Application")
CUSTODIAN = concept("http://terminology.hl7.org/CodeSystem/provenance-participant-type", "custodian")
INFORMANT = concept(PARTICIPATION, "INF", "Informant")
RECIPIENT = concept(PARTICIPATION, "IRCP", "information recipient")
AUTH_SERVER = concept(SECURITY_ROLE, "authserver", "authorization server")
TOKEN_SERVER = concept(BALP_AGENT, "AuthzOauthService")
PROVIDER = concept("http://terminology.hl7.org/CodeSystem/v3-RoleClass", "PROV", "healthcare provider")
SYSTEM_OBJECT = coding(ENTITY_TYPE, "2", "System Object")
PERSON = coding(ENTITY_TYPE, "1", "Person")
DOMAIN_RESOURCE = coding(OBJECT_ROLE, "4", "Domain Resource")
REPORT = coding(OBJECT_ROLE, "3", "Report")
QUERY = coding(OBJECT_ROLE, "24", "Query")
PATIENT = coding(OBJECT_ROLE, "1", "Patient")
TRANSACTION = coding(BALP_ENTITY, "XrequestId")
APPLICATION_SERVER = coding(
    "http://terminology.hl7.org/CodeSystem/security-source-type", "4", "Application Server"
)
SECURITY_SERVER = coding("http://terminology.hl7.org/CodeSystem/security-source-type", "6", "Security Server")
# BALP asks where client and server are; the bus does not carry addresses, and the entry says so.
NETWORK_UNKNOWN = {"extension": [{"url": ABSENT, "valueCode": "unknown"}]}
