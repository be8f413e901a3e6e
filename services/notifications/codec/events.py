"""What notifications hears, as the domain knows it; secrets are unsealed here."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

from chassis.clock import to_millisecond
from chassis.envelope import Envelope
from chassis.sealing import PrivateSeal
from kindred.bus.v1.bus_pb2 import SealedField
from kindred.intake.v1.events_pb2 import ReferralRevised, ReferralStatusChanged, ReferralSubmitted
from kindred.matching.v1.events_pb2 import (
    ArrivalOverdue,
    AssignmentChosen,
    AssignmentEnded,
    CaseMoved,
    CertificationExpiring,
    CheckinDue,
    CheckinMissed,
    OfferAccepted,
    OfferDeclined,
    OfferMade,
    OfferWithdrawn,
    ReferralEscalated,
    SpecialistEnrolled,
)
from services.notifications.codec.addresses import email_address, is_zone, phone_number
from services.notifications.codec.facts import about, moment
from services.notifications.domain.contacts import (
    Card,
    Contact,
    peer_contact_id,
    source_contact_id,
    specialist_contact_id,
)
from services.notifications.domain.intents import Happening
from services.notifications.domain.overseers import NOBODY

_OfReferral = (
    OfferMade
    | OfferWithdrawn
    | OfferAccepted
    | OfferDeclined
    | AssignmentEnded
    | AssignmentChosen
    | ArrivalOverdue
    | CaseMoved
    | CheckinDue
    | CheckinMissed
    | ReferralEscalated
    | ReferralStatusChanged
    | ReferralSubmitted
)
# Somebody had said that they come, and now nobody does.
_COMING = ("assigned", "not-met")
_SOUGHT_AGAIN = "sought-again"
# Two machines' clocks may differ so much; a no outranks a yes that was said so soon after it.
_CLOCKS_DIFFER = timedelta(seconds=5)


def enrolled_card(event: SpecialistEnrolled, seal: PrivateSeal) -> Card:
    """The card of a specialist or supervisor; raises Unsealable, ValueError."""
    contact_id = specialist_contact_id(event.specialist_id)
    contact = _contact(event.sealed_contact, contact_id, seal)
    return Card(contact_id, event.specialist_id, event.revision, contact, event.programme_id)


def source_card(event: ReferralSubmitted | ReferralRevised, seal: PrivateSeal) -> Card:
    """The card of the source's callback for this referral, without an address where it gave none."""
    revision = event.revision if isinstance(event, ReferralRevised) else 1
    contact_id = source_contact_id(event.referral_id)
    sealed = event.sealed_source_contact
    contact = _contact(sealed, contact_id, seal) if sealed.ciphertext else Contact()
    return Card(contact_id, event.source_id, revision, contact, event.source_id, event.provenance.peer_id)


def peer_card(
    envelope: Envelope, event: ReferralSubmitted | ReferralRevised, seal: PrivateSeal
) -> Card | None:
    """What is known of writing to the peer from now on: empty where nobody said that it is safe; None for nobody.

    A peer may have several referrals, each with revisions of its own; so the time of the event is the card's revision.
    """
    peer_id, sealed = event.provenance.peer_id, event.sealed_peer_contact
    if not peer_id:
        return None
    contact = _contact(sealed, f"peer-contact:{event.referral_id}", seal) if sealed.ciphertext else Contact()
    is_yes = contact.is_reachable
    said_at = to_millisecond(envelope.time) + (timedelta() if is_yes else _CLOCKS_DIFFER)
    revision = int(said_at.timestamp() * 1000)
    return Card(peer_contact_id(peer_id), peer_id, revision, contact if is_yes else Contact())


def _told(
    envelope: Envelope, event: _OfReferral, person_id: str, contact_id: str = "", **facts: Any
) -> Happening:
    """What every happening of a referral says, for a person of the roster where no other contact is named."""
    return Happening(
        event=envelope.type,
        happened_at=to_millisecond(envelope.time),
        referral_id=event.referral_id,
        recipient_id=person_id or NOBODY,
        contact_id=contact_id or (specialist_contact_id(person_id) if person_id else ""),
        **about(event.provenance),
        **facts,
    )


def offer_made(envelope: Envelope, event: OfferMade, seal: PrivateSeal) -> Happening:
    """An offer that its specialist has to hear of."""
    token = seal.unseal(event.sealed_link_token, f"offer-link:{event.offer_id}").decode()
    return _told(
        envelope,
        event,
        event.specialist_id,
        offer_id=event.offer_id,
        deadline_at=moment(event, "deadline_at"),
        urgency=event.urgency,
        link_token=token,
    )


def offer_closed(
    envelope: Envelope, event: OfferWithdrawn | OfferAccepted | OfferDeclined | AssignmentEnded
) -> Happening:
    """An offer that needs no answer any more: withdrawn, or answered; or one whose assignment has ended."""
    return _told(envelope, event, event.specialist_id, offer_id=event.offer_id)


