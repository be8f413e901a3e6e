"""Protos on one side, the domain on the other; what is sealed to notifications is unsealed here and nowhere else."""

from services.notifications.codec.addresses import email_address, phone_number
from services.notifications.codec.contacts import (
    changed_to_proto,
    contact_event_to_proto,
    contact_to_proto,
    wanted_from_proto,
)
from services.notifications.codec.events import (
    arrival_overdue,
    assignment_chosen,
    case_moved,
    certification_expiring,
    checkin_due,
    checkin_for_peer,
    checkin_missed,
    enrolled_card,
    escalated,
    moved_for_peer,
    offer_closed,
    offer_made,
    peer_card,
    received_for_peer,
    source_card,
    status_changed,
)
from services.notifications.codec.overseers import (
    organization_asked,
    overseers_from_proto,
    overseers_to_proto,
)
from services.notifications.codec.oversight import glass_broken, review_opened
from services.notifications.codec.said import event_to_proto, notice_to_proto, notices_to_proto

__all__ = [
    "arrival_overdue",
    "assignment_chosen",
    "case_moved",
    "certification_expiring",
    "changed_to_proto",
    "checkin_due",
    "checkin_for_peer",
    "checkin_missed",
    "contact_event_to_proto",
    "contact_to_proto",
    "email_address",
    "enrolled_card",
    "escalated",
    "event_to_proto",
    "glass_broken",
    "moved_for_peer",
    "notice_to_proto",
    "notices_to_proto",
    "offer_closed",
    "offer_made",
    "organization_asked",
    "overseers_from_proto",
    "overseers_to_proto",
    "peer_card",
    "phone_number",
    "received_for_peer",
    "review_opened",
    "source_card",
    "status_changed",
    "wanted_from_proto",
]
