"""Clusters on loopback: RabbitMQ nodes with quorum queues and a MongoDB replica set, by the parts of `kindred up`.

Everything here is what one node of each has too (rabbit.py, mongod.py), once for each member and then joined.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pymongo.errors import PyMongoError

from cli.local import access, database_users, mongod, rabbit, rights
from cli.local.database_users import REPLICA_SET
from cli.local.ports import Ports
from cli.local.rabbit import Node
from cli.local.readiness import wait_ready

READY_S = 180.0
# Three databases share the machine that one has to itself otherwise.
CACHE_GB = 0.25


def members(chosen: Ports, nodes: int) -> list[Ports]:
    """The ports of each member."""
    return [chosen.further(number) for number in range(nodes)]


def database(var: Path, chosen: Ports, nodes: int, keys: Path) -> str:
    """The owner's address of a replica set of so many members, all of them up and one of them primary."""
    ports_of = [member.mongod for member in members(chosen, nodes)]
    hosts = [f"127.0.0.1:{port}" for port in ports_of]
    started = [
        mongod.launch(var, port, keys, name=f"{mongod.NAME}-{number}", cache_gb=CACHE_GB)
        for number, port in enumerate(ports_of, start=1)
    ]
    for child, port in zip(started, ports_of, strict=True):
        wait_ready(child, lambda at=port: _not_a_member(at, hosts, keys), READY_S)  # type: ignore[misc]
    wait_ready(started[0], lambda: _no_primary(hosts, keys), READY_S)
    with database_users.as_the_set(hosts, access.key_file(keys), serverSelectionTimeoutMS=15_000) as client:
        database_users.establish(client, access.passwords(keys))
    uri = f"mongodb://{','.join(hosts)}/?replicaSet={REPLICA_SET}&authSource=admin"
    return access.as_user(uri, rights.OWNER, access.password(keys, rights.OWNER))


def _not_a_member(port: int, hosts: Sequence[str], keys: Path) -> str:
    """What keeps this mongod from being primary or secondary, in words; empty if nothing does."""
    client = mongod.client_of(port, keys, 1_000)
    try:
        hello = client.admin.command("hello")
        if hello.get("isWritablePrimary") or hello.get("secondary"):
            return ""
        if f":{port}" in hosts[0]:
            database_users.initiate(client, hosts)
        return "it is not a member of the set yet"
    except PyMongoError as trouble:
        return f"it does not answer ({type(trouble).__name__})"
    finally:
        client.close()


def _no_primary(hosts: Sequence[str], keys: Path) -> str:
    with database_users.as_the_set(hosts, access.key_file(keys), serverSelectionTimeoutMS=1_000) as client:
        try:
            client.admin.command("ping")
        except PyMongoError as trouble:
            return f"no member is primary ({type(trouble).__name__})"
    return ""


def broker(var: Path, chosen: Ports, nodes: int, keys: Path) -> str:
    """The owner's address, all nodes of it joined by ";", of a cluster of so many nodes, all of them up."""
    rabbit.server()
    home = var / "rabbit"
    secret = rabbit.password(home)
    _share_a_cookie(home)
    rabbit.port_mapper(var, chosen.epmd)
    wanted = nodes_of(var, chosen, nodes)
    started = [rabbit.launch(var, node, chosen.epmd, keys=keys) for node in wanted]
    with ThreadPoolExecutor(nodes) as pool:
        waits = [
            pool.submit(wait_ready, child, lambda at=node: rabbit.missing(at.amqp_port, secret), READY_S)  # type: ignore[misc]
            for child, node in zip(started, wanted, strict=True)
        ]
        for wait in waits:
            wait.result()
    return ";".join(rabbit.address(node, secret) for node in wanted)


def nodes_of(var: Path, chosen: Ports, nodes: int) -> list[Node]:
    """The nodes of the broker, each told of all."""
    names = [f"kindred{number}@localhost" for number in range(1, nodes + 1)]
    settings = (
        # The side of a split that has the fewer nodes stops serving until it sees the others again.
        "cluster_partition_handling = pause_minority",
        "cluster_formation.peer_discovery_backend = classic_config",
        *(f"cluster_formation.classic_config.nodes.{n} = {name}" for n, name in enumerate(names, start=1)),
        # Queues are made when all are there, so that each has a member on every node.
        f"cluster_formation.target_cluster_size_hint = {nodes}",
        "queue_leader_locator = balanced",
    )
    return [
        Node(f"rabbitmq-{n}", name, var / "rabbit" / str(n), member.amqp, member.erlang, settings)
        for n, (name, member) in enumerate(zip(names, members(chosen, nodes), strict=True), start=1)
    ]


def _share_a_cookie(home: Path) -> None:
    """Erlang would make one at each node's first start, and three nodes that start at once three."""
    cookie = home / ".erlang.cookie"
    if not cookie.exists():
        with os.fdopen(os.open(cookie, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "w") as file:
            file.write(secrets.token_hex(16).upper())
