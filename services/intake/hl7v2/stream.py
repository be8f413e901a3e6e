"""Files and streams that hold several messages, with or without batch envelopes (FHS, BHS, BTS, FTS)."""

from __future__ import annotations

import codecs
import re
from itertools import pairwise

from services.intake.hl7v2 import charset as charsets

_ENVELOPE = (b"FHS", b"BHS", b"BTS", b"FTS")
_PADDING = b"\x00\x0b \t\r\n" + codecs.BOM_UTF8
_BEGINNING = re.compile(
    rb"(?:\A|(?<=[\r\n\x0b\x1c]))[\x00 \t]*(?:\xef\xbb\xbf)?(?=(?:MSH|FHS|BHS|BTS|FTS)[^A-Za-z0-9\r\n])"
)


def split(stream: bytes) -> list[bytes]:
    """Each message of the stream, in order, without envelopes and framing.

    What stands before the first MSH is handed over too, as a message that will be refused: nothing is dropped
    unseen.  An empty stream holds no message.
    """
    wide = charsets.wide(stream)
    if wide is not None:
        text = stream[len(wide.mark) :].decode(wide.codec, "replace").encode()
        return [wide.encode(one.decode(errors="replace")) for one in split(text)]
    stream = stream.removeprefix(codecs.BOM_UTF8)
    starts = [found.start() for found in _BEGINNING.finditer(stream)]
    edges = [0, *starts, len(stream)] if not starts or starts[0] else [*starts, len(stream)]
    parts = (stream[start:end] for start, end in pairwise(edges))
    return [part for part in map(_bare, parts) if part and not part.startswith(_ENVELOPE)]


def of_block(block: bytes) -> list[bytes]:
    """The messages of one MLLP block: itself, or each of those an engine put into it, without their batch envelopes.

    A block that does not begin with a message or an envelope is one thing, to be refused as a whole.
    """
    if block.count(b"MSH") < 2 and not block.lstrip(_PADDING).startswith(_ENVELOPE):
        return [block]
    parts = split(block)
    return parts if parts and all(part.startswith(b"MSH") for part in parts) else [block]


def _bare(part: bytes) -> bytes:
    return part.strip(b"\x0b\x1c\x1a\x00 \t\r\n").removeprefix(codecs.BOM_UTF8)
