"""R4 Consent to the domain's: what it says, and what it lacks (decided in domain/consent.py)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from services.intake.domain.consent import Consent
from services.intake.fhir.parcel import Laid, Parcel, end_of, start_of

_SCOPES = frozenset({"patient-privacy", "treatment"})
_OPT_IN = frozenset({"OPTIN", "OPTINR"})
_OPT_OUT = frozenset({"OPTOUT", "OPTOUTE"})
_NEVER = datetime.min.replace(tzinfo=UTC)
_AT_ANY_TIME = datetime.max.replace(tzinfo=UTC)
# HL7 v3 PurposeOfUse of what Kindred does with a referral (DOMAIN 5).
_OUR_PURPOSES = frozenset({"TREAT", "ETREAT", "COC", "CAREMGT"})
# A provision with one of these permits a part of the record, and a referral is more than a part.
_PARTIAL = ("class", "code", "dataPeriod", "data")


def read(parcel: Parcel, person: Laid) -> tuple[Consent | None, Laid | None]:
    """The newest consent of the person in the Bundle and where it lies; of two as new, the stricter one.

    A refusal counts as signed at the last moment its date can mean: one that may be the newer of two is not passed over.
    """
    own = list(parcel.about("Consent", "patient", person))
    if not own:
        return _of_nobody(parcel)
    read_ones = [(_consent(laid.resource), laid) for laid in own]
    return max(read_ones, key=lambda pair: (_signed_by(*pair), pair[0].is_permitted is not True))


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


def _consent(resource: dict[str, Any]) -> Consent:
    provision = resource.get("provision", {})
    period = provision.get("period", {})
    return Consent(
        consent_id=resource.get("id", ""),
        is_permitted=_is_permitted(resource, provision),
        signed_at=start_of(resource.get("dateTime")),
        starts_at=start_of(period.get("start")),
        expires_at=end_of(period.get("end")),
        deficiency=_deficiency(resource, provision),
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


def _deficiency(resource: dict[str, Any], provision: dict[str, Any]) -> str:
    if resource.get("status") != "active":
        return "consent-inactive"
    scopes = {coding.get("code") for coding in resource["scope"].get("coding", [])}
    if scopes and not scopes & _SCOPES:
        return "consent-other-scope"
    return "consent-restricted" if _is_partial(provision) or _has_exception(provision) else ""


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
