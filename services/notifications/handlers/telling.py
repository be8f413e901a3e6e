"""Telling people: open their notices, close offers, stop what may not be said any more, list what was said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chassis.envelope import Cause
from chassis.errors import Fault, Kind, Refusal
from chassis.identity import Caller
from services.notifications.domain import contacts, notices
from services.notifications.domain.events import Event
from services.notifications.domain.intents import (
    AFTER_STOP,
    TABLE,
    Happening,
    Intent,
    Rule,
    expires_at,
    notice_id,
    rule_for,
)
from services.notifications.domain.notices import Notice, Reason
from services.notifications.domain.opening import Opening, open_cancelled, open_notice

if TYPE_CHECKING:
    from services.notifications.bootstrap import Room

Told = tuple[Happening, Cause]
_LONGEST_LIST = 500
_USUAL_LIST = 100


def tell(room: Room, told: Sequence[Told]) -> None:
    """Whoever the table names has one notice for each happening, due at once.

    A happening whose recipient is not known yet waits: Refusal TOO_EARLY after the others were stored.
    After `contacts.PATIENCE` it is given up as "no-address", and notice.failed.v1 says so.
    """
    known = _known(room, told)
    early = [happening for happening, _ in told if _is_too_early(room, happening, known)]
    ready = [pair for pair in told if pair[0] not in early]
    opened = room.notices.open_many([opening for pair in ready if (opening := _opening(room, *pair, known))])
    room.sending.hand_on(opened)
    if early:
        raise Refusal("contact-not-known-yet", Kind.TOO_EARLY, referral_id=early[0].referral_id)


def close_offers(room: Room, told: Sequence[Told]) -> None:
    """No offer that is closed is still on its way to its specialist; who may have heard of it hears that it closed.

    An offer closed before its notice was opened gets a cancelled notice now, so that the late event opens none.
    An answered offer (accepted, declined) is only cancelled: whoever answered needs no further word.
    """
    ids = [_offer_notice_id(happening) for happening, _ in told]
    found = room.notices.load_many(ids)
    unheard_of = [pair for pair, one in zip(told, ids, strict=True) if one not in found]
    if unheard_of:
        room.notices.open_many([_cancelled(room, *pair) for pair in unheard_of])
        found = room.notices.load_many(ids)
    closed = [room.notices.revise(found[one], _close).notice for one in ids]
    heard = [pair for pair, notice in zip(told, closed, strict=True) if notices.may_have_been_heard(notice)]
    tell(room, [pair for pair in heard if rule_for(pair[0].event)])


def stop(room: Room, referral_id: str, stop_code: str) -> None:
    """From now on nobody hears of the referral but whoever was asked: they need not answer, nor come (P7)."""
    room.stops.mark(referral_id, stop_code, room.clock.now())
    for held in room.notices.held_of_referral(referral_id):
        if held.notice.intent not in AFTER_STOP:
            room.notices.revise(held, _stop)


def _stop(notice: Notice) -> tuple[Notice, list[Event]]:
    return notices.cancel(notice, Reason.REFERRAL_STOPPED), []


def forget_links(room: Room) -> None:
    """Links whose time is over are in no database any more."""
    room.notices.forget_old_links(room.clock.now())


def list_notices(
    room: Room, caller: Caller, *, referral_id: str, recipient_id: str, limit: int, cause: Cause
) -> list[Notice]:
    """The notices of a referral or of a recipient, newest first; the read is in the audit trail before they leave."""
    if bool(referral_id) == bool(recipient_id):
        fault = Fault("referral_id", "one-of-two", "Name either a referral or a recipient.")
        raise Refusal("criterion-needed", Kind.INVALID, fault.message, faults=[fault])
    if not 0 <= limit <= _LONGEST_LIST:
        fault = Fault("limit", "out-of-range", f"The limit is between 0 and {_LONGEST_LIST}.")
        raise Refusal("limit-out-of-range", Kind.INVALID, fault.message, faults=[fault])
    most = limit or _USUAL_LIST
    found = (
        room.notices.of_referral(referral_id, most)
        if referral_id
        else room.notices.of_recipient(recipient_id, most)
    )
    room.access.record_read(
        caller,
        record_type="Notice",
        record_id=referral_id or recipient_id,
        action="search",
        criteria=["referral_id" if referral_id else "recipient_id"],
        subject_id=found[0].peer_id if referral_id and found else "",
        referral_id=referral_id,
        cause=cause,
    )
    return found


def _known(room: Room, told: Sequence[Told]) -> dict[str, bool]:
    """Which cards are there, and whether anything can be sent; wishes with an address of their own count too."""
    known = room.people.known([happening.contact_id for happening, _ in told])
    without = [
        happening for happening, _ in told if happening.contact_id and not known.get(happening.contact_id)
    ]
    wishes = room.wishes.of([happening.recipient_id for happening in without]) if without else {}
    for happening in without:
        wished = wishes.get(happening.recipient_id)
        if wished is not None and wished.is_reachable:
            known[happening.contact_id] = True
    return known


def _is_too_early(room: Room, happening: Happening, known: dict[str, bool]) -> bool:
    rule = rule_for(happening.event, happening.status)
    if rule is None or not happening.contact_id or happening.contact_id in known:
        return False
    return contacts.is_worth_waiting_for(happening.happened_at, room.clock.now(), expires_at(rule, happening))


def _opening(
    room: Room, happening: Happening, cause: Cause, known: dict[str, bool]
) -> tuple[Opening, Cause] | None:
    rule = rule_for(happening.event, happening.status)
    if rule is None:
        return None
    is_reachable = known.get(happening.contact_id, False)
    notice, events = open_notice(rule, happening, room.clock.now(), is_reachable=is_reachable)
    return Opening(notice, events, happening.link_token), cause


def _cancelled(room: Room, happening: Happening, cause: Cause) -> tuple[Opening, Cause]:
    return Opening(open_cancelled(_offer_rule(), happening, room.clock.now())), cause


def _close(notice: Notice) -> tuple[Notice, list[Event]]:
    return notices.cancel(notice, Reason.OFFER_CLOSED), []


def _offer_notice_id(happening: Happening) -> str:
    return notice_id(_offer_rule(), happening)


def _offer_rule() -> Rule:
    return next(rule for rule in TABLE if rule.intent is Intent.OFFER_MADE)
