"""How each recipient of a handful of notices can be reached at this moment: four reads, and nothing remembered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from services.notifications.domain import reach as reaching
from services.notifications.domain.intents import Channel
from services.notifications.domain.notices import Notice
from services.notifications.domain.reach import Reach, Verdict

if TYPE_CHECKING:
    from services.notifications.store import Addresses, Contacts, Marker, Stops, WishStore

# A card and a person: more than one notice may go there.
Pair = tuple[str, str]


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
        whose = {notice.notice_id: (notice.contact_id, notice.recipient_id) for notice in notices}
        cards = self.contacts.open_many(sorted({contact_id for contact_id, _ in whose.values()}))
        wishes = self.wishes.of(sorted({recipient_id for _, recipient_id in whose.values()}))
        reaches = {
            pair: reach
            for pair in set(whose.values())
            if (reach := reaching.reach_of(cards.get(pair[0]), wishes.get(pair[1])))
        }
        known = self._without_closed(reaches)
        return Around(frozenset(stopped), {one: known[pair] for one, pair in whose.items() if pair in known})

    def mark(self, channel: Channel, address: str) -> str:
        """The mark of an address."""
        return self.marker.mark(channel, address)

    def _without_closed(self, reaches: Mapping[Pair, Reach]) -> dict[Pair, Reach]:
        absent = frozenset(Channel) - self.channels
        marks = {pair: self._marks(reach) for pair, reach in reaches.items()}
        asked = {mark: None for of_one in marks.values() for mark in of_one.values()}
        closed = self.addresses.closed(asked) if asked else set()
        found = {}
        for pair, reach in reaches.items():
            shut = {channel for channel, mark in marks[pair].items() if mark in closed}
            found[pair] = replace(reach, closed=reach.closed | absent | shut, marks=marks[pair])
        return found

    def _marks(self, reach: Reach) -> dict[Channel, str]:
        return {
            channel: self.mark(channel, address)
            for channel, address in reach.addresses.items()
            if channel is not Channel.IN_APP
        }
