"""A kept HTTP connection carries one request after another, and nothing from one to the next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from pymongo import _csot
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from chassis import identity
from chassis.http_server import HttpServer, build_app, serve
from chassis.policy import AnyDoor
from cli.local import keys


@dataclass(frozen=True)
class Settings:
    """What the door reads."""

    max_body_bytes: int = 400_000
    organization_per_s: float = 1e6


def deadline(_: Request) -> JSONResponse:
    """The moment until which the store may answer this request."""
    return JSONResponse({"deadline": _csot.get_deadline()})


@pytest.fixture
def server(tmp_path: Path) -> Iterator[HttpServer]:
    app = build_app(
        Settings(),
        routes=[Route("/deadline", deadline, methods=["POST"])],
        tokens=identity.TokenReader.from_file(keys.create(tmp_path / "keys") / "issuer.pub.pem"),
        readiness={},
        on_denied=lambda *_: None,
        policy=AnyDoor(),
    )
    server = serve(app, "127.0.0.1:0")
    yield server
    server.stop(0.5)


def test_the_deadline_of_a_large_request_is_not_the_next_ones(server: HttpServer):
    """After a body that paused the reading, each later request on the connection has its own 8 seconds."""
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}") as client:
        told = [
            client.post("/deadline", content=b"x" * size).json()["deadline"]
            for size in (300_000,) * 4 + (1, 1)
        ]
    assert len(set(told)) == len(told) and told == sorted(told)
