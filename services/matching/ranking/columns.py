"""The roster as NumPy columns: one row per ranked specialist, changed in place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from services.matching.domain import place
from services.matching.domain.rank import Entry
from services.matching.domain.shifts import Shifts
from services.matching.domain.specialist import AGE_BANDS, MODALITIES, PAYERS, Specialist

Column = npt.NDArray[Any]
Flags = npt.NDArray[np.bool_]
_FIRST_ROOM = 1024
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class RosterColumns:
    """What the ranking needs to know of every specialist; `attributes` are bits, a certificate slot is five columns."""

    def __init__(self, codes: Sequence[str]) -> None:
        self.codes = tuple(codes)
        self.bits = {code: (number // 64, np.uint64(number % 64)) for number, code in enumerate(codes)}
        self.words = (len(codes) + 63) // 64
        self.ids: list[str] = []
        self.rows: dict[str, int] = {}
        self.states: dict[str, int] = {}
        self.patterns: dict[Shifts, int] = {}
        self.languages: dict[str, Column] = {}
        self.counts: dict[str, int] = {}
        self.certificates: list[dict[str, Column]] = []
        self.columns = self._empty(_FIRST_ROOM)

    def __getitem__(self, name: str) -> Column:
        return self.columns[name]

    def bytes_used(self) -> int:
        """The size of all columns in bytes, ids and dictionaries not counted."""
        slots = [column for slot in self.certificates for column in slot.values()]
        return sum(c.nbytes for c in (*self.columns.values(), *self.languages.values(), *slots))

    def put(self, entries: Iterable[Entry]) -> None:
        """These specialists are in the columns as they are now; supervisors are left out."""
        for entry, standing in entries:
            specialist = entry if entry.is_ranked else _retired(entry)
            if specialist.is_ranked or specialist.specialist_id in self.rows:
                row = self._row(specialist.specialist_id)
                self._write(row, specialist)
                self.columns["load"][row] = standing.load_milli
                self.columns["open"][row] = standing.open_milli
                self.columns["capacity"][row] = standing.capacity_milli
                self.columns["waiting"][row] = milliseconds(standing.waiting_since)

    def set_open(self, open_milli: Mapping[str, int]) -> None:
        """These specialists were asked to carry that much and have not answered; unknown ids are passed over."""
        for specialist_id, milli in open_milli.items():
            if specialist_id in self.rows:
                self.columns["open"][self.rows[specialist_id]] = milli

    def pack(self, codes: Iterable[str]) -> Column:
        """The codes as bits; codes the taxonomy does not know have none."""
        packed = np.zeros(self.words, np.uint64)
        for code in codes:
            if code in self.bits:
                word, bit = self.bits[code]
                packed[word] |= np.uint64(1) << bit
        return packed

    def _empty(self, room: int) -> dict[str, Column]:
        return {
            "released": np.zeros((self.words, room), np.uint64),
            "avoidable": np.zeros((self.words, room), np.uint64),
            "xyz": np.zeros((3, room), np.int32),
            "radius": np.zeros(room, np.int64),
            "ways": np.zeros(room, np.uint8),
            "pattern": np.zeros(room, np.int32),
            "load": np.zeros(room, np.int64),
            "open": np.zeros(room, np.int64),
            "capacity": np.zeros(room, np.int64),
            "waiting": np.zeros(room, np.int64),
        }

    def _row(self, specialist_id: str) -> int:
        row = self.rows.get(specialist_id)
        if row is None:
            row = self.rows[specialist_id] = len(self.ids)
            self.ids.append(specialist_id)
            if row >= self.columns["load"].size:
                self._grow(2 * row)
        return row

    def _grow(self, room: int) -> None:
        self.columns = {name: _grown(column, room) for name, column in self.columns.items()}
        self.languages = {tag: _grown(column, room) for tag, column in self.languages.items()}
        self.certificates = [
            {name: _grown(column, room) for name, column in slot.items()} for slot in self.certificates
        ]

    def _write(self, row: int, specialist: Specialist) -> None:
        self._write_attributes(row, specialist)
        columns = self.columns
        columns["xyz"][:, row] = specialist.place.x, specialist.place.y, specialist.place.z
        columns["radius"][row] = place.reach_squared(specialist.radius_miles)
        columns["ways"][row] = mask(specialist.modalities, MODALITIES)
        columns["pattern"][row] = self.patterns.setdefault(specialist.shifts, len(self.patterns))
        for tag in specialist.languages.keys() - self.languages.keys():
            self.languages[tag] = np.zeros(columns["load"].size, np.int8)
        for tag, column in self.languages.items():
            column[row] = specialist.languages.get(tag, 0)
        self._write_certificates(row, specialist)

    def _write_attributes(self, row: int, specialist: Specialist) -> None:
        before = self.columns["released"][:, row].copy()
        self.columns["released"][:, row] = self.pack(specialist.released)
        self.columns["avoidable"][:, row] = self.pack(specialist.avoidable)
        after = self.columns["released"][:, row]
        for word in range(self.words):
            self._count(word, int(before[word]), int(after[word]))

    def _count(self, word: int, before: int, after: int) -> None:
        """The counts follow every bit of a word that changed."""
        changed = before ^ after
        while changed:
            bit = (changed & -changed).bit_length() - 1
            code = self.codes[word * 64 + bit]
            self.counts[code] = self.counts.get(code, 0) + (1 if after >> bit & 1 else -1)
            changed &= changed - 1

    def _write_certificates(self, row: int, specialist: Specialist) -> None:
        while len(self.certificates) < len(specialist.certifications):
            room = self.columns["load"].size
            self.certificates.append({name: np.zeros(room, kind) for name, kind in _CERTIFICATE.items()})
        for number, slot in enumerate(self.certificates):
            if number >= len(specialist.certifications):
                slot["until"][row] = 0
                continue
            certification = specialist.certifications[number]
            begins, ends = certification.span(specialist.shifts.time_zone)
            slot["state"][row] = self.states.setdefault(certification.state, len(self.states) + 1)
            slot["payers"][row] = mask(certification.payers, PAYERS)
            slot["ages"][row] = mask(certification.age_bands, AGE_BANDS)
            slot["from"][row], slot["until"][row] = milliseconds(begins), milliseconds(ends)


_CERTIFICATE: Mapping[str, Any] = {
    "state": np.int16,
    "payers": np.uint8,
    "ages": np.uint8,
    "from": np.int64,
    "until": np.int64,
}


def _retired(specialist: Specialist) -> Specialist:
    """Who became a supervisor keeps their row, reachable by nobody."""
    nothing = frozenset[str]()
    return replace(specialist, released=nothing, held=nothing, perhaps_held=nothing, modalities=nothing)


def _grown(column: Column, room: int) -> Column:
    grown = np.zeros((*column.shape[:-1], room), column.dtype)
    grown[..., : column.shape[-1]] = column
    return grown


def mask(names: Iterable[str], known: Sequence[str]) -> int:
    """The names as bits, in the order of the known ones."""
    return sum(1 << known.index(name) for name in set(names) if name in known)


def milliseconds(moment: datetime) -> int:
    """Whole milliseconds since 1970, exact."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)
