"""A small HTTPS server under the run's own authority that can go away and come back at the same address."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MOST_BYTES = 65_536


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes


class No(Exception):
    """What the far side refuses with: a status and a JSON document of its own form."""

    def __init__(self, status: int, said: Mapping[str, Any]) -> None:
        super().__init__(status)
        self.status, self.said = status, said


class Door:
    """Answers POST with `answer`, which raises No; `address` stays while it is away.

    `refused` are the statuses it refused with, in their order.
    """

    def __init__(self, certificate: str, answer: Callable[[Asked], Mapping[str, Any]]) -> None:
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate)
        self._answer, self._port = answer, 0
        self.refused: list[int] = []
        self.back()

    @property
    def address(self) -> str:
        """host:port, as the services' own settings name an endpoint."""
        return f"127.0.0.1:{self._port}"

    def back(self) -> None:
        """It listens, where it listened before."""
        ThreadingHTTPServer.allow_reuse_address = True
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), _handler(self._judged))
        self._server.socket = self._tls.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self._port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def away(self) -> None:
        """Nobody listens there."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _judged(self, asked: Asked) -> tuple[int, Mapping[str, Any]]:
        try:
            return 200, self._answer(asked)
        except No as no:
            self.refused.append(no.status)
            return no.status, no.said


def _handler(judged: Callable[[Asked], tuple[int, Mapping[str, Any]]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10

        def do_POST(self) -> None:
            body = self.rfile.read(min(int(self.headers.get("Content-Length", "0")), MOST_BYTES))
            status, said = judged(Asked(self.path, dict(self.headers.items()), body))
            content = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Nothing is written down: tokens pass here."""

    return Handler
