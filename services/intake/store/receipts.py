"""What became of a referral's notices, kept in its document; written once for all that is told of it at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

from chassis.aggregates import Aggregates, Change, Loaded, StaleVersion
from services.intake.domain import receipts
from services.intake.domain.errors import ReferralUnknown
from services.intake.domain.receipts import Book
from services.intake.store.documents import due_of, referral_of
from services.intake.store.receipt_documents import book_of, document_of_book

if TYPE_CHECKING:
    from services.intake.handlers import Receipt

_MOST_TRIES = 10


class Receipts:
    """The field `notices` of the collection `referrals`; `notices_version` rings whoever has the page open."""

    def __init__(self, aggregates: Aggregates) -> None:
        self._aggregates = aggregates

    def keep(self, told: Sequence[Receipt]) -> None:
        """Everything told is in its referral's book; again where somebody was quicker.

        The referral itself does not move: neither its state nor its task's version.
        Raises ReferralUnknown, and StaleVersion where others were always quicker.
        """
        waiting: dict[str, list[Receipt]] = {}
        for one in told:
            waiting.setdefault(one.referral_id, []).append(one)
        for _ in range(_MOST_TRIES):
            if not waiting:
                return
            stale = self._aggregates.save_many(self._changes(waiting))
            waiting = {referral_id: waiting[referral_id] for referral_id in stale}
        if waiting:
            raise StaleVersion(next(iter(waiting)))

    def _changes(self, waiting: Mapping[str, Sequence[Receipt]]) -> list[Change]:
        found = self._aggregates.load_many(list(waiting))
        if len(found) < len(waiting):
            raise ReferralUnknown
        changes = (_change(found[referral_id], ones) for referral_id, ones in waiting.items())
        return [change for change in changes if change is not None]


def _change(loaded: Loaded, told: Sequence[Receipt]) -> Change | None:
    """The book with all of it, or None where it says nothing new.

    The event that is marked as handled is the first; a repeat of any of them finds its word in the book.
    """
    known = book_of(loaded.body)
    book = reduce(_heard, told, known)
    if book is known:
        return None
    body: dict[str, Any] = {**loaded.body, **document_of_book(book)}
    return Change(loaded, body, told[0].cause, due_at=due_of(referral_of(loaded.aggregate_id, body)))


def _heard(book: Book, one: Receipt) -> Book:
    return receipts.heard(book, one.notice_id, one.intent, one.word)
