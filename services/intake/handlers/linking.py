"""Who is the same person: merged by record numbers or by a reviewer, kept apart, and both undone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chassis.envelope import Cause
from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from services.intake.domain import pairs
from services.intake.domain.pairs import Decided, Pair, PairUnknown
from services.intake.domain.person import Person, RecordNumber
from services.intake.domain.states import CLOSED

if TYPE_CHECKING:
    from services.intake.bootstrap import Room

PAIR = "PersonPair"
_MOST_LISTED = 100
_MOST_JOINED = 50


class NotYourPeople(Refusal):
    """One of the two was never spoken of by the caller's organization."""

    def __init__(self) -> None:
        super().__init__("not-your-people", Kind.FORBIDDEN, "Your organization does not know both of these.")


@dataclass(frozen=True, slots=True)
class Linked:
    """What a merge came to; ids are empty where the caller's organization knows neither of the two here."""

    surviving_peer_id: str = ""
    merged_peer_id: str = ""
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Side:
    """One of two who may be one person: a pseudonym, and what the caller's own organization said of them."""

    peer_id: str
    persons: tuple[Person, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A source's review list: uncertain pairs, merged ones with two referrals of one visit, and the last merged."""

    pairs: Sequence[Pair]
    doubled: Sequence[Pair]
    joined: Sequence[Pair]


def merge_people(
    room: Room, caller: Caller, surviving: RecordNumber, merged: RecordNumber, *, cause: Cause
) -> Linked:
    """The two numbers of the caller's organization are one person's from now on (HL7 ADT^A40).

    Said again, it changes nothing.  Nothing happens where neither number is known: who was never referred is not kept.
    A number that is not known yet is remembered, so that a later message with it finds the person.
    Nobody whom another organization knows is merged by a number alone: where the other side is somebody the caller
    never spoke of, or somebody whose name and birth date do not fit, the two are left apart for people to look at.
    Raises Refusal INVALID same-number.
    """
    if surviving == merged:
        message = "A number cannot be merged into itself."
        raise Refusal("same-number", Kind.INVALID, message)
    source_id = caller.organization_id
    numbers = (surviving, merged)
    known = [room.people.with_number(source_id, number) for number in numbers]
    if not any(known):
        return Linked()
    elsewhere = [
        "" if peer_id else room.people.found(Person(record_numbers=(number,)))
        for peer_id, number in zip(known, numbers, strict=True)
    ]
    top, below = (
        peer_id or other or room.people.met_by_number(source_id, number)
        for peer_id, other, number in zip(known, elsewhere, numbers, strict=True)
    )
    if any(elsewhere) or room.people.is_anothers(top, below, source_id):
        room.people.doubt(top, below, source_id)
        return Linked()
    return merge_peers(room, caller, top, below, reason_code="record-merge", cause=cause)


def merge_peers(
    room: Room,
    caller: Caller,
    surviving_peer_id: str,
    merged_peer_id: str,
    *,
    reason_code: str,
    cause: Cause,
) -> Linked:
    """The second pseudonym leads to the first; referrals keep theirs, and nothing of either is mixed.

    Of two open referrals of one visit neither is touched: they are flagged in the review list.
    Raises NotYourPeople, Refusal INVALID reason-unknown.
    """
    pairs.known_reason(reason_code, pairs.MERGE_REASONS)
    _both_theirs(room, caller, (surviving_peer_id, merged_peer_id), "merge", cause)

    def decide(pair: Pair, top: str, below: str) -> Decided:
        return pairs.merge(
            pair, top, below, reason_code=reason_code, by=caller.actor_id, now=room.clock.now()
        )

    pair = room.links.merge(surviving_peer_id, merged_peer_id, decide, (caller, cause))
    if pair is None:
        return Linked(room.links.root(surviving_peer_id), merged_peer_id)
    return Linked(pair.surviving_id, pair.merged_id, is_new=True)


def unmerge_peers(
    room: Room,
    caller: Caller,
    surviving_peer_id: str,
    merged_peer_id: str,
    *,
    reason_code: str,
    cause: Cause,
) -> Linked:
    """The two are two people again, each exactly as before; said again, it changes nothing.

    Raises NotYourPeople, NotMerged where another merge stands between the two, Refusal INVALID reason-unknown.
    """
    pairs.known_reason(reason_code, pairs.UNMERGE_REASONS)
    _both_theirs(room, caller, (surviving_peer_id, merged_peer_id), "unmerge", cause)

    def decide(pair: Pair) -> Decided:
        return pairs.unmerge(pair, reason_code, caller.actor_id, room.clock.now())

    undone = room.links.unmerge(surviving_peer_id, merged_peer_id, decide, (caller, cause))
    return Linked(surviving_peer_id, merged_peer_id, is_new=undone is not None)


def keep_apart(room: Room, caller: Caller, pair_id: str, *, reason_code: str, cause: Cause) -> Pair:
    """Somebody looked: the two are two people, and the pair is not asked about again.

    Raises PairUnknown, Refusal CONFLICT already-merged, INVALID reason-unknown.
    """
    pairs.known_reason(reason_code, pairs.APART_REASONS)
    pair = _own_pair(room, caller, pair_id, "update", cause)
    _record(room, caller, pair, "update", cause)
    now = room.clock.now()

    def decide(known: Pair) -> Pair:
        return pairs.keep_apart(known, reason_code, caller.actor_id, now)

    return room.links.change(pair_id, decide, None, (caller, cause))


def postpone_pair(room: Room, caller: Caller, pair_id: str, *, cause: Cause) -> Pair:
    """The pair goes to the end of the list.  Raises PairUnknown."""
    _own_pair(room, caller, pair_id, "update", cause)
    now = room.clock.now()

    def decide(known: Pair) -> Pair:
        return pairs.postpone(known, caller.actor_id, now)

    return room.links.change(pair_id, decide, now, (caller, cause))


def list_pairs(room: Room, caller: Caller, *, cause: Cause) -> Waiting:
    """What waits for a review of the caller's organization, without PHI; audited like any search."""
    waiting = [
        pair for pair in room.links.waiting(caller.organization_id, _MOST_LISTED) if _is_open(room, pair)
    ]
    doubled = [pair for pair in room.links.doubled(caller.organization_id) if open_doubles(room, pair)]
    joined = room.links.joined(caller.organization_id, _MOST_JOINED)
    room.access.record_read(caller, record_type=PAIR, record_id="", action="search", cause=cause)
    return Waiting(waiting, doubled, joined)


def read_pair(room: Room, caller: Caller, pair_id: str, *, cause: Cause) -> tuple[Pair, Side, Side]:
    """Both identities as the caller's own organization told them; each read is in the audit trail before it is shown.

    Of two who were joined each is as it was before, so that a wrong join can be seen.
    Raises PairUnknown, also for a pair one side of which another organization told (no hint that it is there).
    """
    pair = _own_pair(room, caller, pair_id, "read", cause)
    beneath = {pair.surviving_id: pair.merged_id}
    one, other = (
        Side(peer_id, tuple(room.people.faces_at(peer_id, caller.organization_id, beneath.get(peer_id, ""))))
        for peer_id in pair.peer_ids
    )
    _record(room, caller, pair, "read", cause)
    return pair, one, other


def open_doubles(room: Room, pair: Pair) -> list[tuple[str, str]]:
    """The referrals of one visit that a merge brought together, where both are still open."""

    def is_open(referral_id: str) -> bool:
        return room.referrals.load(referral_id).referral.state not in CLOSED

    return [(one, other) for one, other in pair.doubled if is_open(one) and is_open(other)]


def _is_open(room: Room, pair: Pair) -> bool:
    first, second = (room.links.root(peer_id) for peer_id in pair.peer_ids)
    return first != second  # another merge may have answered the question


def _own_pair(room: Room, caller: Caller, pair_id: str, action: str, cause: Cause) -> Pair:
    if caller.organization_id and caller.organization_id in room.links.reviewers(pair_id):
        return room.links.load(pair_id)
    room.access.record_denied(
        caller, record_type=PAIR, record_id=pair_id, action=action, reason_code="pair-unknown", cause=cause
    )
    raise PairUnknown


def _record(room: Room, caller: Caller, pair: Pair, action: str, cause: Cause) -> None:
    for peer_id in pair.peer_ids:
        room.access.record_read(
            caller,
            record_type=PAIR,
            record_id=pair.pair_id,
            action=action,
            subject_id=peer_id,
            cause=cause,
        )


def _both_theirs(room: Room, caller: Caller, peer_ids: tuple[str, str], action: str, cause: Cause) -> None:
    source_id = caller.organization_id
    if source_id and all(room.people.is_known_at(peer_id, source_id) for peer_id in peer_ids):
        return
    room.access.record_denied(
        caller, record_type=PAIR, record_id="", action=action, reason_code="not-your-people", cause=cause
    )
    raise NotYourPeople
