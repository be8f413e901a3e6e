"""One notice and its life: due, sending, sent; or dead, or cancelled.

An attempt is recorded before the far side hears anything and settled after it answered.
Where the answer never came the attempt's fate is unknown: e-mail is then sent again with the same Message-ID, and
the repeat says that it may be one (P4).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from services.notifications.domain.events import Event, NoticeFailed, NoticeSent
from services.notifications.domain.intents import Channel, Intent, Urgency
from services.notifications.domain.retrying import delay_after
from services.notifications.domain.standing import Standing


class State(StrEnum):
    """Where a notice stands."""

    DUE = "due"
    SENDING = "sending"
    SENT = "sent"
    DEAD = "dead"
    CANCELLED = "cancelled"
    # Its words are part of another notice's letter; how that one ends is how this one ends.
    FOLDED = "folded"


class Outcome(StrEnum):
    """How one attempt ended. OPEN: recorded, not settled."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    DEFERRED = "deferred"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"
    # A receipt came later: it arrived, or it did not and never will.
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    # Recorded and then not made: between the two somebody said that nobody may hear.
    WITHHELD = "withheld"


# Somebody heard, or nobody can rule out that they did.
_HEARD = (Outcome.OPEN, Outcome.ACCEPTED, Outcome.DELIVERED, Outcome.UNKNOWN)

_TOLD_BY_RECEIPT = (Outcome.ACCEPTED, Outcome.DELIVERED, Outcome.BOUNCED)


class Reason(StrEnum):
    """Why a notice was given up or cancelled."""

    EXPIRED = "expired"
    REFUSED_BY_FAR_SIDE = "refused-by-far-side"
    ATTEMPTS_EXHAUSTED = "attempts-exhausted"
    FATE_UNKNOWN = "fate-unknown"
    NO_ADDRESS = "no-address"
    OFFER_CLOSED = "offer-closed"
    OVERTAKEN = "overtaken"
    REFERRAL_STOPPED = "referral-stopped"
    DO_NOT_CONTACT = "do-not-contact"
    NO_SAFE_TIME = "no-safe-time"
    BOUNCED = "bounced"


@dataclass(frozen=True)
class Attempt:
    """One try at the far side. `reply_code` is the far side's number (SMTP, HTTP), 0 where it said nothing."""

    number: int
    at: datetime
    outcome: Outcome = Outcome.OPEN
    is_possible_repeat: bool = False
    reply_code: int = 0
    channel: Channel = Channel.EMAIL
    # The far side's own name for what it took, where it gave one; its receipts name it.
    far_id: str = ""
    # Which address it went to, as a keyed hash: what comes back from there finds the notice.
    address_mark: str = ""


@dataclass(frozen=True)
class Answer:
    """What came of an attempt."""

    outcome: Outcome
    reply_code: int = 0
    far_id: str = ""
    # The far side asked for so much patience (Retry-After).
    retry_after_s: float = 0.0
    # What the answer taught about the address itself.
    standing: Standing | None = None


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
    last_day: str = ""
    peer_id: str = ""
    organization_id: str = ""
    purpose_of_use: str = ""
    reason_code: str = ""
    attempts: tuple[Attempt, ...] = ()
    # It waits for the recipient's one letter a day.
    is_for_digest: bool = False
    # The notice whose letter carries it.
    folded_into: str = ""
    replied_at: datetime | None = None
    # An operator sent it again after so many attempts: what those found counts no more against a channel.
    fresh_after: int = 0
    # Where the news is a move of the referral: an older move, heard again, does not undo it.
    referral_version: int = 0
    # Its turn on an account that others wait for too.
    turn_at: datetime | None = None


def changed(notice: Notice, **facts: Any) -> Notice:
    """The notice with other facts: `dataclasses.replace` in a seventh of its time, for a notice has many fields."""
    assert facts.keys() <= notice.__dict__.keys()
    other = object.__new__(Notice)
    other.__dict__.update(notice.__dict__, **facts)
    return other


def begin_attempt(
    notice: Notice,
    now: datetime,
    channel: Channel = Channel.EMAIL,
    address_mark: str = "",
    *,
    lease_over: datetime | None = None,
) -> tuple[Notice, list[Event]]:
    """The next attempt, on `channel`, is in the log, or the notice is given up because its time is over.

    An attempt still open here was cut off by a crash: its fate is unknown from now on.
    Whoever finds the notice due at `lease_over` knows that this attempt was, too.
    """
    attempts = tuple(_closed_as_unknown(attempt) for attempt in notice.attempts)
    if now >= notice.expires_at:
        return give_up(notice, reason_out_of_time(notice))
    attempt = Attempt(
        len(attempts) + 1,
        now,
        is_possible_repeat=any(one.outcome is Outcome.UNKNOWN for one in attempts),
        channel=channel,
        address_mark=address_mark,
    )
    return changed(
        notice,
        state=State.SENDING,
        channel=channel,
        attempts=(*attempts, attempt),
        turn_at=None,
        due_at=lease_over or notice.due_at,
    ), []


