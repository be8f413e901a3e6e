"""R4 Consent to the domain's: which document of a person counts, what it says, and what it lacks."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from services.intake.domain.consent import Consent
from services.intake.domain.provisions import Provision
from services.intake.fhir import extensions as ext
from services.intake.fhir.consent_out import of
from services.intake.fhir.consent_rules import Parties, rules_of
from services.intake.fhir.parcel import Laid, Parcel, end_of, start_of

__all__ = ["NARROWING", "of", "places", "read", "read_one"]

Resource = dict[str, Any]
_SCOPE_SYSTEM = "http://terminology.hl7.org/CodeSystem/consentscope"
_SCOPES = frozenset({"patient-privacy", "treatment"})
_CATEGORIES = "http://terminology.hl7.org/CodeSystem/consentcategorycodes"
_ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
# Kinds of consent that permit no disclosure for care: advance directives, research, an acknowledgement of a privacy
# notice, emergencies only, and looking without keeping.
_NO_DISCLOSURE = frozenset(
    {
        *((_CATEGORIES, code) for code in ("acd", "dnr", "emrgonly", "hcd", "npp", "polst")),
        *((_CATEGORIES, code) for code in ("research", "rsdid", "rsreid")),
        *((_ACT_CODE, code) for code in ("INFAO", "INFASO", "RESEARCH", "RSDID", "RSREID")),
        *((_ACT_CODE, code) for code in ("EMRGONLY", "NOPP", "NOCONSENT")),
        ("http://loinc.org", "57016-8"),
        ("http://loinc.org", "57017-6"),
    }
)
# Elements of a provision, or of the document, that narrow it and are told with their place.
NARROWING = (
    *("actor", "action", "securityLabel", "purpose", "class", "code", "dataPeriod", "data", "period"),
    *("provision", "modifierExtension"),
)

# What was never said: another document of the person is not outdated by it.
_NEVER_IN_FORCE = frozenset({"draft", "proposed", "entered-in-error"})
_NEVER = datetime.min.replace(tzinfo=UTC)
_AT_ANY_TIME = datetime.max.replace(tzinfo=UTC)
_PART_2 = re.compile(r"42.?cfr.?part.?2|title.?42.*part.?2\b", re.IGNORECASE)


def read(parcel: Parcel, person: Laid, recipients: Collection[str]) -> tuple[Consent | None, Laid | None]:
    """The newest consent of the person in the Bundle and where it lies; of two as new, the stricter one.

    `recipients` are the identifiers and names by which a consent may name us.  Drafts, what was entered in error, and
    documents about other things than privacy (research, advance directives) outdate nothing.

    A refusal counts as signed at the last moment its date can mean: one that may be the newer of two is not passed over.
    """
    own = list(parcel.about("Consent", "patient", person))
    if not own:
        return _of_nobody(parcel)
    counting = [laid for laid in own if laid.resource.get("status") not in _NEVER_IN_FORCE] or own
    counting = [laid for laid in counting if _is_about_privacy(laid.resource)] or counting
    parties = Parties.of(parcel, recipients)
    read_ones = [(_consent(laid, parties), laid) for laid in counting]
    return max(read_ones, key=lambda pair: (_signed_by(*pair), _is_stricter(pair[0])))


def read_one(resource: Resource, recipients: Collection[str]) -> Consent:
    """A Consent that came by itself; whoever it names by a reference alone stays unknown."""
    parcel = Parcel("", "")
    return _consent(Laid(resource, "Consent"), Parties.of(parcel, recipients))


def places(at_consent: str) -> dict[str, str]:
    """Where each part of a consent that lies at this path is found."""
    return {
        "consent": at_consent,
        "consent.is_permitted": at_consent + ".provision.type",
        "consent.signed_at": at_consent + ".dateTime",
        "consent.starts_at": at_consent + ".provision.period.start",
        "consent.expires_at": at_consent + ".provision.period.end",
        "consent.scope": at_consent + ".scope",
        "consent.verification": at_consent + ".verification",
        "consent.category": at_consent + ".category",
        "consent.discloser": at_consent + ".organization",
        "consent.signature": at_consent + ".performer",
        "consent.purpose": at_consent + ".provision.purpose",
        "consent.recipient": at_consent + ".provision.actor",
        "consent.expiry": at_consent + ".provision.period.end",
        "consent.revocation": at_consent + ".extension",
        **{f"consent.{name}": f"{at_consent}.provision.{name}" for name in NARROWING},
    }


def _is_stricter(consent: Consent) -> bool:
    return consent.is_permitted is not True or bool(consent.deficiency) or consent.rules != _OPEN


_OPEN = Provision(is_permit=True)


def _signed_by(consent: Consent, laid: Laid) -> datetime:
    is_refusal = consent.is_permitted is False and laid.resource.get("status") in ("active", "rejected")
    if is_refusal:
        return end_of(laid.resource.get("dateTime")) or _AT_ANY_TIME
    return consent.signed_at or _NEVER


def _of_nobody(parcel: Parcel) -> tuple[Consent | None, Laid | None]:
    """A consent without a person is deficient; one of somebody else counts as none."""
    for laid in parcel.of_type("Consent"):
        if "patient" not in laid.resource:
            signed_at = start_of(laid.resource.get("dateTime"))
            return Consent("", None, signed_at, deficiency="consent-without-person"), laid
    return None, None


def _consent(laid: Laid, parties: Parties) -> Consent:
    resource = laid.resource
    rule = rules_of(resource, laid, parties)
    period = {} if rule.is_permit is False and rule.base else resource.get("provision", {}).get("period", {})
    deficiency, deficient_in = _deficiency(resource)
    allowed = [actor for actor in rule.actors if actor.is_recipient and rule.is_permit is not False]
    elements = ext.parts(resource, ext.CONSENT_ELEMENTS)
    return Consent(
        consent_id=resource.get("id", ""),
        is_permitted=False if resource.get("status") == "rejected" else _stance(rule),
        signed_at=start_of(resource.get("dateTime")),
        starts_at=start_of(period.get("start")),
        expires_at=end_of(period.get("end")),
        deficiency=deficiency,
        deficient_in=deficient_in,
        discloser=parties.first_name(resource.get("organization", []), laid),
        scope=str(elements.get("scope") or ("described" if _is_partial(rule) else "full")),
        recipients=tuple(dict.fromkeys(name for actor in allowed for name in actor.names)),
        intermediary=next((parties.our_name(actor) for actor in allowed if actor.who == "us"), ""),
        purposes=rule.purposes,
        expiry_event=str(elements.get("expiry-event", "")),
        is_revocation_told=elements.get("revocation-told"),
        signed_by=_signed_by_whom(resource, laid, parties),
        signature_method=str(elements.get("signature-method", "")),
        witness=str(elements.get("witness", "")),
        policies=_policies(resource),
        rule=rule,
    )


def _stance(rule: Provision) -> bool | None:
    """Can the document permit anything at all?  None where it says neither yes nor no."""
    if any(one.is_permit for one in rule.every()):
        return True
    if (
        rule.is_permit is False and rule.base is True
    ):  # an opt-in with an exception, unless it excepts everything
        return rule != Provision(is_permit=False, base=True)
    return rule.is_permit if rule.is_permit is not None else rule.base


def _is_partial(rule: Provision) -> bool:
    parts = (rule.classes, rule.codes, rule.data, rule.labels, rule.data_from, rule.data_until, rule.inner)
    return any(parts)


def _deficiency(resource: Resource) -> tuple[str, str]:
    """(code, part of the document) of what keeps it from being a permission in force, or two empty texts."""
    if resource.get("status") != "active":
        return "consent-inactive", ""
    if not _has_scope(resource):
        return "consent-restricted", "scope"
    if not _is_about_privacy(resource):
        return "consent-restricted", "category"
    if any(one.get("verified") is not True for one in resource.get("verification", [])):
        return "consent-restricted", "verification"
    return "", ""


def _has_scope(resource: Resource) -> bool:
    """True where the scope is coded as one of ours; words alone are read by nobody here."""
    codings = resource["scope"].get("coding", [])
    return any(one.get("system") == _SCOPE_SYSTEM and one.get("code") in _SCOPES for one in codings)


def _is_about_privacy(resource: Resource) -> bool:
    codings = [coding for concept in resource.get("category", []) for coding in concept.get("coding", [])]
    kinds = {(one.get("system"), one.get("code")) for one in codings}
    return _has_scope(resource) and not (kinds and kinds <= _NO_DISCLOSURE)


def _signed_by_whom(resource: Resource, laid: Laid, parties: Parties) -> str:
    """ "peer" where the person themselves signed; else who did for them (42 CFR 2.14, 2.15)."""
    for performer in resource.get("performer", []):
        if parties.is_same(performer, resource.get("patient"), laid):
            return "peer"
        name = parties.first_name([performer], laid)
        return name or performer.get("reference", "").partition("/")[0]
    return ""


def _policies(resource: Resource) -> tuple[str, ...]:
    """Laws the document cites, by HL7's codes; 42 CFR Part 2 also by an address of it."""
    codings = resource.get("policyRule", {}).get("coding", [])
    found = {coding.get("code", "") for coding in codings if coding.get("system") == _ACT_CODE}
    addresses = [value for policy in resource.get("policy", []) for value in (policy.get("uri"),) if value]
    if any(_PART_2.search(one) for one in [*addresses, *found]):
        found.add("42CFRPart2")
    return tuple(sorted(found - {"", "OPTIN", "OPTOUT", "OPTINR", "OPTOUTE"}))
