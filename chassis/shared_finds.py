"""Finds of many threads, asked together: those that wait for a find that is under way make up the next one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from pymongo.collection import Collection

from chassis.shared_rounds import SharedRounds

MOST_AT_ONCE = 32
Document = dict[str, Any]
Wish = TypeVar("Wish")


class SharedFinds(Generic[Wish]):
    """Finds in one collection, each of at most `most` documents.

    `query` asks for everything that any of the wishes means, and `is_meant` says whose a document is: it MUST hold
    exactly where the query of that wish alone finds the document.
    A document may be handed to several callers, so it MUST NOT be changed in place.
    """

    def __init__(
        self,
        collection: Collection[Document],
        query: Callable[[Sequence[Wish]], Mapping[str, Any]],
        is_meant: Callable[[Wish, Document], bool],
        *,
        most: int,
        fields: Mapping[str, int] | None = None,
    ) -> None:
        self._collection, self._query, self._is_meant = collection, query, is_meant
        self._most, self._fields = most, fields
        self.rounds: SharedRounds[Wish, list[Document]] = SharedRounds(self._found, MOST_AT_ONCE)

    def find(self, wish: Wish) -> list[Document]:
        """What the wish means, as it stood at some moment after this call began; raises what Collection.find raises."""
        return self.rounds.join(wish)

    def _found(self, wishes: Sequence[Wish]) -> list[list[Document] | Exception]:
        if len(wishes) == 1:
            return [self._by_itself(wishes[0])]
        most = self._most * len(wishes)
        found = list(self._collection.find(self._query(wishes), self._fields).limit(most + 1))
        if len(found) > most:  # some are cut off, and whose is not known
            return [self._by_itself(one) for one in wishes]
        return [[row for row in found if self._is_meant(one, row)][: self._most] for one in wishes]

    def _by_itself(self, wish: Wish) -> list[Document]:
        return list(self._collection.find(self._query([wish]), self._fields).limit(self._most))
