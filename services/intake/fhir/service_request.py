"""A referral as an R4 ServiceRequest: what its source said, so that it can be read, corrected and sent again."""

from __future__ import annotations

import re
from typing import Any

from services.intake.domain.person import Person
from services.intake.domain.referral import Referral
from services.intake.domain.states import State
from services.intake.domain.submission import Characteristic, Code, Preference, SourceContact, Submission
from services.intake.fhir import extensions as ext
from services.intake.fhir import names
from services.intake.fhir.task import PRIORITIES, identifier_of, instant, placed

Resource = dict[str, Any]
_CODE = re.compile(r"\S+( \S+)*")
_PEER_SUPPORT = "Peer support referral"
_UNKNOWN_CLASS = {"system": "http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "code": "UNK"}

# State -> ServiceRequest.status.
STATUS: dict[State, str] = {
    State.NEEDS_INFORMATION: "on-hold",
    State.REFUSED: "revoked",
    State.CANCEL_REQUESTED: "revoked",
    State.CANCELLED: "revoked",
    State.DECLINED_BY_PEER: "revoked",
    State.EXPIRED: "revoked",
    State.COMPLETED: "completed",
    State.REFERRED_ELSEWHERE: "completed",
    State.ENTERED_IN_ERROR: "entered-in-error",
}


def of(referral: Referral, said: Submission) -> Resource:
    """The ServiceRequest: read by `reading.read` it is the same submission again, its consent aside."""
    requester = _requester(said)
    contained = [_patient(said), _encounter(said), *([requester] if requester else [])]
    request: Resource = {
        "resourceType": "ServiceRequest",
        "id": referral.referral_id,
        "meta": {"versionId": str(referral.task_version), "lastUpdated": instant(referral.state_at)},
        "contained": contained,
        "identifier": [
            identifier_of("FILL", names.REFERRAL_ID, referral.referral_id),
            *placed(said.placer_identifiers),
        ],
        "status": STATUS.get(referral.state, "active"),
        "intent": "order",
        "priority": PRIORITIES[referral.urgency],
        "code": {"text": _PEER_SUPPORT},
        "subject": {
            "reference": "#patient",
            "identifier": {"system": names.PEER_ID, "value": referral.peer_id},
        },
        "encounter": {"reference": "#encounter"},
        "authoredOn": instant(referral.submitted_at),
        "requester": {"reference": "#requester"} if requester else _source(referral),
    }
    optional = {
        "extension": _extensions(said),
        "reasonCode": [_concept(one) for one in said.codes],
        "note": [{"text": said.note}] if said.note.strip() else [],
    }
    return request | {key: value for key, value in optional.items() if value}


def _source(referral: Referral) -> Resource:
    return {"type": "Organization", "identifier": {"system": names.SOURCE_ID, "value": referral.source_id}}


def _concept(one: Code) -> Resource:
    """The code; what another door let through and R4 has no code for is words."""
    if not _CODE.fullmatch(one.code):
        return {"text": one.display.strip() or one.code}
    said = {"system": names.uri(one.system), "code": one.code, "display": one.display}
    return {"coding": [{key: value for key, value in said.items() if value}]}


def _extensions(said: Submission) -> list[Resource]:
    found = [_coded(ext.LIVED_EXPERIENCE, code) for code in said.experience_codes]
    found += [_preference(one) for one in said.preferences]
    found += [_coded(ext.MODALITY, one) for one in said.modalities]
    found += [{"url": ext.EXCLUDED_SPECIALIST, "valueString": one} for one in said.excluded_specialist_ids]
    if said.facility_zip:
        found.append({"url": ext.FACILITY_ZIP, "valueString": said.facility_zip})
    if said.payer_code != "unknown":
        found.append(_coded(ext.PAYER, said.payer_code))
    if said.is_naloxone_given is not None:
        found.append({"url": ext.NALOXONE_GIVEN, "valueBoolean": said.is_naloxone_given})
    return found


def _coded(url: str, code: str) -> Resource:
    return {"url": url, "valueCode": code}


def _preference(one: Preference) -> Resource:
    parts = [_coded("attribute", one.code), _coded("strength", one.strength.value)]
    return {"url": ext.PREFERENCE, "extension": parts}


def _patient(said: Submission) -> Resource:
    person = said.person
    optional: Resource = {
        "extension": _about_person(said),
        "identifier": [
            {"system": names.uri(one.system), "value": one.value} for one in person.record_numbers
        ],
        "name": _names(person),
        "telecom": [{"system": "phone", "value": phone} for phone in person.phones],
        "gender": person.sex,
        "birthDate": person.birth_date,
        "address": [{"use": "home", "postalCode": person.home_zip}] if person.home_zip else [],
        "communication": [
            {"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": tag}]}, "preferred": position == 0}
            for position, tag in enumerate(said.languages)
        ],
    }
    patient = {"resourceType": "Patient", "id": "patient"}
    return patient | {key: value for key, value in optional.items() if value}


