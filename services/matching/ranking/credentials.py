"""The certifications of many specialists, each set of them kept once and asked once."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from services.matching.domain.rules import Question
from services.matching.domain.specialist import AGE_BANDS, PAYERS, Certification, Specialist
from services.matching.ranking.remembered import Remembered
from services.matching.ranking.tables import Flags, Rows, mask, milliseconds


class Credentials:
    """The certifications of a specialist, as one number. 0 is none."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._states: dict[str, int] = {}
        self.states: list[frozenset[str]] = []
        self._told = Remembered()
        self._rows = Rows(
            number=np.int32, state=np.int16, payers=np.uint8, ages=np.uint8, begins=np.int64, ends=np.int64
        )

    def bytes_used(self) -> int:
        """Of the table, the dictionaries not counted."""
        return self._rows.bytes_used()

    def number(self, specialist: Specialist) -> int:
        """Which of the credentials this specialist has."""
        key: tuple[tuple[Certification, ...], str] = specialist.certifications, specialist.shifts.time_zone
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = len(self._numbers)
            self.states.append(frozenset(one.state for one in specialist.certifications))
            for one in specialist.certifications:
                self._add(found, one, specialist.shifts.time_zone)
        return found

    def valid(self, asked: Question) -> Flags:
        """Which of them hold at that moment for this payer, age band and state."""
        at = milliseconds(asked.at)
        key = at, asked.payer, asked.age_band, asked.state, len(self._numbers)
        return self._told.told(key, lambda: self._valid(asked, at))

    def _valid(self, asked: Question, at: int) -> Flags:
        rows = self._rows
        fits = (rows["begins"] <= at) & (at < rows["ends"])
        if asked.payer:
            fits &= (rows["payers"] & mask({asked.payer}, PAYERS)) != 0
        if asked.age_band:
            fits &= (rows["ages"] & mask({asked.age_band}, AGE_BANDS)) != 0
        if asked.state:
            fits &= rows["state"] == self._states.get(asked.state, -1)
        valid = np.zeros(len(self._numbers), bool)
        valid[rows["number"][fits]] = True
        return valid

    def _add(self, number: int, one: Certification, zone: str) -> None:
        begins, ends = one.span(zone)
        self._rows.add(
            number=number,
            state=self._states.setdefault(one.state, len(self._states)),
            payers=mask(one.payers, PAYERS),
            ages=mask(one.age_bands, AGE_BANDS),
            begins=milliseconds(begins),
            ends=milliseconds(ends),
        )
