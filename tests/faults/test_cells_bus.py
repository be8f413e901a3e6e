"""F-10, F-13, F-17, F-27: a binding is gone, the broker's disk alarm, a handler too slow, no place for dead letters."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import amqp
import httpx
import pytest
from kombu import Connection

from chassis import topology
from kindred.operations.v1 import operations_pb2, operations_pb2_grpc
from tests.bus_driving import an_acceptance
from tests.driving import Client, Running, until
from tests.faults import evidence
from tests.faults.ground import Cell, rabbitmqctl
from tests.faults.worker_stage import worker_stages

pytestmark = pytest.mark.slow_faults
ALARM_S = 45.0
# The broker's own limits: what of, too little of it, and the usual.
ALARMS = {
    "disk": ("set_disk_free_limit", "100000GB", "200MB"),
    "memory": ("set_vm_memory_high_watermark", "0.000001", "0.4"),
}
SUBMITTED = "referral.submitted.v1"
# RabbitMQ offers a dead letter that no queue took again after three minutes (publisher confirm time-out of its worker).
TRIED_AGAIN_S = 300.0
DELIVERIES = 12  # two more than the policy's limit


def _said_again(running: Running, service: str) -> int:
    """What `kindred replay SERVICE` does."""
    client = Client(running, service, running.token("engineer", "engineer-wei", "kindred"), "HOPERAT")
    stub = operations_pb2_grpc.OperationsServiceStub(client.channel)
    answer = stub.ReplayPublished(
        operations_pb2.ReplayPublishedRequest(), timeout=30.0, metadata=client.metadata
    )
    client.channel.close()
    return answer.replayed


@pytest.mark.fault("F-10")
def test_one_listeners_binding_is_missing(cell: Cell) -> None:
    """F-10: an event that only others hear is noticed and its binding named; repaired and said again, all is whole."""
    inbox = topology.inbox_name("matching")
    with Connection(cell.running.known.amqp_uri) as connection:
        channel = connection.channel()
        channel.queue_unbind(inbox, topology.EVENTS.name, SUBMITTED)
        cell.broke("rabbitmq", f"{inbox} is not bound to {SUBMITTED}")
        try:
            with cell.load(6, over_s=1):
                until("all are told", lambda: len(cell.journal.acknowledged()) == 6)
                until("all is said", lambda: evidence.unsaid(cell.running) == 0)
                known = cell.running.database("matching").cases
                ids = [one for told in cell.journal.acknowledged().values() for one in told]
                assert known.count_documents({"_id": {"$in": ids}}) == 0
                unheard = until("the gauge tells", lambda: _unheard_s(cell.running) > 20, within_s=60)
                assert unheard
                found = _doctor(cell.running)
                assert "binding-missing" in found, found
                channel.queue_bind(inbox, topology.EVENTS.name, SUBMITTED)
                assert _said_again(cell.running, "intake") >= 6
        finally:
            channel.queue_bind(inbox, topology.EVENTS.name, SUBMITTED)
    cell.conclude()


def _unheard_s(running: Running) -> float:
    """What the alarm KindredReferralUnheard looks at."""
    text = httpx.get(f"http://{running.known.worker_http['intake']}/metrics", timeout=5.0).text
    rows = [line for line in text.splitlines() if line.startswith("kindred_unheard_referral_seconds ")]
    return float(rows[0].split()[1])


def _doctor(running: Running) -> str:
    """What `kindred doctor` says of this system."""
    environ = {"KINDRED_VAR": str(running.place.var), "PYTHONPATH": ":".join(sys.path)}
    told = subprocess.run(
        [sys.executable, "-m", "cli", "doctor", "--json"],
        env=environ | {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}, capture_output=True, text=True, check=False,
        timeout=120,
    )  # fmt: skip
    return told.stdout + told.stderr


@pytest.mark.fault("F-13")
@pytest.mark.parametrize("of", list(ALARMS))
def test_the_broker_is_short_of_room(cell: Cell, of: str) -> None:
    """F-13: a broker without disk or memory takes nothing more; nobody is kept from submitting, and all drains later."""
    limit, too_little, enough = ALARMS[of]
    with cell.load(20, over_s=10):
        cell.rest(2)
        rabbitmqctl(cell.running.place.var, limit, too_little)
        cell.broke("rabbitmq", f"{of} alarm {ALARM_S:.0f} s")
        try:
            until("all are told", lambda: len(cell.journal.acknowledged()) == 20)
            cell.rest(ALARM_S)
            cell.notes["waited in outboxes"] = evidence.unsaid(cell.running)
        finally:
            rabbitmqctl(cell.running.place.var, limit, enough)
    cell.note_doubts()
    cell.conclude()


@pytest.mark.fault("F-27")
def test_there_is_no_place_for_dead_letters(cell: Cell) -> None:
    """F-27: what was delivered too often is kept while its exchange has no queue, and parked when it has one again."""
    inbox, dead = topology.inbox_name("matching"), topology.dead_name("matching")
    parked: Any = cell.running.database("matching").parked_events
    cell.kill("matching-worker")
    with Connection(cell.running.known.amqp_uri) as connection:
        channel = connection.channel()
        channel.queue_unbind(dead, topology.DEAD.name, dead)
        cell.broke("rabbitmq", "no queue for dead letters")
        try:
            channel.basic_publish_confirm(_letter(), exchange="", routing_key=inbox)
            for _ in range(DELIVERIES):
                message = channel.basic_get(inbox)
                if message is None:
                    break
                channel.basic_reject(message.delivery_tag, requeue=True)
                time.sleep(0.1)
            assert channel.queue_declare(dead, passive=True).message_count == 0
        finally:
            channel.queue_bind(dead, topology.DEAD.name, dead)
    with cell.load(6, over_s=1):
        cell.ground.up()
    # It never made sense: an operator gives it up.
    until("it is parked", lambda: parked.count_documents({}) == 1, within_s=TRIED_AGAIN_S)
    cell.notes["parked as"] = parked.find_one()["reason"]
    parked.delete_many({})
    cell.conclude()


def _letter() -> amqp.Message:
    return amqp.Message(b"nothing", delivery_mode=2, message_id="evt-f27")


@pytest.mark.timeout(600)
def test_a_handler_slower_than_the_broker_waits(own: Any, own_client: Any, tmp_path: Path) -> None:
    """F-17: the broker gives the message to somebody else meanwhile; two handlers at once still have one effect."""
    _patience(own.folder, consumer_ms=4_000, tick_ms=1_000)
    try:
        with worker_stages(own, own_client, tmp_path) as stages:
            sent = {stage.host: stage.post.events(an_acceptance() for _ in range(10)) for stage in stages}
            for stage in stages:
                slow = "worker.after_handler_before_answer=sleep:12@3"
                stage.subject.environ = {**stage.subject.environ, "KINDRED_FAILPOINTS": slow}
                stage.subject.start()
            for stage in stages:
                stage.wait_all(sent[stage.host], 90, supervise=True)
                assert stage.database["effects"].count_documents({}) == len(sent[stage.host])
                until("it came again", lambda stage=stage: stage.database["absorbed"].find_one(), within_s=60)
                stage.wait_empty()
                assert stage.database["effects"].count_documents({}) == len(sent[stage.host])
                assert stage.database["parked_events"].count_documents({}) == 0
    finally:
        _patience(own.folder, consumer_ms=900_000, tick_ms=60_000)


def _patience(folder: Path, *, consumer_ms: int, tick_ms: int) -> None:
    """How long the broker waits for an answer, and how often it looks; for connections made from now on."""
    for name, value in (("consumer_timeout", consumer_ms), ("channel_tick_interval", tick_ms)):
        rabbitmqctl(folder, "eval", f"application:set_env(rabbit, {name}, {value}).")
