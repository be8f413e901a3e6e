"""How a person can be reached: addresses, a language, a time zone; opened only inside this service."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

# How long a notice waits for a contact that may still be on its way; then it is given up, and says so.
PATIENCE = timedelta(minutes=10)
_PEER = "peer-contact"


@dataclass(frozen=True)
class Contact:
    """Where and how a person reads. `address` (e-mail) and `phone` (E.164) are "" where there is none to be used."""

    address: str = field(default="", repr=False)
    language: str = "en"
    time_zone: str = "UTC"
    phone: str = field(default="", repr=False)

    @property
    def is_reachable(self) -> bool:
        """True where there is any address at all."""
        return bool(self.address or self.phone)


@dataclass(frozen=True)
class Card:
    """The contact of one person in one of their parts, with the revision it was said in."""

    contact_id: str
    # Whose data key seals it: destroying that key makes every card of the person unreadable.
    person_id: str
    revision: int
    contact: Contact
    # Whose staff may see and change how this person is reached: the programme, or the unit itself.
    organization_id: str = ""
    # On a source's card: whom the referral is of.
    peer_id: str = ""


def specialist_contact_id(specialist_id: str) -> str:
    """The card of a specialist or supervisor; also the context their sealed contact is bound to."""
    return f"specialist-contact:{specialist_id}"


def source_contact_id(referral_id: str) -> str:
    """The card of the source's callback for one referral; also the context it is bound to when sealed."""
    return f"source-contact:{referral_id}"


def peer_contact_id(peer_id: str) -> str:
    """The card of a peer: one, whichever of their referrals spoke last."""
    return f"{_PEER}:{peer_id}"


def peer_of(contact_id: str) -> str:
    """Whose card it is, "" for one that is no peer's."""
    kind, _, peer_id = contact_id.partition(":")
    return peer_id if kind == _PEER else ""


def is_worth_waiting_for(happened_at: datetime, now: datetime, expires_at: datetime) -> bool:
    """True while a missing contact may still arrive, and somebody else could still be asked where it does not."""
    half_time = happened_at + (expires_at - happened_at) / 2
    return now < min(half_time, happened_at + PATIENCE)
