"""What the processes of a place need before they start: a database, a broker, and their addresses of both."""

from __future__ import annotations

import os
from collections.abc import Callable

from cli.local import access, cluster, mongod, ports, rabbit, rights
from cli.local.place import Addresses, Place

# Told about each part as it moves: its name, and "starting", "ready 1.2 s", "stopped" ...
Tell = Callable[[str, str], None]


def hand_out(place: Place, known: Addresses) -> None:
    """Each process finds its own addresses in its own folder; of a database or broker of yours, the one given."""
    for user in rights.users():
        to = place.access / user.name
        access.hand_out(place.access, to, user, known.mongo_uri, known.amqp_uri)
        if given := os.environ.get("MONGO_URI"):
            access.give(to, access.MONGO, given)
            access.give(to, access.PRUNER, given)
        if given := os.environ.get("AMQP_URI"):
            access.give(to, access.AMQP, given)


def database(place: Place, chosen: ports.Ports, tell: Tell, nodes: int = 1) -> str:
    """The owner's address of the database, up: yours, one of ours, or a replica set of so many members."""
    given = os.environ.get("MONGO_URI", "")
    if given:
        tell("mongod", "yours, from MONGO_URI")
        return given
    tell("mongod", "starting")
    if nodes > 1:
        uri = cluster.database(place.var, chosen, nodes, place.access)
        tell("mongod", f"ready: a replica set of {nodes}")
        return uri
    started = mongod.start(place.var, chosen.mongod, place.access)
    tell("mongod", f"ready on port {chosen.mongod}")
    return started.uri


def broker(place: Place, chosen: ports.Ports, tell: Tell, nodes: int = 1) -> str:
    """The owner's address of the broker, up: yours, one of ours, or a cluster of so many nodes."""
    given = os.environ.get("AMQP_URI", "")
    if given:
        tell("rabbitmq", "yours, from AMQP_URI")
        return given
    tell("rabbitmq", "starting")
    if nodes > 1:
        uri = cluster.broker(place.var, chosen, nodes, place.access)
        tell("rabbitmq", f"ready: a cluster of {nodes}")
        return uri
    started = rabbit.start(place.var, chosen.amqp, chosen.erlang, chosen.epmd, keys=place.access)
    tell("rabbitmq", f"ready on port {chosen.amqp}")
    return started.uri
