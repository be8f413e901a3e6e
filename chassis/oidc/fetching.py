"""Asking the provider over https: within seconds, without redirects, never more than so many bytes.

The issuer's own host is the operator's word and may be on their network; every other host that the provider names must
be on the public network, so that nobody who writes its documents makes us knock at doors behind our walls.
"""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import urlencode, urlsplit

from chassis import outbound
from chassis.errors import Kind, Refusal
from chassis.outbound import Lookup, NotPublic, PinnedConnection, system_lookup

TIMEOUT_S = 5.0
MOST_BYTES = 262_144


class Away(Exception):  # noqa: N818
    """The provider does not answer, or not with what was asked for."""


class Asks(Protocol):
    """What asks the provider; tests bring one without sockets."""

    def get(self, url: str) -> bytes: ...
    def post(
        self, url: str, fields: Mapping[str, str], headers: Mapping[str, str] = ...
    ) -> tuple[int, bytes]: ...


class Fetcher:
    """Speaks with the provider at `issuer`; trusts the system's authorities, or the one in `authority` alone."""

    def __init__(self, issuer: str, authority: str = "", lookup: Lookup = system_lookup) -> None:
        self._host = urlsplit(issuer).hostname or ""
        self._authority, self._lookup = authority, lookup
        self._tls: tuple[int, ssl.SSLContext] | None = None

    def get(self, url: str) -> bytes:
        """The document; raises Away."""
        status, body = self._ask("GET", url, None, {})
        if status != 200:
            raise Away
        return body

    def post(
        self, url: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """The status and the answer to a form; raises Away."""
        form = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        return self._ask("POST", url, urlencode(fields).encode(), form)

    def _ask(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        try:
            return self._answer(method, url, body, headers)
        except (OSError, http.client.HTTPException, NotPublic, Refusal):
            raise Away from None

    def _answer(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        endpoint = outbound.read(url, may_be_private=False)
        is_its_own = endpoint.host == self._host
        addresses = outbound.addresses(endpoint, self._lookup, may_be_private=is_its_own)
        connection = PinnedConnection(endpoint, addresses, TIMEOUT_S, self._context())
        watchdog = threading.Timer(TIMEOUT_S, connection.cut)
        watchdog.daemon = True
        watchdog.start()
        try:
            sent = {"Accept": "application/json", "Connection": "close", **headers}
            connection.request(method, endpoint.target, body=body, headers=sent)
            answer = connection.getresponse()
            content = answer.read(MOST_BYTES + 1)
            if len(content) > MOST_BYTES or connection.is_cut:
                raise OSError("too much, or too late")
            return answer.status, content
        finally:
            watchdog.cancel()
            connection.close()

    def _context(self) -> ssl.SSLContext:
        """Made again where the authority's file changed."""
        changed_at = Path(self._authority).stat().st_mtime_ns if self._authority else 0
        if self._tls is None or self._tls[0] != changed_at:
            self._tls = changed_at, ssl.create_default_context(cafile=self._authority or None)
        return self._tls[1]


def away() -> Refusal:
    """What somebody is told while the provider does not answer."""
    message = "The sign-in service does not answer. Nothing was lost; try again."
    return Refusal("sign-in-away", Kind.UNAVAILABLE, message, retry_after_s=5)
