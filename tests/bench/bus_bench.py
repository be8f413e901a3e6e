"""The bus against its raw limits, in one run: `python -m tests.bench.bus_bench` (MONGO_URI and AMQP_URI name the parts).

Prints medians of several runs and their ratios; the absolute numbers are this machine's, the ratios travel.
"""

from __future__ import annotations

import os

if os.environ.get("KINDRED_WORKER_HOST") == "nameko":
    os.environ["EVENTLET_NO_GREENDNS"] = "yes"
    import eventlet

    eventlet.monkey_patch()

import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import amqp
from kombu import Connection
from pymongo import MongoClient

from chassis import logs, mongo, topology
from chassis.aggregates import Aggregates, New
from chassis.clock import SystemClock
from chassis.envelope import Cause, to_amqp
from chassis.hearing import Heard, hears
from chassis.hosts import open_host
from chassis.ids import new_id
from chassis.publishing import Outgoing, Publisher
from chassis.relay import Relay
from chassis.settings import ProcessSettings, Secret
from kindred.bus.v1.bus_pb2 import Provenance
from kindred.matching.v1.events_pb2 import OfferDeclined, OfferExpired
from tests.bus_driving import enveloped

RUNS = 3
EVENTS = 4_000
ONE_BY_ONE = 600
WRITES = 600
WRITERS = 32
EVENT = OfferExpired(provenance=Provenance(actor_id="system:bench"), offer_id="off_bench")


def per_second(count: int, work: Callable[[], None]) -> float:
    """`count` things done by `work`, per second."""
    began = time.perf_counter()
    work()
    return count / (time.perf_counter() - began)


def median_of(measure: Callable[[], float]) -> float:
    """The median of several runs."""
    return statistics.median(measure() for _ in range(RUNS))


