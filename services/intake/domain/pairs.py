"""Two pseudonyms that may be one person: what is decided about them, by whom, and that it can be undone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from chassis.errors import Kind, Refusal
from services.intake.domain.events import Event, PersonMerged, PersonUnmerged

MERGE_REASONS = ("record-merge", "reviewed")
UNMERGE_REASONS = ("wrong-merge", "record-unmerge")
APART_REASONS = ("twins", "parent-and-child", "namesakes", "other-people")


class PairState(StrEnum):
    """Where a pair stands; OPEN and LATER are in the review list."""

    OPEN = "open"
    LATER = "later"
    SAME = "same"
    APART = "apart"
    UNMERGED = "unmerged"


class PairUnknown(Refusal):
    """No such pair waits for a review of the caller's organization."""

    def __init__(self) -> None:
        super().__init__("pair-unknown", Kind.NOT_FOUND, "There is no such pair.")


class NotMerged(Refusal):
    """The two are not one person, or became one by another merge, which has to be undone first."""

    def __init__(self) -> None:
        super().__init__("not-merged", Kind.CONFLICT, "These two were not merged with each other.")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pseudonyms and what is known of them as a pair; no PHI.

    `levels` and `caveats` are words of `linkage`.  `surviving_id` and `merged_id` are set while they are one person.
    `doubled` are referrals of one visit that the merge brought together: (one, other).
    """

    pair_id: str
    peer_ids: tuple[str, str]
    state: PairState
    found_at: datetime
    score: float = 0.0
    levels: Mapping[str, str] = field(default_factory=dict)
    caveats: tuple[str, ...] = ()
    surviving_id: str = ""
    merged_id: str = ""
    reason_code: str = ""
    decided_by: str = ""
    decided_at: datetime | None = None
    doubled: tuple[tuple[str, str], ...] = ()


Decided = tuple[Pair, Sequence[Event]]


def pair_id_of(one: str, other: str) -> str:
    """The id of two pseudonyms' pair, whoever is named first."""
    words = "|".join(sorted((one, other))).encode()
    return "pair-" + hashlib.sha256(words).hexdigest()[:32]


def new_pair(one: str, other: str, now: datetime) -> Pair:
    """A pair nobody looked at yet."""
    first, second = sorted((one, other))
    return Pair(pair_id_of(one, other), (first, second), PairState.OPEN, now)


def merge(
    pair: Pair, surviving_id: str, merged_id: str, *, reason_code: str, by: str, now: datetime
) -> Decided:
    """The two are one person from now on."""
    known_reason(reason_code, MERGE_REASONS)
    merged = replace(
        pair,
        state=PairState.SAME,
        surviving_id=surviving_id,
        merged_id=merged_id,
        reason_code=reason_code,
        decided_by=by,
        decided_at=now,
    )
    return merged, [PersonMerged(surviving_id, merged_id, reason_code)]


def unmerge(pair: Pair, reason_code: str, by: str, now: datetime) -> Decided:
    """The two are two people again, each as before; raises NotMerged."""
    known_reason(reason_code, UNMERGE_REASONS)
    if pair.state is not PairState.SAME:
        raise NotMerged
    undone = replace(
        pair,
        state=PairState.UNMERGED,
        reason_code=reason_code,
        decided_by=by,
        decided_at=now,
        doubled=(),
    )
    return undone, [PersonUnmerged(pair.surviving_id, pair.merged_id, reason_code)]


def keep_apart(pair: Pair, reason_code: str, by: str, now: datetime) -> Pair:
    """Somebody looked: the two are two people."""
    known_reason(reason_code, APART_REASONS)
    if pair.state is PairState.SAME:
        raise Refusal("already-merged", Kind.CONFLICT, "These two are one person: undo the merge first.")
    return replace(pair, state=PairState.APART, reason_code=reason_code, decided_by=by, decided_at=now)


def postpone(pair: Pair, by: str, now: datetime) -> Pair:
    """Somebody looked and could not tell; the pair goes to the end of the list."""
    if pair.state not in (PairState.OPEN, PairState.LATER):
        return pair
    return replace(pair, state=PairState.LATER, decided_by=by, decided_at=now)


def known_reason(reason_code: str, known: Sequence[str]) -> None:
    """Raises Refusal INVALID reason-unknown."""
    if reason_code not in known:
        message = "A reason is needed: " + ", ".join(known) + "."
        raise Refusal("reason-unknown", Kind.INVALID, message)
