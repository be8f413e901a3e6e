"""POSTs to a far side: no redirects, no proxy, addresses that were checked, an end in time, one kept connection."""

from __future__ import annotations

import http.client
import select
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from chassis import outbound
from chassis.outbound import Endpoint, Lookup, NotPublic, PinnedConnection
from services.notifications.domain.notices import Outcome

_MOST_ANSWER_BYTES = 65_536
_LONGEST_RETRY_AFTER_S = 3_600
# A connection is used again so soon after its last answer (servers close idle ones after 5 s and more), and not for
# longer than this, so that a name that leads elsewhere is heeded.
_KEPT_IDLE_S = 3.0
_KEPT_S = 60.0


@dataclass(frozen=True)
class Replied:
    """What came back. `status` is 0 where `trouble` says how certain it is that nothing was taken."""

    status: int = 0
    body: bytes = b""
    retry_after_s: float = 0.0
    trouble: Outcome = Outcome.UNREACHABLE


@dataclass
class Poster:
    """How this process reaches out; a worker gives it a `lookup` of its own."""

    tls: ssl.SSLContext
    timeout_s: float
    lookup: Lookup = outbound.system_lookup
    may_be_private: bool = False

    def way_to(self, endpoint: Endpoint) -> PinnedConnection:
        """Not connected yet, to an address that was checked; raises OSError, ValueError or NotPublic."""
        addresses = outbound.addresses(endpoint, self.lookup, may_be_private=self.may_be_private)
        return PinnedConnection(endpoint, addresses, self.timeout_s, self.tls)


class PostLine:
    """One sender's POSTs; the connection of the last is kept for the next to the same host."""

    def __init__(self, poster: Poster) -> None:
        self._poster = poster
        self._kept: tuple[tuple[bool, str, int], PinnedConnection] | None = None
        self._opened_at = self._used_at = 0.0
        self._watch = _Watch(poster.timeout_s)

    def post(self, endpoint: Endpoint, body: bytes, headers: Mapping[str, str]) -> Replied:
        """The answer within the time, however slowly it drips; UNKNOWN once the request may have been taken.

        A kept connection that its far side closed is replaced before anything is sent; nothing is ever sent twice.
        """
        connection: PinnedConnection | None = None
        try:
            connection = self._kept_for(endpoint) or self._poster.way_to(endpoint)
            self._watch.begin(connection)
            if connection.sock is None:
                connection.connect()
                self._opened_at = time.monotonic()
        except (OSError, ValueError, NotPublic):  # ssl.SSLError is an OSError
            self._let_go(connection)
            return Replied()
        replied, is_usable = self._asked(connection, endpoint, body, headers)
        if is_usable:
            self._watch.end()
            self._kept, self._used_at = (_host(endpoint), connection), time.monotonic()
        else:
            self._let_go(connection)
        return replied

    def close(self) -> None:
        """The connection is gone."""
        self._let_go(self._kept[1] if self._kept else None)
        self._kept = None

    def _asked(
        self, connection: PinnedConnection, endpoint: Endpoint, body: bytes, headers: Mapping[str, str]
    ) -> tuple[Replied, bool]:
        """What came back, and whether the connection may be used again."""
        try:
            connection.request("POST", endpoint.target, body, {"Host": endpoint.host_header, **headers})
            answer = connection.getresponse()
            if connection.is_cut:
                return Replied(trouble=Outcome.UNKNOWN), False
            text = b""
            with suppress(OSError, http.client.HTTPException):
                text = answer.read(_MOST_ANSWER_BYTES)
            is_usable = answer.isclosed() and not answer.will_close and not connection.is_cut
            replied = Replied(answer.status, text, _patience(answer.getheader("Retry-After", "")))
            return replied, is_usable
        except (OSError, http.client.HTTPException, ValueError):
            return Replied(trouble=Outcome.UNKNOWN), False

    def _kept_for(self, endpoint: Endpoint) -> PinnedConnection | None:
        """The kept connection, where it leads there and its far side did not close it."""
        kept, self._kept = self._kept, None
        if kept is None:
            return None
        now = time.monotonic()
        is_young = now - self._used_at < _KEPT_IDLE_S and now - self._opened_at < _KEPT_S
        if kept[0] == _host(endpoint) and is_young and not _is_closed_there(kept[1]):
            return kept[1]
        self._let_go(kept[1])
        return None

    def _let_go(self, connection: PinnedConnection | None) -> None:
        self._watch.end()
        if connection is not None:
            connection.close()


class _Watch:
    """Cuts a connection that takes longer than its time; one thread for a line, which ends when nothing is posted."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._connection: PinnedConnection | None = None
        self._until = 0.0
        self._is_running = False

    def begin(self, connection: PinnedConnection) -> None:
        """The connection has its time from now on."""
        with self._lock:
            self._connection, self._until = connection, time.monotonic() + self._timeout_s
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._run, name="post-watch", daemon=True).start()

    def end(self) -> None:
        """It ended in time, or was cut."""
        with self._lock:
            self._connection = None

    def _run(self) -> None:
        pause_s = min(1.0, self._timeout_s / 4)
        while self._is_wanted():
            time.sleep(pause_s)

    def _is_wanted(self) -> bool:
        with self._lock:
            late_s = time.monotonic() - self._until
            if self._connection is not None and late_s >= 0:
                self._connection.cut()
                self._connection = None
            self._is_running = self._connection is not None or late_s < self._timeout_s
            return self._is_running


def _host(endpoint: Endpoint) -> tuple[bool, str, int]:
    return endpoint.is_tls, endpoint.host, endpoint.port


def _is_closed_there(connection: PinnedConnection) -> bool:
    """True where something came that nobody asked for: the end of the connection, as a rule."""
    try:
        return connection.sock is None or bool(select.select([connection.sock], [], [], 0)[0])
    except (OSError, ValueError):
        return True


def _patience(retry_after: str) -> float:
    return float(min(int(retry_after[:9]), _LONGEST_RETRY_AFTER_S)) if retry_after.isdigit() else 0.0
