"""Wishes in MongoDB: what silences in clear beside ids, the rest sealed with the person's own key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from google.protobuf.message import Message

from chassis.aggregates import Aggregates, Loaded
from chassis.envelope import Cause
from chassis.vault import Unreadable, Vault
from services.notifications.domain.intents import Channel
from services.notifications.domain.windows import Window
from services.notifications.domain.wishes import Wishes
from services.notifications.store.opened import Opened

_PLAIN = ("person_id", "is_do_not_contact", "is_erased")


@dataclass(frozen=True)
class HeldWishes:
    """Wishes as they were read, with what is needed to save them again; `version` is 0 for somebody without any."""

    wishes: Wishes
    version: int = 0
    loaded: Loaded | None = field(default=None, repr=False)


class WishStore:
    """The collection `wishes`: one document per person."""

    def __init__(self, aggregates: Aggregates, vault: Vault) -> None:
        self._aggregates = aggregates
        self._vault, self._sealed = vault, Opened(vault)

    def ensure_indexes(self) -> None:
        """The relay's indexes."""
        self._aggregates.ensure_indexes()

    def load(self, person_id: str) -> HeldWishes:
        """The person's wishes; none of them where nobody ever said any."""
        loaded = self._aggregates.load(_id(person_id))
        if loaded is None:
            return HeldWishes(Wishes(person_id))
        return HeldWishes(self._opened(loaded), loaded.version, loaded)

    def of(self, person_ids: Sequence[str]) -> dict[str, Wishes]:
        """The wishes of those who said any, by person."""
        found = self._aggregates.load_many([_id(one) for one in set(person_ids)])
        return {loaded.body["person_id"]: self._opened(loaded) for loaded in found.values()}

    def erased_among(self, person_ids: Sequence[str]) -> set[str]:
        """Those of the people who were erased."""
        query = {"_id": {"$in": [_id(one) for one in set(person_ids)]}, "is_erased": True}
        return {row["person_id"] for row in self._aggregates.collection.find(query, {"person_id": 1})}

    def save(self, held: HeldWishes, wishes: Wishes, says: Sequence[Message], cause: Cause) -> None:
        """The wishes and what they say are one write; raises StaleVersion or AlreadyThere."""
        body = self._body(wishes)
        if held.loaded is None:
            self._aggregates.insert(_id(wishes.person_id), body, cause=cause, says=says)
        else:
            self._aggregates.save(held.loaded, body, cause=cause, says=says)

    def _body(self, wishes: Wishes) -> dict[str, Any]:
        body: dict[str, Any] = {name: getattr(wishes, name) for name in _PLAIN}
        body["is_reachable"] = wishes.is_reachable
        if not wishes.is_erased:
            said = asdict(wishes)
            body["sealed"] = self._vault.seal(
                wishes.person_id, {name: value for name, value in said.items() if name not in _PLAIN}
            )
        return body

    def _opened(self, loaded: Loaded) -> Wishes:
        plain = {name: loaded.body[name] for name in _PLAIN}
        if "sealed" not in loaded.body:
            return Wishes(**plain)
        try:
            said = self._sealed.open(loaded.body["sealed"])
        except Unreadable:
            return Wishes(plain["person_id"], is_do_not_contact=True, is_erased=True)
        return Wishes(
            **plain,
            **{
                **said,
                "webhook_secrets": tuple(said["webhook_secrets"]),
                "channels": tuple(Channel(one) for one in said["channels"]),
                "shared": tuple(Channel(one) for one in said["shared"]),
                "quiet": _windows(said["quiet"]),
                "unsafe": _windows(said["unsafe"]),
            },
        )


def _id(person_id: str) -> str:
    return f"wishes_{person_id}"


def _windows(rows: Sequence[dict[str, Any]]) -> tuple[Window, ...]:
    return tuple(Window(row["from_minute"], row["until_minute"], tuple(row["days"])) for row in rows)
