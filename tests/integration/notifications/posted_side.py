"""A far side that speaks HTTP as the SMS API and as somebody's webhook do, and can misbehave like them."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

ACCOUNT, TOKEN = "AC0123456789abcdef0123456789abcdef", "quillfeather-sms-token"


def sms_account(url: str, notices_url: str) -> dict[str, str]:
    """The settings of a service that has an SMS account at this far side, and is reached at `notices_url`."""
    return {
        "KINDRED_SMS_URL": url,
        "KINDRED_SMS_ACCOUNT": ACCOUNT,
        "KINDRED_SMS_TOKEN": TOKEN,
        "KINDRED_SMS_FROM": "+13125550100",
        "KINDRED_NOTICES_URL": notices_url,
        "KINDRED_POST_ALLOW_PRIVATE": "true",
    }


@dataclass(frozen=True)
class Posted:
    """One request in its hands."""

    path: str
    headers: dict[str, str]
    body: bytes
    # Which connection it came over.
    connection: int = 0

    @property
    def fields(self) -> dict[str, str]:
        """The fields of a form."""
        return {name: values[-1] for name, values in parse_qs(self.body.decode()).items()}


@dataclass
class PostedSide:
    """Answers as a Twilio-compatible API below /2010-04-01 and 204 elsewhere, unless a fault is queued.

    Faults: a status as a number, "429:7" (with Retry-After), "error:21610" (400 with that code), "close" (takes the
    request and goes half-way through its answer), "hang" (takes it and never answers).
    """

    faults: deque[str] = field(default_factory=deque)
    taken: list[Posted] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)
    server: Any = None
    open_sockets: dict[int, Any] = field(default_factory=dict)

    def start(self) -> PostedSide:
        """Listens on a port of its own."""
        side = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                number = self.client_address[1]
                side.open_sockets[number] = self.connection
                side.taken.append(Posted(self.path, dict(self.headers.items()), body, number))
                side.answer(self, body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=[0.05], daemon=True).start()
        return self

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def stop(self) -> None:
        """Nobody listens any more."""
        self.release.set()
        self.server.shutdown()
        self.server.server_close()

    def hang_up(self) -> None:
        """Closes what clients keep open, as a server does with idle connections."""
        for one in self.open_sockets.values():
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def answer(self, request: Any, body: bytes) -> None:
        """What the next request hears."""
        fault = self.faults.popleft() if self.faults else ""
        if fault == "hang":
            self.release.wait(20)
            request.close_connection = True
            return
        if fault == "close":
            request.wfile.write(b"HTTP/1.1 201 Cre")
            request.wfile.flush()
            request.connection.close()
            request.close_connection = True
            return
        if fault.startswith("error:"):
            self._say(request, 400, {"code": int(fault.partition(":")[2]), "status": 400})
            return
        if fault:
            status, _, patience = fault.partition(":")
            self._say(request, int(status), {}, {"Retry-After": patience} if patience else {})
            return
        if request.path.startswith("/2010-04-01/"):
            self._as_sms_api(request, body)
        else:
            self._say(request, 200, {})

    def _as_sms_api(self, request: Any, body: bytes) -> None:
        login = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        fields = parse_qs(body.decode())
        if request.headers.get("Authorization") != f"Basic {login}":
            self._say(request, 401, {"code": 20003})
        elif request.path != f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json":
            self._say(request, 404, {"code": 20404})
        elif not fields.get("Body") or not fields.get("To", [""])[0].startswith("+"):
            self._say(request, 400, {"code": 21211})
        else:
            sid = f"SM{len(self.taken):032x}"
            self._say(request, 201, {"sid": sid, "status": "queued", "num_segments": "1"})

    def _say(
        self, request: Any, status: int, said: dict[str, Any], headers: dict[str, str] | None = None
    ) -> None:
        text = json.dumps(said).encode()
        request.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(text)))
        request.end_headers()
        request.wfile.write(text)
