"""What somebody looks at: a case, offers, an offer behind its link; each look is written down before it is shown."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from chassis.envelope import Cause
from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from services.matching.domain import case as cases
from services.matching.domain.case import Case, Offer

if TYPE_CHECKING:
    from services.matching.bootstrap import Room

_MOST_LISTED = 200
_RECORD = "Match"


def offer_of_link(room: Room, token: str, cause: Cause) -> tuple[Case, Offer]:
    """The open offer a link leads to; the same Refusal NOT_FOUND for every link that leads to none; audited."""
    case, offer_id = room.cases.with_token(hashlib.sha256(token.encode()).digest())
    offer = case.offer(offer_id)
    reader = Caller(offer.specialist_id, "specialist", offer.programme_id, "TREAT")
    if offer.state != cases.OPEN or offer.deadline_at <= room.clock.now():
        _denied(room, reader, case.referral_id, "link-not-open", cause)
        raise Refusal("link-not-open", Kind.NOT_FOUND)
    _read(room, reader, case, cause)
    return case, offer


def list_offers(
    room: Room, specialist_id: str, referral_id: str, is_only_open: bool, caller: Caller, *, cause: Cause
) -> list[tuple[Case, Offer]]:
    """The offers of a specialist or a referral, newest case first, as far as the caller may see them; audited."""
    if caller.role == "specialist":
        if specialist_id not in ("", caller.actor_id):
            raise Refusal("not-your-offer", Kind.FORBIDDEN, "You may list your own offers.")
        specialist_id = caller.actor_id
    if not specialist_id and not referral_id:
        raise Refusal("which-offers", Kind.INVALID, "Name a specialist or a referral.")
    found = (
        [room.cases.case(referral_id)]
        if referral_id
        else room.cases.of_specialist(specialist_id, _MOST_LISTED)
    )
    seen = [
        (case, offer)
        for case in found
        for offer in case.offers
        if may_see(offer, caller)
        and specialist_id in ("", offer.specialist_id)
        and (offer.state == cases.OPEN or not is_only_open)
    ]
    sought = "referral" if referral_id else f"specialist={specialist_id}"
    record_seen(room, caller, sought, (case for case, _ in seen), cause)
    return seen


def read_case(room: Room, referral_id: str, caller: Caller, cause: Cause) -> tuple[Case, list[Offer]]:
    """The case and those of its offers the caller may see.

    A source sees its own referrals without the offers, a specialist the cases they were offered, a supervisor or
    coordinator every case with their own programme's offers. Anything else is Refusal NOT_FOUND, as for a case that is
    not there: the trail alone knows the difference.
    """
    case = room.cases.case(referral_id)
    seen = [offer for offer in case.offers if may_see(offer, caller)]
    is_source = caller.role in ("nurse", "clinician") and caller.organization_id == case.need.source_id
    if not (seen or is_source or caller.role in ("supervisor", "coordinator", "system")):
        _denied(room, caller, referral_id, "not-your-case", cause)
        raise Refusal("case-unknown", Kind.NOT_FOUND, "Matching knows no referral of this id.")
    _read(room, caller, case, cause)
    return case, seen


def record_seen(room: Room, caller: Caller, criteria: str, found: Iterable[Case], cause: Cause) -> None:
    """The search and every case it shows are on record, so the answer may leave."""
    room.access.record_search(
        caller,
        record_type=_RECORD,
        criteria=[criteria],
        found=list(dict.fromkeys((case.referral_id, case.need.peer_id) for case in found)),
        cause=cause,
    )


def may_see(offer: Offer, caller: Caller) -> bool:
    """A specialist their own, who leads their programme's."""
    if caller.role == "specialist":
        return (offer.specialist_id, offer.programme_id) == (caller.actor_id, caller.organization_id)
    if caller.role in ("supervisor", "coordinator"):
        return offer.programme_id == caller.organization_id
    return caller.role == "system"


def _read(room: Room, caller: Caller, case: Case, cause: Cause) -> None:
    room.access.record_read(
        caller,
        record_type=_RECORD,
        record_id=case.referral_id,
        action="read",
        cause=cause,
        subject_id=case.need.peer_id,
        referral_id=case.referral_id,
    )


def _denied(room: Room, caller: Caller, referral_id: str, reason_code: str, cause: Cause) -> None:
    room.access.record_denied(
        caller,
        record_type=_RECORD,
        record_id=referral_id,
        action="read",
        reason_code=reason_code,
        cause=cause,
    )
