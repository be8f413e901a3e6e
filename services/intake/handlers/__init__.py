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
from services.intake.handlers.linking import (
    Linked,
    keep_apart,
    list_pairs,
    merge_peers,
    merge_people,
    postpone_pair,
    read_pair,
    unmerge_peers,
)
from services.intake.handlers.overview import page_of_referrals, watch_referral
from services.intake.handlers.reading import list_referrals, read_referral
from services.intake.handlers.searching import look, matching, search
from services.intake.handlers.submitting import Submitted, reject, submit
from services.intake.handlers.worklist import Listed, read_worklist

__all__ = [
    "Accepted",
    "Ended",
    "Exhausted",
    "Listed",
    "Linked",
    "Submitted",
    "Told",
    "assign",
    "cancel",
    "close",
    "correct",
    "decline_by_peer",
    "enter_in_error",
    "expire_due",
    "keep_apart",
    "list_pairs",
    "list_referrals",
    "look",
    "mark_unfilled",
    "matching",
    "merge_peers",
    "merge_people",
    "page_of_referrals",
    "postpone_pair",
    "read_pair",
    "read_referral",
    "read_worklist",
    "reject",
    "report_departure",
    "revoke_consent",
    "search",
    "seek",
    "seek_again",
    "submit",
    "unmerge_peers",
    "watch_referral",
]
