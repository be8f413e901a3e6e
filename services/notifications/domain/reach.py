"""May this notice go out now, and how: the card, the wishes and the table come together in one answer."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.notifications.domain.contacts import Contact
from services.notifications.domain.intents import (
    AFTER_STOP,
    Channel,
    Intent,
    Quiet,
    Recipient,
    Rule,
    Urgency,
    rule_of,
)
from services.notifications.domain.notices import Attempt, Notice, Outcome, Reason, reason_out_of_time
from services.notifications.domain.windows import Window, free_from
from services.notifications.domain.wishes import Wishes

_FINAL: Final = (Outcome.REFUSED, Outcome.BOUNCED)
_SPREAD: Final = timedelta(minutes=1)
# Nobody asked the peer: from 9 p.m. to 8 a.m. where they are, as 47 CFR 64.1200(c)(1) has it for who did not agree.
_NIGHT: Final = Window(21 * 60, 8 * 60)
# After so many tries in a row without a yes the next channel has its turn; after the last, the first again.
TRIES_IN_A_ROW: Final = 3


@dataclass(frozen=True)
class Reach:
    """Everything that decides how one person is written to."""

    contact: Contact
    addresses: Mapping[Channel, str] = field(default_factory=dict, repr=False)
    channels: tuple[Channel, ...] = ()
    closed: frozenset[Channel] = frozenset()
    # The keyed mark of each address, where somebody looked for it.
    marks: Mapping[Channel, str] = field(default_factory=dict)
    quiet: tuple[Window, ...] = ()
    unsafe: tuple[Window, ...] = ()
    is_do_not_contact: bool = False
    secrets: tuple[str, ...] = field(default=(), repr=False)
    digest_minute: int = -1
    is_routine_only_here: bool = False

    @property
    def zone(self) -> ZoneInfo:
        """The person's time zone."""
        return zone_named(self.contact.time_zone)


@dataclass(frozen=True)
class Go:
    """Send it now, on this channel."""

    channel: Channel
    address: str = field(repr=False)


@dataclass(frozen=True)
class Wait:
    """Not before this moment."""

    until: datetime


@dataclass(frozen=True)
class Never:
    """It must not be sent. `is_failure` where somebody should know that nobody heard."""

    reason: Reason
    is_failure: bool


Verdict = Go | Wait | Never


def reach_of(contact: Contact | None, wishes: Wishes | None) -> Reach | None:
    """What the card and the wishes make together; None where there is neither. No address is closed yet."""
    if wishes is None:
        return Reach(contact, _addresses(contact, None)) if contact is not None else None
    card = contact or Contact()
    told = Contact(
        address=wishes.email or card.address,
        language=wishes.language or card.language,
        time_zone=wishes.time_zone or card.time_zone,
        phone=wishes.phone or card.phone,
    )
    return Reach(
        contact=told,
        addresses=_addresses(told, wishes),
        channels=wishes.channels,
        closed=frozenset(wishes.shared),
        quiet=wishes.quiet,
        unsafe=wishes.unsafe,
        is_do_not_contact=wishes.is_do_not_contact,
        secrets=wishes.webhook_secrets,
        digest_minute=wishes.digest_minute,
        is_routine_only_here=wishes.is_routine_only_here,
    )


def decide(notice: Notice, reach: Reach | None, now: datetime, *, is_stopped: bool) -> Verdict:
    """What may happen to a due notice now. Asked again before every attempt, so a change is heeded at once."""
    if is_stopped and notice.intent not in AFTER_STOP:
        return Never(Reason.REFERRAL_STOPPED, is_failure=False)
    if reach is None or (_is_for_peer(notice) and not reach.addresses.get(Channel.SMS)):
        is_peer = _is_for_peer(notice)  # nobody calls it safe any more, and that is no failure
        return Never(Reason.DO_NOT_CONTACT if is_peer else Reason.NO_ADDRESS, is_failure=not is_peer)
    return _silence(notice, reach, now) or _way(notice, reach, now)


def _silence(notice: Notice, reach: Reach, now: datetime) -> Never | None:
    if reach.is_do_not_contact:
        # Whoever made an offer need not wait for an answer that nobody was asked for.
        return Never(Reason.DO_NOT_CONTACT, is_failure=notice.intent is Intent.OFFER_MADE)
    if now >= notice.expires_at:
        return Never(reason_out_of_time(notice), is_failure=True)
    return None


