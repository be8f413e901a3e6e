"""A review: something a rule found, or somebody asked about, that a person must judge by a given time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chassis.errors import Kind, Refusal

STATES = ("open", "explained", "violation", "false-alarm")
# Break-glass has a second look within a day (DOMAIN 5); a medical emergency's four facts are checked as soon.
DUE_IN = {
    "break-glass": timedelta(hours=24),
    "emergency": timedelta(hours=24),
    "log-check": timedelta(hours=24),
}
_USUALLY_DUE_IN = timedelta(days=7)
MOST_ENTRIES = 100


@dataclass(frozen=True, slots=True)
class Step:
    """One decision: who gave the review this state, when, and why in their words (sealed where it is stored)."""

    state: str
    by: str
    at: datetime
    note: str = ""


@dataclass(frozen=True, slots=True)
class Review:
    """`actor` is whom it is about; `numbers` are the entries that raised it, `count` how many there were."""

    review_id: str
    rule: str
    actor: str
    opened_at: datetime
    due_at: datetime
    numbers: tuple[int, ...]
    count: int
    state: str = "open"
    reviewer: str = ""
    steps: tuple[Step, ...] = ()
    # The highest number it was ever raised by: of more than a hundred only the first hundred are kept.
    last: int = -1

    def is_overdue(self, now: datetime) -> bool:
        """Whether nobody judged it in time."""
        return self.state == "open" and now > self.due_at


def due_at(rule: str, opened_at: datetime) -> datetime:
    """When a review of this rule must be judged."""
    return opened_at + DUE_IN.get(rule, _USUALLY_DUE_IN)


def decided(review: Review, state: str, by: str, at: datetime, note: str) -> Review:
    """The review in its new state; raises Refusal for a state that is none, a missing reason, or one's own case."""
    if state not in STATES:
        raise Refusal("review-state", Kind.INVALID, f"One of: {', '.join(STATES)}.")
    if not note.strip():
        raise Refusal("review-note-missing", Kind.INVALID, "Say why, in a sentence.")
    if by == review.actor:
        raise Refusal("own-review", Kind.FORBIDDEN, "Nobody judges what they did themselves.")
    step = Step(state, by, at, note.strip())
    return replace(review, state=state, reviewer=by, steps=(*review.steps, step))


def with_more(review: Review, numbers: Sequence[int], by: str, now: datetime) -> Review:
    """The same review about further entries.

    What was judged is not opened again by what was known; by anything else it is, with a new due time: nobody looked
    at that yet.
    """
    last, is_full = max((review.last, *review.numbers)), len(review.numbers) >= MOST_ENTRIES
    fresh = [each for each in numbers if each not in review.numbers and (each > last or not is_full)]
    if not fresh:
        return review
    known = (*review.numbers, *fresh)[:MOST_ENTRIES]
    more = replace(review, numbers=known, count=review.count + len(fresh), last=max(last, *fresh))
    if review.state == "open":
        return more
    steps = (*review.steps, Step("open", by, now))
    return replace(more, state="open", reviewer="", due_at=due_at(review.rule, now), steps=steps)
