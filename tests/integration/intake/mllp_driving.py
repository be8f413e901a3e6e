"""A hospital's interface engine: sends blocks over a socket and reads what comes back."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress

from services.intake.hl7v2.framing import Frames, framed

PATIENCE_S = 20.0


class Engine:
    """One MLLP connection to a listener; `source` is the address of this machine it comes from."""

    def __init__(self, port: int, *, source: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        plain = socket.create_connection(("127.0.0.1", port), PATIENCE_S, (source, 0))
        self.socket = tls.wrap_socket(plain, server_hostname="127.0.0.1") if tls else plain
        self._frames = Frames(10_000_000)

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, *messages: bytes) -> None:
        """Each as a block, all at once."""
        self.socket.sendall(b"".join(map(framed, messages)))

    def send_raw(self, data: bytes) -> None:
        """The bytes as they are; whoever is refused meanwhile may not get them all out."""
        with suppress(ConnectionError):
            self.socket.sendall(data)

    def answer(self) -> bytes | None:
        """The next answer, None where the connection ended instead."""
        while (message := self._frames.next()) is None:
            try:
                chunk = self.socket.recv(65_536)
            except ConnectionError:
                return None
            if not chunk:
                return None
            self._frames.feed(chunk)
        return message

    def ask(self, message: bytes) -> bytes | None:
        """Sends and waits for the answer."""
        self.send(message)
        return self.answer()

    def is_closed(self) -> bool:
        """Waits for the other side to end the connection; True where it did, with nothing more said."""
        return self.answer() is None
