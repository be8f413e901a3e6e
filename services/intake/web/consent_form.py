"""Consent as it is captured at the desk, with the elements of 42 CFR 2.31(a), and read aloud before."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from chassis.errors import Fault
from services.intake.domain.consent import TREATING_PROVIDERS, VERBAL, WRITTEN, Consent
from services.intake.web import times
from services.intake.web.hospitals import Hospital
from services.intake.web.times import Unreadable

ANSWERS = ("yes", "no", "later")
KEEP = "keep"  # in a correction: the consent that is here stands
INTERMEDIARY = "Kindred"
PART_2 = "42CFRPart2"
_DAYS = 30


def read(
    fields: Mapping[str, str], key: str, now: datetime, hospital: Hospital
) -> tuple[Consent | None, list[Fault]]:
    """The consent and what is missing of it; None where nobody has asked yet, or the known one stands."""
    answer = fields.get("consent", "")
    if answer not in (*ANSWERS, KEEP):
        return None, [Fault("consent", "consent-unasked", "Say whether they were asked.")]
    if answer in ("later", KEEP):
        return None, []
    signed_at, faults = _signed_at(fields, now, hospital.zone)
    if answer == "no":
        return Consent(f"desk-{key}", is_permitted=False, signed_at=signed_at), []
    expires_at, late = _expires_at(fields, signed_at or now, hospital.zone)
    return _given(fields, key, hospital, signed_at, expires_at), [*_missing(fields), *faults, *late]


def _given(
    fields: Mapping[str, str],
    key: str,
    hospital: Hospital,
    signed_at: datetime | None,
    expires_at: datetime | None,
) -> Consent:
    """What the text says that was read to them; each element is one of 42 CFR 2.31(a).

    What was said aloud is no written consent, so it never claims to be one under Part 2.
    """
    is_aloud = fields.get("consent_signature") == "aloud"
    is_peer = fields.get("consent_by") != "representative"
    return Consent(
        f"desk-{key}",
        is_permitted=True,
        signed_at=signed_at,
        expires_at=expires_at,
        expiry_event="" if expires_at else "none",
        discloser=hospital.name,
        scope="full",
        recipients=(INTERMEDIARY, TREATING_PROVIDERS),
        intermediary=INTERMEDIARY,
        purposes=("TREAT",),
        is_revocation_told=True,
        signed_by="peer" if is_peer else fields.get("consent_by_name", "").strip(),
        signature_method=VERBAL if is_aloud else WRITTEN,
        witness=fields.get("consent_witness", "").strip(),
        kept_at="" if is_aloud else fields.get("consent_kept_at", "").strip(),
        # A yes by word of mouth is no written consent: it may be relied on where Part 2 does not apply, and says so.
        policies=() if is_aloud and not hospital.is_part_2 else (PART_2,),
    )


def _missing(fields: Mapping[str, str]) -> list[Fault]:
    """Who said yes, how, and who was there: without them it is no written consent (42 CFR 2.31(a)(1), (8), (9))."""
    wanted = [("consent_witness", True), ("consent_by_name", fields.get("consent_by") == "representative")]
    is_paper = fields.get("consent_signature") == "paper"
    wanted.append(("consent_kept_at", is_paper))
    # What is read aloud says that it lasts until it is revoked; a paper says what it says.
    wanted += [("consent_by", is_paper), ("consent_until", is_paper)]
    found = [
        Fault(name, "answer-missing", "This is needed.")
        for name, is_needed in wanted
        if is_needed and not fields.get(name, "").strip()
    ]
    if fields.get("consent_signature") not in ("aloud", "paper"):
        found.append(Fault("consent_signature", "answer-missing", "Say how they agreed."))
    return found


def _signed_at(
    fields: Mapping[str, str], now: datetime, zone: ZoneInfo
) -> tuple[datetime | None, list[Fault]]:
    try:
        day, clock = fields.get("consent_date", ""), fields.get("consent_time", "")
        return times.past(clock, day, now, zone) or now, []
    except Unreadable:
        return None, [Fault("consent_time", "time-unreadable", "This is no time.")]


def _expires_at(
    fields: Mapping[str, str], signed_at: datetime, zone: ZoneInfo
) -> tuple[datetime | None, list[Fault]]:
    """A single consent for treatment may last until it is revoked (42 CFR 2.31(a)(7))."""
    until = fields.get("consent_until", "") or "revoked"
    if until == "days":
        return signed_at + timedelta(days=_DAYS), []
    if until != "date":
        return None, []
    try:
        day = times.date_of(fields.get("consent_until_date", ""))
    except Unreadable:
        return None, [Fault("consent_until_date", "date-unreadable", "This is no date.")]
    return datetime(day.year, day.month, day.day, 23, 59, tzinfo=zone), []
