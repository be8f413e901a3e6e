"""One function per command: load, decide, save."""

from services.matching.handlers.assigning import ByHand, Waiting, assign_by_hand, claim, pool
from services.matching.handlers.capacity import Capacity, capacity
from services.matching.handlers.carrying import (
    Carried,
    Move,
    Rematch,
    Step,
    caseload,
    propose_move,
    report_arrival,
    request_rematch,
)
from services.matching.handlers.following_up import (
    Recorded,
    complete,
    record_checkin,
    record_handoff,
)
from services.matching.handlers.laddering import NewLadder, read_ladder, set_ladder
from services.matching.handlers.offering import (
    Acceptance,
    Declining,
    Submitted,
    accept,
    advance_due,
    answered_with_link,
    decline,
    follow_roster,
    list_offers,
    offer_of_link,
    open_cases,
    read_case,
    revise,
    stop,
)
from services.matching.handlers.planning import apply_backlog, preview_backlog

__all__ = [
    "Acceptance",
    "ByHand",
    "Capacity",
    "Carried",
    "Declining",
    "Move",
    "NewLadder",
    "Recorded",
    "Rematch",
    "Step",
    "Submitted",
    "Waiting",
    "accept",
    "advance_due",
    "answered_with_link",
    "apply_backlog",
    "assign_by_hand",
    "capacity",
    "caseload",
    "claim",
    "complete",
    "decline",
    "follow_roster",
    "list_offers",
    "offer_of_link",
    "open_cases",
    "pool",
    "preview_backlog",
    "propose_move",
    "read_case",
    "read_ladder",
    "record_checkin",
    "record_handoff",
    "report_arrival",
    "request_rematch",
    "revise",
    "set_ladder",
    "stop",
]
