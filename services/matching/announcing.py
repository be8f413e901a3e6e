"""What happened in the domain, as matching says it on the bus; the one secret in it is sealed to its listener."""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.message import Message

from chassis.access import provenance
from chassis.identity import Caller
from chassis.sealing import PublicSeal
from chassis.spelling import spelled
from kindred.bus.v1.bus_pb2 import Provenance
from kindred.matching.v1 import events_pb2
from services.matching.domain import events
from services.matching.domain.need import Need

# Who acts where nobody asked: a timer, a heard event.
ITSELF = Caller("system:matching", "system", "", "TREAT")


class Announcer:
    """Turns domain events into messages; `seal` is that of notifications."""

    def __init__(self, seal: PublicSeal) -> None:
        self._seal = seal

    def says(self, happened: Sequence[events.Event], need: Need, by: Caller) -> list[Message]:
        """One message for each event, in the same order."""
        who = provenance(by, need.peer_id)
        return [self._message(event, who) for event in happened]

    def _message(self, event: events.Event, who: Provenance) -> Message:
        if not isinstance(event, events.OfferMade):
            return spelled(event, events_pb2, who)
        message = spelled(event, events_pb2, who, besides=frozenset({"token"}))
        assert isinstance(message, events_pb2.OfferMade)
        link = self._seal.seal(event.token.encode(), f"offer-link:{event.offer_id}")
        message.sealed_link_token.CopyFrom(link)
        return message
