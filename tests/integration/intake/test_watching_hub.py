"""The hub against a real MongoDB: who is told of which change, and what happens when the database goes away."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from chassis import mongo
from services.intake.watching import LOOK_AGAIN, MOST_PENDING, Hub
from tests.integration.intake.intake_processes import Cable

WAIT_S = 20.0


@pytest.fixture(scope="module")
def cable(mongo_uri: str) -> Cable:
    """A cable to the database that can be cut."""
    far = urlsplit(mongo_uri)
    return Cable(far.hostname or "127.0.0.1", far.port or 27017)


@pytest.fixture(scope="module")
def hub(cable: Cable, intake_database: Any) -> Iterator[Hub]:
    """A hub that listens through the cable."""
    client = mongo.connect(f"mongodb://127.0.0.1:{cable.port}/?directConnection=true")
    hub = Hub(client[intake_database.name])
    thread = threading.Thread(target=hub.run)
    with hub.subscribe("somebody") as first:
        thread.start()
        assert first.next(WAIT_S) == LOOK_AGAIN
    yield hub
    hub.stop()
    thread.join(WAIT_S)
    assert not thread.is_alive()
    client.close()


def _add(database: Any, referral_id: str, source_id: str) -> None:
    database["referrals"].insert_one({"_id": referral_id, "source_id": source_id, "task_version": 1})


def test_a_watcher_hears_of_its_own_source_only(hub: Hub, intake_database: Any):
    """A new referral, then a change of it; nothing of another source, and nothing the source cannot see."""
    referrals = intake_database["referrals"]
    with hub.subscribe("er-a") as ours, hub.subscribe(referral_id="ref-2") as one:
        _add(intake_database, "ref-2", "er-b")
        _add(intake_database, "ref-1", "er-a")
        assert ours.next(WAIT_S) == "ref-1"
        referrals.update_one({"_id": "ref-1"}, {"$set": {"saved_by": "somebody"}})
        referrals.update_one({"_id": "ref-2"}, {"$set": {"task_version": 2}})
        referrals.update_one({"_id": "ref-1"}, {"$set": {"task_version": 2}})
        assert ours.next(WAIT_S) == "ref-1"
        assert ours.next(0) is None
        assert one.next(WAIT_S) == "ref-2"


def test_a_notice_rings_its_referrals_page_and_no_list(hub: Hub, intake_database: Any):
    """What only the notices changed is told to who follows that referral; a list, which shows none, looks at nothing."""
    with hub.subscribe("er-n") as whole, hub.subscribe(referral_id="ref-n") as one:
        _add(intake_database, "ref-n", "er-n")
        assert (whole.next(WAIT_S), one.next(WAIT_S)) == ("ref-n", "ref-n")
        changed = {"task_version": 1, "notices_version": 1, "notices": [{"notice_id": "ntc-1"}]}
        intake_database["referrals"].update_one({"_id": "ref-n"}, {"$set": changed})
        assert one.next(WAIT_S) == "ref-n"
        _add(intake_database, "ref-n2", "er-n")
        assert whole.next(WAIT_S) == "ref-n2"


def test_a_slow_watcher_is_told_to_look_again(hub: Hub, intake_database: Any):
    """A full queue becomes one word instead of memory; the same referral twice is told once."""
    with hub.subscribe("er-c") as slow, hub.subscribe("er-c") as quick:
        for number in range(MOST_PENDING + 5):
            _add(intake_database, f"ref-c{number}", "er-c")
        told = {quick.next(WAIT_S)}
        while LOOK_AGAIN not in told and f"ref-c{MOST_PENDING + 4}" not in told:
            told.add(quick.next(WAIT_S))
        assert slow.next(WAIT_S) == LOOK_AGAIN
        assert slow.next(0) is None


def test_after_trouble_everybody_looks_again_and_hears_on(hub: Hub, cable: Cable, intake_database: Any):
    """A cut cable loses no change: what happened meanwhile is covered by looking again."""
    with hub.subscribe("er-d") as watcher:
        cable.cut()
        _add(intake_database, "ref-d1", "er-d")
        cable.mend()
        told, until = watcher.next(WAIT_S), time.monotonic() + WAIT_S
        assert told in {LOOK_AGAIN, "ref-d1"}
        while told not in {None, "ref-d2"} and time.monotonic() < until:
            intake_database["referrals"].delete_one({"_id": "ref-d2"})
            _add(intake_database, "ref-d2", "er-d")
            told = watcher.next(2.0)
        assert told == "ref-d2"


def test_a_closed_watcher_hears_nothing_more(intake_database: Any):
    """Closing wakes whoever waits; a hub that stops ends every watcher, also one that comes late."""
    hub = Hub(intake_database)
    woken = threading.Event()
    closed, left = hub.subscribe("er-e"), hub.subscribe("er-e", wake=woken.set)
    closed.close()
    closed.close()
    assert (closed.next(WAIT_S), closed.is_closed, left.is_closed) == (None, True, False)
    hub.stop()
    assert (left.next(WAIT_S), left.is_closed, woken.is_set()) == (None, True, True)
    assert hub.subscribe("er-e").is_closed
