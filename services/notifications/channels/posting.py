"""One POST over a connection of its own: no redirects, no proxy, addresses that were checked, and an end in time."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from chassis import outbound
from chassis.outbound import Endpoint, Lookup, NotPublic, PinnedConnection
from services.notifications.domain.notices import Outcome

_MOST_ANSWER_BYTES = 65_536
_LONGEST_RETRY_AFTER_S = 3_600


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

    def post(self, endpoint: Endpoint, body: bytes, headers: Mapping[str, str]) -> Replied:
        """The answer within `timeout_s`, however slowly it drips; UNKNOWN once the request may have been taken."""
        try:
            addresses = outbound.addresses(endpoint, self.lookup, may_be_private=self.may_be_private)
            connection = PinnedConnection(endpoint, addresses, self.timeout_s, self.tls)
            connection.connect()
        except (OSError, ValueError, NotPublic):  # ssl.SSLError is an OSError
            return Replied()
        watchdog = threading.Timer(self.timeout_s, connection.cut)
        watchdog.daemon = True
        watchdog.start()
        try:
            sent = {"Host": endpoint.host_header, **headers, "Connection": "close"}
            connection.request("POST", endpoint.target, body, sent)
            answer = connection.getresponse()
            if connection.is_cut:
                return Replied(trouble=Outcome.UNKNOWN)
            text = b""
            with suppress(OSError, http.client.HTTPException):
                text = answer.read(_MOST_ANSWER_BYTES)
            return Replied(answer.status, text, _patience(answer.getheader("Retry-After", "")))
        except (OSError, http.client.HTTPException, ValueError):
            return Replied(trouble=Outcome.UNKNOWN)
        finally:
            watchdog.cancel()
            connection.close()


def _patience(retry_after: str) -> float:
    return float(min(int(retry_after[:9]), _LONGEST_RETRY_AFTER_S)) if retry_after.isdigit() else 0.0
