"""The socket: TLS with a certificate on both sides, a thread for each node, nothing read on before the last is stored."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO, cast

from prometheus_client import Counter

from chassis import logs, telemetry
from chassis.errors import Refusal
from chassis.identity import Caller
from chassis.mongo import is_outside_trouble
from chassis.readiness import NotYet
from services.audit.atna.frames import Frame, frames

MOST_NODES = 64
_HANDSHAKE_S, _IDLE_S, _LOOK_S = 10.0, 900.0, 0.5
_AGAIN_S = 1.0
MESSAGES = Counter(
    "kindred_audit_atna_messages_total", "Syslog messages of other systems, by how they ended.", ["end"]
)
log = logs.get()
Take = Callable[[Caller, Frame], object]


def tls_of(certificate: str, key: str, authority: str) -> ssl.SSLContext:
    """TLS 1.2 or newer that lets in only a node with a certificate of this authority (ITI-19); raises OSError."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key or None)
    context.load_verify_locations(authority)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


class Listener:
    """Listens on "host:port" from the start; raises OSError where it cannot be bound. `take` stores a message."""

    def __init__(self, address: str, context: ssl.SSLContext, take: Take) -> None:
        host, _, port = address.rpartition(":")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._bound = socket.create_server((host.strip("[]"), int(port)), family=family, backlog=MOST_NODES)
        self._bound.settimeout(_LOOK_S)
        self.port: int = self._bound.getsockname()[1]
        self._context, self._take = context, take
        self._seats = threading.BoundedSemaphore(MOST_NODES)
        self._stopping = threading.Event()
        self._is_serving = False
        self._threads: list[threading.Thread] = []

    def run(self) -> None:
        """Serves until it is stopped; what was read by then is stored."""
        self._is_serving = True
        while not self._stopping.is_set():
            with suppress(TimeoutError):
                raw, _ = self._bound.accept()
                if not self._seats.acquire(blocking=False):
                    raw.close()
                    MESSAGES.labels("no-seat").inc()
                    continue
                thread = threading.Thread(target=self._attend, args=(raw,), daemon=True)
                self._threads = [*(one for one in self._threads if one.is_alive()), thread]
                thread.start()
        self._bound.close()
        for thread in self._threads:
            thread.join(5.0)

    def stop(self) -> None:
        """Nobody new is let in, and nothing further is read."""
        self._stopping.set()

    def check(self) -> None:
        """Raises NotYet where nobody would be let in."""
        if not self._is_serving or self._stopping.is_set():
            raise NotYet("not-listening")

    def _attend(self, raw: socket.socket) -> None:
        try:
            raw.settimeout(_HANDSHAKE_S)
            with self._context.wrap_socket(raw, server_side=True) as line:
                node = node_of(line)
                line.settimeout(_IDLE_S)
                log.info("a node sends audit messages", node=node.actor_id)
                for frame in frames(cast(BinaryIO, line.makefile("rb"))):
                    if not self._stored(node, frame) or self._stopping.is_set():
                        return
        except (OSError, ValueError) as gone:  # no certificate, no handshake, or the line broke
            log.info("a node is gone", error=logs.type_name(gone))
        finally:
            raw.close()
            self._seats.release()

    def _stored(self, node: Caller, frame: Frame) -> bool:
        """True once the message is durable: syslog has no answer, so nothing is read on, nor dropped, until it is."""
        while True:
            try:
                with telemetry.continue_trace(""), telemetry.correlated(""):
                    self._take(node, frame)
                MESSAGES.labels("stored").inc()
            except Exception as error:
                if not (isinstance(error, Refusal) or is_outside_trouble(error)):
                    MESSAGES.labels("lost").inc()
                    log.exception("a message was not stored: this is a bug")
                    return False
                MESSAGES.labels("waited").inc()
                if self._stopping.wait(_AGAIN_S):
                    return False
            else:
                return True


def node_of(line: ssl.SSLSocket) -> Caller:
    """Who sends, by their certificate: its common name, for its organization."""
    subject = (line.getpeercert() or {}).get("subject", ())
    told = {
        str(name): str(value)
        for part in cast(tuple[tuple[tuple[str, str], ...], ...], subject)
        for name, value in part
    }
    return Caller(f"client:{told.get('commonName', 'unnamed')}", "system", told.get("organizationName", ""))
