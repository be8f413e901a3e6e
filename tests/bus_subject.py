"""A worker process for the bus tests: `python -m tests.bus_subject`; the environment says which host and how to behave.

What an event does to it stands in the event: `specialist_id` of offer.made is "ok", "refuse", "early:<tries>",
"away:<tries>", "bug" or "kill".
"""

from __future__ import annotations

import os
import sys

if os.environ.get("KINDRED_WORKER_HOST") == "nameko":
    os.environ["EVENTLET_NO_GREENDNS"] = "yes"
    import eventlet

    eventlet.monkey_patch()

import json
import signal
import time
from collections.abc import Sequence
from typing import Any

from chassis import failpoints, isolation, logs, mongo, settings
from chassis.aggregates import Aggregates, New
from chassis.clock import SystemClock
from chassis.errors import Kind, Refusal
from chassis.hearing import Heard, every, hears, hears_all
from chassis.hosts import open_host
from chassis.retries import RetryPolicy
from chassis.settings import ProcessSettings


class Effects:
    """What the handlers do, in the database: one effect per event, however often it is heard."""

    def __init__(self, database: Any) -> None:
        self.database = database
        self.effects = Aggregates(database, "effects", SystemClock(), "subject")

    def take(self, heards: Sequence[Heard]) -> None:
        news = [
            New(f"eff_{heard.envelope.id}", {"type": heard.envelope.type, "pid": os.getpid()}, heard.cause)
            for heard in heards
        ]
        known = self.effects.insert_many(news)
        if known:
            self.database["absorbed"].insert_one({"ids": sorted(known)})

    def attempt(self, heard: Heard) -> int:
        row = self.database["attempts"].find_one_and_update(
            {"_id": heard.envelope.id}, {"$inc": {"n": 1}}, upsert=True, return_document=True
        )
        return row["n"]

    def behave(self, heard: Heard) -> None:
        what, _, number = (heard.message.specialist_id if heard.message else "ok").partition(":")
        tries = self.attempt(heard)
        if what == "bug":
            raise ValueError(f"a value of the message: {heard.message.offer_id}")
        if what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "refuse":
            raise Refusal("offer-already-closed", Kind.CONFLICT, offer_id=heard.envelope.aggregate_id)
        if what == "early" and tries <= int(number):
            raise Refusal("too-early", Kind.TOO_EARLY)
        if what == "away" and tries <= int(number):
            raise ConnectionError("the far side is away")


class Worker(Effects):
    """One listener for single events, one for batches, one timer."""

    name = os.environ.get("BUS_SUBJECT", "subject")

    @hears("offer.made.v1")
    def on_offer_made(self, heard: Heard) -> None:
        self.behave(heard)
        self.take([heard])

    @hears("offer.declined.v1", batch=50, wait_s=0.05)
    def on_offer_declined(self, heards: Sequence[Heard]) -> None:
        self.database["batches"].insert_one({"size": len(heards)})
        for heard in heards:
            self.behave(heard)
        self.take(heards)

    @hears("offer.accepted.v1")
    def on_offer_accepted(self, heard: Heard) -> None:
        self.take([heard])
        self.database["naive"].insert_one(
            {"event_id": heard.envelope.id}
        )  # the control: no mark, so doubles show

    @every(0.2)
    def tick(self) -> None:
        self.database["ticks"].insert_one({})


class Listener(Effects):
    """Hears everything, like the audit log."""

    name = os.environ.get("BUS_SUBJECT", "subject")

    @hears_all(batch=200, wait_s=0.05)
    def on_event(self, heards: Sequence[Heard]) -> None:
        self.database["batches"].insert_one({"size": len(heards)})
        self.take(heards)


def main() -> int:
    """Runs until SIGTERM."""
    isolation.forbid_grpc()
    chosen = settings.read(ProcessSettings)
    failpoints.enable(chosen.failpoints)
    logs.start(Worker.name, "worker", "info")
    database = mongo.connect(chosen.mongo_uri)[chosen.mongo_database]
    worker = Listener(database) if os.environ.get("BUS_SUBJECT_HEARS") == "all" else Worker(database)
    policy = RetryPolicy(**json.loads(os.environ.get("BUS_SUBJECT_POLICY", "{}")))
    host = open_host(worker, chosen, database, SystemClock(), policy=policy)
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stopping.append(number))
    host.start()
    while not stopping:
        time.sleep(0.05)
    host.stop(5.0)
    logs.get().info("bye", service=Worker.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