def _names(person: Person) -> list[Resource]:
    """The name as it was sent, then family names from before."""
    parts = {
        "family": person.family_name,
        "given": [person.given_name] if person.given_name else [],
        "suffix": [person.suffix] if person.suffix else [],
    }
    said = {key: value for key, value in parts.items() if value}
    former = [{"use": "old", "family": family} for family in person.former_names]
    return ([{"use": "official", **said}] if said else []) + former


def _about_person(said: Submission) -> list[Resource]:
    found = [_characteristic(one) for one in said.characteristics]
    safe = said.person.safe_contact
    parts: list[Resource] = []
    if safe.may_leave_message is not None:
        parts.append({"url": "may-leave-message", "valueBoolean": safe.may_leave_message})
    if safe.do_not_contact is not None:
        parts.append({"url": "do-not-contact", "valueBoolean": safe.do_not_contact})
    if safe.who_else_answers:
        parts.append({"url": "who-else-answers", "valueString": safe.who_else_answers})
    if parts:
        found.append({"url": ext.SAFE_CONTACT, "extension": parts})
    if said.interpreter_needed:
        found.append({"url": ext.INTERPRETER_REQUIRED, "valueBoolean": True})
    if said.interpreter_agreed:
        found.append({"url": ext.INTERPRETER_AGREED, "valueBoolean": True})
    return found


def _characteristic(one: Characteristic) -> Resource:
    said = {
        "topic": one.topic,
        "answered": one.answered.value,
        "code": one.code,
        "said-by": one.said_by,
        "how": one.how,
    }
    parts = [_coded(url, code) for url, code in said.items() if code]
    return {"url": ext.CHARACTERISTIC, "extension": parts}


def _encounter(said: Submission) -> Resource:
    """The visit; how it stands and of which class it is was not kept, and is not guessed."""
    encounter: Resource = {
        "resourceType": "Encounter",
        "id": "encounter",
        "status": "unknown",
        "class": _UNKNOWN_CLASS,
        "subject": {"reference": "#patient"},
    }
    if said.visit:
        encounter["identifier"] = [{"system": names.uri(said.visit.system), "value": said.visit.value}]
    if said.arrived_at:
        encounter["period"] = {"start": instant(said.arrived_at)}
    if said.expected_departure_at:
        leaves = {"url": ext.EXPECTED_DEPARTURE, "valueDateTime": instant(said.expected_departure_at)}
        encounter["extension"] = [leaves]
    if said.place.strip():
        encounter["location"] = [{"location": {"display": said.place}}]
    return encounter


def _requester(said: Submission) -> Resource | None:
    telecom = [
        *([_email(said.source_contact)] if said.source_contact.email else []),
        *([{"system": "phone", "value": said.referrer.phone}] if said.referrer.phone else []),
    ]
    optional: Resource = {
        "name": [{"text": said.referrer.name}] if said.referrer.name.strip() else [],
        "telecom": telecom,
    }
    told = {key: value for key, value in optional.items() if value}
    return {"resourceType": "Practitioner", "id": "requester"} | told if told else None


def _email(contact: SourceContact) -> Resource:
    point: Resource = {"system": "email", "value": contact.email}
    extensions = []
    if contact.language:
        extensions.append(_coded(ext.CONTACT_LANGUAGE, contact.language))
    if contact.time_zone:
        extensions.append(_coded(ext.TIME_ZONE, contact.time_zone))
    return point | ({"extension": extensions} if extensions else {})
