"""One letter for several notices that may wait: who leads it, who is folded in, and how the folded ones end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from services.notifications.domain.events import Event, NoticeSent
from services.notifications.domain.notices import Notice, Outcome, State, give_up
from services.notifications.domain.notices import Reason as Why

# How often a folded notice asks how its leader ended.
_ASKS_EVERY = timedelta(seconds=5)
_MOST_IN_ONE = 50


def held_until(notice: Notice, at: datetime) -> Notice:
    """The notice waits for the letter of that moment, also where it would have been worthless before."""
    return replace(
        notice,
        state=State.DUE,
        is_for_digest=True,
        due_at=at,
        expires_at=max(notice.expires_at, at + timedelta(hours=6)),
    )


def leader_of(waiting: Sequence[Notice], now: datetime) -> str:
    """The id of the notice whose letter carries the others: the smallest of those that are due, so that all agree."""
    due = [one.notice_id for one in waiting if one.state is not State.FOLDED and _is_due(one, now)]
    return min(due, default="")


def to_fold(waiting: Sequence[Notice], leader_id: str, now: datetime) -> list[Notice]:
    """Those that go with the leader's letter: due, never tried, not folded yet."""
    return [
        one
        for one in waiting
        if one.notice_id != leader_id and one.state is State.DUE and not one.attempts and _is_due(one, now)
    ][:_MOST_IN_ONE]


def fold(notice: Notice, leader_id: str, now: datetime) -> Notice:
    """The notice goes with the leader's letter and asks again how that ended."""
    if notice.state is not State.DUE or notice.attempts:
        return notice
    return replace(notice, state=State.FOLDED, folded_into=leader_id, due_at=now + _ASKS_EVERY)


def follow(notice: Notice, leader: Notice | None, now: datetime) -> tuple[Notice, list[Event]]:
    """A folded notice ends as its leader did; without a leader's yes it is on its own again."""
    if leader is not None and leader.state is State.SENT:
        heard = (Outcome.ACCEPTED, Outcome.DELIVERED)
        attempt = next(one for one in leader.attempts if one.outcome in heard)
        sent = replace(notice, state=State.SENT, due_at=None, attempts=(replace(attempt, number=1),))
        return sent, [NoticeSent(sent, sent.attempts[0])]
    if leader is not None and leader.state in (State.DUE, State.SENDING):
        return replace(notice, due_at=now + _ASKS_EVERY), []
    if leader is not None and leader.state is State.DEAD:
        return give_up(notice, Why(leader.reason_code))
    return replace(notice, state=State.DUE, folded_into="", is_for_digest=False, due_at=now), []


def _is_due(notice: Notice, now: datetime) -> bool:
    # A claimed notice's due time is the end of its lease; those of one letter were due in the same minute.
    return notice.due_at is not None and notice.due_at <= now + timedelta(minutes=2)
