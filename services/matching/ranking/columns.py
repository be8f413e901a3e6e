"""The roster as NumPy columns: one row per ranked specialist, changed in place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import numpy as np

from services.matching.domain.rank import Entry
from services.matching.domain.score import Rarity
from services.matching.domain.specialist import Specialist, Standing
from services.matching.ranking.credentials import Credentials
from services.matching.ranking.ids import IdTable
from services.matching.ranking.passing import Passing
from services.matching.ranking.tables import NOBODY, Bases, Column, Kinds, milliseconds

_FIRST_ROOM = 1024
_ANYWHERE = ""
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class RosterColumns:
    """What the ranking needs to know of every specialist.

    A row is its attributes as bits, three numbers into the tables of what many have alike, and what it carries:
    `room` is what of its capacity is free now. Attributes lie byte by byte, all first bytes of everybody together.
    """

    def __init__(self, codes: Sequence[str]) -> None:
        self.codes = tuple(codes)
        self.bits = {code: number for number, code in enumerate(codes)}
        self.bytes_each = (len(codes) + 7) // 8
        self.ids = IdTable()
        self.kinds, self.bases, self.credentials = Kinds(), Bases(), Credentials()
        self.passing = Passing()
        self.never: dict[str, set[int]] = {}
        self._never_of: dict[int, frozenset[str]] = {}
        self._counts: dict[str, Column] = {}
        self._sizes: dict[str, int] = {}
        self._speakers: dict[str, Column] = {}  # how many of a state speak each set of languages
        self._columns = self._empty(_FIRST_ROOM)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, name: str) -> Column:
        """A column of everybody; those of attributes have one row for each byte."""
        return self._columns[name][..., : len(self.ids)]

    def bytes_used(self) -> dict[str, int]:
        """The size of everything in bytes: the attributes' codes, the other columns, the ids, the tables."""
        codes = self._columns["released"].nbytes + self._columns["avoidable"].nbytes
        return {
            "codes": codes,
            "columns": sum(column.nbytes for column in self._columns.values()) - codes,
            "ids": self.ids.bytes_used(),
            "tables": self.kinds.bytes_used() + self.bases.bytes_used() + self.credentials.bytes_used(),
        }

    def reserve(self, count: int) -> None:
        """There is room for so many without growing again."""
        self.ids.reserve(count)
        if count > self._columns["kind"].size:
            grown = self._empty(count)
            for name, column in self._columns.items():
                grown[name][..., : column.shape[-1]] = column
            self._columns = grown

    def put(self, entries: Iterable[Entry]) -> None:
        """These specialists are in the columns as they are now; whoever is no specialist any more is nobody."""
        latest = {entry[0].specialist_id: entry for entry in entries}
        known = {one: self.ids.row(one) for one in latest}
        rows, ranked = [], []
        for one, entry in latest.items():
            row = known[one]
            if not entry[0].is_ranked:
                if row is not None:
                    self._remove(row)
                continue
            rows.append(self.ids.add(one) if row is None else row)
            ranked.append(entry)
        if len(self.ids) > self._columns["kind"].size:
            self.reserve(max(len(self.ids), self._columns["kind"].size * 5 // 4))
        if rows:
            self._write(np.array(rows), ranked)

    def remove(self, specialist_ids: Iterable[str]) -> None:
        """None of these is ranked any more; unknown ids are passed over."""
        for one in specialist_ids:
            row = self.ids.row(one)
            if row is not None:
                self._remove(row)

    def set_open(self, open_milli: Mapping[str, int]) -> None:
        """These specialists were asked to carry that much and have not answered; unknown ids are passed over."""
        for specialist_id, milli in open_milli.items():
            row = self.ids.row(specialist_id)
            if row is not None:
                self._columns["open"][row] = milli

    def move(self, at: int) -> None:
        """Rest, strain and calendars are as at this moment, in milliseconds."""
        for row in self.passing.move(at):
            self._make_room(row)

    def pack(self, codes: Iterable[str]) -> Column:
        """The codes as bytes; codes the taxonomy does not know have no bit."""
        return np.frombuffer(self._packed(codes), np.uint8)

    def rarity(self, state: str) -> Rarity:
        """How many who are certified in this state released each attribute; of everybody for ""."""
        counts = self._counts.get(state)
        told = {} if counts is None else dict(zip(self.codes, counts.tolist(), strict=False))
        return Rarity(told, self._sizes.get(state, 0))

    def speakers(self, languages: Sequence[str], least_level: int, state: str) -> int:
        """How many who are certified in this state speak one of these so well; of everybody for ""."""
        counts = self._speakers.get(state, np.zeros(0, np.int64))
        return int(counts[self.kinds.tongues(languages, least_level)[: counts.size]].sum())

    def _empty(self, room: int) -> dict[str, Column]:
        return {
            "released": np.zeros((self.bytes_each, room), np.uint8),
            "avoidable": np.zeros((self.bytes_each, room), np.uint8),
            "kind": np.zeros(room, np.int32),
            "base": np.zeros(room, np.int32),
            "credential": np.zeros(room, np.int32),
            "load": np.zeros(room, np.int32),
            "room": np.zeros(room, np.int32),
            "open": np.zeros(room, np.int32),
            "capacity": np.zeros(room, np.int32),
            "waiting": np.zeros(room, np.int64),
        }

    def _write(self, rows: Column, entries: Sequence[Entry]) -> None:
        self._count(rows, -1)
        people = [specialist for specialist, _ in entries]
        columns = self._columns
        columns["released"][:, rows] = self._bytes(person.released for person in people)
        columns["avoidable"][:, rows] = self._bytes(person.avoidable for person in people)
        columns["kind"][rows] = [self.kinds.number(person) for person in people]
        columns["base"][rows] = [self.bases.number(person) for person in people]
        columns["credential"][rows] = [self.credentials.number(person) for person in people]
        columns["load"][rows] = [standing.load_milli for _, standing in entries]
        columns["open"][rows] = [standing.open_milli for _, standing in entries]
        columns["capacity"][rows] = [standing.capacity_milli for _, standing in entries]
        columns["waiting"][rows] = [milliseconds(standing.waiting_since) for _, standing in entries]
        for row, entry in zip(rows.tolist(), entries, strict=True):
            self._put_passing(row, *entry)
        self._count(rows, 1)

    def _put_passing(self, row: int, specialist: Specialist | None, standing: Standing) -> None:
        self.passing.put(row, specialist, standing)
        self._make_room(row)
        wanted = specialist.never if specialist else frozenset()
        before = self._never_of.pop(row, frozenset())
        for peer_id in before - wanted:
            self.never[peer_id].discard(row)
        for peer_id in wanted - before:
            self.never.setdefault(peer_id, set()).add(row)
        if wanted:
            self._never_of[row] = wanted

    def _make_room(self, row: int) -> None:
        columns = self._columns
        carried = int(columns["load"][row]) + self.passing.strain(row)
        columns["room"][row] = int(columns["capacity"][row]) - carried

    def _remove(self, row: int) -> None:
        if self._columns["kind"][row] == NOBODY:
            return
        self._count(np.array([row]), -1)
        self._columns["kind"][row] = NOBODY
        self._put_passing(row, None, Standing(0, 0, _NEVER))

    def _bytes(self, code_sets: Iterable[Iterable[str]]) -> Column:
        packed = b"".join(self._packed(codes) for codes in code_sets)
        return np.frombuffer(packed, np.uint8).reshape(-1, self.bytes_each).T

    def _packed(self, codes: Iterable[str]) -> bytes:
        number = 0
        for code in codes:
            bit = self.bits.get(code)
            if bit is not None:
                number |= 1 << bit
        return number.to_bytes(self.bytes_each, "little")

    def _count(self, rows: Column, step: int) -> None:
        """The rarities gain or lose these rows, everywhere and in each state they are certified in."""
        rows = rows[self._columns["kind"][rows] != NOBODY]
        if not rows.size:
            return
        released = np.unpackbits(self._columns["released"][:, rows], axis=0, bitorder="little")
        credentials = self._columns["credential"][rows]
        parts = {_ANYWHERE: np.ones(rows.size, bool)}
        for number in set(credentials.tolist()):
            for state in self.credentials.states[number]:
                part = parts.setdefault(state, np.zeros(rows.size, bool))
                part |= credentials == number
        for state, part in parts.items():
            counts = self._counts.setdefault(state, np.zeros(8 * self.bytes_each, np.int64))
            counts += step * released[:, part].sum(axis=1, dtype=np.int64)
            self._sizes[state] = self._sizes.get(state, 0) + step * int(part.sum())
            self._count_speakers(state, rows[part], step)

    def _count_speakers(self, state: str, rows: Column, step: int) -> None:
        spoken = np.bincount(self.kinds.languages_of(self._columns["kind"][rows]))
        known = self._speakers.get(state, spoken[:0])
        counts = np.zeros(max(known.size, spoken.size), np.int64)
        counts[: known.size] += known
        counts[: spoken.size] += step * spoken
        self._speakers[state] = counts
