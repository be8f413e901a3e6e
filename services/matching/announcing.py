"""What happened in the domain, as matching says it on the bus; the one secret in it is sealed to its listener."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import singledispatchmethod

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.access import provenance
from chassis.identity import Caller
from chassis.sealing import PublicSeal
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

    @singledispatchmethod
    def _message(self, event: object, who: Provenance) -> Message:
        raise TypeError(type(event).__name__)

    @_message.register
    def _(self, event: events.OfferMade, who: Provenance) -> Message:
        link = self._seal.seal(event.token.encode(), f"offer-link:{event.offer_id}")
        return events_pb2.OfferMade(
            provenance=who,
            offer_id=event.offer_id,
            referral_id=event.referral_id,
            specialist_id=event.specialist_id,
            wave=event.wave,
            deadline_at=_timestamp(event.deadline_at),
            urgency=event.urgency,
            sealed_link_token=link,
        )

    @_message.register
    def _(self, event: events.OfferAccepted, who: Provenance) -> Message:
        return events_pb2.OfferAccepted(
            provenance=who,
            offer_id=event.offer_id,
            referral_id=event.referral_id,
            specialist_id=event.specialist_id,
            promised_arrival_at=_timestamp(event.promised_arrival_at),
            modality=event.modality,
        )

    @_message.register
    def _(self, event: events.OfferDeclined, who: Provenance) -> Message:
        return events_pb2.OfferDeclined(
            provenance=who,
            offer_id=event.offer_id,
            referral_id=event.referral_id,
            specialist_id=event.specialist_id,
            reason_code=event.reason_code,
        )

    @_message.register
    def _(self, event: events.OfferExpired, who: Provenance) -> Message:
        return events_pb2.OfferExpired(
            provenance=who,
            offer_id=event.offer_id,
            referral_id=event.referral_id,
            specialist_id=event.specialist_id,
        )

    @_message.register
    def _(self, event: events.OfferWithdrawn, who: Provenance) -> Message:
        return events_pb2.OfferWithdrawn(
            provenance=who,
            offer_id=event.offer_id,
            referral_id=event.referral_id,
            specialist_id=event.specialist_id,
            reason_code=event.reason_code,
        )

    @_message.register
    def _(self, event: events.ReferralEscalated, who: Provenance) -> Message:
        return events_pb2.ReferralEscalated(
            provenance=who,
            referral_id=event.referral_id,
            wave=event.wave,
            is_exhausted=event.is_exhausted,
            reason_code=event.reason_code,
            supervisor_id=event.supervisor_id,
        )

    @_message.register
    def _(self, event: events.AssignmentEnded, who: Provenance) -> Message:
        return events_pb2.AssignmentEnded(
            provenance=who,
            offer_id=event.offer_id,
            referral_id=event.referral_id,
            specialist_id=event.specialist_id,
            reason_code=event.reason_code,
        )

    @_message.register
    def _(self, event: events.CaseClosed, who: Provenance) -> Message:
        return events_pb2.CaseClosed(
            provenance=who,
            referral_id=event.referral_id,
            stop_code=event.stop_code,
            specialist_id=event.specialist_id,
        )


def _timestamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
