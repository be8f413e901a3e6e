"""A parsed message: segments, fields, repetitions, components; absent and null (two quotation marks) told apart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from services.intake.hl7v2 import charset as charsets
from services.intake.hl7v2 import delimiters as separators
from services.intake.hl7v2.charset import Charset
from services.intake.hl7v2.delimiters import Delimiters
from services.intake.hl7v2.escapes import unescaped
from services.intake.hl7v2.faults import Unacceptable

NULL = '""'
_ENDS = re.compile(r"\r\n|\r|\n")
_SEGMENT_ID = re.compile(r"[A-Z][A-Z0-9]{2}")
_PADDING = "\x00\x0b\x1a\x1c \t"  # what transports leave before and behind a message


@dataclass(frozen=True, slots=True)
class Value:
    """One repetition of a field: its components as they came."""

    raw: str
    delimiters: Delimiters
    charset: Charset

    def text(self, component: int = 1, subcomponent: int = 1) -> str:
        """The words of a part, unescaped and trimmed; empty where it is absent or null."""
        if not self.raw:
            return ""
        part = _part(self.raw, self.delimiters.component, component)
        part = _part(part, self.delimiters.subcomponent, subcomponent)
        return "" if part == NULL else unescaped(part, self.delimiters, self.charset).strip()

    def whole(self) -> str:
        """All of it as one text: for fields of free words, in which nobody escapes a component separator."""
        return "" if self.raw == NULL else unescaped(self.raw, self.delimiters, self.charset).strip()


def _part(raw: str, sign: str, position: int) -> str:
    if not sign or sign not in raw:
        return raw if position == 1 else ""
    parts = raw.split(sign)
    return parts[position - 1] if position <= len(parts) else ""


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment; `number` counts those of the same name, from 1.  Fields are counted as HL7 does, also MSH's."""

    name: str
    number: int
    fields: tuple[str, ...]
    delimiters: Delimiters
    charset: Charset

    def raw(self, field: int) -> str:
        """The field as it came; empty where it is absent."""
        return self.fields[field] if field < len(self.fields) else ""

    def is_said(self, field: int) -> bool:
        """True where the field holds something, also the word for "delete"."""
        return bool(self.raw(field))

    def is_null(self, field: int) -> bool:
        """True where the sender asks to delete what the field held."""
        return self.raw(field) == NULL

    def values(self, field: int) -> list[Value]:
        """The repetitions that hold something."""
        raw = self.raw(field)
        if not raw or raw == NULL:
            return []
        sign = self.delimiters.repetition
        parts = raw.split(sign) if sign else [raw]
        return [Value(part, self.delimiters, self.charset) for part in parts if part]

    def value(self, field: int) -> Value:
        """The first repetition, which may be empty."""
        raw, sign = self.raw(field), self.delimiters.repetition
        if sign and sign in raw:
            return next(iter(self.values(field)), Value("", self.delimiters, self.charset))
        return Value("" if raw == NULL else raw, self.delimiters, self.charset)

    def text(self, field: int, component: int = 1, subcomponent: int = 1) -> str:
        """The words of a part of the first repetition."""
        if not self.raw(field):
            return ""
        return self.value(field).text(component, subcomponent)

    def words(self, field: int) -> str:
        """A field of free words, its repetitions as lines."""
        return "\n".join(value.whole() for value in self.values(field))

    def at(self, field: int = 0, component: int = 0) -> str:
        """The field's path in the message, for faults: "DG1[2]-3.1"."""
        path = f"{self.name}[{self.number}]"
        path += f"-{field}" if field else ""
        return path + (f".{component}" if component else "")


@dataclass(frozen=True, slots=True)
class Message:
    """Segments in order, the first of them MSH."""

    segments: tuple[Segment, ...]
    delimiters: Delimiters
    charset: Charset

    @property
    def header(self) -> Segment:
        """MSH."""
        return self.segments[0]

    def all(self, name: str) -> Iterator[Segment]:
        """Every segment of this name."""
        return (segment for segment in self.segments if segment.name == name)

    def first(self, name: str) -> Segment | None:
        """The first segment of this name."""
        return next(self.all(name), None)

    def text(self, name: str, field: int, component: int = 1) -> str:
        """The words of a part of the first segment of this name; empty where there is none."""
        segment = self.first(name)
        return segment.text(field, component) if segment else ""


