"""Notices in MongoDB: a notice with what it says in one write, the secret of its link only as ciphertext."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from google.protobuf.message import Message
from pymongo import ASCENDING, DESCENDING

from chassis.aggregates import Aggregates, Change, New, StaleVersion
from chassis.envelope import Cause
from services.notifications.domain.events import Event
from services.notifications.domain.intents import Urgency
from services.notifications.domain.notices import Notice, State
from services.notifications.domain.opening import Opening
from services.notifications.store import notice_documents as documents
from services.notifications.store.links import Links
from services.notifications.store.notice_documents import Held

_MOST_TRIES = 10
_STILL_WAITING = [State.DUE.value, State.SENDING.value, State.FOLDED.value]
# Whoever opens a notice has it so long before anybody else looks at it: what is handed on in memory is not claimed.
_OPENERS = timedelta(seconds=2)

Decision = Callable[[Notice], tuple[Notice, list[Event]]]


class Notices:
    """The collection `notices`. Every change names what it says; `to_proto` turns that into bus messages."""

    def __init__(self, aggregates: Aggregates, links: Links, to_proto: Callable[[Event], Message]) -> None:
        self._aggregates = aggregates
        self._links = links
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
        self._aggregates.collection.create_index(
            [("expires_at", ASCENDING)],
            name="links",
            partialFilterExpression={"sealed_link": {"$exists": True}},
        )
        dead = {"state": State.DEAD.value}
        self._aggregates.collection.create_index(
            [("state", ASCENDING), ("opened_at", DESCENDING)], name="dead", partialFilterExpression=dead
        )
        self._aggregates.collection.create_index(
            [("attempts.address_mark", ASCENDING), ("opened_at", DESCENDING)],
            name="by_address",
            partialFilterExpression={"attempts.address_mark": {"$exists": True}},
        )

    def open_many(self, openings: Sequence[tuple[Opening, Cause]]) -> list[Held]:
        """Each notice is there exactly once, however often and in however many batches it is opened (P4).

        Returns those that are new and to be sent; nobody else takes them for a moment.
        """
        news: dict[str, tuple[Notice, New]] = {}
        for opening, cause in openings:
            if opening.notice.notice_id not in news:
                news[opening.notice.notice_id] = opening.notice, self._new(opening, cause)
        there = self._aggregates.insert_many([new for _, new in news.values()])
        fresh = [pair for notice_id, pair in news.items() if notice_id not in there]
        tokens = {opening.notice.notice_id: opening.link_token for opening, _ in openings}
        return [
            documents.opened(notice, new, tokens[notice.notice_id])
            for notice, new in fresh
            if new.due_at is not None
        ]

    def due(self, limit: int, *, but: Collection[str] = ()) -> list[Held]:
        """Notices whose time has come, without those in `but`; what is immediate first, and then what waited longest.

        Nothing is claimed: of two who take the same one, the first to save it has it.
        What is immediate never stands behind a hundred thousand that waited for the morning.
        """
        found = self._due({"urgency": Urgency.IMMEDIATE.value}, limit, but)
        if len(found) < limit:
            taken = [*but, *(held.notice.notice_id for held in found)]
            found += self._due({}, limit - len(found), taken)
        return found

    def _due(self, where: dict[str, Any], limit: int, but: Collection[str]) -> list[Held]:
        query = {**where, "due_at": {"$lte": self._aggregates.clock.now()}}
        if but:
            query["_id"] = {"$nin": list(but)}
        rows = self._aggregates.collection.find(query, {"_id": 1}).sort("due_at", ASCENDING).limit(limit)
        ids = [row["_id"] for row in rows]
        held = self.load_many(ids) if ids else {}
        return [held[notice_id] for notice_id in ids if notice_id in held]

    def save(self, held: Held, notice: Notice, events: Sequence[Event]) -> Held:
        """The notice's new state and what it says are stored in one write; raises StaleVersion."""
        change = self._change(held, notice, events)
        self._aggregates.save(
            change.loaded, change.body, says=change.says, cause=held.cause, due_at=notice.due_at
        )
        return documents.after(held, notice, change)

    def settle_many(self, decided: Sequence[tuple[Held, Notice, Sequence[Event]]]) -> set[str]:
        """Each notice is stored where nobody was quicker; returns the ids of those where somebody was."""
        return self._aggregates.save_many([self._change(*each) for each in decided])

    def save_many(self, decided: Sequence[tuple[Held, Notice, Sequence[Event]]]) -> dict[str, Held]:
        """Each notice is stored where nobody was quicker; returns those that were stored, by id."""
        changes = [self._change(held, notice, events) for held, notice, events in decided]
        stale = self._aggregates.save_many(changes)
        return {
            notice.notice_id: documents.after(held, notice, change)
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

    def as_held(self, held: Sequence[Held]) -> set[str]:
        """Those of the notices that nobody changed since they were read or saved, by id."""
        versions = {one.notice.notice_id: one.loaded.version for one in held}
        rows = self._aggregates.collection.find({"_id": {"$in": list(versions)}}, {"version": 1})
        return {row["_id"] for row in rows if row["version"] == versions[row["_id"]]}

    def load_many(self, notice_ids: Sequence[str]) -> dict[str, Held]:
        """Those of the notices that exist, by id."""
        found = self._aggregates.load_many(notice_ids)
        return {notice_id: documents.held_of(loaded) for notice_id, loaded in found.items()}

    def link_token(self, held: Held) -> str:
        """The token of the recipient's answer page, "" where there is none or it opens no more."""
        sealed = held.loaded.body.get("sealed_link")
        if sealed is None or held.link_token:
            return held.link_token
        return self._links.open(sealed, held.notice.notice_id)

    def of_referral(self, referral_id: str, limit: int) -> list[Notice]:
        """The referral's notices, newest first."""
        return [held.notice for held in self._newest({"referral_id": referral_id}, limit)]

    def held_of_referral(self, referral_id: str) -> list[Held]:
        """The referral's notices, ready to be changed."""
        rows = self._aggregates.collection.find({"referral_id": referral_id}, {"_id": 1})
        return list(self.load_many([row["_id"] for row in rows]).values())

    def of_recipient(self, recipient_id: str, limit: int) -> list[Notice]:
        """The recipient's notices, newest first."""
        return [held.notice for held in self._newest({"recipient_id": recipient_id}, limit)]

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

    def newest_of_recipients(self, recipient_ids: Sequence[str], limit: int) -> list[Held]:
        """The notices of any of them, newest first."""
        return self._newest({"recipient_id": {"$in": list(recipient_ids)}}, limit)

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

    def forget_old_links(self, now: datetime) -> int:
        """No link that is worthless by now is kept; how many there were."""
        old = {"sealed_link": {"$exists": True}, "expires_at": {"$lte": now}}
        return self._aggregates.collection.update_many(old, {"$unset": {"sealed_link": ""}}).modified_count

    def _change(self, held: Held, notice: Notice, events: Sequence[Event]) -> Change:
        """What is written; the link is forgotten with a notice that is given up."""
        # A document that a migration changed on its way here would have to be written whole.
        assert not self._aggregates.migrations
        loaded, different = documents.differing(held, notice)
        says = [self._to_proto(event) for event in events]
        return Change(loaded, different, held.cause, says, notice.due_at)

    def _new(self, opening: Opening, cause: Cause) -> New:
        notice = opening.notice
        body = documents.body_of(notice, cause)
        if opening.link_token and notice.state not in documents.GIVEN_UP:
            sealed = self._links.seal(opening.link_token, notice.notice_id, notice.opened_at.date())
            body["sealed_link"] = sealed
        says = [self._to_proto(event) for event in opening.events]
        due_at = notice.due_at + _OPENERS if notice.due_at is not None else None
        return New(notice.notice_id, body, cause, says, due_at)
