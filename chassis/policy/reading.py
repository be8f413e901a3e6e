"""Reads table.txt: groups, needs, what is never permitted, and a line for each door and each command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chassis.identity import PURPOSES, ROLES

TABLE = Path(__file__).with_name("table.txt")
BREAKING = "BTG"
SIGN_INS = frozenset({"token", "session", "gate", "link", "signature", "key", "open"})
_BY_PERSON = frozenset({"token", "session", "gate"})
_THIS_MACHINE = "this machine"


class TableUnreadable(ValueError):  # noqa: N818
    """A line of the table says nothing that can be kept: the number of the line, and why."""


@dataclass(frozen=True, slots=True)
class Row:
    """Who may come in by a door. `purposes` None: any or none, and never that of who breaks the glass."""

    door: str
    sign_in: str
    roles: frozenset[str]
    purposes: frozenset[str] | None
    needs: tuple[str, ...]

    def is_for(self, purpose: str) -> bool:
        """True where the purpose of use may be named here."""
        return purpose != BREAKING if self.purposes is None else purpose in self.purposes


@dataclass(frozen=True, slots=True)
class Never:
    """What no line can permit: a role, for any purpose or some, where a door is signed in to or needs something so."""

    roles: frozenset[str]
    purposes: frozenset[str] | None
    sign_in: str
    need: str
    reason: str

    def forbids(self, row: Row, role: str, purpose: str) -> bool:
        """True where the door, the role and the purpose are meant."""
        is_there = row.sign_in == self.sign_in if self.sign_in else self.need in row.needs
        is_for = self.purposes is None or purpose in self.purposes
        return is_there and is_for and role in self.roles


@dataclass(frozen=True, slots=True)
class Need:
    """What a line asks beyond its door: in words, the function that decides it, and a code it refuses with."""

    name: str
    asks: str
    decided_by: str
    refused_as: str


@dataclass(frozen=True, slots=True)
class Table:
    """Everything the file says."""

    rows: Mapping[str, tuple[Row, ...]]
    nevers: tuple[Never, ...]
    needs: Mapping[str, Need]
    commands: Mapping[str, tuple[str, ...]]


def load(path: Path = TABLE) -> Table:
    """The table in a file; raises TableUnreadable."""
    return read(path.read_text(encoding="utf-8"))


def read(text: str) -> Table:
    """The table in a text; raises TableUnreadable with the line's number."""
    reading = _Reading()
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("## "):
            reading.section = line[3:].strip()
        elif line.strip() and not line.startswith("#"):
            try:
                reading.take([part.strip() for part in line.split("|")])
            except (KeyError, ValueError) as trouble:
                raise TableUnreadable(f"line {number} of the policy: {trouble}") from None
    rows = {door: tuple(found) for door, found in reading.rows.items()}
    return Table(rows, tuple(reading.nevers), reading.needs, reading.commands)


class _Reading:
    """What was read so far."""

    def __init__(self) -> None:
        self.section = ""
        self.groups: dict[str, frozenset[str]] = {}
        self.needs: dict[str, Need] = {}
        self.nevers: list[Never] = []
        self.rows: dict[str, list[Row]] = {}
        self.commands: dict[str, tuple[str, ...]] = {}

    def take(self, parts: list[str]) -> None:
        """One line of the section that runs."""
        sections = {
            "groups": self._group,
            "needs": self._need,
            "never": self._never,
            "commands": self._command,
        }
        sections.get(self.section, self._row)(parts)

    def _group(self, parts: list[str]) -> None:
        name, members = parts
        self.groups[name] = self._named(members, ROLES | PURPOSES)

    def _need(self, parts: list[str]) -> None:
        need = Need(*parts)
        self.needs[need.name] = need

    def _never(self, parts: list[str]) -> None:
        who, purposes, where, reason = parts
        kind, _, name = where.partition(" ")
        if (kind == "sign-in" and name not in SIGN_INS) or (kind == "needs" and name not in self.needs):
            raise ValueError(f"there is no {where}")
        sign_in, need = (name.strip(), "") if kind == "sign-in" else ("", name.strip())
        self.nevers.append(Never(self._named(who, ROLES), self._purposes(purposes), sign_in, need, reason))

    def _row(self, parts: list[str]) -> None:
        door, sign_in, who, purposes, needs = [*parts, ""] if len(parts) == 4 else parts
        if sign_in not in SIGN_INS:
            raise ValueError(f"{sign_in} is no sign-in")
        if bool(who) != (sign_in in _BY_PERSON):
            raise ValueError("who may come in is said where a person or a system is known, and only there")
        row = Row(door, sign_in, self._named(who, ROLES), self._purposes(purposes), tuple(needs.split()))
        if unknown := [name for name in row.needs if name not in self.needs]:
            raise ValueError(f"no such need: {unknown[0]}")
        if any(other.sign_in != sign_in for other in self.rows.get(door, ())):
            raise ValueError("one door has one way to sign in")
        self.rows.setdefault(door, []).append(row)

    def _command(self, parts: list[str]) -> None:
        name, asked = parts
        doors = tuple(one.strip() for one in asked.split(","))
        if unknown := [one for one in doors if one != _THIS_MACHINE and one not in self.rows]:
            raise ValueError(f"no such door: {unknown[0]}")
        self.commands[name] = doors

    def _purposes(self, text: str) -> frozenset[str] | None:
        return None if text in ("any", "") else self._named(text, PURPOSES)

    def _named(self, text: str, known: frozenset[str]) -> frozenset[str]:
        found: set[str] = set()
        for word in text.split():
            found |= self.groups.get(word, {word})
        if unknown := found - known:
            raise ValueError(f"unknown here: {', '.join(sorted(unknown))}")
        return frozenset(found)