def parse(raw: bytes) -> Message:
    """The message; raises Unacceptable with the place of what cannot be read."""
    header = header_of(raw)
    charset = charsets.chosen(raw, tuple(value.text() for value in header.values(18)))
    text = charsets.decoded(raw, charset)
    if header.delimiters.repetition and text.count(header.delimiters.repetition) > _MOST_REPETITIONS:
        raise _too_many(f"A message has at most {_MOST_REPETITIONS:,} repetitions.")
    lines = _lines(text, header.delimiters)
    counted: dict[str, int] = {}
    segments = []
    for line in lines:
        name = line[:3]
        counted[name] = counted.get(name, 0) + 1
        segments.append(_segment(line, counted[name], header.delimiters, charset))
    return Message(tuple(segments), header.delimiters, charset)


def glimpse(raw: bytes) -> Message:
    """Who a message is about and what they say of consent, where it cannot be read as a whole.

    Its first segments of these names, whatever stands between them; bytes that are no characters become signs of
    their own.  Raises Unacceptable where there is no MSH.
    """
    header = header_of(raw)
    wide = charsets.wide(raw)
    charset = wide or Charset("utf-8")
    text = charset.decode(raw)
    segments, counted = [header], dict.fromkeys(_SHOWN, 0)
    for line in _ENDS.split(text.strip(_PADDING + "\r\n")):
        name = line[:3]
        if name in counted and counted[name] < _MOST_SHOWN and line[3:4] == header.delimiters.field:
            counted[name] += 1
            segments.append(_segment(line, counted[name], header.delimiters, charset))
    return Message(tuple(segments), header.delimiters, charset)


def header_of(raw: bytes) -> Segment:
    """MSH alone, read before the character set is known; raises Unacceptable where the text begins with no MSH."""
    text = charsets.header_text(raw[:_LONGEST_HEADER]).lstrip(_PADDING + "\r\n")
    if not text.startswith("MSH"):
        raise Unacceptable("MSH", "message-unreadable", "A message begins with MSH.")
    delimiters = separators.declared(text)
    charset = charsets.wide(raw) or Charset("iso8859-1")
    return _segment(_ENDS.split(text, maxsplit=1)[0], 1, delimiters, charset)


_SHOWN = ("RF1", "PID", "PV1", "CON", "ARV")
_MOST_SHOWN = 20  # of a name: one is about this person, more are noise
_LONGEST_HEADER = 65_536
# A megabyte of empty segments keeps a core busy for seconds; no sender's referral has so many.
_MOST_SEGMENTS = 5_000
_MOST_REPETITIONS = 20_000


def _too_many(message: str) -> Unacceptable:
    return Unacceptable("MSH", "too-many", message)


@lru_cache(maxsize=64)
def _ends_among_crs(sign: str) -> re.Pattern[str]:
    return re.compile(rf"\r\n?|\n(?=[A-Z][A-Z0-9]{{2}}{re.escape(sign)})")


def _lines(text: str, delimiters: Delimiters) -> list[str]:
    """One text per segment.

    A segment ends with CR; LF and CRLF are taken too, and an LF inside a message of CRs that no segment follows is
    part of the field it stands in.
    """
    text = text.strip(_PADDING + "\r\n")
    ends = _ends_among_crs(delimiters.field) if "\r" in text else _ENDS
    lines = [line.strip("\x00\x1c") for line in ends.split(text, maxsplit=_MOST_SEGMENTS)]
    if len(lines) > _MOST_SEGMENTS:
        raise _too_many(f"A message has at most {_MOST_SEGMENTS:,} segments.")
    kept = [line for line in lines if line.strip(_PADDING)]
    for position, line in enumerate(kept):
        if not _SEGMENT_ID.fullmatch(line[:3]) or line[3:4] not in ("", delimiters.field):
            behind = kept[position - 1][:3]
            message = "After this segment stands something that is no segment."
            raise Unacceptable(behind if position else "MSH", "segment-unreadable", message)
    return kept


def _segment(line: str, number: int, delimiters: Delimiters, charset: Charset) -> Segment:
    fields = line.split(delimiters.field)
    if fields[0] in ("MSH", "FHS", "BHS"):  # MSH-1 is the separator itself
        fields.insert(1, delimiters.field)
    return Segment(fields[0], number, tuple(fields), delimiters, charset)
