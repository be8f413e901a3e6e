"""One notice and its life: due, sending, sent; or dead, or cancelled.

An attempt is recorded before the far side hears anything and settled after it answered.
Where the answer never came the attempt's fate is unknown: e-mail is then sent again with the same Message-ID, and
the repeat says that it may be one (P4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from services.notifications.domain.events import Event, NoticeFailed, NoticeSent
from services.notifications.domain.intents import (
    Channel,
    Happening,
    Intent,
    Rule,
    Urgency,
    expires_at,
    notice_id,
    urgency_of,
)

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 300.0


class State(StrEnum):
    """Where a notice stands."""

    DUE = "due"
    SENDING = "sending"
    SENT = "sent"
    DEAD = "dead"
    CANCELLED = "cancelled"


class Outcome(StrEnum):
    """How one attempt ended. OPEN: recorded, not settled."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    DEFERRED = "deferred"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"


class Reason(StrEnum):
    """Why a notice was given up or cancelled."""

    EXPIRED = "expired"
    REFUSED_BY_FAR_SIDE = "refused-by-far-side"
    ATTEMPTS_EXHAUSTED = "attempts-exhausted"
    FATE_UNKNOWN = "fate-unknown"
    NO_ADDRESS = "no-address"
    OFFER_CLOSED = "offer-closed"
    REFERRAL_STOPPED = "referral-stopped"


@dataclass(frozen=True)
class Attempt:
    """One try at the far side. `reply_code` is the far side's number (SMTP), 0 where it said nothing."""

    number: int
    at: datetime
    outcome: Outcome = Outcome.OPEN
    is_possible_repeat: bool = False
    reply_code: int = 0


@dataclass(frozen=True)
class Answer:
    """What came of an attempt."""

    outcome: Outcome
    reply_code: int = 0


@dataclass(frozen=True)
class Notice:
    """One message to one person; ids and times only, the address and the link's token are kept sealed elsewhere."""

    notice_id: str
    intent: Intent
    recipient_id: str
    contact_id: str
    referral_id: str
    offer_id: str
    channel: Channel
    urgency: Urgency
    opened_at: datetime
    expires_at: datetime
    state: State
    due_at: datetime | None
    deadline_at: datetime | None = None
    promised_arrival_at: datetime | None = None
    modality: str = ""
    peer_id: str = ""
    organization_id: str = ""
    purpose_of_use: str = ""
    reason_code: str = ""
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True)
class Opening:
    """A notice about to be stored, what it says, and the secret of its link."""

    notice: Notice
    events: Sequence[Event] = ()
    link_token: str = field(default="", repr=False)


def open_notice(
    rule: Rule, happening: Happening, now: datetime, *, is_reachable: bool
) -> tuple[Notice, list[Event]]:
    """A notice that is due now; dead from the start where it comes too late or there is no address."""
    notice = _fresh(rule, happening, now)
    if now >= notice.expires_at:
        return give_up(notice, Reason.EXPIRED)
    if not is_reachable:
        return give_up(notice, Reason.NO_ADDRESS)
    return notice, []


def open_cancelled(rule: Rule, happening: Happening, now: datetime) -> Notice:
    """A notice that must never be sent: it takes the place of one whose event is still on its way."""
    return cancel(_fresh(rule, happening, now), Reason.OFFER_CLOSED)


def _fresh(rule: Rule, happening: Happening, now: datetime) -> Notice:
    return Notice(
        notice_id=notice_id(rule, happening),
        intent=rule.intent,
        recipient_id=happening.recipient_id,
        contact_id=happening.contact_id,
        referral_id=happening.referral_id,
        offer_id=happening.offer_id,
        channel=rule.channel,
        urgency=urgency_of(rule, happening),
        opened_at=now,
        expires_at=expires_at(rule, happening),
        state=State.DUE,
        due_at=now,
        deadline_at=happening.deadline_at,
        promised_arrival_at=happening.promised_arrival_at,
        modality=happening.modality,
        peer_id=happening.peer_id,
        organization_id=happening.organization_id,
        purpose_of_use=happening.purpose_of_use,
    )


