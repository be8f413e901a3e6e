"""The relay's doorbell: a change stream while little happens, none while the relay looks by itself anyway."""

from __future__ import annotations

import threading
from typing import Any

from pymongo.read_concern import ReadConcern

from chassis.relay import Relay
from tests.driving import until

# A stream that passes from one state to the other is in neither for a moment.
_LOOKS = 20


class AsBusyAsTold(Relay):
    """A relay whose rounds carry what the test says."""

    carries = 0

    def step(self) -> int:
        return self.carries


def _is_listened_to(database: Any) -> bool:
    """Whether a change stream of the database is open: it waits for news, or is between two questions."""
    admin = database.client.get_database("admin", read_concern=ReadConcern("local"))
    idle = {"ns": f"{database.name}.$cmd.aggregate"}
    asking = {"ns": f"{database.name}.$cmd", "op": "getmore", "command.collection": "$cmd.aggregate"}
    looks = [{"$currentOp": {"idleCursors": True}}, {"$match": {"$or": [idle, asking]}}]
    return any(list(admin.aggregate(looks)) for _ in range(_LOOKS))


def test_a_busy_relay_has_no_doorbell_and_a_quiet_one_has_it_again(database: Any) -> None:
    """The database is asked to look at every write only where that finds an event sooner."""
    relay = AsBusyAsTold(database, collections=["things"], amqp_uri="amqp://unused", producer="subject")
    running = threading.Thread(target=relay.run)
    running.start()
    try:
        until("it listens", lambda: _is_listened_to(database))
        relay.carries = 1
        relay.ring()
        until("it looks by itself", lambda: not _is_listened_to(database))
        relay.carries = 0
        until("it listens again", lambda: _is_listened_to(database))
    finally:
        relay.stop()
        running.join(timeout=30)
    assert not running.is_alive()
