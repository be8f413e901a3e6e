"""News of one referral on its way to one receiver: which version it wants, which it has, and each try in between."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

# An engine that says AE to one message says it again: after so many it is not asked any more.
MOST_DECLINED = 5


class Kind(StrEnum):
    """How a receiver is reached."""

    REST_HOOK = "rest-hook"
    HL7 = "hl7v2"


class Outcome(StrEnum):
    """How one try ended, as far as it can be known."""

    DELIVERED = "delivered"
    REFUSED = "refused"  # for good: this message is not sent again
    DECLINED = "declined"  # it has come, and was not taken
    UNREACHABLE = "unreachable"  # certainly not there
    UNKNOWN = "unknown"  # on its way when the far side fell silent
    GONE = "gone"  # the far side wants nothing any more


TROUBLE = frozenset({Outcome.UNREACHABLE, Outcome.UNKNOWN})


@dataclass(frozen=True, slots=True)
class News:
    """A referral of a source has this version."""

    referral_id: str
    source_id: str
    version: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try, written down before it is made."""

    version: int
    number: int
    begun_at: datetime
    is_possible_repeat: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one receiver is told of one referral; a newer version replaces an older one that was not taken yet."""

    delivery_id: str
    receiver_id: str
    kind: Kind
    source_id: str
    referral_id: str
    wanted: int
    sent: int = 0
    refused: int = 0
    attempt: Attempt | None = None
    is_maybe_there: bool = False  # the attempt's version may have arrived already
    event_number: int = 0

    @property
    def is_done(self) -> bool:
        """True where nothing is left to be said."""
        return self.wanted <= max(self.sent, self.refused)


def begin(delivery: Delivery, version: int, event_number: int, now: datetime) -> Delivery:
    """The next try; until it is settled nobody knows whether it arrived."""
    last = delivery.attempt
    is_again = last is not None and last.version == version
    number = last.number + 1 if last is not None and is_again else 1
    attempt = Attempt(version, number, now, is_again and delivery.is_maybe_there)
    return replace(
        delivery,
        wanted=max(delivery.wanted, version),
        attempt=attempt,
        is_maybe_there=True,
        event_number=event_number,
    )


def settle(
    delivery: Delivery, attempt: Attempt, outcome: Outcome, again_at: datetime, now: datetime
) -> tuple[Delivery, datetime | None]:
    """The delivery after a try, and when it is due next; `again_at` is when a failed try may be repeated."""
    if outcome is Outcome.DECLINED and delivery.kind is Kind.HL7 and attempt.number >= MOST_DECLINED:
        outcome = Outcome.REFUSED
    if outcome is Outcome.DELIVERED:
        ended = replace(delivery, sent=max(delivery.sent, attempt.version), attempt=None, event_number=0)
    elif outcome is Outcome.REFUSED:
        ended = replace(
            delivery, refused=max(delivery.refused, attempt.version), attempt=None, event_number=0
        )
    else:
        is_maybe_there = attempt.is_possible_repeat or outcome is not Outcome.UNREACHABLE
        return replace(delivery, is_maybe_there=is_maybe_there), again_at
    return replace(ended, is_maybe_there=False), None if ended.is_done else now


def passed_over(delivery: Delivery, version: int) -> Delivery:
    """This version is none the receiver asked for."""
    return replace(delivery, sent=max(delivery.sent, version), attempt=None, is_maybe_there=False)


def rest(delivery: Delivery, now: datetime) -> tuple[Delivery, datetime | None]:
    """The delivery as it is, due only where something newer waits to be told."""
    return delivery, None if delivery.is_done else now


@dataclass(frozen=True, slots=True)
class Subscription:
    """A rest-hook as its owner wants it; `status` is R4's SubscriptionStatus, or "deleted"."""

    subscription_id: str
    source_id: str
    status: str
    criteria: str
    has_payload: bool
    error: str = ""
    ends_at: datetime | None = None

    @property
    def is_told(self) -> bool:
        """True where news goes to it."""
        return self.status in ("active", "error")


@dataclass(frozen=True, slots=True)
class Health:
    """How a receiver has answered lately; `retry_at` holds back everything that waits for it."""

    failures: int = 0
    retry_at: datetime | None = None

    def is_resting(self, now: datetime) -> bool:
        """True where it is left alone for now."""
        return self.retry_at is not None and self.retry_at > now


def failed(health: Health, now: datetime, wait_s: float) -> Health:
    """One failure more."""
    return Health(health.failures + 1, now + timedelta(seconds=wait_s))
