"""A door before a process of another's: closed, nobody reaches it, and what it remembers stays."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

_PIECE = 65_536


class Gate:
    """Hands TCP connections on to a port of this machine, as long as it is not closed."""

    def __init__(self, behind: int) -> None:
        self._behind, self._port = behind, 0
        self.back()

    @property
    def address(self) -> str:
        """host:port, where the process is reached."""
        return f"127.0.0.1:{self._port}"

    def back(self) -> None:
        """It is open, where it was open before."""
        self._listening = socket.create_server(("127.0.0.1", self._port), reuse_port=False)
        self._port = self._listening.getsockname()[1]
        threading.Thread(target=self._receive, args=(self._listening,), daemon=True).start()

    def away(self) -> None:
        """Nobody listens there."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _receive(self, listening: socket.socket) -> None:
        with suppress(OSError):  # closed
            while True:
                near, _ = listening.accept()
                far = socket.create_connection(("127.0.0.1", self._behind))
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=_carry, args=(one, other), daemon=True).start()


def _carry(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while piece := one.recv(_PIECE):
            other.sendall(piece)
    for each in (one, other):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
    one.close()
