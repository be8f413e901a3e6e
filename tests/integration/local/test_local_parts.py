"""Our own mongod and RabbitMQ: started, asked, survived, stopped; and never anybody else's."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import amqp
import pytest
from pymongo import MongoClient

from cli.local import children, mongod, ports, processes, rabbit
from cli.local.children import Child
from cli.local.faults import LocalFault
from cli.local.ports import Ports

EVENTS = "kindred.events"


def a_block(below: int) -> Ports:
    """A free block of ports outside the ones checkouts choose from."""
    return next(
        Ports(base) for base in range(below, below + 4000, 100) if all(map(ports.is_free, Ports(base)))
    )


@pytest.fixture
def var(tmp_path: Path) -> Iterator[Path]:
    """A var folder; whatever was started in it is gone afterwards."""
    (tmp_path / "run").mkdir()
    yield tmp_path
    for name in children.recorded(tmp_path / "run"):
        if child := children.recall(tmp_path / "run", name):
            children.stop(tmp_path / "run", child, grace_s=15.0)


def a_sleeper(var: Path, name: str = "sleeper", code: str = "import time; time.sleep(600)") -> Child:
    argv = [sys.executable, "-c", code]
    return children.spawn(var / "run", name, argv, env=os.environ, log=var / "log" / f"{name}.log", cwd=var)


def test_mongod_takes_majority_writes_and_keeps_them_over_a_new_port(var: Path) -> None:
    """The database is a replica set of one; it comes back with its data, also when its port had to change."""
    first = a_block(24000)
    started = mongod.start(var, first.mongod)
    with MongoClient(started.uri, w="majority", journal=True) as client:
        client.demo.things.insert_one({"_id": "kept"})
    assert mongod.start(var, first.mongod).child == started.child
    assert children.stop(var / "run", started.child, grace_s=30.0) == "stopped"
    second = a_block(first.base + 100)
    with MongoClient(mongod.start(var, second.mongod).uri) as client:
        assert client.demo.things.find_one() == {"_id": "kept"}
        assert client.admin.command("hello")["primary"] == f"127.0.0.1:{second.mongod}"


def test_rabbitmq_runs_as_our_own_node_with_the_policies_of_the_file(var: Path) -> None:
    """The broker listens on loopback only, and its inboxes dead-letter as the definitions say."""
    chosen = a_block(24000)
    started = rabbit.start(var, chosen.amqp, chosen.erlang, chosen.epmd)
    kept = rabbit_password(started.uri)
    connection = amqp.Connection(
        f"127.0.0.1:{chosen.amqp}", userid="kindred", password=kept, virtual_host="kindred"
    )
    connection.connect()
    channel = connection.channel()
    channel.exchange_declare(EVENTS, "topic", durable=True, passive=True)
    channel.queue_declare("matching.inbox", passive=True)
    for _ in range(12):  # one more than the policy's delivery-limit of 10 allows
        message = take(channel, "matching.inbox") if _ else publish(channel)
        if message is None:
            break
        channel.basic_reject(message.delivery_tag, requeue=True)
    dead = until_dead(channel, "matching.dead")
    assert dead == b"poison"
    connection.close()
    loopback = listening_addresses(chosen)
    assert loopback
    assert all(address.startswith(("127.0.0.1:", "[::1]:")) for address in loopback)


def rabbit_password(uri: str) -> str:
    return uri.partition("://")[2].partition("@")[0].partition(":")[2]


def publish(channel: amqp.Channel) -> amqp.Message:
    channel.basic_publish(amqp.Message(b"poison", delivery_mode=2), "", "matching.inbox")
    return take(channel, "matching.inbox")


def take(channel: amqp.Channel, queue: str, within: int = 50) -> amqp.Message | None:
    """The next message of the queue; None if none comes."""
    for _ in range(within):
        if message := channel.basic_get(queue):
            return message
        channel.connection.send_heartbeat()
        socket_wait(0.1)
    return None


def until_dead(channel: amqp.Channel, queue: str) -> bytes:
    message = take(channel, queue, within=100)
    assert message is not None, f"nothing arrived in {queue}"
    return message.body.encode() if isinstance(message.body, str) else bytes(message.body)


def socket_wait(seconds: float) -> None:
    """A short pause between two questions."""
    import select

    select.select([], [], [], seconds)


def listening_addresses(chosen: Ports) -> list[str]:
    told = subprocess.run(["ss", "-ltnH"], capture_output=True, text=True, check=True).stdout
    wanted = {str(chosen.amqp), str(chosen.erlang), str(chosen.epmd)}
    locals_ = [line.split()[3] for line in told.splitlines()]
    return [address for address in locals_ if address.rpartition(":")[2] in wanted]


def test_a_taken_port_is_named_with_what_to_do(var: Path) -> None:
    """Somebody else's listener is left alone, and the message names the port."""
    chosen = a_block(24000)
    with socket.create_server(("127.0.0.1", chosen.mongod)):
        with pytest.raises(LocalFault, match=str(chosen.mongod)) as fault:
            mongod.start(var, chosen.mongod)
        assert "KINDRED_PORT_BASE" in fault.value.remedy


def test_a_second_checkout_finds_another_block(tmp_path: Path) -> None:
    """Two checkouts stand beside each other without being told to."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    first = ports.choose(tmp_path / "one", "")
    with socket.create_server(("127.0.0.1", first.amqp)):
        second = ports.choose(tmp_path / "two", "")
        assert not set(first) & set(second)
        assert ports.choose(tmp_path / "one", "", is_in_use=True) == first
        assert not set(ports.choose(tmp_path / "one", "")) & set(first)


def test_a_process_is_known_by_its_start_time_not_its_pid_alone(var: Path) -> None:
    """A stranger that got the pid of an ended process of ours is not ours."""
    child = a_sleeper(var)
    assert children.recall(var / "run", "sleeper") == child
    stranger = Child(child.name, child.pid, child.born + 1, child.log)
    assert not stranger.is_alive()
    children.stop(var / "run", child, grace_s=5.0)
    assert children.recall(var / "run", "sleeper") is None


def test_who_ignores_the_polite_signal_is_killed_with_its_session(var: Path) -> None:
    """TERM first, KILL after the grace."""
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True)"
    code += "; time.sleep(600)"
    child = a_sleeper(var, "deaf", code)
    while b"deaf" not in Path(child.log).read_bytes():
        socket_wait(0.05)
    assert children.stop(var / "run", child, grace_s=0.5) == "killed"
    assert not child.is_alive()


def test_a_stopped_process_still_hears_term(var: Path) -> None:
    """A suspended process (SIGSTOP) is woken to be told to stop."""
    child = a_sleeper(var)
    os.kill(child.pid, signal.SIGSTOP)
    assert children.stop(var / "run", child, grace_s=10.0) == "stopped"


def test_changed_settings_replace_the_process(var: Path) -> None:
    """A process that runs with other settings than asked for is not mistaken for the right one."""
    fingerprints = {
        processes.Part("x", ("python",), {"KINDRED_WAVE_SECONDS": waves}, "", "127.0.0.1:1").fingerprint
        for waves in ("8,8", "300,300")
    }
    assert len(fingerprints) == 2
