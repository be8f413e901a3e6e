"""The doors under TLS: strangers stay out, a renewed certificate is used at once, and nothing is open in clear."""

from __future__ import annotations

import shutil
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from cryptography import x509
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from chassis import grpc_client, identity, tls
from chassis.grpc_server import GrpcService, build_server
from chassis.http_server import build_app, serve
from chassis.https import HttpsContext
from chassis.policy import AnyDoor
from chassis.settings import ProcessSettings, SettingsFaults, check_doors
from cli.local import authority, keys
from kindred.operations.v1 import operations_pb2, operations_pb2_grpc


@dataclass(frozen=True)
class Settings:
    """What the doors read."""

    grpc_tls_cert: str
    grpc_tls_ca: str
    grpc_address: str = "127.0.0.1:0"
    max_body_bytes: int = 20_000
    organization_per_s: float = 1e6


class Desk(operations_pb2_grpc.OperationsServiceServicer):
    """Answers."""

    def ListParked(self, request: Any, context: Any) -> Any:
        """Nothing is parked."""
        return operations_pb2.ListParkedResponse()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One system's keys and certificates."""
    return keys.create(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def own(folder: Path, tmp_path: Path) -> Path:
    """The server's certificate, in a file that may be renewed."""
    return Path(shutil.copy(folder / authority.file_of("intake"), tmp_path / "tls.pem"))


@pytest.fixture
def address(folder: Path, own: Path) -> Iterator[str]:
    """A gRPC door that asks everybody for a certificate."""
    server = build_server(
        Settings(str(own), str(folder / authority.AUTHORITY)),
        services=[
            GrpcService(
                "kindred.operations.v1.OperationsService",
                operations_pb2_grpc.add_OperationsServiceServicer_to_server,
                Desk(),
            )
        ],
        tokens=identity.TokenReader.from_file(folder / "issuer.pub.pem"),
        on_denied=lambda *_: None,
        policy=AnyDoor(),
    )
    server.start()
    yield f"127.0.0.1:{server.port}"
    server.stop(grace_s=0.2)


def files_of(folder: Path, holder: str = authority.CALLER) -> tls.Files:
    return tls.Files(folder / authority.file_of(holder), folder / authority.AUTHORITY)


def asked(folder: Path, address: str, named: tls.Files | None) -> Any:
    """The answer over a channel of its own."""
    token = identity.mint((folder / "issuer.pem").read_bytes(), actor_id="eng_1", role="engineer")
    with grpc_client.channel(address, token=token, named=named) as channel:
        stub = operations_pb2_grpc.OperationsServiceStub(channel)
        return stub.ListParked(operations_pb2.ListParkedRequest(), timeout=5)


def test_only_who_shows_a_certificate_of_our_authority_is_served(folder: Path, address: str, tmp_path: Path):
    """In clear, without a certificate, and with one of another system: the same token opens nothing."""
    assert asked(folder, address, files_of(folder)) == operations_pb2.ListParkedResponse()
    other = keys.create(tmp_path / "other")
    theirs = tls.Files(other / authority.file_of("cli"), folder / authority.AUTHORITY)
    unknown_server = files_of(other)
    for named in (None, theirs, unknown_server):
        with pytest.raises(grpc.RpcError) as refused:
            asked(folder, address, named)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    nobody = grpc.ssl_channel_credentials((folder / authority.AUTHORITY).read_bytes())
    with grpc.secure_channel(address, nobody) as channel, pytest.raises(grpc.RpcError) as refused:
        stub = operations_pb2_grpc.OperationsServiceStub(channel)
        stub.ListParked(operations_pb2.ListParkedRequest(), timeout=5)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


def spoken(folder: Path, port: int, version: ssl.TLSVersion) -> str | None:
    """What a far side that knows this version only is answered in; raises SSLError where it is not answered."""
    context = ssl.create_default_context(cafile=folder / authority.AUTHORITY)
    context.load_cert_chain(folder / authority.file_of("cli"))
    context.set_ciphers("DEFAULT@SECLEVEL=0")  # by itself OpenSSL 3 would not even ask in TLS 1.1
    context.set_alpn_protocols(["h2", "http/1.1"])
    context.minimum_version = context.maximum_version = version
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as shown,
    ):
        return shown.version()


