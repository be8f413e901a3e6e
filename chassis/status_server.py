"""The small HTTP server of a worker or relay: /healthz, /readyz and /metrics, nothing else.

Threads of the standard library, so that it is real under the thread host and green under eventlet's patch.
"""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, HTTPServer

from chassis.readiness import Readiness, page
from chassis.thread_each import ThreadEach

_SLOW_CLIENT_S = 5.0


class StatusServer:
    """Listens on "host:port" (port 0: any free one) from the start; raises OSError where it cannot be bound."""

    def __init__(self, address: str, readiness: Readiness) -> None:
        host, _, port = address.rpartition(":")
        self._server = _Server((host.strip("[]"), int(port)), _handler(readiness))
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.2,), name="status", daemon=True
        )

    def start(self) -> None:
        """Questions are answered."""
        self._thread.start()

    def stop(self) -> None:
        """The port is closed."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadEach, HTTPServer):
    daemon_threads = True
    block_on_close = False

    def server_bind(self) -> None:
        # HTTPServer asks DNS for the host's name here, which can take long or fail; nobody needs it.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "kindred", self.server_address[1]


def _handler(readiness: Readiness) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _SLOW_CLIENT_S
        protocol_version = "HTTP/1.0"

        def do_GET(self) -> None:
            shown = page(self.path.partition("?")[0], readiness)
            status, content_type, body = shown or (404, "text/plain", b"no such path\n")
            self.send_response_only(status)
            self.send_header("content-type", content_type)
            self.send_header("content-length", str(len(body)))
            self.send_header("cache-control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing: the default writes client and path to stderr."""

    return Handler


def in_threads(named: Iterable[tuple[str, Callable[[], None]]], wait_s: float) -> None:
    """Every function runs beside the others; returns when all ended or the time is over."""
    threads = [threading.Thread(target=work, name=name, daemon=True) for name, work in named]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(wait_s)
