"""What becomes of a notice after the far side took it: it arrived, came back, was answered, or is sent again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from services.notifications.domain.events import Event, NoticeBounced, NoticeDelivered, NoticeSent
from services.notifications.domain.notices import Attempt, Notice, Outcome, Reason, State, give_up


def delivered(notice: Notice, number: int) -> tuple[Notice, list[Event]]:
    """A receipt says that attempt `number` arrived; said once, however often the receipt comes."""
    attempt = _numbered(notice, number)
    if attempt is None or attempt.outcome in (Outcome.DELIVERED, Outcome.BOUNCED):
        return notice, []
    told = replace(notice, attempts=_with(notice, number, Outcome.DELIVERED))
    if notice.state is State.SENT:
        return told, [NoticeDelivered(told, attempt)]
    sent = replace(told, state=State.SENT, due_at=None, reason_code="")
    return sent, [NoticeSent(sent, attempt), NoticeDelivered(sent, attempt)]


def taken(notice: Notice, number: int) -> tuple[Notice, list[Event]]:
    """The far side tells by itself that it has attempt `number`: whoever sent it and died need not send it again.

    Of an attempt whose answer we stored it says nothing new.
    """
    attempt = _numbered(notice, number)
    if attempt is None or attempt.outcome not in (Outcome.OPEN, Outcome.UNKNOWN):
        return notice, []
    told = replace(notice, attempts=_with(notice, number, Outcome.ACCEPTED))
    if notice.state is State.SENT:
        return told, []
    sent = replace(told, state=State.SENT, due_at=None, reason_code="")
    return sent, [NoticeSent(sent, attempt)]


def bounced(
    notice: Notice, number: int, now: datetime, *, is_last_way: bool, reason_code: str
) -> tuple[Notice, list[Event]]:
    """A receipt says that attempt `number` never arrived: said once, and the next channel has its turn at once."""
    attempt = _numbered(notice, number)
    if attempt is None or attempt.outcome in (Outcome.DELIVERED, Outcome.BOUNCED):
        return notice, []
    told = replace(notice, attempts=_with(notice, number, Outcome.BOUNCED))
    said: list[Event] = [NoticeBounced(told, attempt, reason_code)]
    if notice.state is not State.SENT or notice.attempts[-1].number != number:
        return told, said  # another attempt is under way already
    if is_last_way or now >= notice.expires_at:
        dead, failed = give_up(told, Reason.BOUNCED)
        return dead, [*said, *failed]
    return replace(told, state=State.DUE, due_at=now), said


def as_bounced(notice: Notice, number: int) -> Notice:
    """The notice as if attempt `number` had come back."""
    return replace(notice, attempts=_with(notice, number, Outcome.BOUNCED))


def noted_reply(notice: Notice, now: datetime) -> Notice:
    """Somebody answered; when, not what."""
    return replace(notice, replied_at=now)


def renewed(notice: Notice, now: datetime, life: timedelta) -> Notice:
    """A dead notice that an operator sends again: due now, worthless after `life`, its log kept, every channel open."""
    expires_at, tried = max(notice.expires_at, now + life), len(notice.attempts)
    return replace(
        notice, state=State.DUE, due_at=now, reason_code="", expires_at=expires_at, fresh_after=tried
    )


def _numbered(notice: Notice, number: int) -> Attempt | None:
    return next((attempt for attempt in notice.attempts if attempt.number == number), None)


def _with(notice: Notice, number: int, outcome: Outcome) -> tuple[Attempt, ...]:
    return tuple(replace(a, outcome=outcome) if a.number == number else a for a in notice.attempts)
