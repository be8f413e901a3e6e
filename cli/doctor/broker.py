"""The broker as it stands, compared with the definitions and the table of rights."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cli.doctor.findings import Finding
from cli.local import cluster, ports, rabbit, rights, shape
from cli.local.place import Place

Definitions = dict[str, Any]
_ASK_S = 60.0


class Unreachable(Exception):  # noqa: N818  it says what is so
    """The broker did not tell how it is set up."""


def stands(var: Path, chosen: ports.Ports) -> Definitions:
    """How our own node, or the first of our cluster, is set up now, as it tells itself; raises Unreachable."""
    nodes = shape.of(Place(var)).nodes
    own = rabbit.only_node(var, chosen.amqp, chosen.erlang)
    node = own if nodes == 1 else cluster.nodes_of(var, chosen, nodes)[0]
    env = rabbit.environment(var, node, chosen.epmd)
    program = rabbit.server().with_name("rabbitmqctl")
    try:
        told = subprocess.run(
            [str(program), "-n", node.name, "export_definitions", "-"],
            env=env, capture_output=True, text=True, timeout=_ASK_S, check=True,
        ).stdout  # fmt: skip
        found: Definitions = json.loads(told[told.index("{") :])
    except (OSError, subprocess.SubprocessError, ValueError) as trouble:
        raise Unreachable(type(trouble).__name__) from None
    return found


def queues(found: Definitions, wanted: Definitions) -> Iterator[Finding]:
    """Every queue is there, durable and a quorum queue; every binding carries what somebody hears."""
    there = {queue["name"]: queue for queue in found.get("queues", ())}
    for queue in wanted["queues"]:
        name = queue["name"]
        if name not in there:
            yield Finding("queue-missing", name, "nobody can hear anything there")
        elif not there[name]["durable"] or there[name]["arguments"].get("x-queue-type") != "quorum":
            yield Finding("queue-not-durable-quorum", name, "messages may be lost when the broker ends")
    bound = {_binding(each) for each in found.get("bindings", ())}
    for each in wanted["bindings"]:
        if _binding(each) not in bound:
            says = f"{each['routing_key']} of {each['source']} does not reach it"
            yield Finding("binding-missing", each["destination"], says)


def _binding(each: Definitions) -> tuple[str, ...]:
    return each["source"], each["destination"], each["routing_key"]


def policies(found: Definitions, wanted: Definitions) -> Iterator[Finding]:
    """Every policy says what the definitions say."""
    there = {policy["name"]: policy for policy in found.get("policies", ())}
    for policy in wanted["policies"]:
        now = there.get(policy["name"])
        if now is None or (now["pattern"], now["definition"]) != (policy["pattern"], policy["definition"]):
            says = "it is not there" if now is None else "it says something else than the definitions"
            yield Finding("policy-differs", policy["name"], says)


def users(found: Definitions) -> Iterator[Finding]:
    """Every user of the table is there with its rights and no others, and there is nobody else."""
    wanted = {user.name: user.broker for user in rights.users() if user.broker}
    known = {user["name"]: user for user in found.get("users", ())}
    for name in sorted(set(wanted) - set(known)):
        yield Finding("user-missing", name, "the broker does not know this user")
    for name in sorted(set(known) - set(wanted) - {rights.OWNER}):
        yield Finding("user-unknown", name, "the table of rights does not know this user at the broker")
    for name in sorted(set(known) & set(wanted)):
        if known[name].get("tags"):
            yield Finding(
                "user-may-too-much", name, f"it is marked {', '.join(known[name]['tags'])} at the broker"
            )
        yield from _more_than(found, name, wanted[name])


def _more_than(found: Definitions, name: str, may: rights.BrokerRights) -> Iterator[Finding]:
    held = [each for each in found.get("permissions", ()) if each["user"] == name]
    for each in held:
        if (each["configure"], each["write"], each["read"]) != ("^$", may.write, may.read):
            yield Finding(
                "user-may-too-much", name, f"its rights in {each['vhost']} are not those of the table"
            )
    spoken = [
        each
        for each in found.get("topic_permissions", ())
        if each["user"] == name and each["exchange"] == rights.EVENTS
    ]
    if not spoken or any((each["write"], each["read"]) != (may.topics, "^$") for each in spoken):
        yield Finding("user-may-too-much", name, "it may say other events than its own")
