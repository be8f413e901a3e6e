"""Whether what the provider signed may be believed: id tokens (OpenID Connect Core 3.1.3.7) and access tokens (RFC 9068).

Only these asymmetric algorithms, each with a key of its own kind: never "none", never a public key as a shared secret.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from joserfc import jwt
from joserfc.errors import JoseError

from chassis.errors import Kind, Refusal
from chassis.oidc.fetching import Away, away
from chassis.oidc.provider import Provider

_FAMILIES = {"RS": "256 384 512", "PS": "256 384 512", "ES": "256 384 512", "EdDSA": " ", "Ed25519": " "}
ALGORITHMS = [f"{family}{size}" for family, sizes in _FAMILIES.items() for size in sizes.split() or [""]]
LEEWAY_S = 60
_OLDEST_S = 600
_MOST_CHARS = 16_384
_MOST_ID_CHARS = 512
_ENDED = "http://schemas.openid.net/event/backchannel-logout"
_HASHES = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}


@dataclass(frozen=True)
class Expected:
    """What an id token must answer to; `fresh_since` is the earliest sign-in that counts, None for any.

    `nonce` is "" where none was sent (the device flow): then there must be none.
    """

    client_id: str
    nonce: str
    fresh_since: float | None = None
    acr: str = ""


@dataclass(frozen=True)
class Ending:
    """Who is signed out at the provider: a session by its id there, or all of `subject`'s; "" where unsaid.

    `made_at` is when it was said (seconds since 1970), `token_id` tells this word from every other one.
    """

    subject: str
    session_id: str
    made_at: float
    token_id: str


@dataclass
class Judge:
    """Judges tokens of one provider."""

    provider: Provider
    now: Callable[[], float] = time.time

    def id_token(self, token: str, expected: Expected, access_token: str = "") -> Mapping[str, Any]:
        """The claims; raises Refusal UNAUTHENTICATED with the code of the first thing that is wrong."""
        header, claims = self._signed(token)
        self._check_times(claims)
        self._check_audience(claims, expected.client_id)
        if not isinstance(claims.get("sub"), str) or not claims["sub"]:
            raise refused("id-token-subject")
        if not _is_same(claims.get("nonce", ""), expected.nonce):
            raise refused("id-token-nonce")
        at_hash = claims.get("at_hash")
        if at_hash is not None and not _is_same(at_hash, half_hash(str(header["alg"]), access_token)):
            raise refused("id-token-hash")
        check_freshness(claims, expected)
        return claims

    def access_token(self, token: str, audience: str) -> Mapping[str, Any]:
        """The claims of a token for our APIs; raises Refusal UNAUTHENTICATED."""
        _, claims = self._signed(token)
        self._check_times(claims)
        if audience not in _audience(claims) or "nonce" in claims:  # an id token opens no API
            raise refused("token-invalid")
        return claims

    def logout_token(self, token: str, client_id: str) -> Ending:
        """Who is signed out (OpenID Connect Back-Channel Logout 1.0, 2.6); raises Refusal UNAUTHENTICATED."""
        header, claims = self._signed(token)
        if str(header.get("typ", "JWT")).lower() not in ("jwt", "logout+jwt"):
            raise refused("logout-token-kind")
        self._check_times(claims)
        self._check_audience(claims, client_id)
        events = claims.get("events")
        # A nonce makes it an id token, which anybody who signed in could show here.
        if not isinstance(events, dict) or not isinstance(events.get(_ENDED), dict) or "nonce" in claims:
            raise refused("logout-token-kind")
        said = [claims.get(name, "") for name in ("sub", "sid", "jti")]
        if not all(isinstance(one, str) and len(one) <= _MOST_ID_CHARS for one in said):
            raise refused("token-invalid")
        subject, session_id, token_id = said
        if not token_id or not (subject or session_id):
            raise refused("token-invalid")
        return Ending(subject, session_id, float(claims["iat"]), token_id)

    def _signed(self, token: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        try:
            header = header_of(token)
            if header.get("alg") not in ALGORITHMS or header.get("crit"):
                raise refused("token-algorithm")
            key = self.provider.key(str(header.get("kid", "")))
            if key is None:
                raise refused("token-key-unknown")
            read = jwt.decode(token, key, algorithms=ALGORITHMS)
        except (JoseError, ValueError, TypeError):
            raise refused("token-invalid") from None
        except Away:
            raise away() from None
        if read.claims.get("iss") != self.provider.issuer:
            raise refused("token-issuer")
        return read.header, read.claims

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        now = self.now()
        exp, iat, nbf = claims.get("exp"), claims.get("iat"), claims.get("nbf", 0)
        if not (_is_time(exp) and _is_time(iat) and _is_time(nbf)) or exp + LEEWAY_S <= now:
            raise refused("token-expired")
        if iat > now + LEEWAY_S or nbf > now + LEEWAY_S:
            raise refused("token-early")

    def _check_audience(self, claims: Mapping[str, Any], client_id: str) -> None:
        audience, party = _audience(claims), claims.get("azp")
        is_ours = client_id in audience and (len(audience) == 1 or party is not None)
        is_ours = is_ours and party in (None, client_id)
        if not is_ours:
            raise refused("id-token-audience")
        if self.now() - claims["iat"] > _OLDEST_S:
            raise refused("token-expired")


def check_freshness(claims: Mapping[str, Any], expected: Expected) -> None:
    """Who had to authenticate anew has, and as strongly as was asked; raises Refusal UNAUTHENTICATED."""
    if expected.fresh_since is not None:
        at = claims.get("auth_time")
        if not _is_time(at) or at + LEEWAY_S < expected.fresh_since:
            raise refused("sign-in-not-fresh")
    if expected.acr and claims.get("acr") != expected.acr:
        raise refused("sign-in-too-weak")


def header_of(token: str) -> Mapping[str, Any]:
    """The header of what may be a token, unproven; raises ValueError."""
    if len(token) > _MOST_CHARS or token.count(".") != 2:
        raise ValueError("no token")
    return _json_of(token, 0)


def unproven(token: str) -> Mapping[str, Any]:
    """What a token says of itself: it only chooses who must have signed it; empty where it cannot be read."""
    try:
        header_of(token)
        return _json_of(token, 1)
    except (ValueError, RecursionError):
        return {}


def half_hash(algorithm: str, token: str) -> str:
    """`at_hash`: the left half of the hash that goes with the algorithm (OpenID Connect Core 3.1.3.6)."""
    made = _HASHES.get(algorithm[-3:], hashlib.sha512)(token.encode()).digest()
    return base64.urlsafe_b64encode(made[: len(made) // 2]).rstrip(b"=").decode()


def refused(code: str) -> Refusal:
    """Nobody is let in; the code says why to the log and the page, and nothing that was sent."""
    return Refusal(code, Kind.UNAUTHENTICATED, "The sign-in cannot be believed. Sign in again.")


def _json_of(token: str, part: int) -> Mapping[str, Any]:
    text = token.split(".")[part]
    found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    if not isinstance(found, dict):
        raise ValueError("no object")
    return found


def _audience(claims: Mapping[str, Any]) -> list[Any]:
    named = claims.get("aud", [])
    return named if isinstance(named, list) else [named]


def _is_time(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_same(sent: Any, wanted: str) -> bool:
    return isinstance(sent, str) and hmac.compare_digest(sent.encode(), wanted.encode())
