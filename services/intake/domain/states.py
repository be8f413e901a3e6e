"""A referral's states and who may move it, as one table (DOMAIN 1)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from services.intake.domain.errors import MoveNotPossible, ReferralAlreadyClosed, RoleMayNotMove


class State(StrEnum):
    """Where a referral is; the words the source sees."""

    SUBMITTED = "submitted"
    NEEDS_INFORMATION = "needs-information"
    REFUSED = "refused"
    SEEKING = "seeking"
    UNFILLED = "unfilled"
    ASSIGNED = "assigned"
    MET = "met"
    NOT_MET = "not-met"
    ENGAGED = "engaged"
    CANCEL_REQUESTED = "cancel-requested"
    CANCELLED = "cancelled"
    DECLINED_BY_PEER = "declined-by-peer"
    REFERRED_ELSEWHERE = "referred-elsewhere"
    COMPLETED = "completed"
    EXPIRED = "expired"
    ENTERED_IN_ERROR = "entered-in-error"


class Command(StrEnum):
    """What somebody may ask of a referral."""

    HOLD = "hold"
    SUPPLY = "supply"
    CORRECT = "correct"
    REPORT_DEPARTURE = "report-departure"
    REFUSE = "refuse"
    SEEK = "seek"
    MARK_UNFILLED = "mark-unfilled"
    ASSIGN = "assign"
    SEEK_AGAIN = "seek-again"
    RECORD_MET = "record-met"
    RECORD_NOT_MET = "record-not-met"
    ENGAGE = "engage"
    REQUEST_CANCEL = "request-cancel"
    CANCEL = "cancel"
    DECLINE_BY_PEER = "decline-by-peer"
    REFER_ELSEWHERE = "refer-elsewhere"
    COMPLETE = "complete"
    REVOKE_CONSENT = "revoke-consent"
    EXPIRE = "expire"
    ENTER_IN_ERROR = "enter-in-error"


_S = State
CLOSED = frozenset(
    {
        _S.REFUSED,
        _S.CANCELLED,
        _S.DECLINED_BY_PEER,
        _S.REFERRED_ELSEWHERE,
        _S.COMPLETED,
        _S.EXPIRED,
        _S.ENTERED_IN_ERROR,
    }
)
OPEN = frozenset(State) - CLOSED
BEFORE_ASSIGNMENT = frozenset({_S.SUBMITTED, _S.NEEDS_INFORMATION, _S.SEEKING, _S.UNFILLED})
_MATCHING = frozenset({_S.SUBMITTED, _S.SEEKING, _S.UNFILLED})
CORRECTABLE = OPEN - {_S.CANCEL_REQUESTED}
ASSIGNED_ON = frozenset({_S.ASSIGNED, _S.MET, _S.NOT_MET, _S.ENGAGED, _S.CANCEL_REQUESTED})
# A hospital's own system speaks for its source; which commands a door offers to whom, the door decides.
_SOURCE = frozenset({"nurse", "clinician", "system"})
_SYSTEM = frozenset({"system"})
_SPECIALIST = frozenset({"specialist"})


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may give a command, and where it leads from each state.

    `stays` are the states in which the command says nothing new (it was overtaken): no move, and no refusal.
    """

    roles: frozenset[str]
    moves: dict[State, State]
    stays: frozenset[State] = frozenset()


def _to(target: State, *sources: State) -> dict[State, State]:
    return dict.fromkeys(sources, target)


RULES: dict[Command, Rule] = {
    Command.HOLD: Rule(_SYSTEM, _to(_S.NEEDS_INFORMATION, _S.SUBMITTED)),
    Command.SUPPLY: Rule(_SOURCE, _to(_S.SUBMITTED, _S.NEEDS_INFORMATION)),
    Command.CORRECT: Rule(_SOURCE | {"coordinator"}, {state: state for state in CORRECTABLE}),
    Command.REPORT_DEPARTURE: Rule(_SOURCE | {"coordinator"}, {state: state for state in CORRECTABLE}),
    Command.REFUSE: Rule(_SYSTEM | {"coordinator"}, _to(_S.REFUSED, _S.SUBMITTED, _S.NEEDS_INFORMATION)),
    Command.SEEK: Rule(_SYSTEM, _to(_S.SEEKING, _S.SUBMITTED, _S.UNFILLED), stays=ASSIGNED_ON | {_S.SEEKING}),
    Command.MARK_UNFILLED: Rule(
        _SYSTEM, _to(_S.UNFILLED, _S.SUBMITTED, _S.SEEKING), stays=ASSIGNED_ON | {_S.UNFILLED}
    ),
    Command.ASSIGN: Rule(_SYSTEM, _to(_S.ASSIGNED, *_MATCHING)),
    Command.SEEK_AGAIN: Rule(
        _SYSTEM, _to(_S.SEEKING, _S.ASSIGNED, _S.NOT_MET), stays=frozenset(_S) - {_S.ASSIGNED, _S.NOT_MET}
    ),
    Command.RECORD_MET: Rule(_SPECIALIST, _to(_S.MET, _S.ASSIGNED, _S.NOT_MET)),
    Command.RECORD_NOT_MET: Rule(_SPECIALIST, _to(_S.NOT_MET, _S.ASSIGNED)),
    Command.ENGAGE: Rule(_SPECIALIST, _to(_S.ENGAGED, _S.MET, _S.NOT_MET)),
    Command.REQUEST_CANCEL: Rule(
        _SOURCE | {"coordinator"},
        _to(_S.CANCEL_REQUESTED, *(OPEN - {_S.CANCEL_REQUESTED})),
        stays=frozenset({_S.CANCEL_REQUESTED, _S.CANCELLED}),
    ),
    Command.CANCEL: Rule(_SYSTEM | {"coordinator"}, _to(_S.CANCELLED, _S.CANCEL_REQUESTED)),
    Command.DECLINE_BY_PEER: Rule(
        _SOURCE | _SPECIALIST | {"coordinator"},
        _to(_S.DECLINED_BY_PEER, *OPEN),
        stays=frozenset({_S.DECLINED_BY_PEER}),
    ),
    Command.REFER_ELSEWHERE: Rule(
        frozenset({"coordinator"}),
        _to(_S.REFERRED_ELSEWHERE, _S.SEEKING, _S.UNFILLED, _S.ASSIGNED, _S.MET, _S.NOT_MET, _S.ENGAGED),
    ),
    Command.COMPLETE: Rule(_SPECIALIST, _to(_S.COMPLETED, _S.MET, _S.NOT_MET, _S.ENGAGED)),
    Command.REVOKE_CONSENT: Rule(
        _SOURCE | _SPECIALIST | {"coordinator"},
        _to(_S.CANCELLED, *OPEN),
        stays=CLOSED,
    ),
    Command.EXPIRE: Rule(_SYSTEM, _to(_S.EXPIRED, *BEFORE_ASSIGNMENT)),
    Command.ENTER_IN_ERROR: Rule(
        _SOURCE | {"coordinator"},
        _to(_S.ENTERED_IN_ERROR, *(frozenset(State) - {_S.ENTERED_IN_ERROR})),
        stays=frozenset({_S.ENTERED_IN_ERROR}),
    ),
}


def next_state(state: State, command: Command, role: str) -> State:
    """The state after the command; raises RoleMayNotMove, ReferralAlreadyClosed or MoveNotPossible."""
    rule = RULES[command]
    if role not in rule.roles:
        raise RoleMayNotMove(command)
    if state in rule.stays:
        return state
    target = rule.moves.get(state)
    if target is not None:
        return target
    raise ReferralAlreadyClosed(state) if state in CLOSED else MoveNotPossible(state, command)
