"""A referral's consent as an R4 Consent: the version that counts, with its rules, what it cites, and who signed."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from services.intake.domain import labels
from services.intake.domain.consent import Consent, newest
from services.intake.domain.provisions import Actor, Coding, Provision
from services.intake.domain.provisions import Resource as Named
from services.intake.domain.referral import Referral
from services.intake.fhir import extensions as ext

if TYPE_CHECKING:
    from services.intake.store.documents import Kept

Resource = dict[str, Any]
SYSTEM = "https://kindred.example/fhir/"
PEER_ID, SOURCE_ID = SYSTEM + "identifier/peer", SYSTEM + "identifier/source"
SOURCES_OWN_ID = SYSTEM + "identifier/consent-of-source"
PART_2_URI = "https://www.ecfr.gov/current/title-42/chapter-I/subchapter-A/part-2"
HIPAA_URI = "https://www.ecfr.gov/current/title-45/subtitle-A/subchapter-C/part-164"
_NO_YEAR = 9999  # an end past the calendar, as it was read
_TERMS = "http://terminology.hl7.org/CodeSystem/"
_ROLES = _TERMS + "v3-ParticipationType"


def consent_id(referral_id: str) -> str:
    """Our id of a referral's consent; the source's own may name a person."""
    return "con" + referral_id.removeprefix("ref")


def referral_id(consent_id: str) -> str:
    """The referral of one of our consent ids."""
    return "ref" + consent_id.removeprefix("con")


def of(referral: Referral, kept: Kept) -> Resource | None:
    """The Consent the referral stands on, or None where none came yet.

    Its status is `active`, `inactive` once it was revoked or has ended, `rejected` where the person said no.
    """
    consent = newest(kept.consents)
    if consent is None:
        return None
    labelled = labels.of(kept.submission)
    resource: Resource = {
        "resourceType": "Consent",
        "id": consent_id(referral.referral_id),
        "meta": {
            "versionId": str(
                referral.task_version
            ),  # its status moves with the referral, not with the document
            "lastUpdated": _instant(referral.state_at),
            "security": labels.security(labelled),
        },
        "extension": [{"url": ext.CONSENT_ELEMENTS, "extension": _elements(consent)}],
        "identifier": _identifiers(referral, consent),
        "status": _status(referral, consent),
        "scope": {"coding": [{"system": _TERMS + "consentscope", "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"type": "Patient", "identifier": {"system": PEER_ID, "value": referral.peer_id}},
        "dateTime": _instant(consent.signed_at) if consent.signed_at else "",
        "performer": [_performer(referral, consent)],
        "organization": [_organization(referral, consent)],
        "policy": [{"uri": PART_2_URI if labelled.is_part_2 else HIPAA_URI}],
        "policyRule": _policy_rule(consent),
        "provision": _root(consent),
    }
    return {key: value for key, value in resource.items() if value}


def _status(referral: Referral, consent: Consent) -> str:
    if consent.is_permitted is False:
        return "rejected"
    is_over = consent.revoked_at is not None or referral.is_consent_revoked
    return "inactive" if is_over or referral.reason_code == "consent-expired" else "active"


def _identifiers(referral: Referral, consent: Consent) -> list[Resource]:
    ours = {"system": SYSTEM + "identifier/consent", "value": consent_id(referral.referral_id)}
    return [ours, *([{"system": SOURCES_OWN_ID, "value": consent.consent_id}] if consent.consent_id else [])]


def _performer(referral: Referral, consent: Consent) -> Resource:
    """Who agreed: the person, unless the document names another."""
    if consent.signed_by and consent.signed_by != "peer":
        return {"type": "RelatedPerson", "display": consent.signed_by}
    return {"type": "Patient", "identifier": {"system": PEER_ID, "value": referral.peer_id}}


def _organization(referral: Referral, consent: Consent) -> Resource:
    """Who discloses: the source, by the name the document gave it."""
    named = {"display": consent.discloser} if consent.discloser else {}
    return {"type": "Organization", "identifier": {"system": SOURCE_ID, "value": referral.source_id}, **named}


def _policy_rule(consent: Consent) -> Resource:
    base = {True: ("OPTIN",), False: ("OPTOUT",)}.get(consent.rules.base, ())  # type: ignore[arg-type]
    codes = (*consent.policies, *base)
    return {"coding": [{"system": labels.ACT_CODE, "code": code} for code in codes]} if codes else {}


def _root(consent: Consent) -> Resource:
    rule = consent.rules
    provision = _provision(rule)
    period = _period(consent.starts_at, consent.expires_at)
    if period:
        provision["period"] = period
    named = [*consent.recipients, *([consent.intermediary] if consent.intermediary else [])]
    if consent.rule is None and named:
        actors = [Actor(role="IRCP", names=(name,)) for name in dict.fromkeys(named)]
        provision["actor"] = [_actor(one) for one in actors]
    return provision or {"type": "permit" if consent.is_permitted else "deny"}


def _provision(rule: Provision) -> Resource:
    """The rule in R4's words."""
    said: Resource = {
        "type": {True: "permit", False: "deny"}.get(rule.is_permit),  # type: ignore[arg-type]
        "period": _period(rule.starts_at, rule.ends_at),
        "actor": [_actor(one) for one in rule.actors],
        "action": [_concept(_TERMS + "consentaction", one) for one in rule.actions],
        "securityLabel": [_coding(one) for one in rule.labels],
        "purpose": [{"system": labels.ACT_REASON, "code": one} for one in rule.purposes if one],
        "class": [_coding(one) for one in rule.classes],
        "code": [{"coding": [_coding(one)]} if one.code else {"text": "not coded"} for one in rule.codes],
        "dataPeriod": _period(rule.data_from, rule.data_until),
        "data": [_data(one) for one in rule.data],
        "provision": [_provision(one) for one in rule.inner],
    }
    return {key: value for key, value in said.items() if value}


def _concept(system: str, code: str) -> Resource:
    return {"coding": [{"system": system, "code": code}]} if code else {"text": "not coded"}


def _coding(one: Coding) -> Resource:
    system = {"system": one.system} if one.system else {}
    return {**system, **({"code": one.code} if one.code else {"display": "not coded"})}


def _actor(actor: Actor) -> Resource:
    role = {"coding": [{"system": _ROLES, "code": actor.role}]} if actor.role else {"text": "recipient"}
    return {"role": role, "reference": {"display": next(iter(actor.names), "not named")}}


def _period(start: datetime | None, end: datetime | None) -> Resource:
    """From the first instant to the last; an end that is the start of a day was the day before, whole."""
    said = {} if start is None else {"start": _instant(start)}
    if end is not None and end.year < _NO_YEAR:
        said["end"] = _instant(end)
    return said


def _elements(consent: Consent) -> list[Resource]:
    """The elements of 42 CFR 2.31(a) that R4 has no element for."""
    told = [
        {"url": "scope", "valueString": consent.scope},
        {"url": "expiry-event", "valueString": consent.expiry_event},
        {"url": "signature-method", "valueCode": consent.signature_method},
        {"url": "witness", "valueString": consent.witness},
    ]
    said = [one for one in told if any(value for key, value in one.items() if key != "url")]
    said.append({"url": "version", "valueInteger": consent.version})  # type: ignore[dict-item]
    if consent.is_revocation_told is not None:
        said.append({"url": "revocation-told", "valueBoolean": consent.is_revocation_told})  # type: ignore[dict-item]
    return said


def _data(one: Named) -> Resource:
    named = {"type": one.kind} if one.kind else {}
    return {"meaning": one.meaning, "reference": {**named, "display": "named in the document of the source"}}


def _instant(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
