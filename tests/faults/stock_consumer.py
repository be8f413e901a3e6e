"""The negative control of F-20: nameko's stock consumer, which acknowledges a message whose handler raised."""

from __future__ import annotations

import os
import sys

if os.environ.setdefault("EVENTLET_NO_GREENDNS", "yes"):
    import eventlet

    eventlet.monkey_patch()

from kombu import Queue
from nameko.containers import ServiceContainer
from nameko.messaging import consume
from pymongo import MongoClient

from chassis import topology
from chassis.envelope import PREFIX

SERVICE = os.environ["BUS_SUBJECT"]
INBOX = Queue(
    topology.inbox_name(SERVICE), durable=True, queue_arguments={"x-queue-type": "quorum"}, no_declare=True
)
# Its time-outs are short, so that it loses within the same freeze; with longer ones it loses later.
CLIENT: MongoClient = MongoClient(
    os.environ["KINDRED_MONGO_URI"], serverSelectionTimeoutMS=1500, socketTimeoutMS=1500, retryWrites=False
)
EFFECTS = CLIENT[os.environ["KINDRED_MONGO_DATABASE"]]["effects"]


class Stock:
    """What a nameko service looks like in its own documentation."""

    name = SERVICE

    @consume(INBOX)
    def on_message(self, body: object) -> None:
        EFFECTS.insert_one({"body": str(body)})


def main() -> int:
    """Runs until killed."""
    container = ServiceContainer(Stock, {"AMQP_URI": os.environ["KINDRED_AMQP_URI"], "max_workers": 10})
    container.start()
    print("bus.listening", PREFIX, flush=True)
    container.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
