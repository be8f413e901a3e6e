"""Syslog over TLS: frames by octet count or by line (RFC 5425, RFC 6587), and what stands in one (RFC 5424)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

# Longer ones are cut here and flagged: nothing another system says is refused (RFC 5424, 6.1, lets a receiver cut).
MOST_BYTES = 200_000
_LONGEST_COUNT = 10
_HEADER = re.compile(
    rb"<(\d{1,3})>([1-9]\d{0,2}) (\S+) (\S{1,255}) (\S{1,48}) (\S{1,128}) (\S{1,32}) (-|(?:\[(?:[^\]\\]|\\.)*\])+) ?",
)
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Frame:
    """One syslog message's bytes; `is_cut` where it was longer, `is_odd` where it was in no frame at all."""

    content: bytes
    is_cut: bool = False
    is_odd: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """What a syslog message says; where it has no RFC 5424 header, the whole of it is `content`."""

    content: bytes
    host: str = ""
    application: str = ""
    message_id: str = ""
    has_header: bool = False


def frames(stream: BinaryIO) -> Iterator[Frame]:
    """Every message of a connection until it ends; what is in no frame ends it, and is still handed on."""
    while first := stream.read(1):
        if first.isdigit() and first != b"0":
            yield from _counted(stream, first)
        elif first == b"<":
            yield _line(stream, first)
        elif first not in b"\r\n \x00":
            yield Frame(first + stream.read(MOST_BYTES), is_odd=True)
            return


def _counted(stream: BinaryIO, first: bytes) -> Iterator[Frame]:
    """MSG-LEN SP SYSLOG-MSG (RFC 5425, 4.3)."""
    count = first
    while (byte := stream.read(1)) and byte.isdigit() and len(count) < _LONGEST_COUNT:
        count += byte
    if byte != b" ":
        yield Frame(count + byte + stream.read(MOST_BYTES), is_odd=True)
        return
    wanted = int(count)
    content = stream.read(min(wanted, MOST_BYTES))
    left = wanted - len(content)
    while left > 0 and (dropped := stream.read(min(left, 65_536))):
        left -= len(dropped)
    if content:
        yield Frame(content, is_cut=wanted > MOST_BYTES or left > 0)


def _line(stream: BinaryIO, first: bytes) -> Frame:
    """A message up to the end of the line, as many senders do it (RFC 6587, 3.4.2)."""
    content = first + stream.readline(MOST_BYTES)
    is_cut = not content.endswith(b"\n") and len(content) > MOST_BYTES
    while is_cut and (rest := stream.readline(65_536)) and not rest.endswith(b"\n"):
        pass
    return Frame(content.rstrip(b"\r\n"), is_cut=is_cut)


def said(frame: Frame) -> Said:
    """The frame, read."""
    header = _HEADER.match(frame.content)
    if header is None:
        return Said(frame.content.removeprefix(_BOM))
    host, application, message_id = (_text(header[group]) for group in (4, 5, 7))
    content = frame.content[header.end() :].removeprefix(_BOM)
    return Said(content, host, application, message_id, has_header=True)


def _text(word: bytes) -> str:
    text = word.decode("ascii", "replace")
    return "" if text == "-" else text