def test_the_grpc_door_speaks_nothing_older_than_tls_1_2(folder: Path, address: str):
    """TLS 1.1 is turned away by the server, and what follows it is answered."""
    port = int(address.rpartition(":")[2])
    assert spoken(folder, port, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    with pytest.raises(ssl.SSLError, match=r"(?i)protocol"):
        spoken(folder, port, ssl.TLSVersion.TLSv1_1)


def test_a_renewed_certificate_is_shown_to_the_next_caller(folder: Path, address: str, own: Path):
    """No restart; a file that is broken while it is written changes nothing."""
    host, port = address.split(":")

    def serial() -> int:
        context = ssl.create_default_context(cafile=folder / authority.AUTHORITY)
        context.load_cert_chain(folder / authority.file_of("cli"))
        context.set_alpn_protocols(["h2"])
        with (
            socket.create_connection((host, int(port)), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname=host) as shown,
        ):
            return x509.load_der_x509_certificate(shown.getpeercert(binary_form=True) or b"").serial_number

    first = serial()
    own.write_bytes(b"-----BEGIN half")
    assert serial() == first
    (folder / authority.file_of("intake")).unlink()
    keys.create(folder)
    shutil.copy(folder / authority.file_of("intake"), own)
    assert serial() != first
    assert asked(folder, address, files_of(folder)) == operations_pb2.ListParkedResponse()


def test_the_http_door_speaks_tls_and_takes_a_renewed_certificate(folder: Path, own: Path):
    """https where a certificate is named; the next one is taken when it is there."""
    app = build_app(
        Settings("", ""),
        routes=[Route("/", lambda request: PlainTextResponse(request.url.scheme))],
        tokens=None,
        readiness={},
        on_denied=lambda *_: None,
        policy=AnyDoor(),
    )
    server = serve(app, "127.0.0.1:0", str(own))
    context = ssl.create_default_context(cafile=folder / authority.AUTHORITY)
    try:
        assert httpx.get(f"https://127.0.0.1:{server.port}/", verify=context).text == "https"
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{server.port}/")
        assert spoken(folder, server.port, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
        with pytest.raises(ssl.SSLError, match=r"(?i)protocol"):
            spoken(folder, server.port, ssl.TLSVersion.TLSv1_1)
    finally:
        server.stop(0.5)
    renewing = HttpsContext(own)
    assert not renewing.renew()
    own.write_bytes(b"-----BEGIN half")
    assert not renewing.renew()
    shutil.copy(folder / authority.file_of("audit"), own)
    assert renewing.renew() and not renewing.renew()


@pytest.mark.parametrize(
    ("given", "faults"),
    [
        ({}, 0),
        ({"grpc_address": "0.0.0.0:50051"}, 1),
        ({"grpc_address": "[::]:50051", "http_address": "10.0.0.7:8080"}, 2),
        ({"grpc_address": "0.0.0.0:1", "grpc_tls_cert": "own.pem", "grpc_tls_ca": "ca.pem"}, 0),
        ({"grpc_tls_cert": "own.pem"}, 1),
        ({"grpc_address": "0.0.0.0:1", "grpc_allow_plain": True, "http_address": "[::1]:8080"}, 0),
        ({"http_address": "kindred.example:443", "http_tls_cert": "own.pem"}, 0),
        ({"http_address": "localhost:8080", "grpc_address": "127.8.0.1:50051"}, 0),
        ({"http_address": "127.0.0.1.evil.example:1", "grpc_address": "127.0.0.1@0.0.0.0:1"}, 2),
        ({"http_address": "127.0.0.1:1,0.0.0.0:2", "grpc_address": "localhost.evil:1"}, 2),
    ],
)
def test_a_door_that_can_be_reached_from_elsewhere_is_under_tls(given: dict[str, Any], faults: int):
    """Clear text off this machine must be said aloud, door by door; every fault is named at once."""
    needed = {"mongo_uri": "m", "mongo_database": "d", "amqp_uri": "a", "keys_dir": Path()}
    settings = ProcessSettings(**needed, **given)
    if not faults:
        check_doors(settings)
        return
    with pytest.raises(SettingsFaults) as told:
        check_doors(settings)
    assert len(told.value.faults) == faults


def test_certificates_are_renewed_before_they_end_and_strange_ones_replaced(tmp_path: Path):
    """What still lasts stays as it is, byte for byte."""
    folder = keys.create(tmp_path / "keys")
    names = [authority.file_of(holder) for holder in (*keys.SERVICES, authority.CALLER)]
    before = {name: (folder / name).read_bytes() for name in names}
    keys.create(folder)
    assert {name: (folder / name).read_bytes() for name in names} == before
    strange = keys.create(tmp_path / "strange") / names[0]
    (folder / names[0]).write_bytes(strange.read_bytes())
    keys.create(folder)
    after = {name: (folder / name).read_bytes() for name in names}
    assert after[names[0]] not in (before[names[0]], strange.read_bytes())
    assert after | {names[0]: b""} == before | {names[0]: b""}
