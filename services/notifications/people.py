"""How each recipient of a handful of notices can be reached at this moment: four reads, and nothing remembered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from services.notifications.domain import reach as reaching
from services.notifications.domain.intents import Channel
from services.notifications.domain.notices import Notice
from services.notifications.domain.reach import Reach, Verdict

if TYPE_CHECKING:
    from services.notifications.store import Addresses, Contacts, Marker, Stops, WishStore


@dataclass(frozen=True)
class Around:
    """What decides about some notices, as it was a moment ago."""

    stopped: frozenset[str]
    # By notice.
    reaches: dict[str, Reach]

    def verdict(self, notice: Notice, now: datetime) -> Verdict:
        """What may happen to the notice now."""
        is_stopped = notice.referral_id in self.stopped
        return reaching.decide(notice, self.reaches.get(notice.notice_id), now, is_stopped=is_stopped)


@dataclass(frozen=True)
class People:
    """Who can be reached."""

    contacts: Contacts
    wishes: WishStore
    addresses: Addresses
    stops: Stops
    marker: Marker
    # The channels this deployment has a far side for.
    channels: frozenset[Channel]

    def around(self, notices: Sequence[Notice]) -> Around:
        """As it is now; what was changed before this call is seen."""
        stopped = self.stops.among([notice.referral_id for notice in notices])
        cards = self.contacts.open_many([notice.contact_id for notice in notices])
        wishes = self.wishes.of([notice.recipient_id for notice in notices])
        reaches = {
            notice.notice_id: reach
            for notice in notices
            if (reach := reaching.reach_of(cards.get(notice.contact_id), wishes.get(notice.recipient_id)))
        }
        return Around(frozenset(stopped), self._without_closed(reaches))

    def mark(self, channel: Channel, address: str) -> str:
        """The mark of an address."""
        return self.marker.mark(channel, address)

    def _without_closed(self, reaches: dict[str, Reach]) -> dict[str, Reach]:
        marks = {
            self.mark(channel, address): (notice_id, channel)
            for notice_id, reach in reaches.items()
            for channel, address in reach.addresses.items()
            if channel is not Channel.IN_APP
        }
        closed = self.addresses.closed(marks) if marks else set()
        absent = frozenset(Channel) - self.channels
        return {
            notice_id: replace(
                reach,
                closed=reach.closed
                | absent
                | {
                    channel
                    for channel, address in reach.addresses.items()
                    if channel is not Channel.IN_APP and self.mark(channel, address) in closed
                },
            )
            for notice_id, reach in reaches.items()
        }
