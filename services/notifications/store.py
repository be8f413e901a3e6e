"""Notices and contacts in MongoDB: a notice with what it says in one write, an address only as ciphertext."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from typing import Any

from bson.binary import Binary
from google.protobuf.message import Message
from pymongo import ASCENDING, UpdateOne
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from chassis.aggregates import Aggregates, Change, Loaded, New, StaleVersion
from chassis.envelope import Cause
from chassis.vault import Unreadable, Vault
from services.notifications.domain.contacts import Card, Contact
from services.notifications.domain.events import Event
from services.notifications.domain.intents import Channel, Intent, Urgency
from services.notifications.domain.notices import Attempt, Notice, Opening, Outcome, State

_DUPLICATE_KEY = 11000
_MOST_TRIES = 10
# A state in which nothing will be sent any more: the link's token is forgotten.
_OVER = (State.SENT, State.DEAD, State.CANCELLED)
# The fields of a notice that are its body; the id and the due time have their own places in the document.
_KEPT = tuple(row.name for row in fields(Notice) if row.name not in ("notice_id", "due_at"))

Decision = Callable[[Notice], tuple[Notice, list[Event]]]


@dataclass(frozen=True)
class Held:
    """A notice as it was read, with what is needed to save it again."""

    notice: Notice
    cause: Cause
    loaded: Loaded = field(repr=False)


class Notices:
    """The collection `notices`. Every change names what it says; `to_proto` turns that into bus messages."""

    def __init__(self, aggregates: Aggregates, vault: Vault, to_proto: Callable[[Event], Message]) -> None:
        self._aggregates = aggregates
        self._vault = vault
        self._to_proto = to_proto

    def ensure_indexes(self) -> None:
        """The relay's and the due-work's indexes, and one for each way ListNotices asks."""
        self._aggregates.ensure_indexes()
        for criterion in ("referral_id", "recipient_id"):
            self._aggregates.collection.create_index(
                [(criterion, ASCENDING), ("opened_at", ASCENDING)], name=f"by_{criterion}"
            )

    def open_many(self, openings: Sequence[tuple[Opening, Cause]]) -> None:
        """Each notice is there exactly once, however often and in however many batches it is opened (P4)."""
        news: dict[str, New] = {}
        for opening, cause in openings:
            news.setdefault(opening.notice.notice_id, self._new(opening, cause))
        self._aggregates.insert_many(list(news.values()))

    def claim(self, limit: int, lease_s: float) -> list[Held]:
        """Notices whose time has come, each given to this caller alone for `lease_s` seconds."""
        return [_held(loaded) for loaded in self._aggregates.claim_due(limit, lease_s)]

    def release(self, held: Held) -> None:
        """A claim that was not used: the notice is due again, unless somebody changed it since."""
        query = {"_id": held.notice.notice_id, "version": held.loaded.version, "due_at": held.notice.due_at}
        self._aggregates.collection.update_one(query, {"$set": {"due_at": held.notice.opened_at}})

    def save(self, held: Held, notice: Notice, events: Sequence[Event]) -> Held:
        """The notice's new state and what it says are stored in one write; raises StaleVersion."""
        change = self._change(held, notice, events)
        self._aggregates.save(
            held.loaded, change.body, says=change.says, cause=held.cause, due_at=notice.due_at
        )
        return _after(held, notice, change)

    def save_many(self, decided: Sequence[tuple[Held, Notice, Sequence[Event]]]) -> dict[str, Held]:
        """Each notice is stored where nobody was quicker; returns those that were stored, by id."""
        changes = [self._change(held, notice, events) for held, notice, events in decided]
        stale = self._aggregates.save_many(changes)
        return {
            notice.notice_id: _after(held, notice, change)
            for (held, notice, _), change in zip(decided, changes, strict=True)
            if notice.notice_id not in stale
        }

    def revise(self, held: Held, decide: Decision) -> Held:
        """What `decide` makes of the newest state is stored, however many others write meanwhile."""
        for _ in range(_MOST_TRIES):
            notice, events = decide(held.notice)
            if notice == held.notice and not events:
                return held
            try:
                return self.save(held, notice, events)
            except StaleVersion:
                held = self.load_many([held.notice.notice_id])[held.notice.notice_id]
        raise StaleVersion(held.notice.notice_id)

    def load_many(self, notice_ids: Sequence[str]) -> dict[str, Held]:
        """Those of the notices that exist, by id."""
        found = self._aggregates.load_many(notice_ids)
        return {notice_id: _held(loaded) for notice_id, loaded in found.items()}

    def link_token(self, held: Held) -> str:
        """The token of the recipient's answer page, "" where there is none or their key was destroyed."""
        sealed = held.loaded.body.get("sealed_link")
        if sealed is None:
            return ""
        try:
            return str(self._vault.open(sealed)["token"])
        except Unreadable:
            return ""

    def of_referral(self, referral_id: str, limit: int) -> list[Notice]:
        """The referral's notices, oldest first."""
        return self._found("referral_id", referral_id, limit)

    def held_of_referral(self, referral_id: str) -> list[Held]:
        """The referral's notices, ready to be changed."""
        rows = self._aggregates.collection.find({"referral_id": referral_id}, {"_id": 1})
        return list(self.load_many([row["_id"] for row in rows]).values())

    def of_recipient(self, recipient_id: str, limit: int) -> list[Notice]:
        """The recipient's notices, oldest first."""
        return self._found("recipient_id", recipient_id, limit)

    def _change(self, held: Held, notice: Notice, events: Sequence[Event]) -> Change:
        body = {**_body(notice, held.cause), **_kept_link(held.loaded, notice)}
        says = [self._to_proto(event) for event in events]
        return Change(held.loaded, body, held.cause, says, notice.due_at)

    def _found(self, criterion: str, value: str, limit: int) -> list[Notice]:
        rows = self._aggregates.collection.find({criterion: value}, {"_id": 1})
        ids = [row["_id"] for row in rows.sort("opened_at", ASCENDING).limit(limit)]
        held = self.load_many(ids)
        return [held[notice_id].notice for notice_id in ids if notice_id in held]

    def _new(self, opening: Opening, cause: Cause) -> New:
        notice = opening.notice
        body = _body(notice, cause)
        if opening.link_token and notice.state not in _OVER:
            body["sealed_link"] = self._vault.seal(notice.recipient_id, {"token": opening.link_token})
        says = [self._to_proto(event) for event in opening.events]
        return New(notice.notice_id, body, cause, says, notice.due_at)


