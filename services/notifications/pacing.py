"""How many in how long: what a recipient gets in an hour, and what an account bears in a minute, for all workers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from services.notifications.domain.intents import Channel, Intent, Urgency
from services.notifications.domain.notices import Notice

if TYPE_CHECKING:
    from services.notifications.store import Rates

# Those who wait take this share of what an account bears; the rest is room for what cannot wait.
_SHARE: Final = 0.8
# So long without a message is made up for at once.
_BURST: Final = timedelta(seconds=5)


@dataclass
class Pace:
    """Counts in the database, so that any number of workers keep one limit, also over a restart."""

    rates: Rates
    # For one recipient on one channel.
    per_hour: int
    # For an account; 0 or absent: not limited.
    per_minute: Mapping[Channel, int]

    def full_until(self, notice: Notice, channel: Channel, now: datetime) -> datetime | None:
        """From when on the recipient may get one more of what can wait, None where this one is counted and may go.

        An offer, what is immediate, and what would be worthless then are never held back.
        """
        if _is_waited_for(notice) or notice.attempts or notice.turn_at is not None:
            return None
        until = self.rates.take(notice.contact_id, channel, now, self.per_hour)
        return until if until is not None and until < notice.expires_at else None

    def turn_of(self, notice: Notice, channel: Channel, now: datetime) -> datetime:
        """When the account bears the notice: `now`, or its turn, which is given once and kept (`notice.turn_at`).

        An offer and what is immediate are counted and go now; so does what would be worthless at its turn.
        """
        if notice.turn_at is not None:
            return max(now, notice.turn_at)
        turn_at = self._account(channel, now)
        return now if _is_waited_for(notice) or turn_at >= notice.expires_at else turn_at

    def _account(self, channel: Channel, now: datetime) -> datetime:
        most = self.per_minute.get(channel, 0)
        if not most:
            return now
        apart = timedelta(minutes=1) / (most * _SHARE)
        return max(now, self.rates.queue(channel, now - _BURST, apart))


def _is_waited_for(notice: Notice) -> bool:
    return notice.urgency is Urgency.IMMEDIATE or notice.intent is Intent.OFFER_MADE
