"""MLLP's blocks: where a message begins and ends in a stream of bytes, whoever sends them and however they are cut.

HL7 v2 Minimal Lower Layer Protocol, release 1: <VT> message <FS> <CR>.
"""

from __future__ import annotations

import re

START, END = b"\x0b", b"\x1c"
_BOM = b"\xef\xbb\xbf"
# What may stand between two blocks without meaning anything.
_BETWEEN = b"\r\n \t\x00" + _BOM
# A sender that gave up in the middle and began again: the first half was never whole.
_BEGUN_AGAIN = re.compile(rb"\x0b(?=(?:\xef\xbb\xbf)?MSH)")
_SKIPPED_TO = re.compile(rb"\x1c|\x0b(?=(?:\xef\xbb\xbf)?MSH)")
_LONGEST_BEGINNING = 7  # VT, a byte order mark and MSH, of which the last byte may still be on its way
_MOST_STRAY_BYTES = 4_096
HEAD_BYTES = 2_048


class MessageTooLarge(Exception):  # noqa: N818
    """A message beyond the limit; `head` is how it began, so that its sender can be answered."""

    def __init__(self, head: bytes) -> None:
        super().__init__("message too large")
        self.head = head


class NotMllp(Exception):  # noqa: N818
    """Somebody who speaks another protocol."""


def framed(message: bytes) -> bytes:
    """The message as one block."""
    return START + message + END + b"\r"


class Frames:
    """The messages of one connection: `feed` what came, take whole ones with `next`.

    A block ends with FS, also where its CR is missing or late.  A message without VT is taken where it begins
    with MSH.  Holds at most one message and what came with its last bytes.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._buffer = bytearray()
        self._is_inside = False
        self._searched = 0
        self._stray_bytes = 0
        self.halves = 0

    @property
    def waiting_bytes(self) -> int:
        """What is held."""
        return len(self._buffer)

    @property
    def is_inside(self) -> bool:
        """True where a message has begun and not ended."""
        return self._is_inside or bool(self._buffer)

    def feed(self, chunk: bytes) -> None:
        """What came next."""
        self._buffer += chunk

    def next(self) -> bytes | None:
        """The next whole message, None where there is none yet; raises MessageTooLarge, NotMllp."""
        if not self._is_inside and not self._enter():
            return None
        end = self._buffer.find(END, self._searched)
        if end > self._most_bytes or (end < 0 and len(self._buffer) > self._most_bytes):
            raise MessageTooLarge(bytes(self._buffer[:HEAD_BYTES]))
        if end < 0:
            self._searched = len(self._buffer)
            return None
        message = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._is_inside = False
        return self._whole(message)

    def skip(self) -> bool:
        """What came of a message that is too large is dropped; True where that was the last of it."""
        found = _SKIPPED_TO.search(self._buffer)
        if found is None:
            del self._buffer[: -(_LONGEST_BEGINNING - 1)]
            return False
        is_ended = found[0] == END
        del self._buffer[: found.end() if is_ended else found.start()]
        self._is_inside = False
        return True

    def _enter(self) -> bool:
        """True where a message has begun; what stands before it is dropped."""
        at = self._buffer.find(START)
        before = bytes(self._buffer if at < 0 else self._buffer[:at])
        stray = before.lstrip(_BETWEEN)
        if stray.startswith(b"MSH"):
            del self._buffer[: len(before) - len(stray)]
        elif at >= 0:
            self._note_stray(len(stray))
            del self._buffer[: at + 1]
        elif stray and b"MSH".startswith(stray):
            return False  # its next bytes tell
        else:
            self._note_stray(len(stray))
            self._buffer.clear()
            return False
        self._is_inside, self._searched = True, 0
        return True

    def _note_stray(self, count: int) -> None:
        self._stray_bytes += count
        if self._stray_bytes > _MOST_STRAY_BYTES:
            raise NotMllp

    def _whole(self, message: bytes) -> bytes:
        begun = [found.end() for found in _BEGUN_AGAIN.finditer(message)]
        self.halves += len(begun)
        return message[begun[-1] :] if begun else message
