"""The whole examination of the system of one place, part by part; what cannot be asked is itself a finding."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from cli.doctor import broker, database, doors, files, wrapping
from cli.doctor.findings import Finding
from cli.local import children, cluster, keys, ports, processes, rabbit, shape, system
from cli.local.place import Addresses, Place, read_state
from cli.local.ports import Ports

_ASK_S = 3.0
# Told before each part: what is being looked at.
Tell = Callable[[str], None]


def examine(place: Place, tell: Tell) -> list[Finding]:
    """Everything that is wrong with the system of this place, worst first, each thing once."""
    found = set(_files(place, tell))
    known = read_state(place)
    if known:
        for part in (_doors, _processes, _database, _broker, _log):
            found |= set(part(place, known, tell))
    return sorted(found, key=lambda each: (each.severity, each))


def _files(place: Place, tell: Tell) -> Iterator[Finding]:
    tell("keys, certificates, passwords, disk")
    for folder in (place.keys, place.access):
        yield from files.private(folder)
    if place.keys.exists():
        yield from files.complete(place.keys)
        yield from files.addresses(place.access)
        yield from files.certificates(place.keys)
    if place.var.exists():
        yield from files.disk(place.var)


def _ports(place: Place) -> Ports:
    return Ports(json.loads((place.var / "ports.json").read_text(encoding="utf-8"))["base"])


def _doors(place: Place, known: Addresses, tell: Tell) -> Iterator[Finding]:
    tell("what listens")
    chosen = _ports(place)
    named = {"epmd": chosen.epmd, "mail": chosen.smtp, "mllp": chosen.mllp}
    named |= {"signer": chosen.signer, "witness": chosen.witness}
    for number, node in enumerate(cluster.members(chosen, shape.of(place).nodes), start=1):
        inner = {"mongod": node.mongod, "rabbitmq": node.amqp, "erlang": node.erlang}
        named |= {f"{name} {number}" if number > 1 else name: port for name, port in inner.items()}
    for number, replica in enumerate(cluster.members(chosen, shape.of(place).replicas), start=1):
        again = f" {number}" if number > 1 else ""
        for service in ports.SERVICES:
            named[f"{service} (gRPC){again}"] = replica.grpc(service)
            named[f"{service} (HTTP){again}"] = replica.http(service)
            named[f"{service} (worker){again}"] = replica.worker_http(service)
    yield from doors.open_doors(named, doors.listening(), doors.speaks_tls)


def _processes(place: Place, known: Addresses, tell: Tell) -> Iterator[Finding]:
    tell("how each process stands and was set")
    yield from doors.ready({each.name: each.state for each in system.status(place)})
    for part in processes.parts(place, known, {}):
        env = _environ(place, part.name) or dict(part.env)
        yield from doors.settings(part.name, env, os.environ.get("KINDRED_MODE", ""))
        if part.ready_url and (theirs := doors.clock_of(part.ready_url.replace("/readyz", "/healthz"))):
            yield from doors.clock(part.name, theirs, datetime.now(UTC))


def _environ(place: Place, name: str) -> dict[str, str]:
    """What the running process was told, from the system itself; empty where it does not run."""
    child = children.recall(place.run, name)
    try:
        raw = Path(f"/proc/{child.pid}/environ").read_bytes() if child else b""
    except OSError:
        return {}
    pairs = (each.partition("=") for each in raw.decode(errors="replace").split("\0"))
    return {key: value for key, _, value in pairs if key}


def _database(place: Place, known: Addresses, tell: Tell) -> Iterator[Finding]:
    tell("the database")
    address = urlsplit(known.mongo_uri).netloc.rpartition("@")[2].partition(",")[0]
    yield from database.lets_nobody_in(address)
    client: MongoClient[dict[str, Any]] = MongoClient(known.mongo_uri, serverSelectionTimeoutMS=3_000)
    try:
        before = datetime.now(UTC)
        theirs = client.admin.command("hello")["localTime"].replace(tzinfo=UTC)
        yield from doors.clock("mongod", theirs, before)
        yield from database.users(client)
        yield from database.counts(client)
        yield from database.indexes(client)
        tell("who wraps keys")
        for folder in (place.keys / service for service in keys.SERVICES):
            yield from wrapping.services(client, folder)
    except PyMongoError as trouble:
        yield Finding("database-unreachable", address, type(trouble).__name__)
    finally:
        client.close()


def _broker(place: Place, known: Addresses, tell: Tell) -> Iterator[Finding]:
    if os.environ.get("AMQP_URI"):
        return  # yours: only its own operator can ask it how it is set up
    tell("the broker")
    try:
        found = broker.stands(place.var, _ports(place))
    except broker.Unreachable as trouble:
        yield Finding("broker-unreachable", "rabbitmq", str(trouble))
        return
    wanted = json.loads(rabbit.DEFINITIONS.read_text(encoding="utf-8"))
    yield from broker.queues(found, wanted)
    yield from broker.policies(found, wanted)
    yield from broker.users(found)


def _log(place: Place, known: Addresses, tell: Tell) -> Iterator[Finding]:
    tell("who vouches for the log")
    try:
        with urllib.request.urlopen(f"http://{known.http['audit']}/metrics", timeout=_ASK_S) as answer:
            yield from doors.log_lag(answer.read().decode())
    except (OSError, urllib.error.URLError):
        return  # that it does not answer was found above
