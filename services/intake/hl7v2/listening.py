"""MLLP's connections: each is a task of one event loop, its messages are handled one after the other by threads.

Nobody waits for anybody else's bytes: a slow, endless or senseless sender costs a task and at most one message of
memory, for as long as its deadline allows.  Order within a connection is kept, because the next message is taken
after the last was answered.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import partial

from chassis import logs
from chassis.readiness import NotYet
from services.intake.hl7v2 import certified, stream
from services.intake.hl7v2.crowd import REFUSED, Crowd, Limits, Line
from services.intake.hl7v2.framing import Frames, MessageTooLarge, NotMllp, framed

_CHUNK_BYTES = 65_536
_BACKLOG = 512
_HANDSHAKE_S = 10.0
_ANSWER_S = 10.0
# What a refused sender still sends is read away until it pauses so long: else the reset overtakes the answer
# (RFC 9112, 9.6).
_LINGER_S = 3.0
_LINGER_BYTES = 64_000_000
_ACCEPT_PAUSE_S = 0.1
_TROUBLE_PAUSE_S = 0.5
log = logs.get()

# A message -> its answer, empty where none is wanted, None where nothing may be acknowledged; runs in a thread, never
# raises.
Handle = Callable[[bytes], bytes | None]


class Listener:
    """Listens on "host:port" from the start; raises OSError where it cannot be bound.

    `handle` answers a message; `refuse` answers one that is too large, by how it began.  Processes with `is_shared`
    share the address.
    """

    def __init__(
        self,
        address: str,
        *,
        handle: Handle,
        refuse: Handle,
        limits: Limits,
        tls: ssl.SSLContext | None = None,
        threads: int = 8,
        is_shared: bool = False,
    ) -> None:
        host, _, port = address.rpartition(":")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        where = host.strip("[]"), int(port)
        self._bound = socket.create_server(where, family=family, backlog=_BACKLOG, reuse_port=is_shared)
        self._bound.setblocking(False)
        self.port: int = self._bound.getsockname()[1]
        self._handle, self._refuse, self._limits, self._tls = handle, refuse, limits, tls
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="mllp")
        self._crowd = Crowd(limits)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._ended = threading.Event()

    def run(self) -> None:
        """Serves until it is stopped and every message in hand has its answer."""
        asyncio.run(self._serve())
        self._ended.set()

    def stop(self, grace_s: float = 20.0) -> None:
        """Nobody new is let in; what is being handled is answered, everything else is closed unanswered."""
        self._is_stopping = True
        loop = self._loop
        if loop is not None and not loop.is_closed():
            with suppress(RuntimeError):  # it closed meanwhile
                loop.call_soon_threadsafe(self._drain)
            self._ended.wait(grace_s)
        self._bound.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def check(self) -> None:
        """Raises NotYet where nobody would be let in."""
        if self._accepting is None or self._accepting.done():
            raise NotYet("not-listening")

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._accepting = asyncio.create_task(self._accept())
        if self._is_stopping:
            self._drain()
        with suppress(asyncio.CancelledError):
            await self._accepting
        while self._crowd.lines:
            await asyncio.wait([line.task for line in self._crowd.lines if line.task])

    def _drain(self) -> None:
        if self._accepting is not None:
            self._accepting.cancel()
        for line in self._crowd.lines:
            if not line.is_working:
                line.cut()

    async def _accept(self) -> None:
        assert self._loop is not None
        while True:
            try:
                near, address = await self._loop.sock_accept(self._bound)
            except OSError as error:  # out of descriptors, or gone before it was taken: the next one may do
                log.warning("mllp.accept-failed", error=type(error).__name__)
                await asyncio.sleep(_ACCEPT_PAUSE_S)
                continue
            if self._crowd.has_room(address[0]):
                self._open(near, address[0])
            else:
                near.close()

    def _open(self, near: socket.socket, address: str) -> None:
        near.setblocking(False)
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        near.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        line = Line(address)
        self._crowd.add(line)
        line.task = asyncio.create_task(self._speak(line, near))
        line.task.add_done_callback(partial(self._ended_with, line, near))

    def _ended_with(self, line: Line, near: socket.socket, task: asyncio.Task[None]) -> None:
        self._crowd.remove(line)
        if task.cancelled():  # before a transport owned the socket
            near.close()

    async def _speak(self, line: Line, near: socket.socket) -> None:
        """One connection from its first byte to its end; nothing that happens on it is raised."""
        assert self._loop is not None
        reader = asyncio.StreamReader(limit=_CHUNK_BYTES)
        protocol = asyncio.StreamReaderProtocol(reader)
        handshake_s = _HANDSHAKE_S if self._tls else None
        try:
            transport, _ = await self._loop.connect_accepted_socket(
                lambda: protocol, near, ssl=self._tls, ssl_handshake_timeout=handshake_s
            )
        except OSError:  # ssl.SSLError is one too
            REFUSED.labels("handshake").inc()
            near.close()
            return
        writer = asyncio.StreamWriter(transport, protocol, reader, self._loop)
        if self._tls:
            certified.shown.set(certified.names_of(transport.get_extra_info("peercert")))
        try:
            await self._converse(line, reader, writer)
            writer.close()
            async with asyncio.timeout(_ANSWER_S):
                await writer.wait_closed()
        except TimeoutError:
            REFUSED.labels("too-slow").inc()
        except NotMllp:
            REFUSED.labels("not-mllp").inc()
        except (OSError, asyncio.CancelledError):
            pass  # they went away, or we close
        finally:
            transport.abort()

    async def _converse(self, line: Line, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = Frames(self._limits.message_bytes)
        quiet_since, begun_at = time.monotonic(), 0.0
        while not self._is_stopping:
            try:
                message = frames.next()
            except MessageTooLarge as too_large:
                REFUSED.labels("message-too-large").inc()
                if not await self._turn_away(line, too_large.head, frames, reader, writer):
                    return
                line.messages += 1
                quiet_since, begun_at = time.monotonic(), 0.0
                continue
            self._crowd.hold(line, frames.waiting_bytes)
            if message is None:
                begun_at = (begun_at or time.monotonic()) if frames.is_inside else 0.0
                until = begun_at + self._limits.message_s if begun_at else quiet_since + self._limits.idle_s
                async with asyncio.timeout_at(until):
                    chunk = await reader.read(_CHUNK_BYTES)
                if not chunk:
                    return
                frames.feed(chunk)
                continue
            for part in stream.of_block(message) if message else ():
                if not await self._answered(line, self._handle, part, writer):
                    await asyncio.sleep(_TROUBLE_PAUSE_S)  # it will be sent again: not in a hot loop
                    return
            line.messages += 1
            quiet_since, begun_at = time.monotonic(), 0.0

    async def _answered(
        self, line: Line, handle: Handle, message: bytes, writer: asyncio.StreamWriter
    ) -> bool:
        """The message is handled and answered; False where nothing may be said, and the connection has to end."""
        assert self._loop is not None
        line.is_working = True
        try:
            # With the connection's own context: the thread knows whose certificate it was opened with.
            answer = await self._loop.run_in_executor(self._pool, copy_context().run, handle, message)
            if answer is None:
                return False
            if not answer:
                return True  # they asked for none (MSH-15, MSH-16)
            writer.write(framed(answer))
            async with asyncio.timeout(_ANSWER_S):
                await writer.drain()
            return True
        finally:
            line.is_working = False

    async def _turn_away(
        self,
        line: Line,
        head: bytes,
        frames: Frames,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        """The sender of a message that is too large is told so, and the rest of it is read away, a part at a time.

        False where it does not end: then the connection has to.
        """
        if not await self._answered(line, self._refuse, head, writer):
            return False
        left = _LINGER_BYTES
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.message_s):
                while not (is_over := frames.skip()) and left > 0:
                    self._crowd.hold(line, frames.waiting_bytes)
                    async with asyncio.timeout(_LINGER_S):
                        chunk = await reader.read(_CHUNK_BYTES)
                    if not chunk:
                        return False
                    left -= len(chunk)
                    frames.feed(chunk)
                return is_over
        return False
