"""Ids of the rows in few bytes: one text behind the other, found by their order, new ones merged in when asked."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

import numpy as np
import numpy.typing as npt

Column = npt.NDArray[Any]
# Where the new ids are fewer than this share of all, they are merged in; else everything is sorted again.
_MERGE = 20


class IdTable:
    """Row numbers and ids, both ways. An id keeps its row for good."""

    def __init__(self) -> None:
        self._texts = bytearray()
        self._ends = np.zeros(1024, np.uint32)
        self._order: Column = np.zeros(0, np.int32)
        self._places: Column = np.zeros(0, np.int32)
        self._new: dict[bytes, int] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def bytes_used(self) -> int:
        """The texts, where each ends, and the two orders."""
        return len(self._texts) + self._ends.nbytes + self._order.nbytes + self._places.nbytes

    def reserve(self, count: int) -> None:
        """There is room for so many without growing again."""
        if count > self._ends.size:
            self._ends = np.concatenate([self._ends, np.zeros(count - self._ends.size, np.uint32)])

    def text(self, row: int) -> str:
        """The id of a row."""
        return self._bytes(row).decode()

    def row(self, text: str) -> int | None:
        """The row of an id, None where it has none."""
        wanted = text.encode()
        at = self._position(wanted)
        if at < self._order.size and self._bytes(int(self._order[at])) == wanted:
            return int(self._order[at])
        return self._new.get(wanted)

    def add(self, text: str) -> int:
        """The next row is this id's; it MUST NOT have one already."""
        row, wanted = self._count, text.encode()
        if row >= self._ends.size:
            self.reserve(row + row // 4)
        self._texts += wanted
        self._ends[row] = len(self._texts)
        self._new[wanted] = row
        self._count += 1
        return row

    def places(self) -> Column:
        """Each row's place in the order of the ids."""
        if self._new:
            self._order = self._merged() if len(self._new) * _MERGE < self._count else self._sorted()
            self._places = np.empty(self._count, np.int32)
            self._places[self._order] = np.arange(self._count, dtype=np.int32)
            self._new.clear()
        return self._places

    def _sorted(self) -> Column:
        return np.array(sorted(range(self._count), key=self._bytes), np.int32)

    def _merged(self) -> Column:
        """The old order with each new id in its place; what many of them share a place in stays in their own order."""
        wanted = sorted(self._new)
        rows = [self._new[one] for one in wanted]
        return np.insert(self._order, [self._position(one) for one in wanted], rows)

    def _position(self, wanted: bytes) -> int:
        return bisect_left(self._order, wanted, key=self._bytes)

    def _bytes(self, row: int) -> bytes:
        begins = int(self._ends[row - 1]) if row else 0
        return bytes(self._texts[begins : int(self._ends[row])])
