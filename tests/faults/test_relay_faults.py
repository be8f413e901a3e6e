"""F-06, F-07, F-08, F-10: the relay killed between its steps, two at once, and a broker that cannot route."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection

from chassis import topology
from chassis.relay import Relay
from tests.bus_driving import Subject, until
from tests.faults.relay_stage import (
    EVENT_TYPE,
    Tap,
    is_numbered_without_a_gap,
    say,
    unpublished,
)


def a_relay_process(own: Any, database: Any, folder: Path, **extra: str) -> Subject:
    environ = {
        "KINDRED_MONGO_URI": own.mongo_uri,
        "KINDRED_MONGO_DATABASE": database.name,
        "KINDRED_AMQP_URI": own.amqp_uri,
        **extra,
    }
    return Subject(environ, folder / "relay.log", argv=("-m", "tests.bus_relay_subject"))


def relay_through_deaths(subject: Subject, database: Any, deaths: int, within_s: float) -> None:
    """The process is started again whenever it died, until everything is published."""

    def is_done() -> bool:
        subject.keep_alive()
        return subject.starts > deaths and unpublished(database) == 0

    until("everything is published", is_done, within_s)


def killed_before_mark(own: Any, database: Any, folder: Path, deaths: int, within_s: float) -> None:
    with Tap(own.amqp_uri) as tap:
        subject = a_relay_process(own, database, folder)
        count = 0
        try:
            for _ in range(deaths):
                count += say(database, 20)
                subject.start(KINDRED_FAILPOINTS="relay.after_publish_before_mark=kill@1")
                until("it died", lambda: not subject.is_alive(), 30)
            relay_through_deaths(subject, database, deaths, within_s)
        finally:
            subject.stop()
        assert len(tap.ids()) == count
        assert tap.doubles() >= 40
        assert tap.is_in_order()
        assert is_numbered_without_a_gap(database)


def test_killed_after_the_confirm_before_the_mark(own: Any, own_database: Any, tmp_path: Path) -> None:
    """F-07: every event arrives at least once, in the order of its aggregate; each has one number."""
    killed_before_mark(own, own_database, tmp_path, 3, 60)


@pytest.mark.slow_faults
@pytest.mark.timeout(1200)
def test_killed_a_hundred_times_before_the_mark(own: Any, own_database: Any, tmp_path: Path) -> None:
    """F-07, x 100."""
    killed_before_mark(own, own_database, tmp_path, 100, 600)


def test_killed_between_collecting_and_publishing(own: Any, own_database: Any, tmp_path: Path) -> None:
    """F-06: what was collected and not sent is sent by the next process."""
    with Tap(own.amqp_uri) as tap:
        subject = a_relay_process(own, own_database, tmp_path)
        count = say(own_database, 30)
        try:
            subject.start(KINDRED_FAILPOINTS="relay.after_collect_before_publish=kill@1")
            until("it died", lambda: not subject.is_alive(), 30)
            relay_through_deaths(subject, own_database, 1, 60)
        finally:
            subject.stop()
        assert len(tap.ids()) == count
        assert is_numbered_without_a_gap(own_database)


def test_the_control_that_marks_first_loses(own: Any, own_database: Any, tmp_path: Path) -> None:
    """A relay that marks before it publishes loses events in the same fault: this checker can see a loss."""
    with Tap(own.amqp_uri) as tap:
        subject = a_relay_process(own, own_database, tmp_path, BUS_RELAY="marks-first")
        count = say(own_database, 20)
        try:
            subject.start(KINDRED_FAILPOINTS="relay.after_publish_before_mark=kill@1")
            until("it died", lambda: not subject.is_alive(), 30)
            relay_through_deaths(subject, own_database, 1, 60)
        finally:
            subject.stop()
        assert len(tap.ids()) < count


def test_two_relays_at_once(own: Any, own_database: Any) -> None:
    """F-08: without any lease between them nothing is lost or numbered twice."""
    with Tap(own.amqp_uri) as tap:
        relays = [
            Relay(
                own_database,
                collections=["things"],
                amqp_uri=own.amqp_uri,
                producer="subject",
                lease_s=-1.0,  # over before it begins: each always finds it free
            )
            for _ in range(2)
        ]
        threads = [threading.Thread(target=relay.run, daemon=True) for relay in relays]
        for thread in threads:
            thread.start()
        count = sum(say(own_database, 40, each=3) for _ in range(5))
        until("everything is published", lambda: unpublished(own_database) == 0, 60)
        for relay in relays:
            relay.stop()
        for thread in threads:
            thread.join(15)
        assert len(tap.ids()) == count
        assert is_numbered_without_a_gap(own_database)


def test_only_one_relay_works_and_the_next_takes_over(own: Any, own_database: Any) -> None:
    """With its lease one relay spares the others the work; the next one has it as soon as the first has left."""
    first, second = (
        Relay(own_database, collections=["things"], amqp_uri=own.amqp_uri, producer="subject", lease_s=30)
        for _ in range(2)
    )
    first.outbox.ensure_indexes()
    with Tap(own.amqp_uri) as tap:
        say(own_database, 1)
        assert first.step() > 0
        say(own_database, 1)
        assert second.step() == 0
        first.stop()
        first.run()  # leaves at once, and gives the lease back
        assert second.step() > 0
        assert len(tap.ids()) == 4
        second.stop()
        second.run()


def test_an_event_nobody_can_take_is_held_and_drains_after_the_repair(own: Any, own_database: Any) -> None:
    """F-10: what the broker returns waits, with what its aggregate says later, and then arrives in order."""
    with Connection(own.amqp_uri) as connection:
        channel = connection.channel()
        channel.queue_unbind("audit.inbox", topology.EVENTS.name, "#")
        relay = Relay(own_database, collections=["things"], amqp_uri=own.amqp_uri, producer="subject")
        try:
            relay.outbox.ensure_indexes()
            count = say(own_database, 3, each=3)
            relay.step()
            assert relay.outbox.held_count() == 3
            assert {row["held_because"] for row in own_database["outbox"].find({"state": "held"})} == {
                "unroutable"
            }
            assert own_database["outbox"].count_documents({"state": "published"}) == 0
            with Tap(own.amqp_uri) as tap:

                def is_drained() -> bool:
                    relay.step()
                    return unpublished(own_database) == 0

                until("it drains", is_drained, 20)
                assert len(tap.ids()) == count
                assert tap.is_in_order()
        finally:
            with suppress(Exception):
                channel.queue_bind("audit.inbox", topology.EVENTS.name, "#")
            relay.stop()
            relay.run()


def test_a_broker_that_lost_everything_is_filled_again(own: Any, own_database: Any) -> None:
    """RabbitMQ is disposable: what was published is published once more from the outbox, in the old order."""
    relay = Relay(own_database, collections=["things"], amqp_uri=own.amqp_uri, producer="subject")
    relay.outbox.ensure_indexes()
    with Tap(own.amqp_uri) as lost:
        count = say(own_database, 10)
        until("published", lambda: relay.step() == 0 and unpublished(own_database) == 0)
        since = min(row["time"] for row in own_database["outbox"].find())
        assert len(lost.ids()) == count
    with Tap(own.amqp_uri) as rebuilt:
        assert relay.replay(since) == count
        until("published again", lambda: relay.step() == 0 and unpublished(own_database) == 0)
        assert len(rebuilt.ids()) == count
        assert rebuilt.is_in_order()
    assert EVENT_TYPE in {envelope.type for envelope in rebuilt.seen}
    relay.stop()
    relay.run()
