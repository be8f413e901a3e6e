"""How each recipient of a handful of notices can be reached at this moment: four reads, and nothing remembered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from services.notifications.domain import reach as reaching
from services.notifications.domain.contacts import Contact, peer_contact_id, peer_of
from services.notifications.domain.intents import Channel
from services.notifications.domain.joined import Joint, Word, strictest, word_that_counts
from services.notifications.domain.notices import Notice
from services.notifications.domain.reach import Reach, Verdict
from services.notifications.domain.wishes import Wishes

if TYPE_CHECKING:
    from services.notifications.store import Addresses, Contacts, JoinedPeople, Marker, Stops, WishStore

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
    joined: JoinedPeople
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
        for pair, joint in self._joints(contact_id for contact_id, _ in whose.values()).items():
            reaches.pop((pair, peer_of(pair)), None)
            if reach := self._reach_of_joint(peer_of(pair), joint):
                reaches[pair, peer_of(pair)] = reach
        known = self._without_closed(reaches)
        return Around(frozenset(stopped), {one: known[pair] for one, pair in whose.items() if pair in known})

    def known(self, contact_ids: Sequence[str]) -> dict[str, bool]:
        """Which of the cards are there, and whether each says yes; of one person's pseudonyms all say the same."""
        known = self.contacts.known(contact_ids)
        for contact_id, joint in self._joints(contact_ids).items():
            word = self._word_of(joint)
            if word is not None:
                known[contact_id] = word.is_yes
        return known

    def all_of(self, person_id: str) -> list[str]:
        """The person under each of their pseudonyms."""
        joint = self.joined.of([person_id]).get(person_id)
        return sorted(joint.people) if joint else [person_id]

    def is_silenced(self, person_id: str) -> bool:
        """True where what was said of the person under another pseudonym forbids to write to them."""
        joint = self.joined.of([person_id]).get(person_id)
        if joint is None:
            return False
        reach = self._reach_of_joint(person_id, joint)
        return reach is None or reach.is_do_not_contact

    def mark(self, channel: Channel, address: str) -> str:
        """The mark of an address."""
        return self.marker.mark(channel, address)

    def _joints(self, contact_ids: Iterable[str]) -> dict[str, Joint]:
        """Those of the cards that are a peer's who has more than one."""
        peers = {contact_id: peer_id for contact_id in contact_ids if (peer_id := peer_of(contact_id))}
        found = self.joined.of(peers.values()) if peers else {}
        return {contact_id: found[peer_id] for contact_id, peer_id in peers.items() if peer_id in found}

    def _word_of(self, joint: Joint) -> Word | None:
        return word_that_counts(
            self.contacts.words([peer_contact_id(one) for one in joint.people]), joint.since
        )

    def _reach_of_joint(self, peer_id: str, joint: Joint) -> Reach | None:
        """None where the person must not be written to under any of their pseudonyms."""
        word = self._word_of(joint)
        if word is None or not word.is_yes:
            return None
        contact: Contact | None = self.contacts.open_many([word.contact_id]).get(word.contact_id)
        if contact is None:
            return None
        wishes = self.wishes.of(sorted(joint.people))
        own = wishes.pop(peer_id, Wishes(peer_id))
        return reaching.reach_of(contact, strictest(own, list(wishes.values())))

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
