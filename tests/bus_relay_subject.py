"""A relay process for the fault tests: `python -m tests.bus_relay_subject`; it dies where the environment says."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from chassis import failpoints, isolation, logs, mongo
from chassis.failpoints import failpoint
from chassis.publishing import Outcome
from chassis.relay import Relay


class MarksFirst(Relay):
    """The negative control: marks an event as published before the broker has it, and loses it."""

    def _publish(self, rows: list[dict[str, Any]]) -> int:
        self.outbox.mark_published([row["_id"] for row in rows])
        failpoint("relay.after_publish_before_mark")
        outcome: Outcome = self._publisher.publish([self.outgoing(row) for row in rows])
        return len(outcome.confirmed)


def main() -> int:
    """Relays until SIGTERM."""
    isolation.forbid_eventlet()
    failpoints.enable(os.environ.get("KINDRED_FAILPOINTS", ""))
    logs.start("subject", "relay", "info")
    database = mongo.connect(os.environ["KINDRED_MONGO_URI"])[os.environ["KINDRED_MONGO_DATABASE"]]
    kind = MarksFirst if os.environ.get("BUS_RELAY") == "marks-first" else Relay
    relay = kind(
        database,
        collections=["things"],
        amqp_uri=os.environ["KINDRED_AMQP_URI"],
        producer="subject",
        lease_s=float(os.environ.get("BUS_LEASE_S", "1")),
    )
    signal.signal(signal.SIGTERM, lambda number, frame: relay.stop())
    relay.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
