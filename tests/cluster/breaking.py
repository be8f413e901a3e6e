"""How the members of a cluster are found, asked, and parted from each other."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from cli.local import cluster, ports, rabbit
from cli.local.place import Place
from cli.local.rabbit import Node
from tests.driving import Running, until

NODES = 3
_ASK_S = 60.0


def _ports(place: Place) -> ports.Ports:
    return ports.Ports(json.loads((place.var / "ports.json").read_text(encoding="utf-8"))["base"])


def nodes(running: Running) -> list[Node]:
    """The broker's nodes; each one's record is its name among the parts."""
    return cluster.nodes_of(running.place.var, _ports(running.place), NODES)


def ask(running: Running, node: Node, *command: str, timeout_s: float = _ASK_S) -> str:
    """What `rabbitmqctl` prints for this node; raises CalledProcessError where the node refuses."""
    var = running.place.var
    env = rabbit.environment(var, node, _ports(running.place).epmd)
    program = str(rabbit.server().with_name("rabbitmqctl"))
    argv = [program, "-q", "-n", node.name, *command]
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=timeout_s, check=True).stdout


def queues(running: Running, node: Node) -> dict[str, dict[str, Any]]:
    """By name, each queue's leader and the members of it that are up, as this node sees them."""
    told = ask(
        running, node, "list_queues", "-p", rabbit.VHOST, "name", "leader", "online", "--formatter", "json"
    )
    return {row["name"]: row for row in json.loads(told[told.index("[") :])}


def leader_of(running: Running, queue: str, asked: Node | None = None) -> Node:
    """The node that leads the queue."""
    all_nodes = nodes(running)
    leader = queues(running, asked or all_nodes[0])[queue]["leader"]
    return next(node for node in all_nodes if node.name == leader)


def whole(running: Running) -> bool:
    """Every queue has a leader and a member on every node."""
    try:
        found = queues(running, nodes(running)[0])
    except (subprocess.SubprocessError, ValueError):
        return False
    return bool(found) and all(row["leader"] and len(row["online"]) == NODES for row in found.values())


def is_idle(running: Running) -> bool:
    """No queue has a message, also none that a worker has in its hand."""
    try:
        told = ask(
            running,
            nodes(running)[0],
            "list_queues",
            "-p",
            rabbit.VHOST,
            "name",
            "messages",
            "--formatter",
            "json",
        )
    except subprocess.SubprocessError:
        return False
    rows = json.loads(told[told.index("[") :])
    return not any(row["messages"] for row in rows if not row["name"].startswith("tap."))


def close_all_connections(running: Running, node: Node) -> None:
    """Every client of the whole cluster is thrown out; the node is the one that is asked to see to it."""
    ask(running, node, "close_all_connections", "-p", rabbit.VHOST, "a fault is tried")


@contextmanager
def parted(running: Running, alone: Node) -> Iterator[None]:
    """For the block, this node and the others do not speak with each other: each takes the other's cookie for wrong.

    Erlang then refuses the connection between the nodes as it would where the network is cut; clients reach all.
    """
    others = [node for node in nodes(running) if node.name != alone.name]
    for one in others:
        _stranger(running, one, alone)
    _stranger(running, alone, *others)
    try:
        yield
    finally:
        for one in (alone, *others):
            _friends(running, one)


def _stranger(running: Running, node: Node, *strangers: Node) -> None:
    told = "".join(
        f"erlang:set_cookie('{other.name}', parted), erlang:disconnect_node('{other.name}'), "
        for other in strangers
    )
    ask(running, node, "eval", f"{told} ok.")


def _friends(running: Running, node: Node) -> None:
    told = "".join(f"erlang:set_cookie('{other.name}', erlang:get_cookie()), " for other in nodes(running))
    ask(running, node, "eval", f"{told} ok.")


def members(running: Running) -> dict[str, str]:
    """What each member of the replica set is, by its name among the parts: PRIMARY, SECONDARY ...."""
    client: MongoClient[dict[str, Any]] = MongoClient(running.known.mongo_uri, serverSelectionTimeoutMS=2_000)
    by_port = {member.mongod: f"mongod-{n}" for n, member in enumerate(_all_ports(running), start=1)}
    try:
        told = client.admin.command("replSetGetStatus")["members"]
        return {by_port[int(one["name"].rpartition(":")[2])]: one["stateStr"] for one in told}
    except PyMongoError:
        return {}
    finally:
        client.close()


def _all_ports(running: Running) -> list[ports.Ports]:
    return cluster.members(_ports(running.place), NODES)


def primary(running: Running) -> str:
    """The primary's name among the parts, waited for."""
    return until("a primary", lambda: _with_state(running, "PRIMARY"), within_s=60)[0]


def secondaries(running: Running) -> list[str]:
    """The names of the others."""
    return _with_state(running, "SECONDARY")


def _with_state(running: Running, state: str) -> list[str]:
    return [name for name, is_now in members(running).items() if is_now == state]
