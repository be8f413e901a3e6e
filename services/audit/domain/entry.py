"""An entry as the log keeps it, sealed, and the head that commits to all entries before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chassis.errors import Kind, Refusal


@dataclass(frozen=True, slots=True)
class SealedEntry:
    """One line of the log. `leaf` is hashed as it is; `row` is what a search may see, without its index.

    `key_id` names the data key of the body; it is random, so that without the key it says nothing about anybody.
    """

    event_id: str
    leaf: bytes
    body: bytes
    key_id: bytes
    row: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive entries from index `start`, fixed for ever once they are staged."""

    start: int
    entries: tuple[SealedEntry, ...]

    @property
    def end(self) -> int:
        """The tree's size with this batch."""
        return self.start + len(self.entries)


@dataclass(frozen=True, slots=True)
class Head:
    """A size, its root and the signed checkpoint that says so."""

    size: int
    root: bytes
    checkpoint: bytes


@dataclass(frozen=True, slots=True)
class Heads:
    """Two heads: up to `committed` the content is fixed, up to `published` everything can also be read."""

    committed: Head
    published: Head


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with the log, by name and place; -1 where it is not about one entry."""

    code: str
    index: int = -1
    detail: str = ""


class LogBroken(Refusal):
    """What is stored contradicts what was signed: nothing may be appended until a person has looked.

    Events wait meanwhile (they are retried), so nothing is lost and nothing is acknowledged.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code, Kind.UNAVAILABLE, "The audit log contradicts itself.", detail=detail)
        self.detail = detail


class SwapLost(Refusal):
    """Another worker was quicker: what was thought to be the state is forgotten and read again."""

    def __init__(self) -> None:
        super().__init__("swap-lost", Kind.UNAVAILABLE, "Another worker is writing the log.")
