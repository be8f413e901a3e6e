"""Which TCP ports of this machine a checkout uses: one block of a hundred, remembered in its var folder.

The blocks lie below the kernel's range for outgoing connections (32768 and up on Linux): a client that
keeps dialing a port of that range while the listener is down can be handed that very port, connect to
itself and hold it against the listener's return.
"""

import fcntl
import json
import os
import random
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from cli.local.faults import LocalFault

FIRST_BASE = 18400
BLOCK = 100
BLOCKS = 40
# A block holds the ports of one of everything, and of two more nodes or replicas.
FURTHER = 30
# So long nobody else is given a block that was chosen and not bound yet.
_PROMISED_S = 120.0
SERVICES = ("intake", "matching", "notifications", "audit")


@dataclass(frozen=True)
class Ports:
    """Every port of one checkout, counted from `base`."""

    base: int

    @property
    def mongod(self) -> int:
        return self.base

    @property
    def amqp(self) -> int:
        return self.base + 1

    @property
    def erlang(self) -> int:
        return self.base + 2

    @property
    def epmd(self) -> int:
        return self.base + 3

    @property
    def smtp(self) -> int:
        return self.base + 4

    @property
    def mllp(self) -> int:
        return self.base + 5

    @property
    def mllp_http(self) -> int:
        return self.base + 6

    @property
    def signer(self) -> int:
        return self.base + 7

    @property
    def witness(self) -> int:
        return self.base + 8

    @property
    def issuer(self) -> int:
        return self.base + 9

    def grpc(self, service: str) -> int:
        return self.base + 10 + 5 * SERVICES.index(service)

    def http(self, service: str) -> int:
        return self.grpc(service) + 1

    def worker_http(self, service: str) -> int:
        return self.grpc(service) + 2

    def further(self, number: int) -> "Ports":
        """Those of a second node or replica (1), or a third (2), in the same block."""
        return Ports(self.base + FURTHER * number)

    def __iter__(self) -> Iterator[int]:
        yield from (self.mongod, self.amqp, self.erlang, self.epmd, self.smtp, self.mllp, self.mllp_http)
        yield from (self.signer, self.witness, self.issuer)
        for service in SERVICES:
            yield from (self.grpc(service), self.http(service), self.worker_http(service))


def is_free(port: int) -> bool:
    """True if a listener could bind the port on 127.0.0.1 now."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def becomes_free(port: int, within_s: float = 5.0) -> bool:
    """True as soon as the port is free; a process that was killed holds its ports until its last thread is gone."""
    deadline = time.monotonic() + within_s
    while not is_free(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def any_free() -> int:
    """A port nobody listens on, below the range of outgoing connections; for tests."""
    while True:
        port = random.randrange(FIRST_BASE + BLOCK * BLOCKS, 32_000)
        if is_free(port):
            return port


def choose(var: Path, wanted: str, *, is_in_use: bool = False) -> Ports:
    """The checkout's ports: `wanted` (KINDRED_PORT_BASE), else the remembered block, else the first free one.

    The choice is kept in `var/ports.json`, so that a stopped system comes back at the same addresses, unless
    somebody else listens there by now; a second checkout beside it finds another block.  `is_in_use` says that
    processes of this checkout run on the remembered block.  Raises LocalFault if no block is free or `wanted`
    is no number.
    """
    remembered = var / "ports.json"
    if wanted:
        base = _number(wanted)
    else:
        kept = json.loads(remembered.read_text(encoding="utf-8"))["base"] if remembered.exists() else 0
        base = kept if kept and (is_in_use or _is_block_free(kept)) else _first_free_block()
    remembered.write_text(json.dumps({"base": base}), encoding="utf-8")
    return Ports(base)


def _is_block_free(base: int) -> bool:
    return all(is_free(port) for port in Ports(base))


def _number(wanted: str) -> int:
    if wanted.isdigit() and 1024 <= int(wanted) <= 65000:
        return int(wanted)
    raise LocalFault(
        "KINDRED_PORT_BASE is not a port number.", f"Set it to a number such as {FIRST_BASE}, or unset it."
    )


def _first_free_block() -> int:
    """Chosen under a lock of this user's, so that two checkouts that start at once get two blocks."""
    promises = Path(tempfile.gettempdir()) / f"kindred-ports-{os.getuid()}.json"
    with os.fdopen(os.open(promises, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        now = time.time()
        promised = {base: at for base, at in _promises(file.read()).items() if 0 <= now - at < _PROMISED_S}
        for number in range(BLOCKS):
            base = FIRST_BASE + number * BLOCK
            if str(base) not in promised and _is_block_free(base):
                file.seek(0)
                file.truncate()
                json.dump(promised | {str(base): now}, file)
                return base
    raise LocalFault(
        f"No block of ports between {FIRST_BASE} and {FIRST_BASE + BLOCK * BLOCKS} is free.",
        "Stop other checkouts with `make down`, or set KINDRED_PORT_BASE to the first of a hundred free ports.",
    )


def _promises(text: str) -> dict[str, float]:
    try:
        return {str(base): float(at) for base, at in json.loads(text).items()}
    except (ValueError, AttributeError, TypeError):
        return {}
