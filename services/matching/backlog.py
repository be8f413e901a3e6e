"""A joint plan for what waits: the market from the index and the store, the best assignment, its trades."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from chassis.ids import new_id
from services.matching import candidates
from services.matching.domain.case import DECLINED, Case
from services.matching.domain.moving import ended_at_a_wish
from services.matching.domain.rank import Candidate, Entry, rank
from services.matching.domain.rules import CAPACITY, Question, excluded_by
from services.matching.domain.score import Scale
from services.matching.domain.specialist import ORDINARY_MILLI
from services.matching.joint import (
    Held,
    Lists,
    Market,
    Solution,
    Trade,
    one_by_one,
    solved,
    stable,
    trades,
)

if TYPE_CHECKING:
    from services.matching.bootstrap import Room

BEST, STABLE = "best", "stable"
STANDS_FOR = timedelta(minutes=10)
_PRIORITY = {"immediate": 3, "urgent": 2, "routine": 1}
_MOST_SEATS = 12


@dataclass(frozen=True)
class Planned:
    """One referral and who would be asked; `trade.other` is the row of the referral that has their best instead."""

    case: Case
    candidate: Candidate
    trade: Trade
    instead_of: str = ""


@dataclass(frozen=True)
class LeftOver:
    """A referral nobody is found for, and how many each rule kept out."""

    case: Case
    reason_code: str
    exclusions: dict[str, int]


@dataclass(frozen=True)
class Plan:
    """A joint assignment that was previewed; it stands for ten minutes."""

    plan_id: str
    expires_at: datetime
    planned: tuple[Planned, ...]
    left_over: tuple[LeftOver, ...]
    total_milli: int
    greedy_served: int
    greedy_total_milli: int
    is_proven: bool
    stable_served: int
    stable_total_milli: int
    variant: str


def plan(room: Room, cases: Sequence[Case], now: datetime, variant: str = BEST) -> Plan:
    """The best joint assignment of these cases under every hard rule and all capacities, or the stable one.

    Nothing is changed.  Cases of a region that another process ranks are left over, and said to be.
    """
    here = [case for case in cases if room.roster_watch.holds(case.need)]
    elsewhere = [case for case in cases if not room.roster_watch.holds(case.need)]
    board = _Board(room, here, now)
    market, solution, is_proven = board.solved()
    held = board.stable()
    greedy_served, greedy_total_milli = board.one_by_one()
    stable_total_milli = sum(one.score_milli for one in held)
    told = board.stable_trades(held) if variant == STABLE else board.trades(market, solution)
    planned = [one for one in (board.planned(key, trade) for key, trade in told) if one]
    served = {one.case.referral_id for one in planned}
    return Plan(
        new_id("plan"),
        now + STANDS_FOR,
        tuple(planned),
        (
            *(board.left_over(row) for row, case in enumerate(board.cases) if case.referral_id not in served),
            *(LeftOver(case, "held-elsewhere", {}) for case in elsewhere),
        ),
        stable_total_milli if variant == STABLE else solution.total_milli(market),
        greedy_served,
        greedy_total_milli,
        is_proven and variant == BEST,
        len(held),
        stable_total_milli,
        variant,
    )


class _Board:
    """The rows (cases) and columns (specialists) of one plan."""

    def __init__(self, room: Room, cases: Sequence[Case], now: datetime) -> None:
        self._room = room
        self.cases = sorted(cases, key=lambda case: (-_PRIORITY[case.need.urgency], case.opened_at))
        rarity = candidates.rarities(room, [case.need for case in cases])
        self._asks: list[tuple[Question, Scale]] = [
            (
                candidates.wide(room, case.need, now, _barred(case)),
                candidates.scaled(room, case.need, rarity[case.need.state]),
            )
            for case in self.cases
        ]
        weights = [asked.weight_milli for asked, _ in self._asks]
        self._weight_milli = max(weights, default=ORDINARY_MILLI)
        self._entries: dict[str, Entry] = {}
        self._priority = [_PRIORITY[case.need.urgency] for case in self.cases]
        self._lists = Lists(self._ranked)

    def solved(self) -> tuple[Market, Solution, bool]:
        """The best assignment, and whether it is proven to be."""
        return solved(self._lists, self._priority, self._seats_of)

    def one_by_one(self) -> tuple[int, int]:
        """How many would be served without a plan, and the total of their scores."""
        return one_by_one(self._lists, self._priority, self._seats_of)

    def stable(self) -> list[Held]:
        """The assignment in which no two would both rather have each other."""
        return stable(self._lists, self._priority, self._seats_of)

    @staticmethod
    def trades(market: Market, solution: Solution) -> list[tuple[int, Trade]]:
        """Whom each referral has, by key, and instead of whom."""
        keys = market.keys[market.column]
        return [(int(keys[solution.edge[trade.row]]), trade) for trade in trades(market, solution)]

    def stable_trades(self, held: Sequence[Held]) -> list[tuple[int, Trade]]:
        """The same of the stable assignment: who has somebody's best comes before them there."""
        holders: dict[int, int] = {}
        for one in held:  # the last row wins: whoever came last of those who have it
            holders[one.key] = one.row
        best = {one.row: int(self._lists.best(one.row, 1)[0][0]) for one in held}
        return [
            (one.key, Trade(one.row, one.choice, -1 if one.choice == 1 else holders.get(best[one.row], -1)))
            for one in held
        ]

    def planned(self, key: int, trade: Trade) -> Planned | None:
        """A row's match as a candidate by the store's facts; None where they changed since the index was read."""
        [specialist_id] = self._room.index.texts(np.array([key]))
        asked, scale = self._asks[trade.row]
        found = rank(asked, scale, [self._entries[specialist_id]], 1)
        other = self.cases[trade.other].referral_id if trade.other >= 0 else ""
        return Planned(self.cases[trade.row], found[0], trade, other) if found else None

    def left_over(self, row: int) -> LeftOver:
        """Why a row has nobody."""
        asked, scale = self._asks[row]
        is_anybody = bool(self._room.index.propose(asked, scale, 1).specialist_ids)
        reason = "no-capacity-left" if is_anybody else "nobody-eligible"
        return LeftOver(self.cases[row], reason, self._room.index.exclusions(asked))

    def _ranked(self, row: int, limit: int) -> tuple[Any, Any]:
        found = self._room.index.shortlist(*self._asks[row], limit)
        return found.rows, found.scores_milli

    def _seats_of(self, rows: Any) -> list[int]:
        ids = self._room.index.texts(rows)
        self._entries |= self._room.roster.entries(sorted(set(ids) - self._entries.keys()))
        return [self._seats(specialist_id) for specialist_id in ids]

    def _seats(self, specialist_id: str) -> int:
        """How many more they can carry of the heaviest kind in this backlog, when all who wait for their yes get it."""
        entry = self._entries.get(specialist_id)
        if entry is None or not self._asks:
            return 0
        waiting = -(-self._room.roster_watch.open_milli(specialist_id) // self._weight_milli)
        fits = 0
        while fits < _MOST_SEATS and self._can_carry(entry, (fits + 1) * self._weight_milli):
            fits += 1
        return max(fits - waiting, 0)

    def _can_carry(self, entry: Entry, weight_milli: int) -> bool:
        """By the rule itself; the other rules are not asked, for they come before it and let this pair through."""
        specialist, standing = entry
        if standing.load_milli + weight_milli > standing.capacity_milli:
            return False
        heavy = replace(self._asks[0][0], weight_milli=weight_milli)
        return excluded_by(heavy, specialist, standing) != CAPACITY


def _barred(case: Case) -> frozenset[str]:
    """Who said no, and from whom the person parted; whoever was silent in the night may be asked in the morning."""
    said_no = frozenset(offer.specialist_id for offer in case.offers if offer.state == DECLINED)
    return said_no | ended_at_a_wish([case])
