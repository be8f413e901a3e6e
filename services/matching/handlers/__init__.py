"""One function per command: load, decide, save."""

from services.matching.handlers.following_up import (
    Recorded,
    complete,
    record_checkin,
    record_handoff,
)
from services.matching.handlers.offering import (
    Acceptance,
    Declining,
    Submitted,
    accept,
    advance_due,
    answered_with_link,
    decline,
    list_offers,
    offer_of_link,
    open_cases,
    read_case,
    revise,
    stop,
)

__all__ = [
    "Acceptance",
    "Declining",
    "Recorded",
    "Submitted",
    "accept",
    "advance_due",
    "answered_with_link",
    "complete",
    "decline",
    "list_offers",
    "offer_of_link",
    "open_cases",
    "read_case",
    "record_checkin",
    "record_handoff",
    "revise",
    "stop",
]
