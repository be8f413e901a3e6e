"""The peer with nameko as its documentation shows it: `EventDispatcher`, and `event_handler` with its defaults."""

from __future__ import annotations

import os
import sys
from typing import Any, ClassVar

if __name__ == "__main__":
    os.environ["EVENTLET_NO_GREENDNS"] = "yes"
    import eventlet

    eventlet.monkey_patch()

from nameko.events import EventDispatcher, event_handler
from nameko.runners import ServiceRunner
from steps import Steps

NAME = os.environ.get("PEER_DATABASE", "peer")


class Peer:
    """Matches what was submitted, and tells whom it offered."""

    name = NAME
    dispatch = EventDispatcher()
    steps: ClassVar[list[Steps]] = []  # one a worker thread at a time: a mail connection is not shared

    @event_handler(NAME, "submitted")
    def match(self, referral_id: Any) -> None:
        """Offers the referral, and hands each offer on."""
        steps = self._taken()
        for offer_id in steps.match(referral_id):
            self.dispatch("offered", offer_id)
        self.steps.append(steps)

    @event_handler(NAME, "offered")
    def tell(self, offer_id: Any) -> None:
        """Tells the specialist."""
        steps = self._taken()
        steps.tell(offer_id)
        self.steps.append(steps)

    def _taken(self) -> Steps:
        return self.steps.pop() if self.steps else Steps()


def main() -> None:
    """Runs until it is ended."""
    runner = ServiceRunner({"AMQP_URI": os.environ["AMQP_URI"], "max_workers": 10})
    runner.add_service(Peer)
    runner.start()
    print("ready", flush=True)
    runner.wait()


if __name__ == "__main__":
    sys.exit(main())