def _way(notice: Notice, reach: Reach, now: datetime) -> Verdict:
    rule = rule_of(notice.intent)
    channel = next_channel(rule, reach, notice)
    if channel is None and _is_for_peer(notice) and not _refused(notice):
        # They asked for silence, or somebody else reads there: what was asked for is no failure, and on no list.
        return Never(Reason.DO_NOT_CONTACT, is_failure=False)
    if channel is None:
        reason = Reason.REFUSED_BY_FAR_SIDE if _refused(notice) else Reason.NO_ADDRESS
        return Never(reason, is_failure=True)
    free_at = free_from(_windows(rule, notice, reach), reach.zone, now)
    if free_at is None or (free_at > now and free_at >= notice.expires_at):
        return Never(Reason.NO_SAFE_TIME, is_failure=not _is_for_peer(notice))
    return Wait(free_at) if free_at > now else Go(channel, reach.addresses[channel])


def next_channel(rule: Rule, reach: Reach, notice: Notice) -> Channel | None:
    """The channel of the next attempt: the person's order, never one that refused, each for a few tries in turn."""
    wanted = reach.channels or rule.channels
    if reach.is_routine_only_here and rule.may_wait:
        wanted = (Channel.IN_APP,)
    refused = _refused(notice)
    usable = [
        one for one in wanted if reach.addresses.get(one) and one not in reach.closed and one not in refused
    ]
    tries = Counter(attempt.channel for attempt in _counting(notice))
    return min(usable, key=lambda one: (tries[one] // TRIES_IN_A_ROW, usable.index(one)), default=None)


def has_tried_all(rule: Rule, reach: Reach, notice: Notice) -> bool:
    """True where every usable channel had its tries in a row."""
    channel = next_channel(rule, reach, notice)
    return sum(attempt.channel is channel for attempt in _counting(notice)) >= TRIES_IN_A_ROW


def digest_at(notice: Notice, reach: Reach, now: datetime) -> datetime | None:
    """When a notice of low urgency is due for somebody who wants one letter a day; None where it does not wait."""
    if (
        reach.digest_minute < 0
        or reach.is_routine_only_here
        or not rule_of(notice.intent).may_wait
        or notice.urgency is not Urgency.ROUTINE
    ):
        return None
    hour, minute = divmod(reach.digest_minute, 60)
    local = now.astimezone(reach.zone)
    at = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if at <= local:
        at += timedelta(days=1)
    return at.astimezone(now.tzinfo)


def spread(moment: datetime, now: datetime, expires_at: datetime) -> datetime:
    """The moment or up to a minute later, by chance: what many waited for does not all go out in its first second."""
    if moment - now <= _SPREAD:
        return moment
    later = moment + _SPREAD * random.random()
    return later if later < expires_at else moment


@lru_cache(maxsize=512)
def zone_named(name: str) -> ZoneInfo:
    """The zone; UTC for a name nobody knows."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def _refused(notice: Notice) -> set[Channel]:
    return {attempt.channel for attempt in _counting(notice) if attempt.outcome in _FINAL}


def _counting(notice: Notice) -> list[Attempt]:
    """Those that say something about a way; one that was recorded and then not made does not."""
    return [
        attempt
        for attempt in notice.attempts
        if attempt.number > notice.fresh_after and attempt.outcome is not Outcome.WITHHELD
    ]


def _windows(rule: Rule, notice: Notice, reach: Reach) -> tuple[Window, ...]:
    breaks = rule.quiet is Quiet.BREAKS_IF_IMMEDIATE and notice.urgency is Urgency.IMMEDIATE
    usual = (_NIGHT,) if rule.recipient is Recipient.PEER else ()
    return reach.unsafe if breaks else (*reach.unsafe, *(reach.quiet or usual))


def _is_for_peer(notice: Notice) -> bool:
    return rule_of(notice.intent).recipient is Recipient.PEER


def _addresses(contact: Contact, wishes: Wishes | None) -> Mapping[Channel, str]:
    webhook = wishes.webhook_url if wishes is not None and wishes.webhook_secrets else ""
    found = {
        Channel.EMAIL: contact.address,
        Channel.SMS: contact.phone,
        Channel.WEBHOOK: webhook,
        Channel.APPRISE: wishes.apprise_url if wishes is not None else "",
        Channel.IN_APP: "inbox",
    }
    return {channel: address for channel, address in found.items() if address}
