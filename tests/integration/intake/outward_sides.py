"""The far sides of outward news: a subscriber's web server and an interface engine, each with the faults they have."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from services.intake.hl7v2.framing import Frames, framed


@dataclass(frozen=True)
class Heard:
    """One request a subscriber got."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def kind(self) -> str:
        """ "handshake" or "event-notification"; "" of an empty body."""
        return self._parameter("type").get("valueCode", "") if self.body else ""

    @property
    def task_id(self) -> str:
        """Which Task moved."""
        return str(self._entry()["request"]["url"].partition("/")[2])

    @property
    def version(self) -> int:
        """To which version."""
        return int(self._entry()["response"]["etag"].strip('W/"'))

    @property
    def number(self) -> str:
        """The event's number in this subscription."""
        return str(self._parameter("notification-event")["part"][0]["valueString"])

    def _entry(self) -> dict[str, Any]:
        entry: dict[str, Any] = json.loads(self.body)["entry"][1]
        return entry

    def _parameter(self, name: str) -> dict[str, Any]:
        parameters = json.loads(self.body)["entry"][0]["resource"]["parameter"]
        return next(one for one in parameters if one["name"] == name)


@dataclass
class Subscriber:
    """Answers 200 unless a fault is queued or stands: a status as text, "302", "drip", "drop", "hang", "stall"."""

    heard: list[Heard] = field(default_factory=list)
    faults: deque[str] = field(default_factory=deque)
    standing_fault: str = ""
    port: int = 0
    _server: ThreadingHTTPServer | None = None

    def start(self) -> Subscriber:
        """Listens; on the same port again after a stop."""
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), _door(self))
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Nobody listens any more."""
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where it wants to be told."""
        return f"http://127.0.0.1:{self.port}/news?from=kindred"

    def of(self, task_id: str) -> list[Heard]:
        """What it heard of one Task."""
        return [one for one in self.heard if one.kind == "event-notification" and one.task_id == task_id]


def _door(side: Subscriber) -> type[BaseHTTPRequestHandler]:
    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            fault = side.faults.popleft() if side.faults else side.standing_fault
            side.heard.append(Heard(self.path, headers, body))
            if fault == "drop":
                self.connection.shutdown(socket.SHUT_RDWR)
            elif fault == "drip":
                self._drip()
            elif fault == "302":
                self.send_response(302)
                self.send_header("location", f"http://127.0.0.1:{side.port}/elsewhere")
                self.end_headers()
            else:
                self.send_response(int(fault or "200"))
                self.send_header("content-length", "0")
                self.end_headers()

        do_GET = do_PUT = do_POST

        def _drip(self) -> None:
            """A byte now and then, for ever: no single wait is long."""
            try:
                for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 600:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    time.sleep(0.05)
            except OSError:
                pass

        def log_message(self, *_: object) -> None:
            """Nothing."""

    return Door


@dataclass
class EngineSide:
    """An interface engine that takes status messages; says AA unless told: AE, AR, none, stale-then-AA, half-close."""

    taken: list[bytes] = field(default_factory=list)
    faults: deque[str] = field(default_factory=deque)
    standing_fault: str = ""
    port: int = 0
    _server: socketserver.ThreadingTCPServer | None = None

    def start(self) -> EngineSide:
        """Listens; on the same port again after a stop."""
        side = self

        class Door(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                frames = Frames(1_000_000)
                while (chunk := self.request.recv(65_536)) != b"":
                    frames.feed(chunk)
                    while (message := frames.next()) is not None:
                        side.answer(self.request, message)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """A sender that went away is no event."""

        self._server = Server(("127.0.0.1", self.port), Door)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Nobody listens any more."""
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    def answer(self, line: socket.socket, message: bytes) -> None:
        """What it says to one message."""
        fault = self.faults.popleft() if self.faults else self.standing_fault
        self.taken.append(message)
        known = control_id(message)
        if fault == "stale-then-AA":
            line.sendall(framed(_ack("AR", "SOMEBODY-ELSE")))
        if fault == "half-close":
            line.shutdown(socket.SHUT_WR)
        elif fault != "none":
            line.sendall(framed(_ack(fault if fault in ("AE", "AR") else "AA", known)))


def control_id(message: bytes) -> str:
    """MSH-10."""
    return message.split(b"\r")[0].split(b"|")[9].decode()


def state_of(message: bytes) -> str:
    """The state in RF1-1.4."""
    (rf1,) = [one for one in message.split(b"\r") if one.startswith(b"RF1")]
    return rf1.split(b"|")[1].split(b"^")[3].decode()


def _ack(code: str, known: str) -> bytes:
    return f"MSH|^~\\&|HIS|STB|KINDRED|KINDRED|20261121||ACK|A{time.time_ns()}|P|2.5.1\rMSA|{code}|{known}\r".encode()


Ask = Callable[[], Any]
