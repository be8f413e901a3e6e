"""The log against what the other services hold, both ways: no event without its entry, no entry without its event.

Read only. It sees what a producer stored and never sent, and what was written into the log under a producer's name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from pymongo.database import Database

from chassis.clock import Clock
from services.audit.domain.entry import Finding
from services.audit.store.entries import Store

Document = dict[str, Any]
# What is younger may still be on its way: outbox, relay, broker, batch.
ON_ITS_WAY = timedelta(seconds=60)
_AT_ONCE = 1_000
_MOST_NAMED = 50
_COUNTS = "event_counts."


class Reconciliation:
    """Compares the rows of one audit log with the outboxes and aggregates of its producers."""

    def __init__(self, database: Database[Document], producers: Mapping[str, str], clock: Clock) -> None:
        """`producers` maps the name a service signs its events with to its database."""
        self._rows = Store(database).rows
        self._databases = {name: database.client[where] for name, where in producers.items()}
        self._clock = clock

    def findings(self) -> Iterator[Finding]:
        """What is on one side and not on the other; at most `_MOST_NAMED` of each kind and producer."""
        for producer, database in self._databases.items():
            for found in (
                self._not_in_log(producer, database),
                self._numbers_never_sent(producer, database),
                self._without_event(producer, database),
                self._states_without_event(producer, database),
            ):
                for count, finding in enumerate(found):
                    if count == _MOST_NAMED:
                        break
                    yield finding

    def _not_in_log(self, producer: str, database: Database[Document]) -> Iterator[Finding]:
        """Events of the outbox that are old enough to be entries, and are none."""
        old = {"time": {"$lt": self._clock.now() - ON_ITS_WAY}}
        for page in _pages(database["outbox"].find(old, {"seq": 1}).sort("seq", 1)):
            known = {
                row["_id"]
                for row in self._rows.find({"_id": {"$in": [each["_id"] for each in page]}}, {"_id": 1})
            }
            for event in page:
                if event["_id"] not in known:
                    yield Finding("event-not-in-log", -1, f"{producer} {event['seq']} {event['_id']}")

    def _numbers_never_sent(self, producer: str, database: Database[Document]) -> Iterator[Finding]:
        """The producer has given out numbers that neither the outbox nor the log knows: the tail was cut off."""
        counter = database["outbox_numbers"].find_one({"_id": producer}) or {}
        kept = database["outbox"].find_one({}, {"seq": 1}, sort=[("seq", -1)])
        last = self._rows.find_one({"producer": producer}, {"producer_seq": 1}, sort=[("producer_seq", -1)])
        known = max(kept["seq"] if kept else 0, last["producer_seq"] if last else 0)
        given = counter.get("seq", 0)
        if given > known:
            yield Finding(
                "event-not-in-log", -1, f"{producer} {known + 1}-{given}, deleted before it was sent"
            )

    def _without_event(self, producer: str, database: Database[Document]) -> Iterator[Finding]:
        """Entries under a producer's name, since its oldest kept event, that it never said."""
        oldest = database["outbox"].find_one({}, {"seq": 1}, sort=[("seq", 1)])
        if oldest is None:
            return
        since = {"producer": producer, "producer_seq": {"$gte": oldest["seq"]}}
        for page in _pages(self._rows.find(since, {"index": 1, "producer_seq": 1})):
            events = database["outbox"].find({"_id": {"$in": [row["_id"] for row in page]}}, {"seq": 1})
            said = {event["_id"]: event["seq"] for event in events}
            for row in page:
                if said.get(row["_id"]) != row["producer_seq"]:
                    yield Finding("entry-without-event", row["index"], f"{producer} {row['producer_seq']}")

    def _states_without_event(self, producer: str, database: Database[Document]) -> Iterator[Finding]:
        """Aggregates that count more events than were ever moved to the outbox or wait in them."""
        group: list[Document] = [{"$group": {"_id": "$aggregate_id", "last": {"$max": "$aggregate_seq"}}}]
        last = {each["_id"]: each["last"] for each in database["outbox"].aggregate(group, allowDiskUse=True)}
        for name in _counted(database):
            counted = database[name].find({"event_seq": {"$gt": 0}}, {"event_seq": 1, "outbox": 1})
            for document in counted:
                said = last.get(document["_id"])
                waiting = len(document.get("outbox", ()))
                # Nothing kept at all: its events are older than the outbox keeps them.
                if said is not None and said + waiting < document["event_seq"]:
                    where = name.removeprefix(_COUNTS)
                    yield Finding("state-without-event", -1, f"{producer} {where} {document['_id']}")


def _counted(database: Database[Document]) -> list[str]:
    """What holds aggregates: the views of which audit sees counts and nothing else, where the set-up made them."""
    names = database.list_collection_names(authorizedCollections=True)
    return [name for name in names if name.startswith(_COUNTS)] or names


def _pages(found: Any) -> Iterator[list[Document]]:
    page: list[Document] = []
    for document in found:
        page.append(document)
        if len(page) == _AT_ONCE:
            yield page
            page = []
    if page:
        yield page


def read_producers(words: tuple[str, ...]) -> dict[str, str]:
    """From "intake=kindred_intake" and the like; raises ValueError for a word that is none."""
    pairs = [word.partition("=") for word in words]
    if not all(name and equals and where for name, equals, where in pairs):
        raise ValueError("KINDRED_AUDIT_PRODUCERS must be producer=database, separated by commas")
    return {name: where for name, _, where in pairs}
