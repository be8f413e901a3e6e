"""MLLP's blocks, however they are cut, doubled, left open or preceded by rubbish."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.hl7v2.framing import Frames, MessageTooLarge, NotMllp, framed

MESSAGES = [b"MSH|^~\\&|A|B\rPID|1", b"MSH|^~\\&|A|B\rPID|2", b"MSH|^~\\&|C|\xf1\r"]


def taken(stream: bytes, cuts: list[int] = (), most_bytes: int = 10_000) -> list[bytes]:  # type: ignore[assignment]
    """Every message of a stream that arrives in pieces."""
    frames, found, last = Frames(most_bytes), [], 0
    for cut in [*sorted(cuts), len(stream)]:
        frames.feed(stream[last:cut])
        last = cut
        while (message := frames.next()) is not None:
            found.append(message)
    return found


@given(st.lists(st.integers(0, 80), max_size=40))
def test_it_does_not_matter_where_the_stream_is_cut(cuts: list[int]) -> None:
    """Messages back to back come out whole and in order, split at any byte."""
    assert taken(b"".join(map(framed, MESSAGES)), cuts) == MESSAGES


@given(st.lists(st.integers(0, 90), max_size=40))
def test_what_is_missing_around_a_message_is_not_missed(cuts: list[int]) -> None:
    """Without the last CR, with CR LF after it, with rubbish or a BOM before it, without VT: it is a message."""
    stream = (
        b"\x0b" + MESSAGES[0] + b"\x1c"
        b"\x0b" + MESSAGES[1] + b"\x1c\r\n"
        b"rubbish\x0b" + MESSAGES[2] + b"\x1c\n" + MESSAGES[0] + b"\x1c\r"
    )
    assert taken(stream, cuts) == [*MESSAGES, MESSAGES[0]]


def test_a_message_that_was_begun_again_counts_from_its_last_beginning() -> None:
    """A sender that died in the middle and starts over sends one message, not one and a half."""
    frames = Frames(10_000)
    frames.feed(b"\x0bMSH|^~\\&|A|half" + framed(MESSAGES[1]))
    assert frames.next() == MESSAGES[1]
    assert frames.halves == 1


def test_a_vertical_tab_in_a_text_is_text() -> None:
    """Notes pasted from a word processor hold VT; only one before MSH begins a message."""
    message = b"MSH|^~\\&|A|B\rNTE|1||first line\x0bsecond line"
    assert taken(framed(message)) == [message]


def test_an_empty_block_is_a_message_without_content() -> None:
    """Some engines send it to see whether anybody is there."""
    assert taken(b"\x0b\x1c\r" + framed(MESSAGES[0])) == [b"", MESSAGES[0]]


@pytest.mark.parametrize("ending", [b"", b"\x1c\r"])
def test_a_message_beyond_the_limit_is_refused_by_its_head(ending: bytes) -> None:
    """Also before its end came; what it began with is there to answer it."""
    frames = Frames(100)
    frames.feed(b"\x0b" + MESSAGES[0] + b"x" * 100 + ending)
    with pytest.raises(MessageTooLarge) as caught:
        frames.next()
    assert caught.value.head.startswith(MESSAGES[0])


@given(
    st.sampled_from([b"\x1c\r", b""]),
    st.sampled_from([b"", b"\xef\xbb\xbf"]),
    st.integers(1, 40),
    st.integers(0, 300),
)
def test_behind_a_message_that_is_too_large_the_next_one_is_found(
    ending: bytes, bom: bytes, size: int, extra: int
) -> None:
    """Whether it ended or its sender began again, however the bytes are cut; and little of it is held."""
    frames, found, is_skipping = Frames(100), [], False
    stream = b"\x0b" + MESSAGES[0] + b"x" * (100 + extra) + ending + framed(bom + MESSAGES[0])
    for at in range(0, len(stream), size):
        frames.feed(stream[at : at + size])
        try:
            is_skipping = is_skipping and not frames.skip()
            if not is_skipping and (message := frames.next()) is not None:
                found.append(message)
        except MessageTooLarge:
            is_skipping = not frames.skip()
        assert frames.waiting_bytes <= 100 + size
    if not is_skipping and not found:
        found.append(frames.next())
    assert found == [bom + MESSAGES[0]]


def test_a_message_at_the_limit_is_taken() -> None:
    """The limit is the message's own bytes."""
    assert taken(framed(MESSAGES[0]), most_bytes=len(MESSAGES[0])) == [MESSAGES[0]]


@given(st.binary(max_size=400))
def test_rubbish_never_breaks_it(noise: bytes) -> None:
    """Whatever comes, it is a message, nothing yet, or refused; never another error."""
    with contextlib.suppress(MessageTooLarge, NotMllp):
        taken(noise, most_bytes=64)


def test_another_protocol_is_noticed() -> None:
    """Four thousand bytes without a block are no MLLP."""
    frames = Frames(10_000)
    with pytest.raises(NotMllp):
        for _ in range(60):
            frames.feed(b"GET / HTTP/1.1\r\nHost: example.org\r\nAccept: text/plain, text/html, */*\r\n\r\n")
            assert frames.next() is None
