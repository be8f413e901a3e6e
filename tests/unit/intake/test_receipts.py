"""What became of notices: in any order the same, never with an address or an id, in words of every language."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.envelope import Envelope
from kindred.notifications.v1 import events_pb2
from services.intake import codec
from services.intake.domain import receipts
from services.intake.domain.receipts import GROUPS, MOST_KEPT, Becoming, Book, Group, Step, Word, heard, story
from services.intake.store.receipt_documents import book_of, document_of_book
from services.intake.web import receipt_lines
from services.intake.web.words import WORDS
from services.notifications.domain import notices as their_notices
from services.notifications.domain.intents import TABLE, Channel, Recipient

NOON = datetime(2026, 11, 22, 17, tzinfo=UTC)
WORDING = Path(receipt_lines.__file__).parent / "wording"


def word(step: str, number: int, attempt: int = 0, channel: str = "email", reason: str = "") -> Word:
    """Said `number` minutes after noon."""
    return Word(Step(step), NOON + timedelta(minutes=number), number, channel, attempt, reason)


def told(
    *words: Word, intent: str = "help-assigned", book: Book | None = None, notice: str = "ntc_1"
) -> Book:
    """The book after these words about one notice."""
    book = book or Book()
    for one in words:
        book = heard(book, notice, intent, one)
    return book


LIVES = {
    "sent": ([word("sent", 1, 1)], Becoming.TOLD, 1),
    "arrived": ([word("sent", 1, 1), word("delivered", 2, 1)], Becoming.ARRIVED, 1),
    "came back": ([word("sent", 1, 1), word("bounced", 2, 1, reason="no-mailbox")], Becoming.RETURNED, 2),
    "came back, then by another way": (
        [word("sent", 1, 1), word("bounced", 2, 1), word("sent", 3, 2, "webhook")],
        Becoming.TOLD,
        3,
    ),
    "came back while another was under way": (
        [word("sent", 1, 1), word("sent", 2, 2), word("bounced", 3, 1)],
        Becoming.TOLD,
        2,
    ),
    "came back and given up": (
        [word("sent", 1, 1), word("bounced", 2, 1, reason="no-mailbox"), word("failed", 3, reason="bounced")],
        Becoming.UNREACHED,
        3,
    ),
    "given up and sent again": (
        [word("failed", 1, reason="attempts-exhausted"), word("sent", 2, 4)],
        Becoming.TOLD,
        2,
    ),
    "arrived and a second came back": (
        [
            word("sent", 1, 1),
            word("delivered", 2, 1),
            word("bounced", 3, 2),
            word("failed", 4, reason="bounced"),
        ],
        Becoming.ARRIVED,
        2,
    ),
    "answered": ([word("sent", 1, 1), word("replied", 2)], Becoming.TOLD, 1),
    "answered from a wrong number": (
        [word("sent", 1, 1), word("replied", 2, reason="wrong-number")],
        Becoming.TOLD,
        1,
    ),
    "nobody knows": ([word("failed", 1, reason="fate-unknown")], Becoming.UNCERTAIN, 1),
    "no address": ([word("failed", 1, reason="no-address")], Becoming.ADDRESSLESS, 1),
}


@pytest.mark.parametrize("life", LIVES)
def test_the_order_in_which_words_come_changes_nothing(life: str):
    """Every order of every life, with each word twice, ends in the same notice, with the time that is looked for."""
    words, becoming, minute = LIVES[life]
    for order in permutations(words):
        (notice,) = told(*order, *order).notices
        assert (notice.becoming, notice.shown.number) == (becoming, minute), order


_SOME = st.builds(word, st.sampled_from([one.value for one in Step]), st.integers(1, 30), st.integers(1, 4))


@settings(max_examples=60)
@given(st.lists(_SOME, max_size=9, unique_by=lambda one: one.number), st.randoms(use_true_random=False))
def test_any_words_in_any_order_are_one_book_and_a_known_word_is_no_change(
    words: list[Word], chance: random.Random
):
    """Whatever is said of two notices: the same notices in every order, and the same book object for a repeat."""
    about = [(f"ntc_{one.number % 2}", one) for one in words]
    mixed = [*about, *about]
    chance.shuffle(mixed)
    books = []
    for order in (about, mixed):
        book = Book()
        for notice_id, one in order:
            book = heard(book, notice_id, "person-met", one)
        books.append(book)
        assert all(heard(book, notice_id, "person-met", one) is book for notice_id, one in order)
    first, second = ({one.notice_id: one for one in book.notices} for book in books)
    assert first == second
    assert book_of(document_of_book(books[0])) == books[0]


def test_a_book_says_nothing_of_notices_that_are_not_the_units():
    """Of a broken glass, a certificate or a check-in nothing is kept, and a book has an end."""
    ours = {rule.intent.value for rule in TABLE if rule.recipient is Recipient.SOURCE}
    assert ours == {intent for intent, group in GROUPS.items() if group is Group.UNIT}
    assert GROUPS.keys() <= {rule.intent.value for rule in TABLE}
    for rule in TABLE:
        assert bool(told(word("sent", 1), intent=rule.intent).notices) is (
            GROUPS.get(rule.intent) in (Group.UNIT, Group.SPECIALIST, Group.SUPERVISOR)
        )
    book = Book()
    for number in range(MOST_KEPT + 3):
        book = told(word("sent", 1, 1), intent="offer-made", book=book, notice=f"ntc_{number}")
    assert len(book.notices) == MOST_KEPT and book.version == MOST_KEPT + 3


def test_specialists_are_told_of_as_a_number_without_way_or_reason():
    """However many were asked: one line of who has a message, one of who has none; a fate nobody knows is in neither."""
    book = told(word("sent", 4, 1, "sms"), intent="offer-made", notice="ntc_1")
    book = told(word("sent", 2, 1), word("delivered", 3, 1), intent="offer-made", book=book, notice="ntc_2")
    book = told(word("failed", 5, reason="do-not-contact"), intent="offer-made", book=book, notice="ntc_3")
    book = told(word("failed", 6, reason="fate-unknown"), intent="offer-made", book=book, notice="ntc_4")
    asked, missed = story(book)
    assert (asked.count, asked.arrived, asked.at) == (2, 1, NOON + timedelta(minutes=2))
    assert (missed.becoming, missed.count, missed.at) == (Becoming.UNREACHED, 1, NOON + timedelta(minutes=5))
    assert {(one.channel, one.reason_code, one.intent) for one in (asked, missed)} == {("", "", "")}
    supervisor = told(word("failed", 1, reason="do-not-contact"), intent="supervisor-needed")
    assert [(one.channel, one.reason_code) for one in story(supervisor)] == [("", "")]


def test_an_answer_is_told_without_its_words():
    """Of specialists how many answered; of messages to the peer only that one was, or that the number is not theirs."""
    book = told(word("sent", 1, 1, "sms"), word("replied", 2), intent="offer-made")
    book = told(
        word("sent", 1, 1, "sms"), word("delivered", 2, 1), intent="help-coming", book=book, notice="ntc_2"
    )
    assert [line.group for line in story(book)] == [Group.SPECIALIST], "who is written to is not shown"
    book = told(word("replied", 4), intent="help-coming", book=book, notice="ntc_2")
    book = told(word("replied", 3), intent="request-received", book=book, notice="ntc_3")
    book = told(word("replied", 5, reason="wrong-number"), intent="call-coming", book=book, notice="ntc_4")
    assert [line.what for line in receipt_lines.told(book, WORDS["en"])] == [
        "Messages that asked specialists: 1 (answered by text message: 1)",
        "A text message to the person was answered",
        "Whoever answered a text message says that the number is not this person's: ask them for another",
    ]
    kinds = {kind: events_pb2.NoticeReplied(notice_id="n", kind=kind) for kind in ("stop", "wrong-number")}
    envelope = Envelope("evt_1", "notice.replied.v1", "notifications", NOON, "n", 7, 1, "cor", "", "", b"")
    read = {kind: codec.word_from_proto(envelope, event).reason_code for kind, event in kinds.items()}
    assert read == {"stop": "", "wrong-number": "wrong-number"}


def test_a_unit_without_an_address_hears_of_it_once():
    """Three messages that had nowhere to go are one line."""
    book = Book()
    for number, intent in enumerate(("help-assigned", "person-met", "referral-unfilled"), start=1):
        failed = word("failed", number, reason="no-address")
        book = told(failed, intent=intent, book=book, notice=f"ntc_{number}")
    assert [line.at for line in story(book)] == [NOON + timedelta(minutes=1)]


@pytest.mark.parametrize("reader", ["en", "es"])
def test_everything_that_can_become_of_a_notice_has_words(reader: str):
    """Every group, way, news and reason is written in both languages, and none has a word too many."""
    wordings = [json.loads((WORDING / f"{one}.notices.json").read_text("utf-8")) for one in ("en", "es")]
    assert wordings[0].keys() == wordings[1].keys()
    for intent, group in GROUPS.items():
        for words, becoming, _ in LIVES.values():
            for line in receipt_lines.told(told(*words, intent=intent), WORDS[reader]):
                assert "{" not in line.what and line.what.strip() == line.what, (group, becoming)
    assert {f"notice_by_{channel}" for channel in Channel} <= WORDS[reader].keys()
    surely_unheard = {reason.value for reason in their_notices.Reason} - {
        "fate-unknown", "no-address", "offer-closed", "overtaken", "referral-stopped",
    }  # fmt: skip
    bounces = {"no-mailbox", "mailbox-full", "undelivered", "unreachable"}
    assert {f"undelivered_{code}" for code in surely_unheard | bounces} <= WORDS[reader].keys()


@pytest.mark.parametrize(
    ("life", "said"),
    [
        ("arrived", "Your unit was told by e-mail that help is coming (arrived)"),
        ("came back and given up", "A message to your unit could not be delivered (that help is coming)"),
        ("nobody knows", "Nobody can say whether your unit was told that help is coming"),
    ],
)
def test_the_words_are_plain(life: str, said: str):
    """As a nurse reads them; what came back says why where the far side did."""
    (line,) = receipt_lines.told(told(*LIVES[life][0]), WORDS["en"])
    assert line.what == said
    assert line.why == ("no such mailbox" if "given up" in life else "")


@pytest.mark.parametrize(
    "kind", ["NoticeSent", "NoticeDelivered", "NoticeBounced", "NoticeFailed", "NoticeReplied"]
)
def test_what_is_read_of_an_event_holds_no_id_of_anybody(kind: str):
    """The word has the step, the producer's time and count, the way and the reason; the rest stays in the message."""
    message = getattr(events_pb2, kind)(notice_id="n", recipient_id="sp-secret", channel="sms")
    event_type = f"notice.{kind.removeprefix('Notice').lower()}.v1"
    envelope = Envelope("evt_1", event_type, "notifications", NOON, "n", 7, 1, "cor", "", "", b"")
    read = codec.word_from_proto(envelope, message)
    assert (read.step.value, read.at, read.number, read.channel) == (event_type.split(".")[1], NOON, 7, "sms")
    assert "sp-secret" not in repr(receipts.heard(Book(), "n", "offer-made", read))
