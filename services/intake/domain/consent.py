"""May this referral leave the hospital at all?  (42 CFR 2.31 as amended 2024, as far as a referral needs it.)"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

_CLOCK_SKEW = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Consent:
    """What the peer said.  `is_permitted` is None where the document says neither yes nor no.

    `deficiency` is the code of what the document lacks, found by the codec, or empty; `deficient_in` the part of the
    document it was found in, empty for the document itself.
    """

    consent_id: str
    is_permitted: bool | None
    signed_at: datetime | None
    starts_at: datetime | None = None
    expires_at: datetime | None = None
    deficiency: str = ""
    version: int = 1
    deficient_in: str = ""


# As whom a consent may name us, where nothing else is set.
RECIPIENTS = ("Kindred",)
MESSAGES = {
    "consent-missing": "No consent of this person came with the referral.",
    "consent-refused": "The person did not consent.",
    "consent-restricted": "The consent is narrowed in a way that cannot be kept; one without it is needed.",
    "consent-inactive": "The consent is not in force: draft, withdrawn or entered in error.",
    "consent-expired": "The consent has expired.",
    "consent-not-yet-valid": "The consent is not valid yet.",
    "consent-unsigned": "The consent has no date of signature.",
    "consent-dated-ahead": "The consent is dated in the future.",
    "consent-without-person": "The consent does not say whose it is.",
    "consent-silent": "The consent says neither permit nor deny.",
}


def decide(consent: Consent | None, now: datetime) -> list[tuple[str, str]]:
    """Why nothing may leave, as (field, code); empty where the consent permits it.

    Expired, deficient and refused consents are refused (42 CFR 2.31(c)); silence is not a yes.
    """
    if consent is None:
        return [("consent", "consent-missing")]
    if consent.is_permitted is False:
        return [("consent.is_permitted", "consent-refused")]
    found = []
    if consent.deficiency:
        place = f"consent.{consent.deficient_in}" if consent.deficient_in else "consent"
        found.append((place, consent.deficiency))
    elif consent.is_permitted is None:
        found.append(("consent.is_permitted", "consent-silent"))
    if consent.signed_at is None:
        found.append(("consent.signed_at", "consent-unsigned"))
    elif consent.signed_at > now + _CLOCK_SKEW:
        found.append(("consent.signed_at", "consent-dated-ahead"))
    if consent.expires_at is not None and consent.expires_at <= now:
        found.append(("consent.expires_at", "consent-expired"))
    if consent.starts_at is not None and consent.starts_at > now + _CLOCK_SKEW:
        found.append(("consent.starts_at", "consent-not-yet-valid"))
    return found


def faults_of(consent: Consent | None, now: datetime) -> list[tuple[str, str, str]]:
    """The decision's reasons as (field, code, sentence)."""
    return [(place, code, MESSAGES[code]) for place, code in decide(consent, now)]
