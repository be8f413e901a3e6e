"""The public keys of a client: those of its registration, or those its JWKS address serves now."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey

from chassis import outbound
from chassis.errors import Kind, Refusal
from chassis.outbound import Lookup, NotPublic, PinnedConnection
from services.intake.smart.clients import Client

_KEPT_S = 300.0
# An unknown key asks the address again, but not more often than this, whoever sends nonsense.
_AGAIN_S = 15.0
_TIMEOUT_S = 4.0
_AWAY_S = 10.0
_MOST_ASKED_AT_ONCE = 4
_MOST_BYTES = 65_536
_MOST_KEYS = 32
_FEWEST_RSA_BITS = 2_048
PublicKey = RSAKey | ECKey
Fetch = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class _Held:
    keys: dict[str, PublicKey]
    at: float


class KeySets:
    """Key sets by address, kept for five minutes; a rotated key is found at its first use.

    A far side that is slow or away is asked by one request at a time, and remembered as away for a while: nobody else
    waits for it, whatever is sent in a client's name.
    """

    def __init__(self, fetch: Fetch, now: Callable[[], float] = time.monotonic) -> None:
        self._fetch, self._now = fetch, now
        self._held: dict[str, _Held] = {}
        self._away_until: dict[str, float] = {}
        self._asking: set[str] = set()
        self._lock = threading.Lock()

    def key(self, client: Client, key_id: str) -> PublicKey | None:
        """The client's key of this id, None where it has none; raises Refusal UNAVAILABLE jwks-unreachable."""
        if not client.jwks_url:
            return keys_of(client.jwks).get(key_id)
        held = self._held.get(client.jwks_url)
        age = self._now() - held.at if held else _KEPT_S
        if held is None or age >= _KEPT_S or (key_id not in held.keys and age >= _AGAIN_S):
            held = self._renewed(client.jwks_url)
        return held.keys.get(key_id)

    def _renewed(self, url: str) -> _Held:
        with self._lock:
            is_free = url not in self._asking and len(self._asking) < _MOST_ASKED_AT_ONCE
            if not is_free or self._away_until.get(url, 0.0) > self._now():
                raise _unreachable()
            self._asking.add(url)
        try:
            keys = keys_of(json.loads(self._fetch(url)))
        except (OSError, ValueError, RecursionError, NotPublic, Refusal, http.client.HTTPException):
            self._away_until[url] = self._now() + _AWAY_S
            raise _unreachable() from None
        finally:
            with self._lock:
                self._asking.discard(url)
        held = self._held[url] = _Held(keys, self._now())
        return held


def _unreachable() -> Refusal:
    message = "The client's keys cannot be fetched now."
    return Refusal("jwks-unreachable", Kind.UNAVAILABLE, message, retry_after_s=5)


def keys_of(jwks: Any) -> dict[str, PublicKey]:
    """The RSA and EC keys of a JSON Web Key Set by their ids; others, weak ones and private ones are left out."""
    found: dict[str, PublicKey] = {}
    rows = jwks.get("keys", []) if isinstance(jwks, dict) else []
    for row in rows[:_MOST_KEYS] if isinstance(rows, list) else []:
        if not isinstance(row, dict) or "d" in row or row.get("use", "sig") != "sig" or not row.get("kid"):
            continue
        try:
            key = KeySet.import_key_set({"keys": [row]}).keys[0]
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        is_strong = not isinstance(key, RSAKey) or key.public_key.key_size >= _FEWEST_RSA_BITS
        if isinstance(key, RSAKey | ECKey) and is_strong:
            found[str(row["kid"])] = key
    return found


def fetching(lookup: Lookup, *, may_be_private: bool) -> Fetch:
    """GETs a key set over https from a public address, without redirects, within four seconds."""
    tls = ssl.create_default_context()

    def fetch(url: str) -> bytes:
        endpoint = outbound.read(url, may_be_private=may_be_private, place="jwks_url")
        addresses = outbound.addresses(endpoint, lookup, may_be_private=may_be_private)
        connection = PinnedConnection(endpoint, addresses, _TIMEOUT_S, tls)
        watchdog = threading.Timer(_TIMEOUT_S, connection.cut)
        watchdog.daemon = True
        watchdog.start()
        try:
            headers = {"Accept": "application/json", "Connection": "close"}
            connection.request("GET", endpoint.target, headers=headers)
            answer = connection.getresponse()
            body = answer.read(_MOST_BYTES + 1)
            if answer.status != 200 or len(body) > _MOST_BYTES or connection.is_cut:
                raise OSError("no key set")
            return body
        finally:
            watchdog.cancel()
            connection.close()

    return fetch
