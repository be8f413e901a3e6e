"""Who is told of broken glass, in MongoDB: ids and parts of one organization in one document, addresses in cards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from google.protobuf.message import Message

from chassis.aggregates import Aggregates, Loaded
from chassis.envelope import Cause
from services.notifications.domain.overseers import Overseer, Part


@dataclass(frozen=True)
class Named:
    """An organization's list as it was read, with what is needed to save it again."""

    organization_id: str
    overseers: tuple[Overseer, ...] = ()
    loaded: Loaded | None = field(default=None, repr=False)


class Overseers:
    """The collection `overseers`."""

    def __init__(self, aggregates: Aggregates) -> None:
        self._aggregates = aggregates

    def ensure_indexes(self) -> None:
        """The relay's indexes."""
        self._aggregates.ensure_indexes()

    def of(self, organization_id: str) -> Named:
        """Whom the organization's list names; nobody where there is none."""
        loaded = self._aggregates.load(_id(organization_id))
        if loaded is None:
            return Named(organization_id)
        rows = tuple(Overseer(row["person_id"], Part(row["part"])) for row in loaded.body["overseers"])
        return Named(organization_id, rows, loaded)

    def save(
        self, named: Named, overseers: Sequence[Overseer], says: Sequence[Message], cause: Cause
    ) -> None:
        """The list and what it says are one write; raises StaleVersion or AlreadyThere."""
        rows = [{"person_id": one.person_id, "part": one.part.value} for one in overseers]
        body = {"organization_id": named.organization_id, "overseers": rows}
        if named.loaded is None:
            self._aggregates.insert(_id(named.organization_id), body, cause=cause, says=says)
        else:
            self._aggregates.save(named.loaded, body, cause=cause, says=says)


def _id(organization_id: str) -> str:
    return f"overseers_{organization_id}"
