"""Segments and headers of what we send, in the receiver's version, delimiters and character set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from chassis.ids import new_id
from services.intake.hl7v2 import times
from services.intake.hl7v2.charset import Charset
from services.intake.hl7v2.delimiters import Delimiters
from services.intake.hl7v2.escapes import escaped

Composite = str | Sequence["str | Sequence[str]"]
VERSIONS = ("2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8", "2.8.1", "2.8.2")
_CONTROL_ID_CHARS = 20  # MSH-10 holds no more before version 2.7
OURS = ("KINDRED", "KINDRED")


@dataclass(frozen=True, slots=True)
class Pen:
    """Writes one message.  A composite is a list of components, a component text or a list of subcomponents."""

    version: str
    delimiters: Delimiters = field(default_factory=Delimiters)
    charset: Charset = field(default_factory=Charset)

    def segment(self, name: str, *fields: Composite | None) -> str:
        """The segment, without the empty fields at its end."""
        texts = [self._field(one) for one in fields]
        while texts and not texts[-1]:
            texts.pop()
        return self.delimiters.field.join([name, *texts])

    def message(self, segments: Iterable[str]) -> bytes:
        """The bytes, each segment ended by CR."""
        return self.charset.encode("".join(f"{segment}\r" for segment in segments))

    def header(self, receiver: Sequence[str], type_: Sequence[str], now: datetime, **more: str) -> str:
        """MSH; `receiver` are raw MSH-3, MSH-4 of ours and MSH-5, MSH-6 of theirs."""
        of_type = [*type_] if self.is_since("2.3.1") else [*type_][:2]
        fields = [
            self.delimiters.encoding,
            *receiver,
            self.time(now),
            "",
            self.delimiters.component.join(of_type),
            more.get("control_id") or control_id(),
            more.get("processing_id", "P"),
            more.get("version_field", self.version),
            *[""] * 5,
            more.get("charset", ""),
        ]
        while not fields[-1]:
            fields.pop()
        return self.delimiters.field.join(["MSH", *fields])

    def time(self, moment: datetime) -> str:
        """The moment as it may stand in a field of this message: nothing in a time can be escaped (chapter 2)."""
        return times.written(moment, "".join(self.delimiters.by_letter().values()))

    def is_since(self, version: str) -> bool:
        """True where the message is of this version or a later one."""
        return number_of(self.version) >= number_of(version)

    def _field(self, composite: Composite | None) -> str:
        if composite is None:
            return ""
        if isinstance(composite, str):
            return escaped(composite, self.delimiters)
        parts = [self._component(part) for part in composite]
        while parts and not parts[-1]:
            parts.pop()
        return self.delimiters.component.join(parts)

    def _component(self, part: str | Sequence[str]) -> str:
        if isinstance(part, str):
            return escaped(part, self.delimiters)
        return self.delimiters.subcomponent.join(escaped(one, self.delimiters) for one in part).rstrip(
            self.delimiters.subcomponent
        )


def number_of(version: str) -> tuple[int, ...]:
    """A version as numbers, so that 2.10 would follow 2.9."""
    return tuple(int(part) for part in version.split("."))


def control_id() -> str:
    """An MSH-10 that nobody had before."""
    return new_id("hl7").partition("_")[2][:_CONTROL_ID_CHARS].upper()
