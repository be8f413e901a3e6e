"""The budget of one referral, hop by hop, beside the bare libraries in the same run: `make bench B=budget.hops`.

A system of its own takes BENCH_REFERRALS (300) referrals from four clients, and everything is waited for until it is at
rest: CPU of each process, commands, transactions, journal syncs and journal bytes of the database, messages and bytes
on the bus, mails.  A second, smaller round with the database's profiler on says whose the commands are, and on what.
Then each library alone does the same kind of operation on the same mongod and broker (`bare.py`), and the table says what
a process would take if it did nothing but its calls, commands, messages and mails.
Prints the tables, and the figures as one JSON object that `growth.drawn` keeps.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import kombu

from chassis import topology
from cli.local.place import ROOT
from tests.bench import strangers
from tests.bench.budget import bare
from tests.bench.system_bench import Numbers, cpu_s
from tests.bench.whole_system import a_whole_system
from tests.driving import (
    PROCESSES,
    SERVICES,
    Er,
    Roster,
    Running,
    a_specialist,
    a_supervisor,
    at_once,
    roster_csv,
    until,
)
from tests.faults import evidence

REFERRALS = int(os.environ.get("BENCH_REFERRALS", "300"))
PROFILED = 60
CLIENTS = 4
READS = frozenset({"find", "aggregate", "getMore", "count", "distinct"})
IDLE = frozenset({"hello", "ping", "profile", "isMaster", "endSessions", "listCollections", "dbStats"})


@dataclass
class Bus:
    """What was said on the bus while it was listened to: messages and bytes by type."""

    said: Counter[str]
    size: Counter[str]

    def heard(self, queue: str) -> int:
        """How many of them a service's inbox got, by the broker's own bindings."""
        told = json.loads((ROOT / "deploy/rabbitmq/definitions.json").read_text(encoding="utf-8"))
        keys = [one["routing_key"] for one in told["bindings"] if one["destination"] == queue]
        return sum(count for name, count in self.said.items() if name in keys or "#" in keys)


def main() -> None:
    """Measures and prints."""
    with a_whole_system() as running:
        told = measured(running)
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {REFERRALS} referrals, {CLIENTS} clients\n"
    )
    print("\n".join(table(told)))
    for process, what in told["commands"].items():
        print(f"{process}: {what}")
    print(json.dumps({"hops": told}))


def measured(running: Running) -> dict[str, Any]:
    """Everything of one referral, and the libraries alone."""
    roster, er, numbers = Roster(running), Er(running), Numbers()
    people = [a_supervisor(), *(a_specialist(f"spec-{n:04}", capacity="50") for n in range(300))]
    roster.load(roster_csv(people))
    _submit(running, er, numbers, 40)
    idle = _idle(running)
    before, used = _server(running), cpu_s(running)
    mails, began = len(running.mails()), time.monotonic()
    with tapped(running) as bus:
        _submit(running, er, numbers, REFERRALS)
        lasted = time.monotonic() - began
    after, now = _server(running), cpu_s(running)
    posted = running.mails()[mails:]
    whose = _profiled(running, er, numbers)
    request = strangers.referral("size").ByteSize()
    document = running.database("intake").referrals.aggregate(
        [{"$sample": {"size": 50}}, {"$group": {"_id": None, "size": {"$avg": {"$bsonSize": "$$ROOT"}}}}]
    )
    mail_bytes = sum(len(one) for one in posted) // len(posted)
    alone = bare.costs(running, request, int(next(document)["size"]), mail_bytes)
    cpu = {name: (now[name] - used[name] - idle[name] * lasted) / REFERRALS * 1e3 for name in now}
    return {
        "referrals": REFERRALS,
        "cpu_ms": {name: round(ms, 2) for name, ms in cpu.items()},
        "database": {name: round((after[name] - before[name]) / REFERRALS, 2) for name in after},
        "bus": {
            "messages": round(bus.said.total() / REFERRALS, 2),
            "bytes": round(bus.size.total() / REFERRALS),
            "by type": {name: [round(count / REFERRALS, 2), round(bus.size[name] / count)]
                        for name, count in bus.said.most_common()},
            "heard": {name: round(bus.heard(f"{name}.inbox") / REFERRALS, 2) for name in SERVICES},
        },
        "mails": round(len(posted) / REFERRALS, 2),
        "mail_bytes": mail_bytes,
        "commands": whose,
        "bare_ms": {name: round(ms, 3) for name, ms in alone.items()},
    }  # fmt: skip


def _submit(running: Running, er: Er, numbers: Numbers, count: int) -> None:
    at_once(er.submit, [strangers.referral(number) for number in numbers.take(count)], threads=CLIENTS)
    until("at rest", lambda: evidence.is_at_rest(running), within_s=300)
    time.sleep(3)  # what is written once in a while, and no referral waits for, is written


def _idle(running: Running) -> dict[str, float]:
    """CPU seconds a second that each part takes with nothing to do."""
    before, seconds = cpu_s(running), 8.0
    time.sleep(seconds)
    return {name: (now - before[name]) / seconds for name, now in cpu_s(running).items()}


def _server(running: Running) -> dict[str, float]:
    told = running.database("intake").client.admin.command("serverStatus")
    log = told["wiredTiger"]["log"]
    return {
        "writes": sum(told["opcounters"][name] for name in ("insert", "update", "delete")),
        "transactions": told["transactions"]["totalCommitted"],
        "journal syncs": log["log sync operations"],
        "journal bytes": log["log bytes written"],
        "network in bytes": told["network"]["bytesIn"],
        "network out bytes": told["network"]["bytesOut"],
        "requests": told["network"]["numRequests"],
    }


@contextmanager
def tapped(running: Running) -> Iterator[Bus]:
    """Whatever is published in the block is counted, with its bytes, from a queue bound to everything."""
    bus, name = Bus(Counter(), Counter()), f"tap.{os.getpid()}"
    with kombu.Connection(running.known.amqp_uri) as connection:
        channel = connection.channel()
        channel.queue_declare(name, durable=False, auto_delete=False, exclusive=True)
        channel.queue_bind(name, topology.EVENTS.name, "#")
        yield bus
        while message := channel.basic_get(name, no_ack=True):
            kind = message.delivery_info["routing_key"]
            headers = message.properties.get("application_headers") or {}
            bus.said[kind] += 1
            bus.size[kind] += len(message.body) + sum(len(str(pair)) for pair in headers.items())


def _profiled(running: Running, er: Er, numbers: Numbers) -> dict[str, dict[str, float]]:
    """Commands of one referral by process, and by what they are; what was asked with nothing to do is taken off."""
    databases = [running.database(service) for service in SERVICES]
    quiet = _commands(databases, lambda: time.sleep(8))
    began = time.monotonic()
    busy = _commands(databases, lambda: _submit(running, er, numbers, PROFILED))
    lasted = time.monotonic() - began
    found: dict[str, dict[str, float]] = {}
    for (process, what), count in busy.most_common():
        each = (count - quiet[process, what] / 8 * lasted) / PROFILED
        if each >= 0.01:
            found.setdefault(process, {})[what] = round(each, 2)
    return found


def _commands(databases: list[Any], work: Callable[[], None]) -> Counter[tuple[str, str]]:
    """What every process asks of the databases while the work is done, as their profilers write it down."""
    for database in databases:
        database.command({"profile": 0})
        database.drop_collection("system.profile")
        database.create_collection("system.profile", capped=True, size=64_000_000)
        database.command({"profile": 2})
    work()
    for database in databases:
        database.command({"profile": 0})
    found: Counter[tuple[str, str]] = Counter()
    for database in databases:
        for row in database["system.profile"].find():
            op, where = row["op"], row["ns"].partition(".")[2]
            kind = op if op in ("insert", "update", "remove") else next(iter(row.get("command", {})), "")
            process = row.get("user", "").partition("@")[0]  # each process has a user of its own
            if process in PROCESSES and kind not in IDLE and where != "system.profile":
                found[process, f"{'read' if kind in READS else 'write'} {where} {kind}"] += 1
    return found


def table(told: dict[str, Any]) -> list[str]:
    """What each process does for one referral, in Markdown; then the database, the bus, and the libraries alone."""
    made = [
        "| process | CPU, ms | calls | database reads, writes | events in, out | mails | libraries alone, ms | ratio |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows(told):
        ratio = f"{row['cpu_ms'] / row['bare_ms']:.1f}" if row["bare_ms"] >= 0.01 else ""
        made.append(
            f"| {row['process']} | {row['cpu_ms']:.2f} | {row['calls']} | {row['reads']:.1f}, {row['writes']:.1f} "
            f"| {row['in']:.1f}, {row['out']:.1f} | {row['mails']:.1f} | {row['bare_ms']:.2f} | {ratio} |"
        )
    database, bus = told["database"], told["bus"]
    for name in ("mongod", "rabbitmq"):
        made.append(f"| {name} | {told['cpu_ms'][name]:.2f} | | | | | | |")
    made.append(f"| all | {sum(told['cpu_ms'].values()):.2f} | | | | | | |")
    alone = ", ".join(f"{name} {ms:.2f}" for name, ms in told["bare_ms"].items())
    return [
        *made,
        "",
        f"Database: {database['requests']:.1f} requests (round trips), {database['writes']:.1f} documents written, "
        f"{database['transactions']:.2f} transactions, {database['journal syncs']:.2f} syncs and "
        f"{database['journal bytes']:,.0f} bytes of its journal, {database['network in bytes']:,.0f} bytes in and "
        f"{database['network out bytes']:,.0f} out.",
        f"Bus: {bus['messages']:.1f} messages of together {bus['bytes']:,} bytes.",
        f"Mails: {told['mails']:.1f} of {told['mail_bytes']:,} bytes.",
        f"One operation of the library alone, ms of CPU: {alone}.",
    ]


def rows(told: dict[str, Any]) -> list[dict[str, Any]]:
    """What each process does for one referral, and what the libraries would take for it alone."""
    made, alone = [], told["bare_ms"]
    for process in (name for name in PROCESSES if name in told["cpu_ms"]):
        service, _, role = process.partition("-")
        commands = told["commands"].get(process, {})
        reads = sum(count for what, count in commands.items() if what.startswith("read"))
        writes = sum(count for what, count in commands.items() if what.startswith("write"))
        row = {
            "process": process,
            "cpu_ms": told["cpu_ms"][process],
            "calls": 1 if process == "intake-api" else 0,
            "reads": reads,
            "writes": writes,
            "in": told["bus"]["heard"].get(service, 0.0) if role == "worker" else 0.0,
            "out": _out(told, service) if role == "api" else 0.0,
            "mails": told["mails"] if process == "notifications-worker" else 0.0,
        }
        row["bare_ms"] = (
            row["calls"] * alone["grpc call"]
            + reads * alone["database read"]
            + writes * alone["database write"]
            + row["in"] * alone["message in"]
            + row["out"] * alone["message out"]
            + row["mails"] * alone["mail"]
        )
        made.append(row)
    return made


def _out(told: dict[str, Any], service: str) -> float:
    """Events that the service's relay publishes, by the first word of their types."""
    words = {
        "intake": ("referral", "record", "submission", "consent", "person"),
        "matching": ("offer", "case", "specialist", "handoff", "checkin", "roster"),
        "notifications": ("notice",),
        "audit": ("audit", "review"),
    }[service]
    return sum(
        count for name, (count, _) in told["bus"]["by type"].items() if name.partition(".")[0] in words
    )


if __name__ == "__main__":
    main()
