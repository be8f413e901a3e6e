"""The room of a simulation: the same rules, index, waves and policy as in production, with the roster in memory."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from chassis.clock import TurnedClock
from services.matching import roster_rows, taxonomy
from services.matching.domain import policy as policies
from services.matching.domain import wellbeing
from services.matching.domain.ladders import Ladders
from services.matching.domain.need import Need
from services.matching.domain.policy import Wave
from services.matching.domain.rank import Entry
from services.matching.domain.specialist import ORDINARY_MILLI, Standing
from services.matching.ranking import RosterIndex
from services.matching.roster_file import RawRow

_REMEMBERED = 50  # acceptances of one specialist, as in the store
_POLICY_FILE = Path(__file__).resolve().parents[1] / "policy.v1.json"


class World:
    """What `waves` asks of a room: `roster`, `roster_watch`, `index`, `policy`, `ladders`, `taxonomy`, `clock`."""

    def __init__(
        self, rows: Sequence[Mapping[str, str]], start: datetime, immediate: tuple[Wave, ...]
    ) -> None:
        document = json.loads(_POLICY_FILE.read_text(encoding="utf-8"))
        self.policy = policies.from_document(document, immediate)
        self.taxonomy = taxonomy.read()
        self.clock = TurnedClock(start)
        self.index = RosterIndex(list(self.taxonomy.attributes))
        self.ladders = SimpleNamespace(current=Ladders(self.policy))
        self.roster = self.roster_watch = self
        self.people: dict[str, Entry] = {}
        self._open: Counter[str] = Counter()
        self._accepted: dict[str, list[datetime]] = {}
        self._behind: set[str] | None = (
            None  # whose changes the index has not seen; None where it has seen all
        )
        read = [roster_rows.read(RawRow(number, dict(row))) for number, row in enumerate(rows)]
        enlisted = [row for row in read if not isinstance(row, list) and row.specialist.is_ranked]
        for row in enlisted:
            standing = Standing(0, row.capacity * ORDINARY_MILLI, start)
            self.people[row.specialist.specialist_id] = (row.specialist, standing)
        self.index.put(self.people.values())

    def entries(self, ids: Iterable[str]) -> dict[str, Entry]:
        """The specialists as they are now."""
        return {one: self.people[one] for one in ids}

    def open_milli(self, specialist_id: str) -> int:
        """What they were asked to carry and have not answered."""
        return ORDINARY_MILLI * self._open[specialist_id]

    def note_asked(self, specialist_ids: Sequence[str]) -> None:
        """Counted by `asked`, when the offer is there."""

    def forget_proposals(self) -> None:
        """There are none."""

    def holds(self, need: Need) -> bool:
        """The whole roster is here."""
        return True

    def nearest_supervisor_id(self, need: Need) -> str:
        """One supervisor has all of it here."""
        return "supervisor"

    def asked(self, specialist_ids: Iterable[str], change: int) -> None:
        """So many more, or fewer, open offers for each of these."""
        touched = list(specialist_ids)
        for one in touched:
            self._open[one] += change
        if self._behind is None:
            self.index.set_open({one: self.open_milli(one) for one in touched})
        else:
            self._behind.update(touched)

    def carry(self, specialist_id: str, milli: int) -> Standing:
        """They carry so much more, or less; how they stand now, nights and the rest that is due included."""
        specialist, standing = self.people[specialist_id]
        now, care, accepted = self.clock.now(), self.policy.care, self._accepted.setdefault(specialist_id, [])
        waiting_since = standing.waiting_since
        if milli > 0:
            waiting_since = now
            accepted[:] = [*accepted[-_REMEMBERED:], now]
        standing = replace(
            standing,
            load_milli=standing.load_milli + milli,
            waiting_since=waiting_since,
            strains=wellbeing.strains(care, accepted, (), specialist.shifts.time_zone),
            rests_until=wellbeing.rests_until(care, accepted, standing.rests_until),
        )
        return self._stands(specialist_id, standing)

    def rest(self, specialist_id: str, until: datetime) -> Standing:
        """Nobody is brought to them until then."""
        return self._stands(specialist_id, replace(self.people[specialist_id][1], rests_until=until))

    def fall_behind(self) -> None:
        """From now on the index sees nothing of what changes; the store does."""
        self._behind = set() if self._behind is None else self._behind

    def catch_up(self) -> None:
        """The index has seen everything that changed meanwhile."""
        behind, self._behind = self._behind or set(), None
        for one in sorted(behind):
            self._stands(one, self.people[one][1])

    def _stands(self, specialist_id: str, standing: Standing) -> Standing:
        specialist, _ = self.people[specialist_id]
        self.people[specialist_id] = (specialist, standing)
        if self._behind is None:
            self.index.put([(specialist, replace(standing, open_milli=self.open_milli(specialist_id)))])
        else:
            self._behind.add(specialist_id)
        return standing


def as_room(world: World) -> Any:
    """The world where a room is asked for: it has all that `waves` uses."""
    return world
