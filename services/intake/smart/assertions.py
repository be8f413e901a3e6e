"""A client's signed assertion (RFC 7523, private_key_jwt) judged as SMART Backend Services asks."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError

from services.intake.smart.clients import Client, Clients
from services.intake.smart.key_sets import KeySets

ALGORITHMS = ("RS384", "ES384")
TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST_S = 300
_LEEWAY_S = 30
_MOST_CHARS = 8_192
_LATEST = 1e11  # seconds since 1970; NaN is not below it either
_MOST_ID_CHARS = 256


class Unproven(Exception):  # noqa: N818
    """The assertion proves nothing; `code` says why, for the trail, and never to the sender."""

    def __init__(self, code: str, client_id: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.client_id = client_id


@dataclass(frozen=True, slots=True)
class Proven:
    """Who signed, and what makes this assertion usable once."""

    client: Client
    assertion_id: str
    expires_at: float


def prove(
    assertion: str, clients: Clients, key_sets: KeySets, audience: str, now: Callable[[], float] = time.time
) -> Proven:
    """The registered client that signed; raises Unproven, and Refusal UNAVAILABLE where its keys cannot be fetched.

    Whether the assertion was used before is not known here: `store/assertions.py` says.
    """
    if not assertion or len(assertion) > _MOST_CHARS:
        raise Unproven("assertion-unreadable")
    header, claims = _unverified(assertion)
    client = clients.find(str(claims.get("iss", "")))
    if client is None:
        raise Unproven("client-unknown")
    key_id = header.get("kid")
    if (
        header.get("alg") not in ALGORITHMS
        or not isinstance(key_id, str)
        or header.get("typ", "JWT") != "JWT"
    ):
        raise Unproven("assertion-header", client.client_id)
    if header.get("jku", client.jwks_url) != client.jwks_url:
        raise Unproven("key-address-not-registered", client.client_id)
    key = key_sets.key(client, key_id)
    if key is None:
        raise Unproven("key-unknown", client.client_id)
    try:
        claims = jwt.decode(assertion, key, algorithms=list(ALGORITHMS)).claims
    except (JoseError, ValueError, TypeError):
        raise Unproven("signature-invalid", client.client_id) from None
    return _judged(client, claims, audience, now())


def _unverified(assertion: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    try:
        read = jws.extract_compact(assertion.encode("ascii"))
        claims = json.loads(read.payload)
    except (JoseError, ValueError, TypeError, RecursionError):
        raise Unproven("assertion-unreadable") from None
    if not isinstance(claims, dict):
        raise Unproven("assertion-unreadable")
    return read.protected, claims


def _judged(client: Client, claims: Mapping[str, Any], audience: str, now: float) -> Proven:
    if claims.get("sub") != client.client_id:
        raise Unproven("subject-not-issuer", client.client_id)
    said = claims.get("aud")
    if audience not in (said if isinstance(said, list) else [said]):
        raise Unproven("audience-other", client.client_id)
    expires_at, not_before = _seconds(client, claims.get("exp")), _seconds(client, claims.get("nbf", now))
    if expires_at <= now - _LEEWAY_S or not_before > now + _LEEWAY_S:
        raise Unproven("assertion-expired", client.client_id)
    if expires_at > now + LONGEST_S + _LEEWAY_S:
        raise Unproven("assertion-too-long", client.client_id)
    assertion_id = claims.get("jti")
    if not isinstance(assertion_id, str) or not (assertion_id.isascii() and assertion_id.isprintable()):
        raise Unproven("assertion-id-missing", client.client_id)
    if not 0 < len(assertion_id) <= _MOST_ID_CHARS:
        raise Unproven("assertion-id-missing", client.client_id)
    return Proven(client, assertion_id, expires_at + _LEEWAY_S)


def _seconds(client: Client, value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < _LATEST:
        raise Unproven("times-unreadable", client.client_id)
    return float(value)
