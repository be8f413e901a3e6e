"""A referral's states and who may move it, as one table (DOMAIN 1)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from services.intake.domain.errors import (
    MoveNotPossible,
    ReferralAlreadyAssigned,
    ReferralAlreadyClosed,
    RoleMayNotMove,
)
from services.intake.domain.events import ReferralStatusChanged


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
    REFUSE = "refuse"
    SEEK = "seek"
    MARK_UNFILLED = "mark-unfilled"
    ASSIGN = "assign"
    RECORD_MET = "record-met"
    RECORD_NOT_MET = "record-not-met"
    ENGAGE = "engage"
    REQUEST_CANCEL = "request-cancel"
    CANCEL = "cancel"
    DECLINE_BY_PEER = "decline-by-peer"
    REFER_ELSEWHERE = "refer-elsewhere"
    COMPLETE = "complete"
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
_BEFORE_ASSIGNMENT = frozenset({_S.SUBMITTED, _S.NEEDS_INFORMATION, _S.SEEKING, _S.UNFILLED})
_MATCHING = frozenset({_S.SUBMITTED, _S.SEEKING, _S.UNFILLED})
_ASSIGNED_ON = frozenset({_S.ASSIGNED, _S.MET, _S.NOT_MET, _S.ENGAGED, _S.CANCEL_REQUESTED})
_SOURCE = frozenset({"nurse", "clinician"})
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
    Command.REFUSE: Rule(_SYSTEM | {"coordinator"}, _to(_S.REFUSED, _S.SUBMITTED, _S.NEEDS_INFORMATION)),
    Command.SEEK: Rule(
        _SYSTEM, _to(_S.SEEKING, _S.SUBMITTED, _S.UNFILLED), stays=_ASSIGNED_ON | {_S.SEEKING}
    ),
    Command.MARK_UNFILLED: Rule(
        _SYSTEM, _to(_S.UNFILLED, _S.SUBMITTED, _S.SEEKING), stays=_ASSIGNED_ON | {_S.UNFILLED}
    ),
    Command.ASSIGN: Rule(_SYSTEM, _to(_S.ASSIGNED, *_MATCHING)),
    Command.RECORD_MET: Rule(_SPECIALIST, _to(_S.MET, _S.ASSIGNED, _S.NOT_MET)),
    Command.RECORD_NOT_MET: Rule(_SPECIALIST, _to(_S.NOT_MET, _S.ASSIGNED)),
    Command.ENGAGE: Rule(_SPECIALIST, _to(_S.ENGAGED, _S.MET, _S.NOT_MET)),
    Command.REQUEST_CANCEL: Rule(
        _SOURCE | {"coordinator"}, _to(_S.CANCEL_REQUESTED, *(OPEN - {_S.CANCEL_REQUESTED}))
    ),
    Command.CANCEL: Rule(_SYSTEM | {"coordinator"}, _to(_S.CANCELLED, _S.CANCEL_REQUESTED)),
    Command.DECLINE_BY_PEER: Rule(_SOURCE | _SPECIALIST | {"coordinator"}, _to(_S.DECLINED_BY_PEER, *OPEN)),
    Command.REFER_ELSEWHERE: Rule(
        frozenset({"coordinator"}),
        _to(_S.REFERRED_ELSEWHERE, _S.SEEKING, _S.UNFILLED, _S.ASSIGNED, _S.MET, _S.NOT_MET, _S.ENGAGED),
    ),
    Command.COMPLETE: Rule(_SPECIALIST, _to(_S.COMPLETED, _S.MET, _S.NOT_MET, _S.ENGAGED)),
    Command.EXPIRE: Rule(_SYSTEM, _to(_S.EXPIRED, *_BEFORE_ASSIGNMENT)),
    Command.ENTER_IN_ERROR: Rule(
        _SOURCE, _to(_S.ENTERED_IN_ERROR, *(frozenset(State) - {_S.ENTERED_IN_ERROR}))
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


@dataclass(frozen=True, slots=True)
class Referral:
    """One referral as the source sees it; no PHI.  `task_version` rises with every visible change, from 1."""

    referral_id: str
    peer_id: str
    source_id: str
    state: State
    urgency: str
    submitted_at: datetime
    state_at: datetime
    task_version: int = 1
    reason_code: str = ""
    promised_arrival_at: datetime | None = None
    modality: str = ""
    offer_id: str = ""
    heard_at: datetime | None = None  # the producer's time of the newest event that moved it


@dataclass(frozen=True, slots=True)
class Assignment:
    """What the specialist said when they accepted; never computed."""

    offer_id: str
    promised_arrival_at: datetime | None
    modality: str


def seek(
    referral: Referral, said_at: datetime, now: datetime
) -> tuple[Referral, list[ReferralStatusChanged]]:
    """An offer is out.  An offer that is older than what already moved the referral changes nothing."""
    if _is_overtaken(referral, said_at):
        return referral, []
    return _moved(referral, Command.SEEK, now, heard_at=said_at)


def mark_unfilled(
    referral: Referral, reason_code: str, said_at: datetime, now: datetime
) -> tuple[Referral, list[ReferralStatusChanged]]:
    """The ladder is exhausted; the referral is with the supervisor, never silently dropped."""
    if _is_overtaken(referral, said_at):
        return referral, []
    return _moved(referral, Command.MARK_UNFILLED, now, heard_at=said_at, reason_code=reason_code)


def assign(
    referral: Referral, assignment: Assignment, said_at: datetime, now: datetime
) -> tuple[Referral, list[ReferralStatusChanged]]:
    """Somebody accepted; raises ReferralAlreadyAssigned for a second offer, ReferralAlreadyClosed after the end."""
    if referral.offer_id == assignment.offer_id and referral.state in _ASSIGNED_ON:
        return referral, []
    if referral.state in _ASSIGNED_ON:
        raise ReferralAlreadyAssigned
    return _moved(
        referral,
        Command.ASSIGN,
        now,
        heard_at=max(said_at, referral.heard_at or said_at),
        offer_id=assignment.offer_id,
        promised_arrival_at=assignment.promised_arrival_at,
        modality=assignment.modality,
    )


def _is_overtaken(referral: Referral, said_at: datetime) -> bool:
    return referral.heard_at is not None and said_at < referral.heard_at


def _moved(
    referral: Referral, command: Command, now: datetime, **facts: object
) -> tuple[Referral, list[ReferralStatusChanged]]:
    target = next_state(referral.state, command, "system")
    if target is referral.state:
        return referral, []
    moved = replace(
        referral,
        state=target,
        state_at=now,
        task_version=referral.task_version + 1,
        **{"reason_code": "", **facts},  # type: ignore[arg-type]
    )
    return moved, [
        ReferralStatusChanged(
            peer_id=moved.peer_id,
            referral_id=moved.referral_id,
            source_id=moved.source_id,
            status=moved.state,
            previous_status=referral.state,
            reason_code=moved.reason_code,
            promised_arrival_at=moved.promised_arrival_at,
            modality=moved.modality,
        )
    ]
