"""Alarms of docs/operations.md on a real system with a real Prometheus: broken in earnest, each is raised, and ends."""

from __future__ import annotations

import itertools

import kombu
import pytest

from chassis import topology
from cli.local import rabbit
from tests.driving import until
from tests.faults import evidence, parked_again
from tests.faults.ground import Cell, rabbitmqctl
from tests.system_watching import Watcher

pytestmark = pytest.mark.slow_faults


@pytest.mark.fault("F-18")
def test_matchings_worker_is_dead(cell: Cell, watcher: Watcher) -> None:
    """KindredProcessAway names it; after 20 s without its word on a referral KindredReferralUnheard is raised too."""
    cell.kill("matching-worker")
    cell.clients.submit("unheard")
    watcher.fires("KindredProcessAway", "matching-worker")
    watcher.fires("KindredReferralUnheard", "intake-worker")
    cell.ground.up()
    for alarm in ("KindredProcessAway", "KindredReferralUnheard"):
        watcher.ends(alarm)
    cell.conclude()


@pytest.mark.fault("F-12")
def test_the_broker_takes_nothing(cell: Cell, watcher: Watcher) -> None:
    """A disk alarm at the broker: KindredEventsWaitToBeSent within a minute, while submits are still answered."""
    var = cell.running.place.var
    rabbitmqctl(var, "set_disk_free_limit", "100000GB")
    try:
        cell.broke("rabbitmq", "disk alarm")
        numbers = itertools.count()

        def waits() -> int:
            cell.clients.submit(f"waits-{next(numbers)}")
            cell.rest(3)
            return evidence.unsaid(cell.running)

        until("the broker has noticed that its disk is full", waits)
        watcher.fires("KindredEventsWaitToBeSent", "intake-api")
    finally:
        rabbitmqctl(var, "set_disk_free_limit", "200MB")
    watcher.ends("KindredEventsWaitToBeSent")
    cell.conclude()


@pytest.mark.fault("F-20")
def test_the_database_stands_still(cell: Cell, watcher: Watcher) -> None:
    """KindredNotReady names the apis that cannot do their work; they are ready again by themselves."""
    with cell.ground.frozen("mongod"):
        cell.broke("mongod", "SIGSTOP")
        watcher.fires("KindredNotReady", "intake-api")
    watcher.ends("KindredNotReady")
    cell.conclude()


@pytest.mark.fault("F-24")
def test_nobody_cosigns(cell: Cell, watcher: Watcher) -> None:
    """Without its witness the log takes entries and proves none: KindredAuditLags; after 3 min KindredAuditStale."""
    cell.kill("audit-witness")
    cell.clients.submit("unsigned")
    watcher.fires("KindredAuditLags", "audit")
    watcher.fires("KindredAuditStale", "newest", within_s=360.0)
    cell.ground.up()
    for alarm in ("KindredAuditLags", "KindredAuditStale"):
        watcher.ends(alarm)
    cell.conclude()


@pytest.mark.fault("F-25")
def test_an_event_nobody_can_read(cell: Cell, watcher: Watcher) -> None:
    """KindredEventsParked is raised, and ends when somebody has thrown the event away with a reason."""
    with kombu.Connection(cell.running.known.amqp_uri) as connection:
        channel = connection.channel()
        message = channel.prepare_message(
            b"{", content_type="application/json", properties={"delivery_mode": 2}
        )
        channel.basic_publish(message, "", topology.inbox_name("notifications"))
    cell.broke("notifications", "an event that is none")
    watcher.fires("KindredEventsParked", "notifications")
    assert parked_again.discarded(cell.running, "notifications", "it never was an event") == 1
    watcher.ends("KindredEventsParked")
    cell.conclude()


@pytest.mark.fault("F-10")
def test_an_event_that_goes_nowhere(cell: Cell, watcher: Watcher) -> None:
    """With no queue bound to what intake says KindredEventsRefusedByTheBroker is raised; bound again, all is sent."""
    listeners = ("matching", "notifications", "audit", "intake")
    with kombu.Connection(cell.running.known.amqp_uri) as connection:
        channel = connection.channel()
        if cell.tap:
            channel.queue_unbind(cell.tap.name, topology.EVENTS.name, "#")
        bound = _bindings(cell)
        for queue, key in bound:
            channel.queue_unbind(queue, topology.EVENTS.name, key)
        try:
            cell.broke("rabbitmq", "no queue hears referral.submitted.v1")
            assert {queue.partition(".")[0] for queue, _ in bound} <= set(listeners)
            cell.clients.submit("nowhere")
            watcher.fires("KindredEventsRefusedByTheBroker", "intake-api")
        finally:
            for queue, key in bound:
                channel.queue_bind(queue, topology.EVENTS.name, key)
            if cell.tap:
                channel.queue_bind(cell.tap.name, topology.EVENTS.name, "#")
    watcher.ends("KindredEventsRefusedByTheBroker")
    cell.conclude()


def _bindings(cell: Cell) -> list[tuple[str, str]]:
    """Queues and keys by which referral.submitted.v1 is heard."""
    told = rabbitmqctl(
        cell.running.place.var, "-q", "list_bindings", "-p", rabbit.VHOST,
        "source_name", "destination_name", "routing_key",
    )  # fmt: skip
    rows = [line.split("\t") for line in told.splitlines() if line.startswith(topology.EVENTS.name)]
    return [
        (queue, key)
        for _, queue, key in rows
        if key in ("#", "referral.submitted.v1") and queue.endswith(".inbox")
    ]