class Stops:
    """The collection `stops`: referrals of which nothing more may be said; ids only."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._collection = database["stops"]

    def mark(self, referral_id: str, stop_code: str, now: datetime) -> None:
        """Known to a majority before it returns: no send that begins later goes out (P7)."""
        told = {"stop_code": stop_code, "stopped_at": now}
        self._collection.update_one({"_id": referral_id}, {"$setOnInsert": told}, upsert=True)

    def among(self, referral_ids: Sequence[str]) -> set[str]:
        """Those of the referrals that were stopped."""
        found = self._collection.find({"_id": {"$in": list(referral_ids)}}, {"_id": 1})
        return {row["_id"] for row in found}


class Contacts:
    """The collection `contacts`: one card per person and part, its contents sealed with the person's own key."""

    def __init__(self, database: Database[dict[str, Any]], vault: Vault) -> None:
        self._collection = database["contacts"]
        self._vault = vault

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

    def open_many(self, contact_ids: Sequence[str]) -> dict[str, Contact]:
        """The contacts by card, without those that have no card or whose person's key was destroyed."""
        rows = self._collection.find({"_id": {"$in": list(contact_ids)}}, {"sealed": 1})
        opened = {row["_id"]: self._opened(row["sealed"]) for row in rows}
        return {contact_id: contact for contact_id, contact in opened.items() if contact is not None}

    def _opened(self, sealed: Binary) -> Contact | None:
        try:
            return Contact(**self._vault.open(sealed))
        except Unreadable:
            return None

    def _upsert(self, card: Card) -> UpdateOne:
        # A card of the same or a newer revision does not match, so the upsert inserts: a duplicate key, and no change.
        return UpdateOne(
            {"_id": card.contact_id, "revision": {"$lt": card.revision}},
            {
                "$set": {
                    "person_id": card.person_id,
                    "revision": card.revision,
                    "is_reachable": bool(card.contact.address),
                    "sealed": self._vault.seal(card.person_id, asdict(card.contact)),
                }
            },
            upsert=True,
        )


def _held(loaded: Loaded) -> Held:
    body = loaded.body
    notice = Notice(
        notice_id=loaded.aggregate_id,
        due_at=loaded.due_at,
        **{
            **{name: body[name] for name in _KEPT if name in body},
            "intent": Intent(body["intent"]),
            "channel": Channel(body["channel"]),
            "urgency": Urgency(body["urgency"]),
            "state": State(body["state"]),
            "attempts": tuple(_attempt(row) for row in body["attempts"]),
        },
    )
    return Held(notice, Cause(**body["cause"]), loaded)


def _after(held: Held, notice: Notice, change: Change) -> Held:
    loaded = replace(
        held.loaded,
        body=dict(change.body),
        version=held.loaded.version + 1,
        event_seq=held.loaded.event_seq + len(change.says),
        due_at=notice.due_at,
    )
    return Held(notice, held.cause, loaded)


def _attempt(row: dict[str, Any]) -> Attempt:
    return Attempt(**{**row, "outcome": Outcome(row["outcome"])})


def _body(notice: Notice, cause: Cause) -> dict[str, Any]:
    body: dict[str, Any] = {name: getattr(notice, name) for name in _KEPT}
    for name in ("intent", "channel", "urgency", "state"):
        body[name] = body[name].value
    body["attempts"] = [{**asdict(attempt), "outcome": attempt.outcome.value} for attempt in notice.attempts]
    body["cause"] = asdict(cause)
    return body


def _kept_link(loaded: Loaded, notice: Notice) -> dict[str, Binary]:
    if notice.state in _OVER or "sealed_link" not in loaded.body:
        return {}
    return {"sealed_link": loaded.body["sealed_link"]}


def _is_only_duplicates(exc: BulkWriteError) -> bool:
    errors = exc.details["writeErrors"]
    return not exc.details["writeConcernErrors"] and all(row["code"] == _DUPLICATE_KEY for row in errors)
