"""Notices in MongoDB: a notice with what it says in one write, the secret of its link only as ciphertext."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from typing import Any

from bson.binary import Binary
from google.protobuf.message import Message
from pymongo import ASCENDING, DESCENDING

from chassis.aggregates import Aggregates, Change, Loaded, New, StaleVersion
from chassis.envelope import Cause
from chassis.vault import Unreadable, Vault
from services.notifications.domain.events import Event
from services.notifications.domain.intents import Channel, Intent, Urgency
from services.notifications.domain.notices import Attempt, Notice, Opening, Outcome, State

_MOST_TRIES = 10
# A state in which nothing will be sent any more: the link's token is forgotten.
_OVER = (State.SENT, State.DEAD, State.CANCELLED)
_STILL_WAITING = [State.DUE.value, State.SENDING.value, State.FOLDED.value]
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
        self._aggregates.collection.create_index(
            [("urgency", ASCENDING), ("due_at", ASCENDING)],
            name="due_by_urgency",
            partialFilterExpression={"due_at": {"$exists": True}},
        )
        self._aggregates.collection.create_index([("opened_at", ASCENDING)], name="by_day")
        dead = {"state": State.DEAD.value}
        self._aggregates.collection.create_index(
            [("state", ASCENDING), ("opened_at", DESCENDING)], name="dead", partialFilterExpression=dead
        )
        self._aggregates.collection.create_index(
            [("attempts.address_mark", ASCENDING), ("opened_at", DESCENDING)],
            name="by_address",
            partialFilterExpression={"attempts.address_mark": {"$exists": True}},
        )

    def open_many(self, openings: Sequence[tuple[Opening, Cause]]) -> None:
        """Each notice is there exactly once, however often and in however many batches it is opened (P4)."""
        news: dict[str, New] = {}
        for opening, cause in openings:
            news.setdefault(opening.notice.notice_id, self._new(opening, cause))
        self._aggregates.insert_many(list(news.values()))

    def claim(self, limit: int, lease_s: float) -> list[Held]:
        """Notices whose time has come, each given to this caller alone for `lease_s` seconds.

        What is immediate comes first: it never stands behind a hundred thousand that waited for the morning.
        """
        first = {"urgency": Urgency.IMMEDIATE.value}
        found = self._aggregates.claim_due(limit, lease_s, first)
        if len(found) < limit:
            found += self._aggregates.claim_due(limit - len(found), lease_s)
        return [_held(loaded) for loaded in found]

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

    def is_as_held(self, held: Held) -> bool:
        """True where nobody changed the notice since it was read or saved."""
        query = {"_id": held.notice.notice_id, "version": held.loaded.version}
        return self._aggregates.collection.find_one(query, {"_id": 1}) is not None

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

    def held_of_recipient(self, recipient_id: str) -> list[Held]:
        """The recipient's notices that may still go out, ready to be changed."""
        still = {"recipient_id": recipient_id, "state": {"$in": _STILL_WAITING}}
        rows = self._aggregates.collection.find(still, {"_id": 1})
        return list(self.load_many([row["_id"] for row in rows]).values())

    def held_for_digest(self, recipient_id: str, now: datetime) -> list[Held]:
        """The recipient's notices that wait for one letter, whether they are folded into it or not."""
        waiting = {
            "recipient_id": recipient_id,
            "is_for_digest": True,
            "state": {"$in": _STILL_WAITING},
            "opened_at": {"$lte": now},
        }
        rows = self._aggregates.collection.find(waiting, {"_id": 1}).sort("opened_at", ASCENDING)
        return list(self.load_many([row["_id"] for row in rows]).values())

    def newest_of_recipient(self, recipient_id: str, limit: int) -> list[Held]:
        """The recipient's notices, newest first."""
        return self._newest({"recipient_id": recipient_id}, limit)

    def dead(self, limit: int) -> list[Notice]:
        """Notices that were given up, newest first."""
        return [held.notice for held in self._newest({"state": State.DEAD.value}, limit)]

    def counts(self, since: datetime) -> list[tuple[str, str, int]]:
        """Attempts of notices opened since then, by channel and outcome."""
        found = self._aggregates.collection.aggregate(
            [
                {"$match": {"opened_at": {"$gte": since}, "attempts.0": {"$exists": True}}},
                {"$unwind": "$attempts"},
                {
                    "$group": {
                        "_id": {"channel": "$attempts.channel", "outcome": "$attempts.outcome"},
                        "count": {"$sum": 1},
                    }
                },
                {"$sort": {"_id.channel": 1, "_id.outcome": 1}},
            ],
            maxTimeMS=5_000,
        )
        return [(row["_id"].get("channel", "email"), row["_id"]["outcome"], row["count"]) for row in found]

    def waiting(self) -> int:
        """How many may still go out."""
        return self._aggregates.collection.count_documents({"due_at": {"$exists": True}})

    def last_to(self, address_mark: str) -> Held | None:
        """The newest notice that was tried at an address."""
        found = self._newest({"attempts.address_mark": address_mark}, 1)
        return found[0] if found else None

    def _newest(self, query: dict[str, Any], limit: int) -> list[Held]:
        rows = self._aggregates.collection.find(query, {"_id": 1})
        ids = [row["_id"] for row in rows.sort("opened_at", DESCENDING).limit(limit)]
        held = self.load_many(ids)
        return [held[notice_id] for notice_id in ids if notice_id in held]

    def forget_links(self, recipient_id: str) -> None:
        """No link of the recipient's can be opened from here any more."""
        self._aggregates.collection.update_many(
            {"recipient_id": recipient_id, "sealed_link": {"$exists": True}}, {"$unset": {"sealed_link": ""}}
        )

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
    told = {"outcome": Outcome(row["outcome"]), "channel": Channel(row.get("channel", Channel.EMAIL))}
    return Attempt(**{**row, **told})


def _attempt_row(attempt: Attempt) -> dict[str, Any]:
    return {**asdict(attempt), "outcome": attempt.outcome.value, "channel": attempt.channel.value}


def _body(notice: Notice, cause: Cause) -> dict[str, Any]:
    body: dict[str, Any] = {name: getattr(notice, name) for name in _KEPT}
    for name in ("intent", "channel", "urgency", "state"):
        body[name] = body[name].value
    body["attempts"] = [_attempt_row(attempt) for attempt in notice.attempts]
    body["cause"] = asdict(cause)
    return body


def _kept_link(loaded: Loaded, notice: Notice) -> dict[str, Binary]:
    # Who reads in the inbox opens the link there, so it stays as long as the notice does.
    is_read_there = notice.state is State.SENT and notice.channel is Channel.IN_APP
    if (notice.state in _OVER and not is_read_there) or "sealed_link" not in loaded.body:
        return {}
    return {"sealed_link": loaded.body["sealed_link"]}
