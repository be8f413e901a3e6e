"""R4 Consent to the domain's: what it says, and what it lacks (decided in domain/consent.py)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from services.intake.domain.consent import Consent
from services.intake.fhir.parcel import Laid, Parcel, end_of, start_of

_SCOPE_SYSTEM = "http://terminology.hl7.org/CodeSystem/consentscope"
_SCOPES = frozenset({"patient-privacy", "treatment"})
_ACTION_SYSTEM = "http://terminology.hl7.org/CodeSystem/consentaction"
# What a referral is; of R4's actions only "correct" is missing.
_ACTIONS = frozenset({"collect", "access", "use", "disclose"})
_OPT_IN = frozenset({"OPTIN", "OPTINR"})
_OPT_OUT = frozenset({"OPTOUT", "OPTOUTE"})
# Elements of a provision that narrow it in a way that is told with its place.
NARROWING = ("actor", "action", "securityLabel", "modifierExtension")
# What was never said: another document of the person is not outdated by it.
_NEVER_IN_FORCE = frozenset({"draft", "proposed", "entered-in-error"})
_NEVER = datetime.min.replace(tzinfo=UTC)
_AT_ANY_TIME = datetime.max.replace(tzinfo=UTC)
# HL7 v3 PurposeOfUse of what Kindred does with a referral (DOMAIN 5).
_OUR_PURPOSES = frozenset({"TREAT", "ETREAT", "COC", "CAREMGT"})
# A provision with one of these permits a part of the record, and a referral is more than a part.
_PARTIAL = ("class", "code", "dataPeriod", "data")


def read(parcel: Parcel, person: Laid, recipients: Collection[str]) -> tuple[Consent | None, Laid | None]:
    """The newest consent of the person in the Bundle and where it lies; of two as new, the stricter one.

    `recipients` are the identifiers and names by which a consent may name us.

    A refusal counts as signed at the last moment its date can mean: one that may be the newer of two is not passed over.
    """
    own = list(parcel.about("Consent", "patient", person))
    if not own:
        return _of_nobody(parcel)
    counting = [laid for laid in own if laid.resource.get("status") not in _NEVER_IN_FORCE] or own
    read_ones = [(_consent(laid.resource, recipients), laid) for laid in counting]
    return max(read_ones, key=lambda pair: (_signed_by(*pair), _is_stricter(pair[0])))


def _is_stricter(consent: Consent) -> bool:
    return consent.is_permitted is not True or bool(consent.deficiency)


def _signed_by(consent: Consent, laid: Laid) -> datetime:
    is_refusal = consent.is_permitted is False and laid.resource.get("status") in ("active", "rejected")
    if is_refusal:
        return end_of(laid.resource.get("dateTime")) or _AT_ANY_TIME
    return consent.signed_at or _NEVER


def _of_nobody(parcel: Parcel) -> tuple[Consent | None, Laid | None]:
    """A consent without a person is deficient; one of somebody else counts as none."""
    for laid in parcel.of_type("Consent"):
        if "patient" not in laid.resource:
            return Consent(
                "", None, start_of(laid.resource.get("dateTime")), deficiency="consent-without-person"
            ), laid
    return None, None


def _consent(resource: dict[str, Any], recipients: Collection[str]) -> Consent:
    provision = resource.get("provision", {})
    period = provision.get("period", {})
    deficiency, deficient_in = _deficiency(resource, provision, recipients)
    return Consent(
        consent_id=resource.get("id", ""),
        is_permitted=_is_permitted(resource, provision),
        signed_at=start_of(resource.get("dateTime")),
        starts_at=start_of(period.get("start")),
        expires_at=end_of(period.get("end")),
        deficiency=deficiency,
        deficient_in=deficient_in,
    )


def _is_permitted(resource: dict[str, Any], provision: dict[str, Any]) -> bool | None:
    """The root provision's type; without one, what the policy rule says for everything it has no exception for."""
    if resource.get("status") == "rejected" or provision.get("type") == "deny":
        return False
    if provision.get("type") == "permit":
        return True
    codes = {coding.get("code") for coding in resource.get("policyRule", {}).get("coding", [])}
    if codes & _OPT_OUT:
        return False
    return True if codes & _OPT_IN else None


def _deficiency(
    resource: dict[str, Any], provision: dict[str, Any], recipients: Collection[str]
) -> tuple[str, str]:
    """(code, part of the document) of what keeps the permission from being one for a referral, or two empty texts."""
    if resource.get("status") != "active":
        return "consent-inactive", ""
    narrowed = _narrowed_in(resource, provision, recipients)
    if narrowed is None and (_is_partial(provision) or _has_exception(provision)):
        narrowed = ""
    return ("", "") if narrowed is None else ("consent-restricted", narrowed)


def _narrowed_in(
    resource: dict[str, Any], provision: dict[str, Any], recipients: Collection[str]
) -> str | None:
    """The element that says "not for this, not to you, not sure"; None where no element does (P7)."""
    if not _has_code([resource["scope"]], _SCOPE_SYSTEM, _SCOPES):
        return "scope"
    if any(one.get("verified") is not True for one in resource.get("verification", [])):
        return "verification"
    if "actor" in provision and not any(_is_named(actor, recipients) for actor in provision["actor"]):
        return "actor"
    if "action" in provision and not _has_code(provision["action"], _ACTION_SYSTEM, _ACTIONS):
        return "action"
    return next((name for name in ("securityLabel", "modifierExtension") if name in provision), None)


def _has_code(concepts: list[dict[str, Any]], system: str, codes: frozenset[str]) -> bool:
    """True where a concept is coded so; words alone are read by nobody here."""
    codings = [coding for concept in concepts for coding in concept.get("coding", [])]
    return any(coding.get("system") == system and coding.get("code") in codes for coding in codings)


def _is_named(actor: dict[str, Any], recipients: Collection[str]) -> bool:
    reference = actor.get("reference", {})
    return bool({reference.get("identifier", {}).get("value"), reference.get("display")} & set(recipients))


def _is_partial(provision: dict[str, Any]) -> bool:
    """True where the permission is for other purposes than ours, or for a part of the record."""
    purposes = {coding.get("code") for coding in provision.get("purpose", [])}
    is_other = bool(purposes) and not purposes & _OUR_PURPOSES
    return is_other or any(element in provision for element in _PARTIAL)


def _has_exception(provision: dict[str, Any]) -> bool:
    """True where any nested rule denies: until exceptions are weighed one by one, none is passed over."""
    return any(
        inner.get("type") != "permit" or _has_exception(inner) for inner in provision.get("provision", [])
    )
