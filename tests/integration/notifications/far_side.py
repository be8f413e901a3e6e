"""A real SMTP server for tests: keeps what it took, and answers with the fault it is told to."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import deque
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP


@dataclass(frozen=True)
class Taken:
    """One message the server had in its hands, whatever it then answered."""

    recipient: str
    message: EmailMessage
    was_accepted: bool
    connection: int

    @property
    def notice_id(self) -> str:
        """The notice, by its Message-ID."""
        return self.message["Message-ID"].strip("<>").partition("@")[0]

    @property
    def is_marked_as_repeat(self) -> bool:
        """True where the message says that it may be a repeat."""
        return "possible-repeat" in self.message["X-Kindred-Attempt"]


class _Listener(SMTP):
    """Keeps what it hears before it is understood."""

    def data_received(self, data: bytes) -> None:
        self.event_handler.heard.append((self.session is not None and self.session.ssl is not None, data))
        super().data_received(data)


class _Door(Controller):
    def factory(self) -> SMTP:
        return _Listener(self.handler, **self.SMTP_kwargs)


@dataclass
class FarSide:
    """Answers "250" unless a fault is queued: 451-rcpt, 550-rcpt, 451-data, 550-data, 421-data, hang, drop, drop-rcpt."""

    port: int = 0
    faults: deque[str] = field(default_factory=deque)
    taken: list[Taken] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)
    # Of aiosmtpd's SMTP: tls_context, require_starttls, auth_required ...
    options: dict[str, Any] = field(default_factory=dict)
    # Every byte that came, and whether it came encrypted.
    heard: list[tuple[bool, bytes]] = field(default_factory=list)
    _controller: Controller | None = None
    _sessions: dict[int, int] = field(default_factory=dict)

    def start(self) -> FarSide:
        """Listens; on the same port again after a stop."""
        self.port = self.port or _free_port()
        self._controller = _Door(
            self,
            hostname="127.0.0.1",
            port=self.port,
            ready_timeout=10,
            server_hostname="far.example.org",
            **self.options,
        )
        self._controller.start()
        return self

    def stop(self) -> None:
        """Nobody listens any more."""
        self.release.set()
        if self._controller is not None:
            self._controller.stop()
        self._controller = None

    def accepted(self, notice_id: str = "") -> list[Taken]:
        """The messages it said yes to."""
        return [one for one in self.taken if one.was_accepted and notice_id in ("", one.notice_id)]

    def overheard(self, *, encrypted: bool) -> bytes:
        """What came over the wire, with TLS or without."""
        return b"".join(data for was_encrypted, data in self.heard if was_encrypted is encrypted)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        """The answer to one recipient."""
        self._sessions.setdefault(id(session), len(self._sessions) + 1)
        if self.faults and self.faults[0].endswith("-rcpt"):
            fault = self.faults.popleft()
            if fault == "drop-rcpt":
                server.transport.abort()
            return {"451-rcpt": "451 try later", "550-rcpt": "550 no such mailbox"}.get(fault, "421 bye")
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """The answer to one message."""
        fault = self.faults.popleft() if self.faults else ""
        message = message_from_bytes(envelope.content, policy=policy.SMTP)
        was_accepted = fault in ("", "hang", "drop")
        number = self._sessions.get(id(session), 0)
        self.taken.append(Taken(envelope.rcpt_tos[0], message, was_accepted, number))
        if fault == "drop":
            server.transport.abort()
        if fault == "hang":
            while not self.release.is_set():
                await asyncio.sleep(0.02)
        return {"451-data": "451 later", "550-data": "550 no", "421-data": "421 closing"}.get(fault, "250 OK")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
