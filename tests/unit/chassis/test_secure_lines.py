"""Broker and database off this machine are reached under TLS, and the other side's certificate is looked at."""

from __future__ import annotations

import queue
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from chassis import broker, settings
from chassis.settings import ProcessSettings, SettingsFaults
from cli.local import authority

HERE = {
    "KINDRED_MONGO_URI": "mongodb://u:p@127.0.0.1:1,localhost:2/?replicaSet=kindred",
    "KINDRED_MONGO_DATABASE": "kindred_x",
    "KINDRED_AMQP_URI": "amqp://u:p@127.0.0.1:1/kindred",
    "KINDRED_KEYS_DIR": "/nowhere",
}


def faults(**told: str) -> list[str]:
    """What is said against these settings."""
    try:
        broker.check_lines(settings.read(ProcessSettings, HERE | told))
    except SettingsFaults as found:
        return found.faults
    return []


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("KINDRED_MONGO_URI", "mongodb://u:p@db.example:27017/?replicaSet=kindred"),
        ("KINDRED_MONGO_URI", "mongodb://127.0.0.1,db.example/?tls=false"),
        ("KINDRED_MONGO_URI", "mongodb+srv://db.example/?tls=false"),
        ("KINDRED_AMQP_URI", "amqp://u:p@mq.example/kindred"),
        ("KINDRED_AMQP_URI", "amqp://u:p@127.0.0.1/kindred;amqp://u:p@10.0.0.9:5672/kindred"),
    ],
)
def test_a_line_off_this_machine_in_clear_is_refused(name: str, uri: str) -> None:
    """Unless the network is said to be one's own; and the refusal holds no password."""
    (fault,) = faults(**{name: uri})
    assert name in fault and "clear" in fault and "u:p" not in fault
    assert faults(**{name: uri, name.replace("URI", "ALLOW_PLAIN"): "1"}) == []


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("KINDRED_MONGO_URI", "mongodb://u:p@db.example/?tls=true&tlsCAFile=/ca.pem"),
        ("KINDRED_MONGO_URI", "mongodb+srv://u:p@db.example/"),
        ("KINDRED_MONGO_URI", "mongodb://[::1]:27017/"),
        ("KINDRED_AMQP_URI", "amqps://u:p@mq.example/kindred?cacertfile=/ca.pem"),
        ("KINDRED_AMQP_URI", "amqp://u:p@localhost/kindred"),
    ],
)
def test_tls_or_loopback_is_good(name: str, uri: str) -> None:
    """Nothing is said against them."""
    assert faults(**{name: uri}) == []


def test_a_secret_may_be_in_a_file(tmp_path: Path) -> None:
    """`<NAME>_FILE` names it; a file that is not there is a fault, and what is no secret is not read from files."""
    (tmp_path / "uri").write_text(HERE["KINDRED_AMQP_URI"] + "\n")
    rest = {name: value for name, value in HERE.items() if name != "KINDRED_AMQP_URI"}
    found = settings.read(ProcessSettings, rest | {"KINDRED_AMQP_URI_FILE": str(tmp_path / "uri")})
    assert found.amqp_uri == HERE["KINDRED_AMQP_URI"] and "127" not in repr(found.amqp_uri)
    with pytest.raises(SettingsFaults, match="KINDRED_AMQP_URI_FILE cannot be read"):
        settings.read(ProcessSettings, rest | {"KINDRED_AMQP_URI_FILE": str(tmp_path / "absent")})
    with pytest.raises(SettingsFaults, match="KINDRED_AMQP_URI is not set"):
        settings.read(ProcessSettings, rest)


@dataclass
class FarSide:
    """Somebody with a certificate of the authority in `folder` who hears a client's first words."""

    folder: Path
    listener: socket.socket
    heard: queue.Queue[bytes] = field(default_factory=queue.Queue)

    def serve(self) -> None:
        """Greets under TLS and hangs up, until the listener is closed."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / authority.file_of("broker"))
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(plain, server_side=True) as line:
                    self.heard.put(line.recv(8))
            except OSError:
                self.heard.put(b"")


@pytest.fixture
def far_side(tmp_path: Path) -> Iterator[FarSide]:
    """It listens."""
    authority.create(tmp_path, ("broker",))
    far = FarSide(tmp_path, socket.create_server(("", 0)))
    thread = threading.Thread(target=far.serve, daemon=True)
    thread.start()
    yield far
    far.listener.shutdown(socket.SHUT_RDWR)
    far.listener.close()
    thread.join(5)


@pytest.mark.parametrize(
    ("host", "authority_is_ours", "greeting"),
    [("localhost", True, b"AMQP\x00\x00\x09\x01"), ("localhost", False, b""), ("127.0.0.2", True, b"")],
)
def test_a_broker_is_believed_by_its_certificate(
    tmp_path: Path, far_side: FarSide, host: str, authority_is_ours: bool, greeting: bytes
) -> None:
    """Not one of another authority, nor under a name it does not have: nothing of ours is said to it."""
    trusted = tmp_path if authority_is_ours else tmp_path / "other"
    if not authority_is_ours:
        trusted.mkdir()
        authority.create(trusted, ())
    port = far_side.listener.getsockname()[1]
    uri = f"amqps://u:p@{host}:{port}/kindred?cacertfile={trusted / authority.AUTHORITY}"
    with pytest.raises(OSError):
        broker.connection(uri, connect_timeout=3).connect()
    assert far_side.heard.get(timeout=10) == greeting
