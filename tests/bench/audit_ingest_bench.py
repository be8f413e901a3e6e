"""From publish to committed through a real broker: entries a second, and whose processor time it took.

make bench B=audit_ingest_bench                       (20,000 events, one worker)
WORKERS=2 EVENTS=50000 HOST=threads taskset -c 0 make bench B=audit_ingest_bench
The events lie in the inbox before the workers start, and the clock runs from the first quarter's commit to the last
entry's, so that the pace is theirs; each tenth is published twice, so that de-duplication is part of it.
`taskset -c 0` pins broker, database, signer and workers to one core.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chassis import mongo, topology
from chassis.envelope import Envelope, to_amqp
from chassis.publishing import Outgoing, Publisher
from cli.local import keys
from kindred.access.v1.events_pb2 import RecordRead
from tests.audit_builders import a_read, an_envelope
from tests.integration.audit.processes import Broker, running, until

_TICKS = os.sysconf("SC_CLK_TCK")
_TWICE_EVERY = 10
_TRICKLE = 60
# How often a batch is said again that the broker did not confirm, a second apart.
_MOST_TRIES = 60


def _cpu_s(pid: int) -> float:
    """Processor seconds a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _listening_on(port: int) -> int:
    """The process that listens on this port of this machine; 0 where it cannot be told."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    rows += [row.split() for row in Path("/proc/net/tcp6").read_text(encoding="ascii").splitlines()[1:]]
    sockets = {
        f"socket:[{row[9]}]" for row in rows if row[3] == "0A" and int(row[1].split(":")[1], 16) == port
    }
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(each.readlink()) in sockets for each in (process / "fd").iterdir()):
                return int(process.name)
        except OSError:
            continue
    return 0


def _events(number: int, first: int) -> list[Envelope]:
    messages = [_read(each) for each in range(number)]
    return [an_envelope(message, producer_seq=first + at) for at, message in enumerate(messages)]


def _read(each: int) -> RecordRead:
    return a_read(peer_id=f"peer_{each % 500}", actor_id=f"nurse-{each % 40}")


def publish(publisher: Publisher, envelopes: Sequence[Envelope]) -> None:
    """The events are on the bus, each confirmed by the broker; what was not confirmed is said again, as a relay does."""
    messages = []
    for at, envelope in enumerate(envelopes):
        properties, headers = to_amqp(envelope)
        exchange = topology.EVENTS.name
        parts = (exchange, envelope.type, properties, headers, envelope.data)
        messages.append(Outgoing(f"{envelope.id}/{at}", str(at), *parts))
    for _ in range(_MOST_TRIES):
        outcome = publisher.publish(messages)
        confirmed = set(outcome.confirmed)
        messages = [each for each in messages if each.key not in confirmed]
        if not messages:
            return
        time.sleep(1.0)
    raise AssertionError(f"the broker does not confirm: {outcome.trouble}")


class Parts:
    """Broker, database, signer and workers with their processor time."""

    def __init__(self, stack: ExitStack, folder: Path, host: str) -> None:
        self.amqp_uri = os.environ["AMQP_URI"]
        self.client = mongo.connect(os.environ["MONGO_URI"])
        self.name = f"kindred_bench_{secrets.token_hex(4)}"
        self._stack, self._folder = stack, folder
        keys_dir, signer = str(keys.create(folder / "keys")), f"127.0.0.1:{_free_port()}"
        Broker(self.amqp_uri).close()
        keeper = {"KINDRED_STATE_DIR": str(folder / "keys" / "signer-state"), "KINDRED_HTTP_ADDRESS": signer}
        self._environ = {
            "KINDRED_AUDIT_SIGNER_URL": f"http://{signer}",
            "KINDRED_MONGO_URI": os.environ["MONGO_URI"],
            "KINDRED_MONGO_DATABASE": self.name,
            "KINDRED_AMQP_URI": self.amqp_uri,
            "KINDRED_KEYS_DIR": keys_dir,
            "KINDRED_WORKER_HOST": host,
        }
        self._keeper = {"KINDRED_KEYS_DIR": keys_dir, **keeper}
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._pids: dict[str, list[int]] = {
            "signer": [self._run("signer", self._keeper)],
            "database": [int(self.client.admin.command("serverStatus")["pid"])],
            "broker": [_listening_on(urlsplit(self.amqp_uri).port or 0)],
            "workers": [],
        }

    def start_worker(self) -> None:
        """One more worker runs and is ready."""
        self._pids["workers"].append(self._run("worker", self._environ))

    def kill(self, role: str, chance: random.Random) -> None:
        """One process of this role is killed and another one starts in its place; returns without waiting for it."""
        environ, pids = self._keeper, self._pids["signer"]
        if role == "worker":
            environ, pids = self._environ, self._pids["workers"]
        victim = chance.choice(pids)
        self._running.pop(victim).kill()
        pids[pids.index(victim)] = self._run(role, environ, is_awaited=False)

    def size(self) -> int:
        """Entries that are published."""
        head = self.client[self.name]["heads"].find_one({"_id": "head"}, {"published.size": 1})
        return int(head["published"]["size"]) if head else 0

    def cpu_s(self) -> dict[str, float]:
        """Processor seconds of each part so far."""
        return {name: sum(_cpu_s(pid) for pid in pids if pid) for name, pids in self._pids.items()}

    def close(self) -> None:
        """Its databases are gone."""
        for suffix in ("", "_keys"):
            self.client.drop_database(self.name + suffix)
        self.client.close()

    def _run(self, role: str, environ: dict[str, str], *, is_awaited: bool = True) -> int:
        process = self._stack.enter_context(running(role, environ, self._folder))
        self._running[process.popen.pid] = process.popen
        if is_awaited:
            process.ready()
        return process.popen.pid


def batched(parts: Parts, publisher: Publisher, events: int, workers: int) -> dict[str, Any]:
    """All events wait in the inbox; how fast they are committed, and whose processor time each took."""
    envelopes = _events(events, 1)
    publish(publisher, [*envelopes, *envelopes[::_TWICE_EVERY]])
    for _ in range(workers):
        parts.start_worker()
    until("the first quarter", lambda: parts.size() >= events // 4, within_s=600)
    first, before, started = parts.size(), parts.cpu_s(), time.perf_counter()
    until("the last entry", lambda: parts.size() == events, within_s=1_200)
    seconds, number = time.perf_counter() - started, events - first
    used = {name: round((spent - before[name]) / number * 1e6) for name, spent in parts.cpu_s().items()}
    return {
        "committed_per_s": round(number / seconds),
        "cpu_us_per_entry": used | {"all": sum(used.values())},
    }


def trickle(parts: Parts, publisher: Publisher, first: int) -> dict[str, float]:
    """Milliseconds from publishing one event to its commit, the next one after it."""
    took = []
    for at, envelope in enumerate(_events(_TRICKLE, first + 1)):
        started = time.perf_counter()
        publish(publisher, [envelope])
        while parts.size() <= first + at:
            time.sleep(0.002)
        took.append((time.perf_counter() - started) * 1_000)
    took.sort()
    return {
        "one_at_a_time_ms_p50": round(statistics.median(took), 1),
        "one_at_a_time_ms_p95": round(took[int(_TRICKLE * 0.95) - 1], 1),
    }


def main() -> None:
    """Prints one JSON object."""
    events, workers = int(os.environ.get("EVENTS", "20000")), int(os.environ.get("WORKERS", "1"))
    host = os.environ.get("HOST", "nameko")
    report: dict[str, Any] = {"events": events, "workers": workers, "host": host}
    report |= {"cores": sorted(os.sched_getaffinity(0)), "load": round(os.getloadavg()[0], 1)}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        parts = Parts(stack, Path(folder), host)
        stack.callback(parts.close)
        publisher = Publisher(parts.amqp_uri)
        report |= batched(parts, publisher, events, workers)
        report |= trickle(parts, publisher, events)
        publisher.drop()
    print(json.dumps(report, indent=1))


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


if __name__ == "__main__":
    main()
