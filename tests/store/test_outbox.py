"""The outbox in a real MongoDB: moved whole, numbered without a gap, found without a scan."""

from __future__ import annotations

import threading
from typing import Any

from pymongo.errors import OperationFailure

from chassis.aggregates import Aggregates, StaleVersion
from chassis.clock import SystemClock
from chassis.envelope import Cause
from chassis.outbox import Outbox
from kindred.bus.v1.bus_pb2 import Provenance
from kindred.matching.v1.events_pb2 import OfferExpired

EVENT = OfferExpired(provenance=Provenance(actor_id="system:test"))


def things(database: Any) -> Aggregates:
    aggregates = Aggregates(database, "things", SystemClock(), "store-test")
    aggregates.ensure_indexes()
    return aggregates


def an_outbox(database: Any) -> Outbox:
    outbox = Outbox(database, ["things"], "store-test", SystemClock())
    outbox.ensure_indexes()
    return outbox


def test_an_event_is_in_its_aggregate_or_in_a_row_never_in_both(database: Any) -> None:
    """After collecting, the aggregate is silent and every event is a pending row with its number."""
    aggregates, outbox = things(database), an_outbox(database)
    for number in range(5):
        aggregates.insert(f"t{number}", {}, cause=Cause("c"), says=[EVENT, EVENT])
    assert outbox.collect(3) == 6
    assert outbox.collect(3) == 4
    assert outbox.collect(3) == 0
    assert database["things"].count_documents({"ringing": {"$exists": True}}) == 0
    assert database["things"].count_documents({"outbox": {"$ne": []}}) == 0
    assert [row["seq"] for row in outbox.sendable(100)] == list(range(1, 11))


def test_collecting_leaves_the_version_alone(database: Any) -> None:
    """Whoever loaded the aggregate before may still save it: the relay is no reason to decide again."""
    aggregates, outbox = things(database), an_outbox(database)
    aggregates.insert("t", {"state": 1}, cause=Cause("c"), says=[EVENT])
    loaded = aggregates.load("t")
    assert loaded is not None
    outbox.collect(10)
    aggregates.save(loaded, {"state": 2}, cause=Cause("c"), says=[EVENT])
    assert outbox.collect(10) == 1
    assert [row["aggregate_seq"] for row in outbox.sendable(10)] == [1, 2]


def test_saying_and_collecting_at_once_loses_nothing(database: Any) -> None:
    """Two relays collect while four writers say: every event has one row and one number."""
    aggregates, outbox = things(database), an_outbox(database)
    aggregates.insert("hot", {}, cause=Cause("c"), says=[EVENT])
    is_over = threading.Event()
    said = [1]

    def write() -> None:
        for _ in range(40):
            while True:
                loaded = aggregates.load("hot")
                assert loaded is not None
                try:
                    aggregates.save(loaded, {}, cause=Cause(f"c{threading.get_ident()}"), says=[EVENT])
                    break
                except StaleVersion:
                    continue
            said.append(1)

    def collect() -> None:
        while not is_over.is_set():
            outbox.collect(50)

    writers = [threading.Thread(target=write) for _ in range(4)]
    collectors = [threading.Thread(target=collect) for _ in range(2)]
    for thread in (*writers, *collectors):
        thread.start()
    for thread in writers:
        thread.join()
    is_over.set()
    for thread in collectors:
        thread.join()
    outbox.collect(1000)
    rows = list(database["outbox"].find().sort("seq", 1))
    assert [row["seq"] for row in rows] == list(range(1, len(said) + 1))
    assert sorted(row["aggregate_seq"] for row in rows) == list(range(1, len(said) + 1))


def test_later_events_of_a_held_aggregate_wait(database: Any) -> None:
    """Others do not."""
    aggregates, outbox = things(database), an_outbox(database)
    for name in ("a", "b"):
        aggregates.insert(name, {}, cause=Cause("c"), says=[EVENT, EVENT])
    outbox.collect(10)
    first = next(row for row in outbox.sendable(10) if row["aggregate_id"] == "a")
    outbox.hold({first["_id"]: ("unroutable", 60.0)})
    assert {row["aggregate_id"] for row in outbox.sendable(10)} == {"b"}
    outbox.hold({first["_id"]: ("unroutable", -1.0)})
    assert outbox.sendable(10)[0]["_id"] == first["_id"]


def test_no_query_of_the_relay_scans(database: Any) -> None:
    """What runs several times a second reads an index, whatever the outbox keeps for 30 days."""
    things(database)
    outbox = an_outbox(database)
    for collection, query, order in (
        ("things", {"ringing": {"$exists": True}}, [("ringing", 1)]),
        ("outbox", {"state": "pending"}, [("seq", 1)]),
        ("outbox", {"state": "held"}, [("seq", 1)]),
        ("outbox", {"state": "pending", "aggregate_id": {"$nin": ["a"]}}, [("seq", 1)]),
    ):
        plan = database[collection].find(query).sort(order).explain()["queryPlanner"]["winningPlan"]
        assert "COLLSCAN" not in str(plan)
        assert "'SORT'" not in str(plan)
    assert outbox.lag_s() == 0.0


def test_a_lease_has_one_holder(database: Any) -> None:
    """Others are refused until it is over or given back."""
    outbox = an_outbox(database)
    assert outbox.take_lease("one", 60.0)
    assert outbox.take_lease("one", 60.0)
    assert not outbox.take_lease("two", 60.0)
    outbox.give_lease_back("two")
    assert not outbox.take_lease("two", 60.0)
    outbox.give_lease_back("one")
    assert outbox.take_lease("two", -1.0)
    assert outbox.take_lease("one", 60.0)


def test_the_events_number_is_unique_by_index(database: Any) -> None:
    """Two rows with one number are refused by the database itself."""
    an_outbox(database)
    database["outbox"].insert_one({"_id": "a", "seq": 1})
    try:
        database["outbox"].insert_one({"_id": "b", "seq": 1})
    except OperationFailure as exc:
        assert exc.code == 11000
    else:
        raise AssertionError("the number was given twice")
