"""A small TCP fault proxy: delay, hold one way or both, cut, reset, tear, slice; a thread for each way of a connection.

What does not pass is not lost but waits, as TCP sends again what a network dropped; the end of a connection waits too.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum

_RESET = struct.pack("ii", 1, 0)


class Fault(Enum):
    """What happens to the bytes."""

    NONE = "none"
    HOLD_ANSWERS = "hold-answers"  # the server hears the client; the client hears nothing
    HOLD_ASKS = "hold-asks"  # the client hears the server; the server hears nothing, and of nobody new
    HOLD_ALL = "hold-all"  # half-open: both ends think the other is still there
    SLICE = "slice"  # one byte at a time
    DELAY = "delay"
    TEAR_ASKS = "tear-asks"  # some of the client's writes pass by half, and the connection is reset
    TEAR_ANSWERS = "tear-answers"  # the same of the server's: it has done what was asked, and nobody is told


_HELD = {Fault.HOLD_ALL: (False, True), Fault.HOLD_ANSWERS: (True,), Fault.HOLD_ASKS: (False,)}
_TORN = {Fault.TEAR_ASKS: False, Fault.TEAR_ANSWERS: True}


@dataclass(eq=False)
class _Line:
    """One connection through the proxy."""

    client: socket.socket
    server: socket.socket
    is_reset: threading.Event = field(default_factory=threading.Event)

    def end(self) -> None:
        """Both ends hear of its end: in good order, or by a reset as soon as nobody reads here any more."""
        for end in (self.client, self.server):
            with suppress(OSError):
                if self.is_reset.is_set():
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                end.shutdown(socket.SHUT_RD if self.is_reset.is_set() else socket.SHUT_RDWR)


class FaultProxy:
    """Stands between clients and one server; `port` is where clients go."""

    def __init__(self, server_port: int, *, delay_s: float = 0.05, tears_one_in: int = 10) -> None:
        self._server_port = server_port
        self._delay_s = delay_s
        self._tears_one_in = tears_one_in
        self._fault = Fault.NONE
        self._may_pass = threading.Condition()
        self._lines: list[_Line] = []
        self._is_closed = False
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        # Chunks, new connections and ends on the way that the fault is of, while it was set; connections that were torn.
        self.touched = 0
        self.torn = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> FaultProxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def set(self, fault: Fault) -> None:
        """From here on, for old and new connections; what was held flows again where the fault lets it."""
        with self._may_pass:
            self._fault = fault
            self._may_pass.notify_all()

    def cut(self) -> None:
        """Every connection is closed, in good order."""
        for line in list(self._lines):
            line.end()

    def reset(self) -> None:
        """Every connection is reset (RST)."""
        for line in list(self._lines):
            line.is_reset.set()
            line.end()

    def close(self) -> None:
        """Nothing is listened to any more."""
        self._is_closed = True
        self.set(Fault.NONE)
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while not self._is_closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self._wait(False)  # the server does not hear of it before
        try:
            server = socket.create_connection(("127.0.0.1", self._server_port), timeout=5)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line = _Line(client, server)
        self.connections += 1
        self._lines.append(line)
        back = threading.Thread(target=self._carry, args=(line, True), daemon=True)
        back.start()
        self._carry(line, False)
        back.join()
        self._lines.remove(line)
        client.close()
        server.close()

    def _carry(self, line: _Line, is_answer: bool) -> None:
        source, target = (line.server, line.client) if is_answer else (line.client, line.server)
        is_targets_news = is_answer
        while chunk := _read(source):
            self._wait(is_answer)
            if self._is_torn(is_answer):
                chunk = chunk[: len(chunk) // 2]
                line.is_reset.set()
            try:
                self._send(target, chunk)
            except OSError:  # the target is gone: the source has yet to hear of it
                is_targets_news = not is_answer
                break
            if line.is_reset.is_set():
                break
        if not line.is_reset.is_set():
            self._wait(is_targets_news)
        line.end()

    def _wait(self, is_answer: bool) -> None:
        with self._may_pass:
            self.touched += self._is_hit(is_answer)
            while is_answer in _HELD.get(self._fault, ()):
                self._may_pass.wait()

    def _is_hit(self, is_answer: bool) -> bool:
        """The fault is one of this way."""
        ways = _HELD.get(self._fault, (_TORN.get(self._fault, is_answer),))
        return self._fault is not Fault.NONE and is_answer in ways

    def _is_torn(self, is_answer: bool) -> bool:
        with self._may_pass:
            if _TORN.get(self._fault) is not is_answer or self.touched % self._tears_one_in:
                return False
            self.torn += 1
            return True

    def _send(self, target: socket.socket, chunk: bytes) -> None:
        if self._fault is Fault.DELAY:
            time.sleep(self._delay_s)
        if self._fault is not Fault.SLICE:
            target.sendall(chunk)
            return
        for position in range(len(chunk)):
            target.sendall(chunk[position : position + 1])


def _read(source: socket.socket) -> bytes:
    """Empty where it is over, in whichever way."""
    try:
        return source.recv(65536)
    except OSError:
        return b""
