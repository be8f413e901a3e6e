"""One question put to the columns: who is not kept out, and what everybody who is left scores."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from services.matching.domain import rules
from services.matching.domain.policy import IMMEDIATE
from services.matching.domain.rules import Question
from services.matching.domain.score import Scale
from services.matching.domain.specialist import MODALITIES
from services.matching.ranking.columns import NOBODY, RosterColumns
from services.matching.ranking.tables import Column, Flags, mask, milliseconds

_BEDSIDE = mask({"bedside"}, MODALITIES)
_BITS = np.arange(256, dtype=np.uint8)


def looked_up(table: Column, numbers: Column) -> Column:
    """What the table says of each number; every number MUST be in it."""
    return table.take(
        numbers, mode="clip"
    )  # a third faster than table[numbers], which looks at every number twice


def taken(column: Column, rows: Column) -> Column:
    """The column's values at these rows, which MUST exist."""
    return column.take(rows, mode="clip")


class Asking:
    """A question to a roster that holds still. Rows are numbers into its columns."""

    def __init__(self, roster: RosterColumns, asked: Question) -> None:
        roster.move(milliseconds(asked.at))
        self._roster = roster
        self._asked = asked

    def eligible(self) -> Column:
        """The rows no rule keeps out.

        First what is looked up for everybody in one go, then, for the few who are left, their attributes.
        """
        roster, asked = self._roster, self._asked
        kind, spared = roster["kind"], roster.passing
        kept = looked_up(self._working & self._kinds, kind)
        extra = spared.rows("extra")
        kept[extra] = looked_up(self._kinds, kind[extra])
        kept[spared.rows("off")] = False
        kept[spared.rows("resting")] = False
        kept &= looked_up(roster.credentials.valid(asked), roster["credential"])
        kept &= looked_up(self.ways_of_bases != 0, roster["base"])
        kept &= roster["room"] >= asked.weight_milli
        kept[self._barred(asked.excluded_ids | asked.asked_ids)] = False
        kept[self._never] = False
        return self._wished(np.flatnonzero(kept))

    def exclusions(self) -> dict[str, int]:
        """How many each rule keeps out; each is counted once, under the first rule."""
        alive = np.flatnonzero(self._roster["kind"] != NOBODY)
        counts: dict[str, int] = {}
        for rule, keep in self._rules:
            kept = keep(alive)
            if kept.size < alive.size:
                counts[rule] = int(alive.size - kept.size)
            alive = kept
        return counts

    def fitting(self, scale: Scale, rows: Column) -> Column:
        """The points of these rows, in thousandths, but those for free capacity."""
        roster = self._roster
        points = looked_up(roster.kinds.spoken_points(scale), taken(roster["kind"], rows))
        closeness = roster.bases.closeness(scale, self._asked)
        points += looked_up(closeness, taken(roster["base"], rows))
        for byte, worth in self._points_of_bytes(scale).items():
            points += looked_up(worth, taken(roster["released"][byte], rows))
        return points

    def free(self, scale: Scale, rows: Column) -> Column:
        """The points of these rows for free capacity."""
        capacity = taken(self._roster["capacity"], rows)
        free = np.maximum(taken(self._roster["room"], rows) - taken(self._roster["open"], rows), 0)
        return scale.capacity_points * free // np.maximum(capacity, 1)

    def likely(self, rows: Column) -> Column:
        """What these rows would carry if they accepted everything they were asked."""
        roster = self._roster
        return roster["capacity"][rows] - roster["room"][rows] + roster["open"][rows]

    # Rules

    @cached_property
    def _rules(self) -> list[tuple[str, Callable[[Column], Column]]]:
        roster, asked = self._roster, self._asked
        return [
            (rules.SAFETY, lambda rows: self._without(rows, self._barred(asked.excluded_ids), self._never)),
            (rules.ASKED, lambda rows: self._without(rows, self._barred(asked.asked_ids))),
            (rules.PREFERENCE, self._wished),
            (rules.LIMIT, lambda rows: rows[roster.kinds.within_limits(asked)[roster["kind"][rows]]]),
            (rules.LANGUAGE, lambda rows: rows[roster.kinds.speaking(asked)[roster["kind"][rows]]]),
            (
                rules.CERTIFICATION,
                lambda rows: rows[roster.credentials.valid(asked)[roster["credential"][rows]]],
            ),
            (rules.SHIFT, self._on_shift),
            (rules.REST, lambda rows: self._without(rows, roster.passing.rows("resting"))),
            (rules.REACH, lambda rows: rows[self.ways_of_bases[roster["base"][rows]] != 0]),
            (rules.CAPACITY, lambda rows: rows[roster["room"][rows] >= asked.weight_milli]),
        ]

    @cached_property
    def _working(self) -> Flags:
        is_immediate = self._asked.need.urgency == IMMEDIATE
        return self._roster.kinds.working(self._asked.at, is_immediate=is_immediate)

    @cached_property
    def _kinds(self) -> Flags:
        """Which kinds speak with the peer and have no limit of their own; whether they work is another question."""
        kinds = self._roster.kinds
        return kinds.speaking(self._asked) & kinds.within_limits(self._asked)

    @cached_property
    def ways_of_bases(self) -> Column:
        """In which ways somebody from each base could be with the peer, as bits."""
        return self._roster.bases.ways(self._asked)

    @cached_property
    def _never(self) -> Column:
        found = self._roster.never.get(self._asked.need.peer_id, set())
        return np.fromiter(found, np.int64, len(found))

    def _barred(self, ids: frozenset[str]) -> Column:
        rows = [row for one in ids if (row := self._roster.ids.row(one)) is not None]
        return np.array(rows, np.int64)

    @staticmethod
    def _without(rows: Column, *barred: Column) -> Column:
        return rows[np.isin(rows, np.concatenate(barred), invert=True)]

    def _on_shift(self, rows: Column) -> Column:
        told = looked_up(self._working, self._roster["kind"])
        told[self._roster.passing.rows("extra")] = True
        told[self._roster.passing.rows("off")] = False
        return rows[told[rows]]

    def _wished(self, rows: Column) -> Column:
        """Those who released every "must" and have nothing that is avoided."""
        asked, roster = self._asked, self._roster
        if any(code not in roster.bits for code in asked.must):
            return rows[:0]
        must, avoid = roster.pack(asked.must), roster.pack(asked.avoid)
        for byte in np.flatnonzero(must).tolist():
            rows = rows[(taken(roster["released"][byte], rows) & must[byte]) == must[byte]]
        for byte in np.flatnonzero(avoid).tolist():
            rows = rows[(taken(roster["avoidable"][byte], rows) & avoid[byte]) == 0]
        return rows

    # Score

    def _points_of_bytes(self, scale: Scale) -> dict[int, Column]:
        """For each byte of the attributes that matters, what each of its 256 values is worth."""
        found: dict[int, Column] = {}
        for term in scale.attributes:
            bit = self._roster.bits.get(term.code.split(":", 1)[1])
            if bit is not None:
                points = found.setdefault(bit // 8, np.zeros(256, np.int32))
                points += ((_BITS >> (bit % 8)) & 1) * np.int32(term.points_milli)
        return found