def take_back(notice: Notice, attempt: Attempt, now: datetime) -> Notice:
    """The attempt was recorded and never begun, for those before it took long: it was none, and the notice is due.

    One that was cancelled or taken over meanwhile keeps it in its log, as withheld.
    """
    if notice.state is State.SENDING and notice.attempts[-1] == attempt:
        return changed(notice, state=State.DUE, due_at=now, attempts=notice.attempts[:-1])
    kept = (
        replace(one, outcome=Outcome.WITHHELD) if one.at == attempt.at else one for one in notice.attempts
    )
    return changed(notice, attempts=tuple(kept))


def settle_attempt(
    notice: Notice,
    number: int,
    answer: Answer,
    now: datetime,
    jitter: float,
    *,
    is_last_way: bool = True,
    has_tried_all: bool = False,
) -> tuple[Notice, list[Event]]:
    """The attempt's answer is in the log; the notice is sent, dead, or due again. `jitter` is in 0..1.

    `is_last_way` is False where a refusal leaves another channel to try, at once.  With `has_tried_all` every channel
    had its tries in a row: an offer that surely nobody heard of is given up when half of its time is over, so that
    somebody else can still be asked.
    A late answer (the notice was cancelled or taken over meanwhile) changes the log; "accepted" still makes it sent.
    """
    is_current = notice.state is State.SENDING and notice.attempts[-1].number == number
    attempts = tuple(_answered(attempt, number, answer) for attempt in notice.attempts)
    if is_current and attempts[-1].outcome is Outcome.BOUNCED:
        answer = Answer(Outcome.WITHHELD)  # it came back before its answer did: the next way has its turn
    if answer.outcome is Outcome.ACCEPTED and notice.state is not State.SENT:
        sent = changed(notice, state=State.SENT, due_at=None, reason_code="", attempts=attempts)
        return sent, [NoticeSent(sent, attempts[number - 1])]
    notice = changed(notice, attempts=attempts)
    if not is_current:
        return notice, []
    if answer.outcome is Outcome.REFUSED and is_last_way:
        return give_up(notice, Reason.REFUSED_BY_FAR_SIDE)
    if answer.outcome in (Outcome.REFUSED, Outcome.WITHHELD):
        return changed(notice, state=State.DUE, due_at=now), []
    next_at = now + max(delay_after(number, jitter), timedelta(seconds=answer.retry_after_s))
    half_time = notice.opened_at + (notice.expires_at - notice.opened_at) / 2
    is_hopeless = has_tried_all and next_at >= half_time and not may_have_been_heard(notice)
    if next_at >= notice.expires_at or (is_hopeless and notice.intent is Intent.OFFER_MADE):
        return give_up(notice, reason_out_of_time(notice))
    return changed(notice, state=State.DUE, due_at=next_at), []


def give_up(notice: Notice, reason: Reason) -> tuple[Notice, list[Event]]:
    """The notice is dead and the reason is said."""
    attempts = tuple(_closed_as_unknown(attempt) for attempt in notice.attempts)
    dead = changed(notice, state=State.DEAD, due_at=None, reason_code=reason.value, attempts=attempts)
    return dead, [NoticeFailed(dead)]


def reason_out_of_time(notice: Notice) -> Reason:
    """Why a notice whose time is over was not sent."""
    if any(attempt.outcome in (Outcome.UNKNOWN, Outcome.OPEN) for attempt in notice.attempts):
        return Reason.FATE_UNKNOWN
    return Reason.ATTEMPTS_EXHAUSTED if notice.attempts else Reason.EXPIRED


def cancel(notice: Notice, reason: Reason) -> Notice:
    """Nothing more is sent. An attempt on its way is not called back: its fate is unknown until `settle_attempt`."""
    if notice.state not in (State.DUE, State.SENDING, State.FOLDED):
        return notice
    attempts = tuple(_closed_as_unknown(attempt) for attempt in notice.attempts)
    return changed(notice, state=State.CANCELLED, due_at=None, reason_code=reason.value, attempts=attempts)


def postpone(notice: Notice, until: datetime) -> tuple[Notice, list[Event]]:
    """The notice is due at that moment; given up where that is too late."""
    if until >= notice.expires_at:
        return give_up(notice, Reason.NO_SAFE_TIME)
    attempts = tuple(_closed_as_unknown(attempt) for attempt in notice.attempts)
    return changed(notice, state=State.DUE, due_at=until, attempts=attempts), []


def may_have_been_heard(notice: Notice) -> bool:
    """True where the recipient heard, or nobody can rule out that they did."""
    return any(a.outcome in _HEARD for a in notice.attempts)


def _closed_as_unknown(attempt: Attempt) -> Attempt:
    return replace(attempt, outcome=Outcome.UNKNOWN) if attempt.outcome is Outcome.OPEN else attempt


def _answered(attempt: Attempt, number: int, answer: Answer) -> Attempt:
    """A receipt that was quicker than the answer knows better: the attempt was taken, arrived, or came back."""
    if attempt.number != number:
        return attempt
    outcome = attempt.outcome if attempt.outcome in _TOLD_BY_RECEIPT else answer.outcome
    far_id = answer.far_id or attempt.far_id
    return replace(attempt, outcome=outcome, reply_code=answer.reply_code, far_id=far_id)
