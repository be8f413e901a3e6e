"""What the provider says of itself: its endpoints (OpenID Connect Discovery 1.0) and its keys, kept and renewed."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from chassis.oidc.fetching import Asks, Away

PublicKey = RSAKey | ECKey | OKPKey
_KEPT_S = 3_600.0
# An unknown key asks again, but not more often than this, whoever sends nonsense.
_AGAIN_S = 15.0
# A silent provider is left alone so long.
_AWAY_S = 3.0
_MOST_KEYS = 32
_FEWEST_RSA_BITS = 2_048
_NEEDED = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_ENDPOINTS = (*_NEEDED, "end_session_endpoint", "device_authorization_endpoint", "revocation_endpoint")


@dataclass(frozen=True, slots=True)
class _Held:
    metadata: Mapping[str, Any]
    keys: Mapping[str, PublicKey]
    at: float


@dataclass
class Provider:
    """One issuer; several threads may ask. What is held goes on while the provider is away, its keys for an hour."""

    issuer: str
    asks: Asks
    now: Callable[[], float] = time.monotonic
    _held: _Held | None = None
    _tried_at: float = float("-inf")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def endpoint(self, name: str) -> str:
        """The https address of an endpoint, "" where it has none; raises Away."""
        return str(self._current().metadata.get(name, ""))

    def says(self, name: str) -> Any:
        """What its metadata say, None where nothing; raises Away."""
        return self._current().metadata.get(name)

    def key(self, key_id: str) -> PublicKey | None:
        """Its key of this id, or its only one where a token names none; an unknown id asks the provider again.

        Raises Away.
        """
        found = _chosen(self._current().keys, key_id)
        if found is None and self._held is not None and self.now() - self._held.at >= _AGAIN_S:
            found = _chosen(self._renewed().keys, key_id)
        return found

    def _current(self) -> _Held:
        held = self._held
        return held if held is not None and self.now() - held.at < _KEPT_S else self._renewed()

    def _renewed(self) -> _Held:
        """One asks at a time; who comes meanwhile goes on with what is there, or waits for the first answer."""
        before = self._held
        with self._lock:
            if self._held is not before and self._held is not None:
                return self._held
            if self.now() - self._tried_at < _AWAY_S:
                raise Away
            self._tried_at = self.now()
            self._held = self._fetched()
            self._tried_at = float("-inf")
            return self._held

    def _fetched(self) -> _Held:
        metadata = _read(self.asks.get(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"))
        named = [str(metadata.get(name, "")) for name in _ENDPOINTS]
        is_itself = metadata.get("issuer") == self.issuer and all(metadata.get(name) for name in _NEEDED)
        if not is_itself or any(one and urlsplit(one).scheme != "https" for one in named):
            raise Away
        return _Held(metadata, keys_of(_read(self.asks.get(str(metadata["jwks_uri"])))), self.now())


def keys_of(jwks: Mapping[str, Any]) -> dict[str, PublicKey]:
    """The public signing keys of a JSON Web Key Set by their ids; shared, weak and private ones are left out."""
    found: dict[str, PublicKey] = {}
    rows = jwks.get("keys", [])
    for row in rows[:_MOST_KEYS] if isinstance(rows, list) else []:
        if not isinstance(row, dict) or "d" in row or row.get("use", "sig") != "sig":
            continue
        try:
            key = KeySet.import_key_set({"keys": [row]}).keys[0]
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        is_strong = not isinstance(key, RSAKey) or key.public_key.key_size >= _FEWEST_RSA_BITS
        if isinstance(key, RSAKey | ECKey | OKPKey) and is_strong:
            found[str(row.get("kid", ""))] = key
    return found


def _chosen(keys: Mapping[str, PublicKey], key_id: str) -> PublicKey | None:
    if not key_id and len(keys) == 1:
        return next(iter(keys.values()))
    return keys.get(key_id) if key_id else None


def _read(content: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise Away from None
    if not isinstance(found, dict):
        raise Away
    return found
