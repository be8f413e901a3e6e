"""Whether this process can do its work now, and what is missing if not: the answer of /healthz, /readyz and /metrics."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import pymongo
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pymongo.database import Database

from chassis import logs, metrics
from chassis.errors import Refusal

Check = Callable[[], None]
_FRESH_S = 1.0
_PING_S = 1.5
_BROKER_S = 2.0
_BROKER_FRESH_S = 5.0


class NotYet(Exception):  # noqa: N818
    """A check's way to say what is missing in one code, such as "starting"."""


class Readiness:
    """Named checks, each a function that raises where its part is missing.

    `needed` decides; it is a function where the parts change as the process opens.  `watched` is told but does not
    take the process out of service (an `api` can store while the broker is away).  Answers are kept for 1 s, so that
    asking often costs nothing.
    """

    def __init__(
        self,
        needed: Mapping[str, Check] | Callable[[], Mapping[str, Check]],
        watched: Mapping[str, Check] | None = None,
    ) -> None:
        self._needed = needed if callable(needed) else lambda: needed
        self._watched = dict(watched or {})
        self._lock = threading.Lock()
        self._kept: tuple[float, int, dict[str, Any]] | None = None
        self._stopping = False

    def stop(self) -> None:
        """From here on the process is not ready, whatever its parts say."""
        self._stopping = True
        self._kept = None

    def answer(self) -> tuple[int, dict[str, Any]]:
        """HTTP status (200 or 503) and what each part said."""
        with self._lock:
            if self._kept is not None and time.monotonic() - self._kept[0] < _FRESH_S:
                return self._kept[1], self._kept[2]
            body = self._ask()
            status = 200 if body["is_ready"] else 503
            metrics.IS_READY.set(1 if body["is_ready"] else 0)
            self._kept = (time.monotonic(), status, body)
            return status, body

    def _ask(self) -> dict[str, Any]:
        if self._stopping:
            return {"is_ready": False, "missing": ["stopping"], "checks": {}}
        needed = {name: said(check) for name, check in self._needed().items()}
        watched = {name: said(check) for name, check in self._watched.items()}
        missing = [name for name, answer in needed.items() if answer != "ok"]
        away = [name for name, answer in watched.items() if answer != "ok"]
        return {"is_ready": not missing, "missing": missing + away, "checks": needed | watched}


def said(check: Check) -> str:
    """ "ok", or in one code why not; never the error's own words, which may hold an address."""
    try:
        check()
    except NotYet as error:
        return str(error)
    except Refusal as refusal:
        return refusal.code
    except Exception as error:  # noqa: BLE001  whatever is wrong, it is not ready
        return logs.type_name(error)
    return "ok"


def database_answers(database: Database[dict[str, Any]]) -> None:
    """The database answers a ping within 1.5 s, from a primary; else pymongo's error."""
    with pymongo.timeout(_PING_S):
        database.command("ping")


def broker_answers(amqp_uri: str) -> Check:
    """A check that a node of the broker lets us in within 2 s; the answer is kept for 5 s: it costs a connection."""
    lock = threading.Lock()
    kept: list[tuple[float, Exception | None]] = []

    def check() -> None:
        with lock:
            if not kept or time.monotonic() - kept[0][0] > _BROKER_FRESH_S:
                kept[:] = [(time.monotonic(), _broker_trouble(amqp_uri))]
            trouble = kept[0][1]
        if trouble is not None:
            raise trouble

    return check


def _broker_trouble(amqp_uri: str) -> Exception | None:
    """None as soon as one node answers, else what the last one met."""
    from chassis import broker

    trouble: Exception | None = None
    for uri in broker.addresses(amqp_uri):
        trouble = _node_trouble(uri)
        if trouble is None:
            return None
    return trouble


def _node_trouble(uri: str) -> Exception | None:
    from chassis import broker

    connection = broker.connection(
        uri,
        connect_timeout=_BROKER_S,
        transport_options={"read_timeout": _BROKER_S, "write_timeout": _BROKER_S},
    )
    try:
        connection.connect()
        connection.release()
    except Exception as error:  # noqa: BLE001  whatever it is, the broker does not answer
        return error
    return None


def page(path: str, readiness: Readiness) -> tuple[int, str, bytes] | None:
    """Status, content type and body of an operations page; None for any other path."""
    if path == "/healthz":
        return 200, "application/json", b'{"is_alive":true}\n'
    if path == "/readyz":
        status, body = readiness.answer()
        return status, "application/json", json.dumps(body).encode() + b"\n"
    if path == "/metrics":
        return 200, CONTENT_TYPE_LATEST, generate_latest()
    return None