def status_changed(envelope: Envelope, event: ReferralStatusChanged) -> Happening:
    """A move of the referral that its source may have to hear of."""
    is_sought_again = event.previous_status in _COMING and event.status == "seeking"
    return _told(
        envelope,
        event,
        event.source_id,
        source_contact_id(event.referral_id),
        status=_SOUGHT_AGAIN if is_sought_again else event.status,
        promised_arrival_at=moment(event, "promised_arrival_at"),
        modality=event.modality,
        version=event.version,
    )


def received_for_peer(envelope: Envelope, event: ReferralSubmitted) -> Happening:
    """A referral that its peer may hear was received."""
    return _to_peer(envelope, event)


def moved_for_peer(envelope: Envelope, event: ReferralStatusChanged) -> Happening:
    """A move of the referral: the end of older news, and news where somebody promised a time or comes no more."""
    arrival, status = moment(event, "promised_arrival_at"), "moved"
    if event.status == "assigned" and arrival is not None:
        status = "assigned-to-peer"
    elif (event.previous_status, event.status) == ("assigned", "seeking"):
        status = "sought-again-to-peer"
    return _to_peer(
        envelope,
        event,
        status=status,
        promised_arrival_at=arrival,
        modality=event.modality,
        version=event.version,
    )


def checkin_for_peer(envelope: Envelope, event: CheckinDue) -> Happening:
    """A follow-up contact that the peer may expect."""
    missed_at = moment(event, "missed_at")
    return _to_peer(envelope, event, status="to-peer", number=event.number, deadline_at=missed_at)


def _to_peer(
    envelope: Envelope, event: ReferralSubmitted | ReferralStatusChanged | CheckinDue, **facts: Any
) -> Happening:
    peer_id = event.provenance.peer_id
    return _told(envelope, event, peer_id, peer_contact_id(peer_id) if peer_id else "", **facts)


def checkin_due(envelope: Envelope, event: CheckinDue) -> Happening:
    """A follow-up contact that its specialist has to make."""
    missed_at = moment(event, "missed_at")
    return _told(envelope, event, event.specialist_id, number=event.number, deadline_at=missed_at)


def checkin_missed(envelope: Envelope, event: CheckinMissed) -> Happening:
    """A follow-up contact that nobody recorded in time."""
    return _told(envelope, event, event.supervisor_id, number=event.number)


def escalated(envelope: Envelope, event: ReferralEscalated) -> Happening:
    """An escalation; with status "exhausted" where no wave is left and the supervisor is needed."""
    status = "exhausted" if event.is_exhausted else "next-wave"
    return _told(envelope, event, event.supervisor_id, status=status)


def arrival_overdue(envelope: Envelope, event: ArrivalOverdue) -> Happening:
    """A promise that is not kept, or comes too late; its supervisor has to act."""
    return _told(
        envelope,
        event,
        event.supervisor_id,
        status=event.reason_code,
        offer_id=event.offer_id,
        promised_arrival_at=moment(event, "promised_arrival_at"),
    )


def assignment_chosen(envelope: Envelope, event: AssignmentChosen) -> Happening:
    """A request that somebody has without an offer; who was chosen by hand has to hear of it."""
    return _told(envelope, event, event.specialist_id, status=event.how, offer_id=event.offer_id)


def case_moved(envelope: Envelope, event: CaseMoved) -> Happening | None:
    """Whoever carried the case until now; None where nobody did."""
    if not event.from_specialist_id:
        return None
    return _told(envelope, event, event.from_specialist_id, offer_id=event.offer_id)


def certification_expiring(envelope: Envelope, event: CertificationExpiring) -> list[Happening]:
    """Its holder has to hear of it, and their supervisor where the roster names one; raises ValueError."""
    last_day = date.fromisoformat(event.valid_until).isoformat()
    when = "ending" if event.days_left else "ended"
    people = {"own": event.specialist_id, "team": event.supervisor_id}
    return [
        Happening(
            event=envelope.type,
            status=f"{whose}-{when}",
            happened_at=to_millisecond(envelope.time),
            referral_id="",
            recipient_id=person_id,
            contact_id=specialist_contact_id(person_id),
            number=event.days_left,
            last_day=last_day,
            matter=f"{event.specialist_id}/{event.state}",
            **about(event.provenance),
        )
        for whose, person_id in people.items()
        if person_id
    ]


def _contact(sealed: SealedField, context: str, seal: PrivateSeal) -> Contact:
    said = json.loads(seal.unseal(sealed, context))
    zone = said.get("time_zone") or "UTC"
    return Contact(
        address=email_address(said.get("email") or ""),
        language=said.get("language") or "en",
        time_zone=zone if is_zone(zone) else "UTC",
        phone=phone_number(said.get("phone") or ""),
    )
