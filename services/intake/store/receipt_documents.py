"""How what became of notices looks in a referral's document."""

from __future__ import annotations

from typing import Any

from services.intake.domain.receipts import Book, Notice, Step, Word
from services.intake.store.plain import plain

Document = dict[str, Any]


def document_of_book(book: Book) -> Document:
    """Two fields of the referral's document."""
    return {"notices": [_document_of(one) for one in book.notices], "notices_version": book.version}


def book_of(body: Document) -> Book:
    """The book in a document; one of a version before this lacks it (P10)."""
    notices = tuple(_notice_of(one) for one in body.get("notices", ()))
    return Book(notices, body.get("notices_version", 0))


def _document_of(notice: Notice) -> Document:
    words = {place: getattr(notice, place) for place in _PLACES}
    said = {place: {**plain(word), "step": word.step.value} for place, word in words.items() if word}
    return {"notice_id": notice.notice_id, "intent": notice.intent, **said}


def _notice_of(document: Document) -> Notice:
    words = {place: _word_of(document[place]) for place in _PLACES if place in document}
    return Notice(document["notice_id"], document["intent"], **words)


def _word_of(document: Document) -> Word:
    return Word(**{**document, "step": Step(document["step"])})


_PLACES = ("latest", "bounced", "delivered", "replied")
