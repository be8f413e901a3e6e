"""Who may be asked for whom, how well they fit and how many each may take: a sparse table of numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
# The candidates of a row, best first, at most so many: (keys of specialists, scores in thousandths of a point).
Ask = Callable[[int, int], tuple[Any, Any]]
# How many free places each of these has.
SeatsOf = Callable[[Numbers], Sequence[int]]


@dataclass(frozen=True)
class Market:
    """`rows` referrals, `seats[column]` free places of each specialist, and an edge for each pair that may be.

    The edges are ordered by row, then best first; `place` is where each stands in its row's whole ranking, from 0.
    `beyond[row]` is the most that a pair of this row scores that nobody has looked at, below zero where there is none.
    `priority[row]` is 1 or more: who comes first where not everybody can be served.
    `keys[column]` is the number by which that specialist is known outside.
    """

    row: Numbers
    column: Numbers
    score: Numbers
    place: Numbers
    seats: Numbers
    priority: Numbers
    beyond: Numbers
    keys: Numbers

    @property
    def rows(self) -> int:
        """How many referrals wait."""
        return int(self.priority.size)

    @cached_property
    def starts_of(self) -> Numbers:
        """Where each row's edges begin; one more at the end."""
        return np.searchsorted(self.row, np.arange(self.rows + 1)).astype(np.int64)
