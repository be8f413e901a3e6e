"""One referral as its source sees it, and what moves it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.intake.domain.errors import NotHeardOfYet, ReferralAlreadyAssigned
from services.intake.domain.events import Event, ReferralClosed, ReferralStatusChanged
from services.intake.domain.states import ASSIGNED_ON, BEFORE_ASSIGNMENT, CLOSED, Command, State, next_state

# An assignment that ends in one of these is looked for again; after a meeting the source keeps what it sees.
_MAY_END = frozenset({State.ASSIGNED, State.NOT_MET})


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
    revision: int = 1  # rises with every change of what was submitted
    specialist_id: str = ""  # who accepted
    programme_id: str = ""  # of the specialist; empty where matching did not say
    expected_departure_at: datetime | None = None
    consent_version: int = 0  # 0: none came yet
    consent_expires_at: datetime | None = None
    is_consent_revoked: bool = False


Changed = tuple[Referral, Sequence[Event]]


@dataclass(frozen=True, slots=True)
class Handoff:
    """The first meeting of an assignment, or why there was none: met, left-before-seen, unreachable."""

    offer_id: str
    outcome: str
    modality: str


@dataclass(frozen=True, slots=True)
class Assignment:
    """What the specialist said when they accepted; never computed."""

    offer_id: str
    promised_arrival_at: datetime | None
    modality: str
    specialist_id: str = ""
    programme_id: str = ""


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
    """Somebody accepted.

    Raises NotHeardOfYet where the end of the assignment before this one has not been heard of, ReferralAlreadyAssigned
    for any other second offer, ReferralAlreadyClosed after the end.
    """
    if referral.offer_id == assignment.offer_id and referral.state in ASSIGNED_ON:
        return referral, []
    if referral.state in _MAY_END and _is_newer(referral, said_at):
        raise NotHeardOfYet
    if referral.state in ASSIGNED_ON:
        raise ReferralAlreadyAssigned
    return _moved(
        referral,
        Command.ASSIGN,
        now,
        heard_at=max(said_at, referral.heard_at or said_at),
        offer_id=assignment.offer_id,
        promised_arrival_at=assignment.promised_arrival_at,
        modality=assignment.modality,
        specialist_id=assignment.specialist_id,
        programme_id=assignment.programme_id,
    )


def seek_again(
    referral: Referral, offer_id: str, said_at: datetime, now: datetime
) -> tuple[Referral, list[ReferralStatusChanged]]:
    """The assignment ended before it was carried out; whoever was promised is not promised any more.

    Raises NotHeardOfYet before its acceptance.
    """
    _require_heard(referral, offer_id, said_at)
    if referral.offer_id != offer_id:
        return referral, []
    return _moved(
        referral,
        Command.SEEK_AGAIN,
        now,
        heard_at=max(said_at, referral.heard_at or said_at),
        offer_id="",
        specialist_id="",
        programme_id="",
        promised_arrival_at=None,
        modality="",
    )


def change_arrival(referral: Referral, assignment: Assignment, said_at: datetime, now: datetime) -> Changed:
    """What is promised has changed: a later time, or a call instead of a visit; the source is told as it was said.

    An older word than what already moved the referral, or of another offer, changes nothing.  Raises NotHeardOfYet
    before its acceptance.
    """
    _require_heard(referral, assignment.offer_id, said_at)
    is_theirs = referral.offer_id == assignment.offer_id and referral.state is State.ASSIGNED
    told = (assignment.promised_arrival_at, assignment.modality)
    is_known = told == (referral.promised_arrival_at, referral.modality)
    if not is_theirs or is_known or _is_overtaken(referral, said_at):
        return referral, []
    moved = changed(
        referral,
        State.ASSIGNED,
        now,
        heard_at=said_at,
        promised_arrival_at=assignment.promised_arrival_at,
        modality=assignment.modality,
    )
    return moved, [status_changed(referral, moved)]


def record_handoff(referral: Referral, handoff: Handoff, said_at: datetime, now: datetime) -> Changed:
    """The specialist met the peer, or did not; a handoff of another offer than the one that stands changes nothing.

    Raises NotHeardOfYet before its acceptance.
    """
    _require_heard(referral, handoff.offer_id, said_at)
    command = Command.RECORD_MET if handoff.outcome == "met" else Command.RECORD_NOT_MET
    if referral.offer_id != handoff.offer_id or referral.state in CLOSED | {
        State.CANCEL_REQUESTED,
        State.ENGAGED,
    }:
        return referral, []
    return _moved(
        referral,
        command,
        now,
        role="specialist",
        heard_at=max(said_at, referral.heard_at or said_at),
        reason_code="" if handoff.outcome == "met" else handoff.outcome,
        modality=handoff.modality or referral.modality,
    )


def engage(referral: Referral, said_at: datetime, now: datetime) -> Changed:
    """A check-in reached the peer: they are followed up.  Raises NotHeardOfYet before the first meeting."""
    _require_met(referral, said_at)
    if referral.state not in (State.MET, State.NOT_MET):
        return referral, []
    heard_at = max(said_at, referral.heard_at or said_at)
    return _moved(referral, Command.ENGAGE, now, role="specialist", heard_at=heard_at)


def complete(referral: Referral, outcome: str, said_at: datetime, now: datetime) -> Changed:
    """The specialist's work ended with an outcome; the referral is closed with it.

    Raises NotHeardOfYet before the first meeting.
    """
    _require_met(referral, said_at)
    if referral.state not in (State.MET, State.NOT_MET, State.ENGAGED):
        return referral, []
    heard_at = max(said_at, referral.heard_at or said_at)
    moved, events = _moved(
        referral, Command.COMPLETE, now, role="specialist", heard_at=heard_at, reason_code=outcome
    )
    return moved, [*events, ReferralClosed(moved.peer_id, moved.referral_id, moved.source_id, outcome)]


def close(
    referral: Referral, said_at: datetime, now: datetime
) -> tuple[Referral, list[ReferralStatusChanged]]:
    """Matching has withdrawn everything: a cancellation that was asked for is done."""
    if referral.state is not State.CANCEL_REQUESTED:
        return referral, []
    heard_at = max(said_at, referral.heard_at or said_at)
    return _moved(referral, Command.CANCEL, now, heard_at=heard_at, reason_code=referral.reason_code)


def _require_heard(referral: Referral, offer_id: str, said_at: datetime) -> None:
    """Events of one case are handled side by side: what follows an acceptance may arrive before it."""
    is_other = referral.offer_id != offer_id and referral.state in BEFORE_ASSIGNMENT | _MAY_END
    if is_other and _is_newer(referral, said_at):
        raise NotHeardOfYet


def _require_met(referral: Referral, said_at: datetime) -> None:
    if referral.state in BEFORE_ASSIGNMENT | {State.ASSIGNED} and _is_newer(referral, said_at):
        raise NotHeardOfYet


def _is_newer(referral: Referral, said_at: datetime) -> bool:
    return referral.heard_at is None or said_at > referral.heard_at


def _is_overtaken(referral: Referral, said_at: datetime) -> bool:
    return referral.heard_at is not None and said_at < referral.heard_at


def _moved(
    referral: Referral, command: Command, now: datetime, *, role: str = "system", **facts: object
) -> tuple[Referral, list[ReferralStatusChanged]]:
    target = next_state(referral.state, command, role)
    if target is referral.state:
        return referral, []
    moved = changed(referral, target, now, **{"reason_code": "", **facts})
    return moved, [status_changed(referral, moved)]


def changed(referral: Referral, state: State, now: datetime, **facts: object) -> Referral:
    """The referral after a visible change: one version on."""
    return replace(
        referral,
        state=state,
        state_at=now,
        task_version=referral.task_version + 1,
        **facts,  # type: ignore[arg-type]
    )


def status_changed(before: Referral, after: Referral) -> ReferralStatusChanged:
    """What is said of a move."""
    return ReferralStatusChanged(
        peer_id=after.peer_id,
        referral_id=after.referral_id,
        source_id=after.source_id,
        status=after.state,
        previous_status=before.state,
        reason_code=after.reason_code,
        promised_arrival_at=after.promised_arrival_at,
        modality=after.modality,
        version=after.task_version,
    )
