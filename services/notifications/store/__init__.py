"""What notifications keeps: notices, contacts, wishes, what is known of addresses, stops and rates."""

from services.notifications.store.addresses import Addresses, Marker, Rates, Stops
from services.notifications.store.contacts import Contacts
from services.notifications.store.invitations import Invitation, Invitations
from services.notifications.store.joined import JoinedPeople
from services.notifications.store.links import Links
from services.notifications.store.notice_documents import Held
from services.notifications.store.notices import Decision, Notices
from services.notifications.store.overseers import Named, Overseers
from services.notifications.store.sessions import Sessions
from services.notifications.store.wishes import HeldWishes, WishStore

__all__ = [
    "Addresses",
    "Contacts",
    "Decision",
    "Held",
    "HeldWishes",
    "Invitation",
    "Invitations",
    "JoinedPeople",
    "Links",
    "Marker",
    "Named",
    "Notices",
    "Overseers",
    "Rates",
    "Sessions",
    "Stops",
    "WishStore",
]
