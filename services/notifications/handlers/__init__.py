"""One function per command, by what it is about."""

from services.notifications.handlers.dead import list_dead, replay_notice
from services.notifications.handlers.invitations import (
    Invited,
    hand_over,
    invited,
    own_wishes,
    say_wishes,
)
from services.notifications.handlers.overseers import (
    list_overseers,
    name_overseers,
    tell_of_broken_glass,
    tell_of_cases,
)
from services.notifications.handlers.peers import join, keep_of_referrals, recall_overtaken, tell_peers
from services.notifications.handlers.people import STAFF, change_contact, erase, get_contact, keep_contacts
from services.notifications.handlers.receipts import heard_back, mail_came_back, sms_receipt
from services.notifications.handlers.telling import close_offers, forget_links, list_notices, stop, tell

__all__ = [
    "STAFF",
    "Invited",
    "change_contact",
    "close_offers",
    "erase",
    "forget_links",
    "get_contact",
    "hand_over",
    "heard_back",
    "invited",
    "join",
    "keep_contacts",
    "keep_of_referrals",
    "list_dead",
    "list_notices",
    "list_overseers",
    "mail_came_back",
    "name_overseers",
    "own_wishes",
    "recall_overtaken",
    "replay_notice",
    "say_wishes",
    "sms_receipt",
    "stop",
    "tell",
    "tell_of_broken_glass",
    "tell_of_cases",
    "tell_peers",
]
