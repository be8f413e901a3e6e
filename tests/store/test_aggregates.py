"""Aggregates on a real mongod: state, events, marks and due time in one write."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from chassis.aggregates import Aggregates, AlreadyThere, Change, New, StaleVersion
from chassis.envelope import Cause
from kindred.matching.v1.events_pb2 import OfferMade

CAUSE = Cause("cor_1", "evt_1", "00-" + "a" * 32 + "-" + "b" * 16 + "-01")


@pytest.fixture
def cases(database, clock):
    cases = Aggregates(database, "cases", clock, "matching")
    cases.ensure_indexes()
    return cases


def test_insert_keeps_state_event_and_mark_together(cases, clock):
    """One document holds the state, what it says and the event that caused it."""
    cases.insert("case_1", {"state": "seeking"}, says=[OfferMade(offer_id="off_1")], cause=CAUSE)
    document = cases.collection.find_one({"_id": "case_1"})
    (row,) = document["outbox"]
    assert (row["type"], row["aggregate_seq"], row["causation_id"]) == ("offer.made.v1", 1, "evt_1")
    assert OfferMade.FromString(row["data"]).offer_id == "off_1"
    assert document["handled"] == ["evt_1"]
    assert document["ringing"] == clock.now()


def test_second_insert_is_refused(cases):
    """An aggregate is inserted once; the second insert is told so and changes nothing."""
    cases.insert("case_1", {"state": "seeking"}, cause=CAUSE)
    with pytest.raises(AlreadyThere):
        cases.insert("case_1", {"state": "other"}, cause=CAUSE)
    assert cases.load("case_1").body == {"state": "seeking"}


def test_insert_many_names_those_that_were_there(cases):
    """A batch stores what is new and names what is not."""
    cases.insert("case_2", {}, cause=CAUSE)
    news = [New(f"case_{n}", {"n": n}, CAUSE) for n in (1, 2, 3)]
    assert cases.insert_many(news) == {"case_2"}
    assert cases.collection.count_documents({}) == 3


def test_save_appends_events_and_counts_them_per_aggregate(cases):
    """Events of one aggregate carry 1, 2, 3 ... in the order they were said, across saves."""
    cases.insert("case_1", {"state": "a", "old": 1}, says=[OfferMade()], cause=Cause("cor_1"))
    loaded = cases.load("case_1")
    cases.save(loaded, {"state": "b"}, says=[OfferMade(), OfferMade()], cause=CAUSE)
    document = cases.collection.find_one({"_id": "case_1"})
    assert [row["aggregate_seq"] for row in document["outbox"]] == [1, 2, 3]
    assert "old" not in document
    assert cases.load("case_1").handled == {"evt_1"}


def test_a_stale_save_is_refused(cases):
    """Of two that loaded the same version, one saves."""
    cases.insert("case_1", {"n": 0}, cause=CAUSE)
    first, second = cases.load("case_1"), cases.load("case_1")
    cases.save(first, {"n": 1}, cause=CAUSE)
    with pytest.raises(StaleVersion):
        cases.save(second, {"n": 2}, cause=CAUSE)
    assert cases.load("case_1").body == {"n": 1}


def test_save_many_names_the_stale_ones(cases):
    """In a batch, each change is stored or named as stale; none is lost silently."""
    for n in (1, 2):
        cases.insert(f"case_{n}", {"n": 0}, cause=CAUSE)
    loaded = cases.load_many(["case_1", "case_2"])
    cases.save(cases.load("case_2"), {"n": 9}, cause=Cause("cor_2", "evt_2"))
    changes = [Change(one, {"n": 5}, Cause("cor_3", "evt_3")) for one in loaded.values()]
    assert cases.save_many(changes) == {"case_2"}
    assert (cases.load("case_1").body["n"], cases.load("case_2").body["n"]) == (5, 9)


def test_a_save_does_not_bring_back_events_the_relay_took(cases):
    """Emptying the outbox between load and save neither loses nor repeats an event."""
    cases.insert("case_1", {"n": 0}, says=[OfferMade()], cause=CAUSE)
    loaded = cases.load("case_1")
    cases.collection.update_one({"_id": "case_1"}, {"$set": {"outbox": []}, "$unset": {"ringing": ""}})
    cases.save(loaded, {"n": 1}, says=[OfferMade()], cause=Cause("cor_2"))
    document = cases.collection.find_one({"_id": "case_1"})
    assert [row["aggregate_seq"] for row in document["outbox"]] == [2]
    assert "ringing" in document


def test_due_work_goes_to_one_worker_and_comes_back_after_a_crash(cases, clock):
    """What is due is claimed by exactly one worker; unfinished work is due again when the lease ends."""
    for n in range(40):
        cases.insert(f"case_{n}", {}, cause=CAUSE, due_at=clock.now() + timedelta(seconds=n))
    clock.turn(timedelta(seconds=19))
    claimed: list[str] = []
    workers = [
        threading.Thread(target=lambda: claimed.extend(one.aggregate_id for one in cases.claim_due(40, 30)))
        for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(claimed) == sorted(f"case_{n}" for n in range(20))
    clock.turn(timedelta(seconds=31))
    assert len(cases.claim_due(100, 30)) == 40


def test_old_documents_are_migrated_on_read(database, clock):
    """A document of an older schema is read in the newest shape."""
    Aggregates(database, "cases", clock, "matching").insert("case_1", {"city": "x"}, cause=CAUSE)
    newer = Aggregates(
        database,
        "cases",
        clock,
        "matching",
        schema=2,
        migrations={1: lambda d: {**{k: v for k, v in d.items() if k != "city"}, "area": d["city"]}},
    )
    loaded = newer.load("case_1")
    assert loaded.body == {"area": "x"}
    newer.save(loaded, loaded.body, cause=CAUSE)
    document = newer.collection.find_one({"_id": "case_1"})
    assert document["schema"] == 2
    assert (document.get("city"), document["area"]) == (None, "x")


def test_an_id_too_long_for_the_bus_is_refused_before_it_is_stored(cases):
    """What no listener could decode is never said: the message that asked for it is parked as a bug."""
    with pytest.raises(ValueError, match="long"):
        cases.insert("x" * 300, {}, says=[OfferMade()], cause=CAUSE)
    assert cases.collection.count_documents({}) == 0
