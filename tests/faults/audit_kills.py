"""Many events through a real broker into the audit log while its workers and its signer are killed at random.

make kills                       (10^6 events, at most an hour)
make kills N=100000 T=600
Each tenth event is published twice.  Two workers hear; every few seconds one of them, or the signer, is killed with
SIGKILL and started again.  An event that was being worked on at three kills is parked, as any that may kill its worker:
those are replayed, as an operator would.  At the end: each event is one entry, none is missing, none is there twice, no
sequence has a gap, nothing is parked, and the whole tree is checked.  Prints what was done, and exits with 1 where that
is not so.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from chassis import topology
from chassis.envelope import Envelope
from chassis.parked import ParkedEvents
from chassis.publishing import Outgoing, Publisher
from services.audit.bootstrap import WritingRoom
from tests.audit_builders import Log, a_read, a_room, an_envelope
from tests.bench.audit_ingest_bench import Parts, publish
from tests.integration.audit.processes import Broker

_SLICE = 2_000
# So many events wait in the inbox at most: the broker keeps them all in memory.
_MOST_WAITING = 20_000
_TWICE_EVERY = 10
_TOLD_EVERY = 50_000
_KILL_EVERY_S = (5.0, 25.0)
_DRAINED_WITHIN_S = 900.0


def _events(first: int, number: int) -> list[Envelope]:
    return [
        an_envelope(a_read(f"peer_{each % 5_000}", f"nurse-{each % 300}"), producer_seq=each)
        for each in range(first, first + number)
    ]


class Killing:
    """Kills one process at a time, at moments nobody knows before."""

    def __init__(self, parts: Parts, chance: random.Random) -> None:
        self._parts, self._chance = parts, chance
        self.killed = {"worker": 0, "signer": 0}
        self._next_at = time.monotonic() + chance.uniform(*_KILL_EVERY_S)

    def look(self) -> None:
        """Where it is time, something dies and is started again."""
        if time.monotonic() < self._next_at:
            return
        role = "signer" if self._chance.random() < 0.15 else "worker"
        self._parts.kill(role, self._chance)
        self.killed[role] += 1
        self._next_at = time.monotonic() + self._chance.uniform(*_KILL_EVERY_S)


def run(number: int, limit_s: float, seed: int) -> dict[str, Any]:
    """What was sent, killed and found."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        parts = Parts(stack, Path(folder), "nameko")
        stack.callback(parts.close)
        publisher = Publisher(parts.amqp_uri)
        stack.callback(publisher.drop)
        for _ in range(2):
            parts.start_worker()
        killing, began, sent = Killing(parts, chance), time.monotonic(), 0
        while sent < number and time.monotonic() - began < limit_s:
            events = _events(sent + 1, min(_SLICE, number - sent))
            publish(publisher, [*events, *events[::_TWICE_EVERY]])
            sent += len(events)
            if sent % _TOLD_EVERY < len(events):
                print(f"  {sent:,} events, killed {killing.killed}", file=sys.stderr, flush=True)
            while sent - parts.size() > _MOST_WAITING:
                killing.look()
                time.sleep(0.2)
            killing.look()
        room = a_room(parts.client[parts.name], Path(folder) / "keys", os.environ["MONGO_URI"])
        until, replayed = time.monotonic() + _DRAINED_WITHIN_S, 0
        while parts.size() < sent and time.monotonic() < until:
            replayed += _replay(room.parked, publisher)
            time.sleep(0.5)
        with _drained(parts, until):
            found = _found(room, sent)
        told = {"seed": seed, "sent": sent, "seconds": round(time.monotonic() - began)}
        return told | {"killed": killing.killed, "parked_and_replayed": replayed, **found}


def _replay(parked: ParkedEvents, publisher: Publisher) -> int:
    """What is parked is in the inbox again, as the operator's replay puts it there; how many events."""
    ids = [each.parked_id for each in parked.listed(1_000)]
    messages = [
        Outgoing(
            parked_id,
            parked_id,
            "",
            topology.inbox_name("audit"),
            delivery.properties,
            delivery.headers,
            delivery.body,
        )
        for parked_id, delivery in parked.open(ids)
    ]
    confirmed = publisher.publish(messages).confirmed if messages else []
    return sum(parked.close(each, "replayed", "kills", "") for each in confirmed)


@contextmanager
def _drained(parts: Parts, until: float) -> Any:
    """What came twice is heard too, and refused as known, before anybody counts."""
    broker = Broker(parts.amqp_uri, empty=False)
    while broker.waiting() and time.monotonic() < until:
        time.sleep(0.2)
    yield
    broker.close()


def _found(room: WritingRoom, sent: int) -> dict[str, Any]:
    report = room.inspection.check(with_bodies=False)
    rows = room.store.rows
    heard = room.store.sequences_in_rows()
    return {
        "entries": Log(room).size,
        "rows": rows.count_documents({}),
        "lost_or_twice": heard != {"intake": ((1, sent),)} or rows.count_documents({}) != sent,
        "parked": room.parked.count(),
        "findings": sorted({each.code for each in report.findings}),
    }


def main(number: int, limit_s: float, seed: int) -> int:
    """0 where nothing was lost, nothing is there twice, and the log is whole."""
    told = run(number, limit_s, seed)
    print(json.dumps(told, indent=1))
    is_whole = told["entries"] == told["rows"] == told["sent"] and not told["findings"]
    return 0 if is_whole and not told["lost_or_twice"] and not told["parked"] else 1


if __name__ == "__main__":
    given = sys.argv[1:]
    sys.exit(
        main(
            int(given[0]) if given else 1_000_000,
            float(given[1]) if len(given) > 1 else 3_600.0,
            int(given[2]) if len(given) > 2 else secrets.randbelow(1_000_000),
        )
    )
