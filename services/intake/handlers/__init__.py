"""One function per command: load, decide, save."""

from services.intake.handlers.commanding import (
    cancel,
    correct,
    decline_by_peer,
    enter_in_error,
    expire_due,
    report_departure,
    revoke_consent,
)
from services.intake.handlers.following import (
    Accepted,
    Ended,
    Exhausted,
    Told,
    assign,
    close,
    mark_unfilled,
    seek,
    seek_again,
)
from services.intake.handlers.overview import page_of_referrals, watch_referral
from services.intake.handlers.reading import list_referrals, read_referral
from services.intake.handlers.submitting import Submitted, reject, submit

__all__ = [
    "Accepted",
    "Ended",
    "Exhausted",
    "Submitted",
    "Told",
    "assign",
    "cancel",
    "close",
    "correct",
    "decline_by_peer",
    "enter_in_error",
    "expire_due",
    "list_referrals",
    "mark_unfilled",
    "page_of_referrals",
    "read_referral",
    "reject",
    "report_departure",
    "revoke_consent",
    "seek",
    "seek_again",
    "submit",
    "watch_referral",
]
