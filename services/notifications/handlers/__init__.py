"""One function per command, by what it is about."""

from services.notifications.handlers.dead import list_dead, replay_notice
from services.notifications.handlers.people import change_contact, erase, get_contact, keep_contacts
from services.notifications.handlers.receipts import heard_back, mail_came_back, sms_receipt
from services.notifications.handlers.telling import close_offers, forget_links, list_notices, stop, tell

__all__ = [
    "change_contact",
    "close_offers",
    "erase",
    "forget_links",
    "get_contact",
    "heard_back",
    "keep_contacts",
    "list_dead",
    "list_notices",
    "mail_came_back",
    "replay_notice",
    "sms_receipt",
    "stop",
    "tell",
]
