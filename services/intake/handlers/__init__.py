"""One function per command: load, decide, save."""

from services.intake.handlers.following import Accepted, Exhausted, Told, assign, mark_unfilled, seek
from services.intake.handlers.reading import list_referrals, read_referral
from services.intake.handlers.submitting import Submitted, reject, submit

__all__ = [
    "Accepted",
    "Exhausted",
    "Submitted",
    "Told",
    "assign",
    "list_referrals",
    "mark_unfilled",
    "read_referral",
    "reject",
    "seek",
    "submit",
]
