"""What the broker sends is read whole however it is cut, and one acknowledgment never covers what has not ended."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from amqp.exceptions import UnexpectedFrame
from amqp.transport import TCPTransport
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.hosts import frames
from chassis.hosts.settling import Deliveries

FRAMES = st.lists(
    st.tuples(st.sampled_from((1, 2, 3, 8)), st.integers(0, 9), st.binary(max_size=40)), max_size=8
)


def on_the_wire(kind: int, channel: int, payload: bytes) -> bytes:
    """A frame as AMQP 0-9-1 writes it."""
    return (
        kind.to_bytes(1, "big")
        + channel.to_bytes(2, "big")
        + len(payload).to_bytes(4, "big")
        + payload
        + b"\xce"
    )


def a_connection(pieces: list[bytes]) -> SimpleNamespace:
    """A connection whose socket gives these pieces."""
    transport = TCPTransport.__new__(TCPTransport)
    left = iter(pieces)
    transport.sock = SimpleNamespace(recv=lambda _: next(left))
    transport._read_buffer = b""
    seen: list[tuple[int, int, bytes]] = []
    return SimpleNamespace(transport=transport, on_inbound_frame=seen.append, seen=seen)


@settings(max_examples=60)
@given(FRAMES, st.integers(1, 23))
def test_frames_arrive_whole_and_in_order_however_the_network_cuts_them(sent, step) -> None:
    """Frames arrive whole and in order however the network cuts them."""
    stream = b"".join(on_the_wire(*each) for each in sent)
    pieces = [stream[at : at + step] for at in range(0, len(stream), step)]
    connection = a_connection(pieces)
    for _ in pieces:
        frames.read(connection)
    assert connection.seen == sent
    assert connection.transport._read_buffer == b""


def test_a_closed_connection_and_a_broken_frame_are_errors() -> None:
    """A closed connection is an OSError, a frame without its end is named, and what came before it was handed on."""
    with pytest.raises(OSError):
        frames.read(a_connection([b""]))
    connection = a_connection([on_the_wire(1, 1, b"good") + on_the_wire(1, 1, b"bad")[:-1] + b"?"])
    with pytest.raises(UnexpectedFrame):
        frames.read(connection)
    assert connection.seen == [(1, 1, b"good")]


@settings(max_examples=60)
@given(st.integers(1, 12), st.data())
def test_an_acknowledgment_never_covers_what_has_not_ended(number, data) -> None:
    """An acknowledgment never covers what has not ended, and each ended delivery is acknowledged exactly once."""
    deliveries = Deliveries()
    for tag in range(1, number + 1):
        deliveries.came(tag)
    order = data.draw(st.permutations(range(1, number + 1)))
    open_at_broker, ended, rejected = set(range(1, number + 1)), set(), set()
    for tag in order:
        if data.draw(st.integers(0, 4)) == 0:
            deliveries.answered(tag)
            open_at_broker.discard(tag)
            rejected.add(tag)
        else:
            deliveries.ended(tag)
            ended.add(tag)
        if data.draw(st.booleans()):
            continue
        for told, is_all_before in deliveries.acknowledgments():
            covered = {each for each in open_at_broker if each <= told} if is_all_before else {told}
            assert told in open_at_broker, "an unknown delivery tag closes the channel"
            assert covered <= ended
            open_at_broker -= covered
    for told, is_all_before in deliveries.acknowledgments():
        covered = {each for each in open_at_broker if each <= told} if is_all_before else {told}
        assert covered <= ended
        open_at_broker -= covered
    assert not open_at_broker
