"""Who may be asked for whom, how well they fit and how many each may take: a sparse table of numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]
# The candidates of a row, best first, at most so many: (columns, scores in thousandths of a point).
Ask = Callable[[int, int], tuple[Sequence[int], Sequence[int]]]


@dataclass(frozen=True)
class Market:
    """`rows` referrals, `seats[column]` free places of each specialist, and an edge for each pair that may be.

    The edges are ordered by row, then best first; `is_whole[row]` where no other pair of this row may be.
    `priority[row]` is 1 or more: who comes first where not everybody can be served.
    """

    row: Numbers
    column: Numbers
    score: Numbers
    seats: Numbers
    priority: Numbers
    is_whole: npt.NDArray[np.bool_]

    @property
    def rows(self) -> int:
        """How many referrals wait."""
        return int(self.priority.size)

    @cached_property
    def starts_of(self) -> Numbers:
        """Where each row's edges begin; one more at the end."""
        return np.searchsorted(self.row, np.arange(self.rows + 1)).astype(np.int64)


def built(ask: Ask, priority: Sequence[int], seats: Sequence[int], depth: Sequence[int]) -> Market:
    """The market with at most `depth[row]` candidates for each row, as `ask` tells them."""
    lists = [ask(row, limit) for row, limit in enumerate(depth)]
    counts = [len(columns) for columns, _ in lists]
    return Market(
        row=np.repeat(np.arange(len(lists)), counts).astype(np.int64),
        column=_joined([columns for columns, _ in lists]),
        score=_joined([scores for _, scores in lists]),
        seats=np.asarray(seats, np.int64),
        priority=np.asarray(priority, np.int64),
        is_whole=np.array([count < limit for count, limit in zip(counts, depth, strict=True)], bool),
    )


def _joined(parts: Sequence[Any]) -> Numbers:
    return np.concatenate([np.asarray(part, np.int64) for part in parts]) if parts else np.zeros(0, np.int64)
