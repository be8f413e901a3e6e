"""Which deliveries of one channel are answered: as many as possible with one acknowledgment."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator


class Deliveries:
    """Delivery tags of one channel, in the order they came. An acknowledgment never covers one that has not ended."""

    def __init__(self) -> None:
        self._open: deque[int] = deque()
        self._ended: set[int] = set()
        self._news: set[int] = set()

    def came(self, tag: int) -> None:
        """The broker has delivered it and waits for its answer."""
        self._open.append(tag)

    def ended(self, tag: int) -> None:
        """The broker may forget it: `acknowledgments` says how it is told."""
        self._news.add(tag)

    def answered(self, tag: int) -> None:
        """The broker was told otherwise (by a reject)."""
        self._ended.add(tag)

    def acknowledgments(self) -> Iterator[tuple[int, bool]]:
        """What to send now: (tag, whether it stands for all before it too). Each ended tag is told once."""
        self._ended |= self._news
        told: list[int] = []
        while self._open and self._open[0] in self._ended:
            tag = self._open.popleft()
            self._ended.discard(tag)
            if tag in self._news:
                self._news.discard(tag)
                told.append(tag)
        if told:
            yield told[-1], len(told) > 1
        yield from ((tag, False) for tag in sorted(self._news))
        self._news.clear()
