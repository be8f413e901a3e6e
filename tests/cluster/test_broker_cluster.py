"""F-15, F-16: nodes of the broker are killed, parted, frozen, and throw their clients out, under load."""

from __future__ import annotations

import time

import amqp
import pytest

from cli.local import rabbit
from tests.cluster import breaking, recovering
from tests.driving import until
from tests.faults import evidence
from tests.faults.ground import Cell

pytestmark = pytest.mark.slow_faults
INBOX = "matching.inbox"


def _takes_messages(cell: Cell, node: rabbit.Node) -> bool:
    """True where the node confirms a message that every member of a queue's majority has."""
    secret = rabbit.password(cell.running.place.var / "rabbit")
    connection = amqp.Connection(
        f"127.0.0.1:{node.amqp_port}", userid=rabbit.USER, password=secret, virtual_host=rabbit.VHOST,
        confirm_publish=True, connect_timeout=3, read_timeout=5, write_timeout=5,
    )  # fmt: skip
    try:
        connection.connect()
        channel = connection.channel()
        assert cell.tap is not None
        channel.basic_publish_confirm(amqp.Message("{}"), "", cell.tap.name, timeout=5)
    except (OSError, amqp.AMQPError, AttributeError):
        return False
    finally:
        connection.collect()
    return True


@pytest.mark.fault("F-15")
def test_the_leader_of_a_queue_is_killed(cell: Cell) -> None:
    """F-15: the node that leads matching's inbox dies twice under load; others lead on, and no submit fails."""
    with cell.load(24, over_s=20):
        for _ in range(2):
            cell.rest(2)
            leader = breaking.leader_of(cell.running, INBOX)
            alive = next(node for node in breaking.nodes(cell.running) if node.name != leader.name)
            cell.kill(leader.record)
            killed_at = time.monotonic()
            until(
                "another node leads",
                lambda dead=leader, by=alive: breaking.leader_of(cell.running, INBOX, by).name != dead.name,
                within_s=60,
            )
            cell.notes["new leader s"] = round(time.monotonic() - killed_at, 1)
            cell.ground.up()
    recovering.conclude(cell)


@pytest.mark.fault("F-15")
def test_two_of_three_nodes_are_killed(cell: Cell) -> None:
    """F-15: the node that is left confirms nothing; submits go on, and what they said arrives when a majority is back."""
    one, two, left = breaking.nodes(cell.running)
    with cell.load(16, over_s=10):
        cell.rest(2)
        cell.kill(one.record)
        cell.kill(two.record)
        until("all are told without a broker", lambda: len(cell.journal.acknowledged()) == 16, within_s=90)
        assert not _takes_messages(cell, left), "a minority confirmed a message"
        begun = time.monotonic()
        cell.ground.up()
        until("nothing waits", lambda: not evidence.unsaid(cell.running), within_s=120)
        cell.notes["drained after majority s"] = round(time.monotonic() - begun, 1)
    recovering.conclude(cell)


@pytest.mark.fault("F-15")
def test_a_node_is_cut_off_from_the_others(cell: Cell) -> None:
    """F-15: the leader of matching's inbox loses sight of both others; it serves nobody until it sees them again."""
    with cell.load(24, over_s=20):
        cell.rest(2)
        alone = breaking.leader_of(cell.running, INBOX)
        with breaking.parted(cell.running, alone):
            cell.broke(alone.record, "cut off from both other nodes")
            until("the minority refuses", lambda: not _takes_messages(cell, alone), within_s=60)
            until("all are told meanwhile", lambda: len(cell.journal.acknowledged()) >= 20, within_s=90)
        healed_at = time.monotonic()
        until("it is back", lambda: breaking.whole(cell.running), within_s=120)
        cell.notes["whole again s"] = round(time.monotonic() - healed_at, 1)
    recovering.conclude(cell)


@pytest.mark.fault("F-15")
def test_a_node_is_frozen(cell: Cell) -> None:
    """F-15: a node answers nobody for half a minute; its clients notice and go to the others."""
    with cell.load(24, over_s=20):
        cell.rest(2)
        leader = breaking.leader_of(cell.running, INBOX)
        with cell.ground.frozen(leader.record):
            cell.broke(leader.record, "SIGSTOP 30 s")
            frozen_at = time.monotonic()
            until("all are accepted while it stands", lambda: cell.clients.is_done(), within_s=90)
            cell.notes["done while frozen s"] = round(time.monotonic() - frozen_at, 1)
            cell.rest(max(0.0, 30 - (time.monotonic() - frozen_at)))
    recovering.conclude(cell)


@pytest.mark.fault("F-16")
def test_everybody_is_thrown_out_every_five_seconds(cell: Cell) -> None:
    """F-16: all connections are closed twelve times, five seconds apart; everything arrives, and nobody storms back."""
    with cell.load(24, over_s=25):
        for _ in range(12):
            breaking.close_all_connections(cell.running, breaking.nodes(cell.running)[0])
            cell.broke("rabbitmq", "close_all_connections")
            cell.rest(5)
    cell.notes["connections opened"] = _opened(cell)
    recovering.conclude(cell)


def _opened(cell: Cell) -> int:
    """How many connections the nodes have accepted since their start, by their own logs."""
    logs = (cell.running.place.log / f"{node.record}.log" for node in breaking.nodes(cell.running))
    return sum(log.read_text(errors="replace").count("accepting AMQP connection") for log in logs)
