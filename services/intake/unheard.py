"""The gauge of referrals that matching has said nothing of: an event that never reached it is noticed here."""

from __future__ import annotations

from datetime import datetime

from prometheus_client import Gauge

from services.intake.store.listing import Listing

UNHEARD = Gauge(
    "kindred_unheard_referral_seconds",
    "Age of the oldest referral that matching has not answered; 0 for none.",
)


def measure(listing: Listing, now: datetime) -> None:
    """The gauge says how long the one who waits longest has waited for matching's first word."""
    since = listing.unheard_since()
    UNHEARD.set(max(0.0, (now - since).total_seconds()) if since else 0.0)
