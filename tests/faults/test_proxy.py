"""The fault proxy does what its faults are called: else cells of F-39 would show nothing."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.driving import until
from tests.faults.proxy import Fault, FaultProxy

SILENCE_S = 0.1
WORD = b"sixteen letters."


class Echo:
    """A server that says everything back, and keeps what it heard: words, and b"" at the end of a connection."""

    def __init__(self) -> None:
        self.heard: queue.Queue[bytes] = queue.Queue()
        self.greeted = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                line, _ = self.listener.accept()
            except OSError:
                return
            self.greeted += 1
            threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        with line:
            try:
                while word := line.recv(100):
                    self.heard.put(word)
                    line.sendall(word)
            except OSError:
                pass
            self.heard.put(b"")


@pytest.fixture
def echo() -> Iterator[Echo]:
    """It listens."""
    server = Echo()
    yield server
    server.listener.shutdown(socket.SHUT_RDWR)
    server.listener.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[FaultProxy]:
    """In front of it."""
    with FaultProxy(echo.port, tears_one_in=1) as standing:
        yield standing


def calling(proxy: FaultProxy) -> socket.socket:
    """A client's connection that was used once."""
    line = socket.create_connection(("127.0.0.1", proxy.port), timeout=10)
    line.sendall(WORD)
    assert line.recv(100) == WORD
    return line


def hears_nothing(line: socket.socket) -> None:
    """Nothing comes, and the connection does not end."""
    line.settimeout(SILENCE_S)
    with pytest.raises(TimeoutError):
        line.recv(100)
    line.settimeout(10)


def test_held_answers_wait_and_nothing_else(echo: Echo, proxy: FaultProxy):
    """The server hears what is asked; the client hears nothing until the fault is over, and then everything."""
    with calling(proxy) as line:
        assert echo.heard.get(timeout=10) == WORD
        proxy.set(Fault.HOLD_ANSWERS)
        line.sendall(b"more")
        assert echo.heard.get(timeout=10) == b"more"
        hears_nothing(line)
        assert proxy.touched
        proxy.set(Fault.NONE)
        assert line.recv(100) == b"more"


def test_held_asks_wait_with_whoever_comes_and_whoever_goes(echo: Echo, proxy: FaultProxy):
    """The server hears neither words nor a new connection nor the end of an old one before the fault is over."""
    line = calling(proxy)
    assert echo.heard.get(timeout=10) == WORD
    proxy.set(Fault.HOLD_ASKS)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as new:
        new.sendall(b"new")
        line.close()
        hears_nothing(new)
        assert echo.heard.empty()
        assert echo.greeted == 1
        proxy.set(Fault.NONE)
        assert {echo.heard.get(timeout=10), echo.heard.get(timeout=10)} == {b"", b"new"}
        assert new.recv(100) == b"new"


@pytest.mark.parametrize("fault", [Fault.TEAR_ASKS, Fault.TEAR_ANSWERS])
def test_half_a_word_and_a_reset(echo: Echo, proxy: FaultProxy, fault: Fault):
    """Torn, one end hears half of it, and the connection is reset, which is not the same as ended."""
    with calling(proxy) as line:
        assert echo.heard.get(timeout=10) == WORD
        proxy.set(fault)
        line.sendall(WORD)
        half, whole = WORD[: len(WORD) // 2], fault is Fault.TEAR_ANSWERS
        assert echo.heard.get(timeout=10) == (WORD if whole else half)
        with pytest.raises(ConnectionResetError):
            while line.recv(100) == half:
                pass
        assert proxy.torn == 1
        until("the server hears of it", lambda: echo.heard.get(timeout=10) == b"", within_s=10)


def test_a_reset_ends_every_connection(echo: Echo, proxy: FaultProxy):
    """Whoever waits for an answer is told that there is none to come."""
    with calling(proxy) as line:
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            line.recv(100)