class Bench:
    """A queue on the bus, a database of its own, and everything that is measured on them."""

    def __init__(self, mongo_uri: str, amqp_uri: str) -> None:
        self.mongo_uri, self.amqp_uri = mongo_uri, amqp_uri
        self.client: MongoClient[dict[str, Any]] = mongo.connect(mongo_uri)
        self.database = self.client[f"kindred_bench_{secrets.token_hex(4)}"]
        self.queue = f"bench.{secrets.token_hex(4)}"
        self.connection = Connection(amqp_uri)
        self.channel = self.connection.channel()
        topology.declare_events(self.channel)
        self.channel.queue_declare(
            self.queue, durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"}
        )
        self.channel.queue_bind(self.queue, topology.EVENTS.name, "offer.expired.v1")

    def close(self) -> None:
        """The queue and the database are gone."""
        with suppress(Exception):
            self.channel.queue_delete(self.queue)
        self.connection.release()
        self.client.drop_database(self.database.name)

    # -- publishing --------------------------------------------------------------------------------------

    def one_confirm_each(self) -> float:
        """kombu as most people use it: wait for the confirm of each publish."""
        with Connection(self.amqp_uri, transport_options={"confirm_publish": True}) as connection:
            producer = connection.Producer()
            properties, headers = to_amqp(enveloped(EVENT))

            def work() -> None:
                for _ in range(ONE_BY_ONE):
                    producer.publish(
                        EVENT.SerializeToString(),
                        exchange=topology.EVENTS.name,
                        routing_key="offer.expired.v1",
                        headers=headers,
                        mandatory=True,
                        **properties,
                    )

            return per_second(ONE_BY_ONE, work)

    def bare_pipelined(self) -> float:
        """The raw limit: py-amqp in a loop, 200 confirms outstanding, nothing stored, nothing matched."""
        with Connection(self.amqp_uri) as connection:
            channel = connection.channel()
            channel.confirm_select()
            done = [0]

            def count(tag: int, multiple: bool) -> None:
                done[0] = max(done[0], tag) if multiple else done[0] + 1

            channel.events["basic_ack"].add(count)
            properties, headers = to_amqp(enveloped(EVENT))
            body = EVENT.SerializeToString()

            def work() -> None:
                for sent in range(EVENTS):
                    message = amqp.Message(body, application_headers=headers, **properties)
                    channel.basic_publish(message, topology.EVENTS.name, "offer.expired.v1", mandatory=True)
                    while sent - done[0] >= 200:
                        connection.drain_events(timeout=5)
                while done[0] < EVENTS:
                    connection.drain_events(timeout=5)

            return per_second(EVENTS, work)

    def publisher(self) -> float:
        """Our publisher: tags matched, order per aggregate, returns handled."""
        messages = []
        for _ in range(EVENTS):
            envelope = enveloped(EVENT)
            properties, headers = to_amqp(envelope)
            messages.append(
                Outgoing(envelope.id, envelope.aggregate_id, topology.EVENTS.name, envelope.type, properties,
                         headers, envelope.data)
            )  # fmt: skip
        publisher = Publisher(self.amqp_uri)
        publisher.publish(messages[:1])
        rate = per_second(EVENTS, lambda: _expect(len(publisher.publish(messages).confirmed), EVENTS))
        publisher.drop()
        return rate

    def relay(self) -> float:
        """The whole relay: aggregates emptied, rows numbered and stored, published, confirmed, marked."""
        name = f"things_{secrets.token_hex(3)}"
        things = Aggregates(self.database, name, SystemClock(), "bench")
        things.ensure_indexes()
        for _ in range(EVENTS // 500):
            things.insert_many([New(new_id("thg"), {}, Cause("bench"), [EVENT]) for _ in range(500)])
        relay = Relay(self.database, collections=[name], amqp_uri=self.amqp_uri, producer="bench")
        relay.outbox.ensure_indexes()
        published = self.database["outbox"]
        before = published.count_documents({"state": "published"})

        def work() -> None:
            while relay.step():
                pass

        rate = per_second(EVENTS, work)
        _expect(published.count_documents({"state": "published"}) - before, EVENTS)
        relay.stop()
        relay.run()
        return rate

    # -- storing -----------------------------------------------------------------------------------------

    def one_document(self) -> float:
        """Aggregates.insert: state, event and handled mark in one document."""
        things = Aggregates(self.database, "one", SystemClock(), "bench")
        return self._by_writers(
            lambda: things.insert(new_id("thg"), {"a": 1}, cause=Cause("c", "e"), says=[EVENT])
        )

    def transaction(self) -> float:
        """The textbook: state, outbox row and inbox mark in one transaction of three writes."""
        state, outbox, inbox = (self.database[f"three_{name}"] for name in ("state", "outbox", "inbox"))
        for collection in (state, outbox, inbox):
            collection.insert_one({})
        body = EVENT.SerializeToString()

        def write() -> None:
            with self.client.start_session() as session:
                session.with_transaction(
                    lambda opened: (
                        state.insert_one({"a": 1}, session=opened),
                        outbox.insert_one({"data": body, "state": "pending"}, session=opened),
                        inbox.insert_one({"_id": new_id("evt")}, session=opened),
                    )
                )

        return self._by_writers(write)

    def many_documents(self) -> float:
        """Aggregates.insert_many, 100 at a time, in one thread."""
        things = Aggregates(self.database, "many", SystemClock(), "bench")

        def work() -> None:
            for _ in range(EVENTS // 100):
                things.insert_many(
                    [New(new_id("thg"), {"a": 1}, Cause("c", "e"), [EVENT]) for _ in range(100)]
                )

        return per_second(EVENTS, work)

    def _by_writers(self, write: Callable[[], Any]) -> float:
        def work() -> None:
            threads = [
                threading.Thread(target=lambda: [write() for _ in range(WRITES // WRITERS)])
                for _ in range(WRITERS)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        return per_second(WRITES // WRITERS * WRITERS, work)

    # -- consuming ---------------------------------------------------------------------------------------

    def bare_consumer(self) -> float:
        """The raw limit: py-amqp, ack each, nothing decoded, nothing stored."""
        self._fill(topology.inbox_name("bench"), EVENTS)
        seen = [0]
        with Connection(self.amqp_uri) as connection:
            channel = connection.channel()
            channel.basic_qos(0, 500, False)

            def on_message(message: Any) -> None:
                channel.basic_ack(message.delivery_tag)
                seen[0] += 1

            def work() -> None:
                channel.basic_consume(topology.inbox_name("bench"), callback=on_message)
                while seen[0] < EVENTS:
                    connection.drain_events(timeout=5)

            return per_second(EVENTS, work)

    def consumer(self, event_type: str, count: int) -> float:
        """The whole worker: decoded, handled with one stored effect per event, acknowledged."""
        effects = Aggregates(self.database, f"effects_{secrets.token_hex(3)}", SystemClock(), "bench")
        self._fill(topology.inbox_name("bench"), count, event_type)
        worker = _Worker(effects)
        with tempfile.TemporaryDirectory() as keys:
            (Path(keys) / "bench.master.key").write_bytes(os.urandom(96))
            settings = ProcessSettings(
                mongo_uri=Secret(self.mongo_uri),
                mongo_database=self.database.name,
                amqp_uri=Secret(self.amqp_uri),
                keys_dir=Path(keys),
                worker_host=HOST,
            )
            host = open_host(worker, settings, self.database, SystemClock())

            def work() -> None:
                host.start()
                while worker.count < count:
                    time.sleep(0.002)

            rate = per_second(count, work)
            host.stop(2.0)
        return rate

    def _fill(self, queue: str, count: int, event_type: str = "offer.expired.v1") -> None:
        topology.declare_service(self.channel, "bench", [])
        message = EVENT if event_type == "offer.expired.v1" else _DECLINED
        publisher = Publisher(self.amqp_uri)
        messages = []
        for _ in range(count):
            envelope = enveloped(message)
            properties, headers = to_amqp(envelope)
            messages.append(Outgoing(envelope.id, envelope.id, "", queue, properties, headers, envelope.data))
        _expect(len(publisher.publish(messages).confirmed), count)
        publisher.drop()


_DECLINED = OfferDeclined(provenance=Provenance(actor_id="system:bench"), offer_id="off_bench")
HOST = os.environ.get("KINDRED_WORKER_HOST", "threads")


class _Worker:
    """Stores one effect per event, one by one or by the batch."""

    name = "bench"

    def __init__(self, effects: Aggregates) -> None:
        self.effects = effects
        self.count = 0
        self.lock = threading.Lock()

    @hears("offer.expired.v1")
    def on_offer_expired(self, heard: Heard) -> None:
        self._take([heard])

    @hears("offer.declined.v1", batch=100, wait_s=0.02)
    def on_offer_declined(self, heards: Sequence[Heard]) -> None:
        self._take(heards)

    def _take(self, heards: Sequence[Heard]) -> None:
        self.effects.insert_many([New(heard.envelope.id, {}, heard.cause) for heard in heards])
        with self.lock:
            self.count += len(heards)


def _expect(found: int, wanted: int) -> None:
    if found != wanted:
        raise AssertionError(f"{found} of {wanted}")


def print_publishing(bench: Bench) -> None:
    """Publishing and storing, each against its raw limit."""
    each, bare = median_of(bench.one_confirm_each), median_of(bench.bare_pipelined)
    publisher, relay = median_of(bench.publisher), median_of(bench.relay)
    print(f"publish   one confirm each      {each:8.0f}/s")
    print(f"          bare, 200 in flight   {bare:8.0f}/s   x{bare / each:.1f} of one confirm each")
    print(f"          our publisher         {publisher:8.0f}/s   {publisher / bare:.0%} of bare")
    print(
        f"          relay, end to end     {relay:8.0f}/s   {relay / bare:.0%} of bare, x{relay / each:.1f} of one"
    )
    three, one = median_of(bench.transaction), median_of(bench.one_document)
    many = median_of(bench.many_documents)
    print(f"store     3-write transaction   {three:8.0f}/s   {WRITERS} writers")
    print(
        f"          one document          {one:8.0f}/s   x{one / three:.1f} of the transaction, {WRITERS} writers"
    )
    print(f"          100 documents at once {many:8.0f}/s   x{many / three:.1f}, 1 writer")


def print_consuming(bench: Bench) -> None:
    """Consuming under one host."""
    raw = median_of(bench.bare_consumer)
    single = median_of(lambda: bench.consumer("offer.expired.v1", EVENTS // 4))
    batch = median_of(lambda: bench.consumer("offer.declined.v1", EVENTS))
    print(f"consume   bare, ack only        {raw:8.0f}/s   {HOST}")
    print(f"          one by one, stored    {single:8.0f}/s   {single / raw:.0%} of bare")
    print(
        f"          batches, stored       {batch:8.0f}/s   {batch / raw:.0%} of bare, x{batch / single:.1f} of one by one"
    )


def main() -> int:
    """Prints the table; the exit code is 0 where everything that was counted added up."""
    logs.start("bench", "worker", "error")
    bench = Bench(os.environ["MONGO_URI"], os.environ["AMQP_URI"])
    print(
        f"medians of {RUNS} runs; load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
        flush=True,
    )
    try:
        if HOST == "threads":
            print_publishing(bench)
        print_consuming(bench)
    finally:
        with suppress(Exception):
            for name in (topology.inbox_name("bench"), topology.dead_name("bench")):
                bench.channel.queue_delete(name)
        bench.close()
    if HOST == "nameko":
        return 0
    sys.stdout.flush()
    environ = {**os.environ, "KINDRED_WORKER_HOST": "nameko"}
    argv = [sys.executable, "-W", "ignore", "-m", "tests.bench.bus_bench"]
    return subprocess.run(argv, env=environ, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
