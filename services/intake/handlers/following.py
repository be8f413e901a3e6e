"""What matching says moves the source's view of a referral."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from chassis.envelope import Cause
from services.intake.domain import referral as referrals
from services.intake.domain.referral import Assignment, Handoff
from services.intake.handlers.commanding import SYSTEM

if TYPE_CHECKING:
    from services.intake.bootstrap import Room


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What matching said about a referral; `said_at` is its producer's time."""

    referral_id: str
    said_at: datetime
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted(Told):
    """Somebody comes."""

    assignment: Assignment


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended(Told):
    """Somebody comes no more."""

    offer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Met(Told):
    """The first meeting, or why there was none."""

    handoff: Handoff


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed(Told):
    """The specialist's work has ended."""

    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhausted(Told):
    """Nobody is left to ask."""

    reason_code: str


def seek(room: Room, made: Sequence[Told]) -> None:
    """Offers are out: each source sees that somebody is sought."""
    now = room.clock.now()
    room.referrals.revise(made, lambda one, told: referrals.seek(one, told.said_at, now), SYSTEM)


def assign(room: Room, accepted: Sequence[Accepted]) -> None:
    """Specialists accepted: each source sees who promised what."""
    now = room.clock.now()
    room.referrals.revise(
        accepted, lambda one, told: referrals.assign(one, told.assignment, told.said_at, now), SYSTEM
    )


def change_arrival(room: Room, updated: Sequence[Accepted]) -> None:
    """What was promised has changed: each source sees what is promised now."""
    now = room.clock.now()
    room.referrals.revise(
        updated, lambda one, told: referrals.change_arrival(one, told.assignment, told.said_at, now), SYSTEM
    )


def seek_again(room: Room, ended: Sequence[Ended]) -> None:
    """Assignments ended: each source sees that somebody is sought again."""
    now = room.clock.now()
    room.referrals.revise(
        ended, lambda one, told: referrals.seek_again(one, told.offer_id, told.said_at, now), SYSTEM
    )


def record_handoff(room: Room, met: Sequence[Met]) -> None:
    """Handoffs: each source sees whether the peer was met."""
    now = room.clock.now()
    room.referrals.revise(
        met, lambda one, told: referrals.record_handoff(one, told.handoff, told.said_at, now), SYSTEM
    )


def engage(room: Room, reached: Sequence[Told]) -> None:
    """Check-ins that reached the peer: each source sees that they are followed up."""
    now = room.clock.now()
    room.referrals.revise(reached, lambda one, told: referrals.engage(one, told.said_at, now), SYSTEM)


def complete(room: Room, completed: Sequence[Completed]) -> None:
    """Cases that ended with an outcome: each referral is closed with it."""
    now = room.clock.now()
    room.referrals.revise(
        completed, lambda one, told: referrals.complete(one, told.outcome, told.said_at, now), SYSTEM
    )


def close(room: Room, closed: Sequence[Told]) -> None:
    """Matching has withdrawn everything: what was asked to be cancelled is."""
    now = room.clock.now()
    room.referrals.revise(closed, lambda one, told: referrals.close(one, told.said_at, now), SYSTEM)


def mark_unfilled(room: Room, exhausted: Sequence[Exhausted]) -> None:
    """The ladder of each is exhausted: the source sees that the supervisor has it."""
    now = room.clock.now()
    room.referrals.revise(
        exhausted,
        lambda one, told: referrals.mark_unfilled(one, told.reason_code, told.said_at, now),
        SYSTEM,
    )
