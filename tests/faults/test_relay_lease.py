"""F-08 and a control: a relay that sleeps through its lease, and one that polls by number instead of by state."""

from __future__ import annotations

import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection

from chassis import topology
from chassis.relay import BATCH, Relay
from tests.bus_driving import Subject, until
from tests.faults.relay_stage import Tap, is_numbered_without_a_gap, say, unpublished

LEASE_S = 2.0


def a_relay(own: Any, database: Any, folder: Path, name: str, **extra: str) -> Subject:
    environ = {
        "KINDRED_MONGO_URI": own.mongo_uri,
        "KINDRED_MONGO_DATABASE": database.name,
        "KINDRED_AMQP_URI": own.amqp_uri,
        "BUS_LEASE_S": str(LEASE_S),
        **extra,
    }
    return Subject(environ, folder / f"{name}.log", argv=("-m", "tests.bus_relay_subject"))


def sleeps_through_its_lease(own: Any, database: Any, folder: Path, asleep_s: float, point: str) -> None:
    with Tap(own.amqp_uri) as tap:
        count = say(database, 20, each=3)
        first = a_relay(own, database, folder, "first", KINDRED_FAILPOINTS=f"{point}=sleep:1@1")
        second = a_relay(own, database, folder, "second")
        try:
            first.start()
            until("it is at work", lambda: database["outbox"].count_documents({}) > 0, 60)
            first.signal(signal.SIGSTOP)
            stopped_at = time.monotonic()
            second.start()
            count += say(database, 20, each=3)
            until("the other took over", lambda: unpublished(database) == 0, 60)
            until("the lease is long over", lambda: time.monotonic() - stopped_at > asleep_s, asleep_s + 5)
            count += say(database, 20, each=3)
            first.signal(signal.SIGCONT)
            until("everything is published", lambda: unpublished(database) == 0, 60)
        finally:
            for one in (first, second):
                with suppress(ProcessLookupError):
                    one.signal(signal.SIGCONT)
                one.stop()
        assert len(tap.ids()) == count
        assert tap.is_in_order()
        assert is_numbered_without_a_gap(database)


@pytest.mark.slow_faults
@pytest.mark.parametrize("point", ["relay.after_collect_before_publish", "relay.after_publish_before_mark"])
def test_a_relay_that_slept_through_its_lease(
    own: Any, own_database: Any, tmp_path: Path, point: str
) -> None:
    """F-08: it wakes beside the one that took over; nothing is lost, and each aggregate's order is kept."""
    sleeps_through_its_lease(own, own_database, tmp_path, 2 * LEASE_S, point)


@pytest.mark.slow_faults
def test_a_relay_that_slept_for_half_a_minute(own: Any, own_database: Any, tmp_path: Path) -> None:
    """F-08 as long as the matrix asks."""
    sleeps_through_its_lease(own, own_database, tmp_path, 30.0, "relay.after_publish_before_mark")


class PollsBySequence(Relay):
    """The negative control: what has a number above the last one that was sent is sent next, whatever its state."""

    last = 0

    def step(self) -> int:
        self.outbox.collect(BATCH)
        rows = list(self.outbox.rows.find({"seq": {"$gt": self.last}}).sort("seq", 1).limit(BATCH))
        if not rows:
            return 0
        self.last = rows[-1]["seq"]
        return self._publish(rows)


@pytest.mark.parametrize(
    ("kind", "loses"), [(Relay, False), (PollsBySequence, True)], ids=["ours", "control"]
)
def test_the_control_that_polls_by_number_loses(own: Any, own_database: Any, kind: type, loses: bool) -> None:
    """What nobody could take at first is sent after the repair by its state; a poll by number has passed it for ever."""
    with Connection(own.amqp_uri) as connection:
        channel = connection.channel()
        channel.queue_unbind("audit.inbox", topology.EVENTS.name, "#")
        relay = kind(own_database, collections=["things"], amqp_uri=own.amqp_uri, producer="subject")
        relay.outbox.ensure_indexes()
        try:
            count = say(own_database, 3, each=1)
            relay.step()
            with Tap(own.amqp_uri) as tap:
                count += say(own_database, 2, each=1)
                deadline = time.monotonic() + (1 if loses else 20)
                while len(tap.ids()) < count and time.monotonic() < deadline:
                    relay.step()
                    time.sleep(0.05)
                assert (len(tap.ids()) < count) == loses
        finally:
            channel.queue_bind("audit.inbox", topology.EVENTS.name, "#")
            relay.stop()
            relay.run()
