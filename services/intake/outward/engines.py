"""A source's interface engine: where it listens, one status message over MLLP, and what its answer means."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from services.intake.domain.outward import Outcome
from services.intake.hl7v2.framing import Frames, MessageTooLarge, NotMllp, framed
from services.intake.hl7v2.status import Receiver
from services.intake.outward.hooks import Told

_MOST_ANSWER_BYTES = 100_000
_MSA = re.compile(rb"\rMSA([^A-Za-z0-9])([AC][AER])\1([^\r|^~&]*)")
_OUTCOMES = {b"A": Outcome.DELIVERED, b"E": Outcome.DECLINED, b"R": Outcome.REFUSED}
_LOOPBACK = ("127.", "::1", "localhost")
_FORM = "source=host:port or source=mllps://host:port?application=...&facility=...&version=...&charset=..."
_WORDS = frozenset({"application", "facility", "version", "charset", "processing_id"})

Lookup = Callable[[str, int], Sequence[str]]


@dataclass(frozen=True)
class Engine:
    """One receiver of status messages, as the setting names it."""

    source_id: str
    host: str
    port: int
    is_tls: bool = False
    to: Receiver = field(default_factory=Receiver)

    @property
    def receiver_id(self) -> str:
        """Its name among receivers."""
        return f"hl7v2:{self.source_id}"

    @property
    def is_here(self) -> bool:
        """True where it listens on this machine."""
        return self.host.startswith(_LOOPBACK)


def read(entries: Sequence[str], *, allow_plain: bool) -> Mapping[str, Engine]:
    """The engines of the setting by source; raises ValueError that names what is malformed or would go in clear."""
    engines: dict[str, Engine] = {}
    for entry in entries:
        source_id, _, where = entry.partition("=")
        engine = _engine(source_id.strip(), where.strip(), entry)
        if not (engine.is_tls or engine.is_here or allow_plain):
            raise ValueError(
                f"KINDRED_HL7_RECEIVERS: {source_id!r} would be told in clear: use mllps:// or set "
                "KINDRED_MLLP_ALLOW_PLAIN=1 where the network in between is yours"
            )
        engines[engine.source_id] = engine
    return engines


def _engine(source_id: str, where: str, entry: str) -> Engine:
    parts = urlsplit(where if "://" in where else f"mllp://{where}")
    try:
        port = parts.port
        words = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
    except ValueError:
        port, words = None, {}
    is_known = parts.scheme in ("mllp", "mllps") and words.keys() <= _WORDS
    if not (source_id and parts.hostname and port and is_known):
        raise ValueError(f"KINDRED_HL7_RECEIVERS: {entry!r} is not {_FORM}")
    return Engine(source_id, parts.hostname, port, parts.scheme == "mllps", Receiver(**words))


def control_id(delivery_id: str, version: int) -> str:
    """MSH-10 of the message about this version: the same for every try, so that a repeat is known as one."""
    digest = hashlib.sha256(f"{delivery_id}/{version}".encode()).digest()
    return "K" + base64.b32encode(digest)[:19].decode()


def send(
    engine: Engine, message: bytes, message_id: str, *, timeout_s: float, tls: ssl.SSLContext, lookup: Lookup
) -> Told:
    """What the engine answered to this very message within `timeout_s`."""
    until = time.monotonic() + timeout_s
    try:
        line = _connected(engine, until, tls, lookup)
    except (OSError, ValueError) as error:
        return Told(
            Outcome.UNREACHABLE, "certificate" if isinstance(error, ssl.SSLError) else "no-connection"
        )
    try:
        line.settimeout(_left(until))
        line.sendall(framed(message))
        return _answer(line, message_id, until)
    except (OSError, MessageTooLarge, NotMllp):
        return Told(Outcome.UNKNOWN, "no-answer")
    finally:
        with suppress(OSError):
            line.close()


def _connected(engine: Engine, until: float, tls: ssl.SSLContext, lookup: Lookup) -> socket.socket:
    address = lookup(engine.host, engine.port)[0]
    plain = socket.create_connection((address, engine.port), _left(until))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return tls.wrap_socket(plain, server_hostname=engine.host) if engine.is_tls else plain


def _answer(line: socket.socket, message_id: str, until: float) -> Told:
    """The acknowledgement of this message; one of another message is passed over."""
    frames = Frames(_MOST_ANSWER_BYTES)
    while True:
        answer = frames.next()
        if answer is None:
            line.settimeout(_left(until))
            chunk = line.recv(65_536)
            if not chunk:
                return Told(Outcome.UNKNOWN, "no-answer")
            frames.feed(chunk)
            continue
        found = _MSA.search(answer.replace(b"\n", b"\r"))
        if found is not None and found[3].strip().decode("ascii", "replace") == message_id:
            return Told(_OUTCOMES[found[2][1:]], found[2].decode().lower())


def _left(until: float) -> float:
    """Seconds that are left; raises TimeoutError where none are."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
