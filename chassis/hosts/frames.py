"""Reading what the broker sent in large pieces: py-amqp alone asks the socket nine times for each message."""

from __future__ import annotations

from struct import Struct
from typing import Any

from amqp.exceptions import UnexpectedFrame
from amqp.transport import TCPTransport

# AMQP 0-9-1, 2.3.5: type, channel, size; then the payload and one closing byte.
_HEAD = Struct(">BHI")
_CLOSING = 0xCE
_PIECE_BYTES = 262_144
_ONE_BY_ONE = 500
_SLICE_S = 0.001


def read(raw: Any) -> None:
    """Every whole frame that has arrived is with its callback; part of one stays where py-amqp looks first.

    Call it when the socket is readable.  A callback MUST NOT wait for the broker's answer.  Raises what py-amqp
    raises, and OSError where the broker has closed the connection.
    """
    if type(raw.transport) is TCPTransport:
        _read_piece(raw, raw.transport)
    else:
        _read_one_by_one(raw)  # under TLS what is readable and what was decrypted differ: py-amqp knows


def _read_one_by_one(raw: Any) -> None:
    for _ in range(_ONE_BY_ONE):
        try:
            raw.drain_events(timeout=_SLICE_S)
        except TimeoutError:
            return


def _read_piece(raw: Any, transport: Any) -> None:
    arrived = transport.sock.recv(_PIECE_BYTES)
    if not arrived:
        raise OSError("the broker closed the connection")
    held, at = transport._read_buffer + arrived, 0
    transport._read_buffer = b""
    try:
        while len(held) - at >= _HEAD.size:
            kind, channel, size = _HEAD.unpack_from(held, at)
            payload = at + _HEAD.size
            if len(held) <= payload + size:
                break
            if held[payload + size] != _CLOSING:
                raise UnexpectedFrame("a frame without its end")
            at = payload + size + 1
            raw.on_inbound_frame((kind, channel, held[payload : at - 1]))
    finally:
        transport._read_buffer = held[at:]
