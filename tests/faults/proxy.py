"""A small TCP fault proxy: delay, hold, cut, reset, half-open, slice; one thread per direction of a connection."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import suppress
from enum import Enum


class Fault(Enum):
    """What happens to the bytes."""

    NONE = "none"
    HOLD_ANSWERS = "hold-answers"  # the server hears the client; the client hears nothing
    HOLD_ALL = "hold-all"  # half-open: both ends think the other is still there
    SLICE = "slice"  # one byte at a time
    DELAY = "delay"


class FaultProxy:
    """Stands between clients and one server; `port` is where clients go."""

    def __init__(self, server_port: int, *, delay_s: float = 0.05) -> None:
        self._server_port = server_port
        self._delay_s = delay_s
        self._fault = Fault.NONE
        self._may_pass = threading.Condition()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._is_closed = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
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
        self._end_all(linger=None)

    def reset(self) -> None:
        """Every connection is reset (RST)."""
        self._end_all(linger=struct.pack("ii", 1, 0))

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
            try:
                server = socket.create_connection(("127.0.0.1", self._server_port), timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            self.connections += 1
            self._pairs.append((client, server))
            threading.Thread(target=self._carry, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._carry, args=(server, client, True), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:
        with suppress(OSError):
            while chunk := source.recv(65536):
                self._wait(is_answer)
                self._send(target, chunk)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _wait(self, is_answer: bool) -> None:
        with self._may_pass:
            while self._fault is Fault.HOLD_ALL or (is_answer and self._fault is Fault.HOLD_ANSWERS):
                self._may_pass.wait()

    def _send(self, target: socket.socket, chunk: bytes) -> None:
        if self._fault is Fault.DELAY:
            time.sleep(self._delay_s)
        if self._fault is not Fault.SLICE:
            target.sendall(chunk)
            return
        target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for position in range(len(chunk)):
            target.sendall(chunk[position : position + 1])

    def _end_all(self, linger: bytes | None) -> None:
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                with suppress(OSError):
                    if linger:
                        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    else:
                        end.shutdown(socket.SHUT_RDWR)
                    end.close()
