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
from services.intake.handlers.consenting import heed_document, heed_refusal, update_consent
from services.intake.handlers.disclosing import resolve_person
from services.intake.handlers.emergencies import disclose_in_emergency
from services.intake.handlers.following import (
    Accepted,
    Completed,
    Ended,
    Exhausted,
    Met,
    Told,
    assign,
    change_arrival,
    close,
    complete,
    engage,
    mark_unfilled,
    record_handoff,
    seek,
    seek_again,
)
from services.intake.handlers.linking import (
    Linked,
    keep_apart,
    list_pairs,
    merge_peers,
    merge_people,
    open_doubles,
    postpone_pair,
    read_pair,
    unmerge_peers,
)
from services.intake.handlers.looking_up import look_up
from services.intake.handlers.overview import page_of_referrals, unmapped_codes, watch_referral
from services.intake.handlers.reading import break_glass, is_behind_glass, list_referrals, read_referral
from services.intake.handlers.receiving import Receipt, keep_receipts
from services.intake.handlers.searching import look, matching, search
from services.intake.handlers.submitting import Submitted, reject, submit
from services.intake.handlers.worklist import Listed, read_worklist

__all__ = [
    "Accepted",
    "Completed",
    "Ended",
    "Exhausted",
    "Linked",
    "Listed",
    "Met",
    "Receipt",
    "Submitted",
    "Told",
    "assign",
    "break_glass",
    "cancel",
    "change_arrival",
    "close",
    "complete",
    "correct",
    "decline_by_peer",
    "disclose_in_emergency",
    "engage",
    "enter_in_error",
    "expire_due",
    "heed_document",
    "heed_refusal",
    "is_behind_glass",
    "keep_apart",
    "keep_receipts",
    "list_pairs",
    "list_referrals",
    "look",
    "look_up",
    "mark_unfilled",
    "matching",
    "merge_peers",
    "merge_people",
    "open_doubles",
    "page_of_referrals",
    "postpone_pair",
    "read_pair",
    "read_referral",
    "read_worklist",
    "record_handoff",
    "reject",
    "report_departure",
    "resolve_person",
    "revoke_consent",
    "search",
    "seek",
    "seek_again",
    "submit",
    "unmapped_codes",
    "unmerge_peers",
    "update_consent",
    "watch_referral",
]
