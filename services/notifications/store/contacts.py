"""Contacts in MongoDB: one card per person and part, an address only as ciphertext."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from bson.binary import Binary
from pymongo import ASCENDING, UpdateOne
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from chassis.vault import Unreadable, Vault
from services.notifications.domain.contacts import Card, Contact
from services.notifications.domain.joined import Word
from services.notifications.store.opened import Opened

_DUPLICATE_KEY = 11000
_NOTHING = {"$set": {"is_reachable": False, "sealed": Binary(b"")}}


class Contacts:
    """The collection `contacts`: each card's contents sealed with the person's own key."""

    def __init__(self, database: Database[dict[str, Any]], vault: Vault) -> None:
        self._collection = database["contacts"]
        self._vault, self._sealed = vault, Opened(vault)

    def ensure_indexes(self) -> None:
        """A person's cards are found."""
        self._collection.create_index([("person_id", ASCENDING)], name="by_person")

    def keep_many(self, cards: Sequence[Card]) -> None:
        """Each card is stored unless the same or a newer revision is there already."""
        newest: dict[str, Card] = {}
        for card in cards:
            if card.contact_id not in newest or newest[card.contact_id].revision < card.revision:
                newest[card.contact_id] = card
        writes = [self._upsert(card) for card in newest.values()]
        if not writes:
            return
        try:
            self._collection.bulk_write(writes, ordered=False)
        except BulkWriteError as exc:
            if not _is_only_duplicates(exc):
                raise

    def known(self, contact_ids: Sequence[str]) -> dict[str, bool]:
        """Which of the cards are there, and whether each holds an address."""
        rows = self._collection.find({"_id": {"$in": list(contact_ids)}}, {"is_reachable": 1})
        return {row["_id"]: row["is_reachable"] for row in rows}

    def words(self, contact_ids: Sequence[str]) -> list[Word]:
        """What each of the cards that are there says, and when that was said."""
        rows = self._collection.find({"_id": {"$in": list(contact_ids)}}, {"is_reachable": 1, "revision": 1})
        return [Word(row["_id"], row["revision"], row["is_reachable"]) for row in rows]

    def open_many(self, contact_ids: Sequence[str]) -> dict[str, Contact]:
        """The contacts by card, without those that have no card or whose person's key was destroyed."""
        rows = self._collection.find({"_id": {"$in": list(contact_ids)}}, {"sealed": 1})
        opened = {row["_id"]: self._opened(row["sealed"]) for row in rows}
        return {contact_id: contact for contact_id, contact in opened.items() if contact is not None}

    def organizations_of(self, person_id: str) -> set[str]:
        """The organizations whose cards name the person."""
        rows = self._collection.find({"person_id": person_id}, {"organization_id": 1})
        return {row.get("organization_id", "") for row in rows.limit(50)} - {""}

    def peer_of_card(self, contact_id: str, organization_id: str) -> str:
        """Whom the referral of a source's card is of; "" where it is another organization's, or not known."""
        query = {"_id": contact_id, "organization_id": organization_id}
        row = self._collection.find_one(query, {"peer_id": 1}) if organization_id else None
        return str((row or {}).get("peer_id", ""))

    def empty(self, person_id: str) -> int:
        """The person's cards hold nothing any more; how many there were."""
        return self._collection.update_many({"person_id": person_id}, _NOTHING).matched_count

    def empty_cards(self, contact_ids: Sequence[str]) -> None:
        """Those of the cards hold nothing any more."""
        if contact_ids:
            self._collection.update_many({"_id": {"$in": list(contact_ids)}}, _NOTHING)

    def _opened(self, sealed: Binary) -> Contact | None:
        if not sealed:
            return None
        try:
            return Contact(**self._sealed.open(sealed))
        except Unreadable:
            return None

    def _upsert(self, card: Card) -> UpdateOne:
        # A card of the same or a newer revision does not match, so the upsert inserts: a duplicate key, and no change.
        return UpdateOne(
            {"_id": card.contact_id, "revision": {"$lt": card.revision}},
            {
                "$set": {
                    "person_id": card.person_id,
                    "organization_id": card.organization_id,
                    "peer_id": card.peer_id,
                    "revision": card.revision,
                    "is_reachable": card.contact.is_reachable,
                    # An empty card has nothing to be sealed, and makes nobody a key.
                    "sealed": Binary(b"")
                    if card.contact == Contact()
                    else self._vault.seal(card.person_id, asdict(card.contact)),
                }
            },
            upsert=True,
        )


def _is_only_duplicates(exc: BulkWriteError) -> bool:
    errors = exc.details["writeErrors"]
    return not exc.details["writeConcernErrors"] and all(row["code"] == _DUPLICATE_KEY for row in errors)
