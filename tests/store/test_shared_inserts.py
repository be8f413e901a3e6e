"""Inserts of many threads share writes on a real mongod, and each is told of its own document only."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from pymongo.errors import AutoReconnect, DuplicateKeyError

from chassis.shared_inserts import MOST_AT_ONCE, SharedInserts
from chassis.shared_rounds import Waiting


class Counting:
    """The real collection, with its writes counted; the first may be held back or ended."""

    def __init__(self, collection, first: Callable[[], None] = lambda: None) -> None:
        self.collection, self.sizes, self._first = collection, [], [first]

    def insert_one(self, document):
        self._before(1)
        return self.collection.insert_one(document)

    def bulk_write(self, writes, *, ordered):
        self._before(len(writes))
        return self.collection.bulk_write(writes, ordered=ordered)

    def _before(self, size: int) -> None:
        self.sizes.append(size)
        if self._first:
            self._first.pop()()


def at_once(inserts: SharedInserts, documents: list[dict]) -> list[BaseException | None]:
    """How each insert ended, all begun together."""
    ends: list[BaseException | None] = [None] * len(documents)

    def one(position: int) -> None:
        try:
            inserts.insert_one(documents[position])
        except BaseException as error:  # noqa: BLE001
            ends[position] = error

    threads = [threading.Thread(target=one, args=(position,)) for position in range(len(documents))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    return ends


def held_until(inserts: list[SharedInserts], count: int) -> Callable[[], None]:
    """The first write goes on when `count` others wait for it."""

    def wait() -> None:
        enough = threading.Event()
        while inserts[0].rounds.waiting < count:
            enough.wait(0.001)

    return wait


def test_one_caller_alone_writes_one_document(database):
    """Without company an insert is an insert: at once, by itself, with its own error."""
    rows = Counting(database.rows)
    inserts = SharedInserts(rows)
    inserts.insert_one({"_id": 1})
    with pytest.raises(DuplicateKeyError):
        inserts.insert_one({"_id": 1})
    inserts.insert_one({"_id": 2})
    assert rows.sizes == [1, 1, 1]


def test_those_who_wait_for_a_write_share_the_next_one(database):
    """250 inserts behind one that is under way make three writes, and all are there."""
    inserts: list[SharedInserts] = []
    rows = Counting(database.rows, held_until(inserts, 250))
    inserts.append(SharedInserts(rows))
    assert at_once(inserts[0], [{"_id": number} for number in range(251)]) == [None] * 251
    assert rows.sizes == [1, MOST_AT_ONCE, MOST_AT_ONCE, 50]
    assert database.rows.count_documents({}) == 251


def test_each_is_told_of_its_own_document(database):
    """Of 60 inserts, two for each of 30 ids, 30 are stored and 30 are told of a duplicate."""
    database.rows.create_index("claim", unique=True)
    inserts: list[SharedInserts] = []
    rows = Counting(database.rows, held_until(inserts, 60))
    inserts.append(SharedInserts(rows))
    documents = [{"_id": f"{number}-{turn}", "claim": number} for number in range(30) for turn in (0, 1)]
    ends = at_once(inserts[0], [{"_id": "first", "claim": "first"}, *documents])
    stored = {document["_id"] for document in database.rows.find()}
    told = {document["_id"] for document, end in zip(documents, ends[1:], strict=True) if end is None}
    assert stored == told | {"first"}
    assert len(told) == 30
    assert sum(isinstance(end, DuplicateKeyError) for end in ends) == 30


def test_an_ended_writer_leaves_nobody_waiting(database):
    """When the thread that writes is ended, its company hears "try again", and the next one writes."""

    class Ended(BaseException):
        """As GreenletExit ends a worker's thread."""

    def end() -> None:
        wait()
        raise Ended

    inserts: list[SharedInserts] = []
    wait = held_until(inserts, 20)
    inserts.append(SharedInserts(Counting(database.rows, end)))
    ends = at_once(inserts[0], [{"_id": number} for number in range(21)])
    assert sum(isinstance(end, Ended) for end in ends) == 1
    assert sum(end is None for end in ends) == 20 == database.rows.count_documents({})


def test_a_write_that_fails_is_told_to_all_who_shared_it(database):
    """A database that is away is away for everybody in the write; the next write is tried by itself."""

    def fail() -> None:
        wait()
        raise AutoReconnect("away")

    inserts: list[SharedInserts] = []
    wait = held_until(inserts, 5)
    inserts.append(SharedInserts(Counting(database.rows, fail)))
    ends = at_once(inserts[0], [{"_id": number} for number in range(6)])
    assert sum(isinstance(end, AutoReconnect) for end in ends) == 1
    assert database.rows.count_documents({}) == 5


def test_a_waiter_that_is_ended_keeps_nobody_waiting(database):
    """A thread ended while it waits is forgotten, also where it was the one to write next."""
    inserts = SharedInserts(database.rows)
    first_is_writing, go_on = threading.Event(), threading.Event()
    inserts.rounds._work = held(inserts.rounds._work, first_is_writing, go_on)
    threads = [threading.Thread(target=inserts.insert_one, args=({"_id": number},)) for number in range(3)]
    threads[0].start()
    first_is_writing.wait(60)
    next_up = Waiting({"_id": "never"})
    with inserts.rounds._lock:
        inserts.rounds._queue.append(next_up)
    for thread in threads[1:]:
        thread.start()
    go_on.set()
    threads[0].join(60)
    assert next_up.leads
    inserts.rounds._leave(next_up)
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert {row["_id"] for row in database.rows.find()} == {0, 1, 2}


def held(write: Callable, began: threading.Event, go_on: threading.Event) -> Callable:
    """The write, whose first call says that it began and waits to go on."""

    def hold(batch):
        if not began.is_set():
            began.set()
            go_on.wait(60)
        return write(batch)

    return hold
