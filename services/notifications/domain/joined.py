"""Pseudonyms that are one person: which word about writing to them counts, and whose wishes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.notifications.domain.wishes import Wishes


@dataclass(frozen=True)
class Joint:
    """All pseudonyms of one person, and when the last of them was joined to the others."""

    people: frozenset[str]
    since: datetime


@dataclass(frozen=True)
class Word:
    """What was said of writing to one pseudonym: yes with a contact, or no; `revision` is its time in milliseconds."""

    contact_id: str
    revision: int
    is_yes: bool


def word_that_counts(words: Sequence[Word], since: datetime) -> Word | None:
    """The newest word, as for anybody; but of words from before they were joined each no holds; None where none is there.

    Whoever said yes then spoke of one of them only, and had not heard the no that was said of the other.
    """
    if not words:
        return None
    joined_ms = int(since.timestamp() * 1000)
    newest = max(words, key=lambda word: (word.revision, not word.is_yes))
    if newest.revision > joined_ms:
        return newest
    return next((word for word in words if not word.is_yes), newest)


def strictest(own: Wishes, others: Sequence[Wishes]) -> Wishes:
    """One's own wishes with each silence that was asked for under another of the person's pseudonyms."""
    everybody = (own, *others)
    return replace(
        own,
        is_do_not_contact=any(one.is_do_not_contact or one.is_erased for one in everybody),
        shared=tuple(dict.fromkeys(channel for one in everybody for channel in one.shared)),
        quiet=tuple(dict.fromkeys(window for one in everybody for window in one.quiet)),
        unsafe=tuple(dict.fromkeys(window for one in everybody for window in one.unsafe)),
        language=next((one.language for one in everybody if one.language), ""),
        time_zone=next((one.time_zone for one in everybody if one.time_zone), ""),
    )