def begin_attempt(notice: Notice, now: datetime) -> tuple[Notice, list[Event]]:
    """The next attempt is in the log, or the notice is given up because its time is over.

    An attempt still open here was cut off by a crash: its fate is unknown from now on.
    """
    attempts = tuple(_closed_as_unknown(attempt) for attempt in notice.attempts)
    notice = replace(notice, attempts=attempts)
    if now >= notice.expires_at:
        return give_up(notice, _reason_out_of_time(notice))
    attempt = Attempt(len(attempts) + 1, now, is_possible_repeat=_is_fate_unknown(notice))
    return replace(notice, state=State.SENDING, attempts=(*attempts, attempt)), []


def settle_attempt(
    notice: Notice, number: int, answer: Answer, now: datetime, jitter: float
) -> tuple[Notice, list[Event]]:
    """The attempt's answer is in the log; the notice is sent, dead, or due again. `jitter` is in 0..1.

    A late answer (the notice was cancelled or taken over meanwhile) changes the log; "accepted" still makes it sent.
    """
    is_current = notice.state is State.SENDING and notice.attempts[-1].number == number
    notice = replace(notice, attempts=tuple(_answered(a, number, answer) for a in notice.attempts))
    if answer.outcome is Outcome.ACCEPTED and notice.state is not State.SENT:
        sent = replace(notice, state=State.SENT, due_at=None, reason_code="")
        return sent, [NoticeSent(sent, sent.attempts[number - 1])]
    if not is_current:
        return notice, []
    if answer.outcome is Outcome.REFUSED:
        return give_up(notice, Reason.REFUSED_BY_FAR_SIDE)
    next_at = now + delay_after(number, jitter)
    if next_at >= notice.expires_at:
        return give_up(notice, _reason_out_of_time(notice))
    return replace(notice, state=State.DUE, due_at=next_at), []


def give_up(notice: Notice, reason: Reason) -> tuple[Notice, list[Event]]:
    """The notice is dead and the reason is said."""
    dead = replace(notice, state=State.DEAD, due_at=None, reason_code=reason.value)
    return dead, [NoticeFailed(dead)]


def cancel(notice: Notice, reason: Reason) -> Notice:
    """Nothing more is sent. An attempt on its way is not called back: its fate is unknown until `settle_attempt`."""
    if notice.state not in (State.DUE, State.SENDING):
        return notice
    attempts = tuple(_closed_as_unknown(attempt) for attempt in notice.attempts)
    return replace(notice, state=State.CANCELLED, due_at=None, reason_code=reason.value, attempts=attempts)


def may_have_been_heard(notice: Notice) -> bool:
    """True where the recipient heard, or nobody can rule out that they did."""
    return any(a.outcome in (Outcome.OPEN, Outcome.ACCEPTED, Outcome.UNKNOWN) for a in notice.attempts)


def delay_after(number: int, jitter: float) -> timedelta:
    """How long to wait after attempt `number`: doubling from 1 s to 5 min, half of it by chance (`jitter` 0..1)."""
    full_s = min(FIRST_DELAY_S * 2 ** (number - 1), LONGEST_DELAY_S)
    return timedelta(seconds=full_s / 2 + full_s / 2 * jitter)


def _closed_as_unknown(attempt: Attempt) -> Attempt:
    return replace(attempt, outcome=Outcome.UNKNOWN) if attempt.outcome is Outcome.OPEN else attempt


def _answered(attempt: Attempt, number: int, answer: Answer) -> Attempt:
    if attempt.number != number:
        return attempt
    return replace(attempt, outcome=answer.outcome, reply_code=answer.reply_code)


def _is_fate_unknown(notice: Notice) -> bool:
    return any(attempt.outcome is Outcome.UNKNOWN for attempt in notice.attempts)


def _reason_out_of_time(notice: Notice) -> Reason:
    if _is_fate_unknown(notice):
        return Reason.FATE_UNKNOWN
    return Reason.ATTEMPTS_EXHAUSTED if notice.attempts else Reason.EXPIRED
