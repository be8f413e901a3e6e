"""Who is calling: EdDSA JSON Web Tokens, read with the issuer's public key, and the role each call asks for.

People's sign-in by OpenID Connect and systems' by SMART Backend Services end in the same `Caller`.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import secrets
import time
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from chassis.errors import Kind, Refusal

AUDIENCE = "kindred"
ISSUER = "kindred-local"
ROLES = frozenset(
    {"nurse", "clinician", "specialist", "supervisor", "coordinator", "compliance", "engineer", "system"}
)
# HL7 v3 PurposeOfUse (DOMAIN 5).
PURPOSES = frozenset(
    {
        "TREAT",
        "ETREAT",
        "BTG",
        "COC",
        "CAREMGT",
        "HPAYMT",
        "HOPERAT",
        "HCOMPL",
        "PATRQT",
        "HLEGAL",
        "HRESCH",
        "PUBHLTH",
    }
)
_MAX_TOKEN_CHARS = 4_096
_LEEWAY_S = 30
_BELIEVED_S = 60.0
_MOST_KNOWN = 4_096


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody whose token was read. `purpose_of_use` is "" where they named none.

    `scopes` are what a system's token is limited to; a person's has none, and their role says what they may.
    `authenticated_at` is when a person last proved who they are (seconds since 1970), 0 where nobody says, and
    `strength` the authentication context (`acr`) they did it in.
    """

    actor_id: str
    role: str
    organization_id: str
    purpose_of_use: str = ""
    scopes: tuple[str, ...] = ()
    authenticated_at: float = field(default=0.0, compare=False)
    strength: str = field(default="", compare=False)


_current: ContextVar[Caller | None] = ContextVar("caller", default=None)


def current_caller() -> Caller:
    """The caller of the request being served; raises Refusal UNAUTHENTICATED."""
    caller = _current.get()
    if caller is None:
        raise Refusal("token-missing", Kind.UNAUTHENTICATED, "A bearer token is needed.")
    return caller


def set_current(caller: Caller | None) -> Token[Caller | None]:
    """The caller of what this thread does next; hand the result to `reset_current`."""
    return _current.set(caller)


def reset_current(token: Token[Caller | None]) -> None:
    """The caller is who it was before `set_current`."""
    _current.reset(token)


class TokenReader:
    """Reads bearer tokens signed by the one issuer this service trusts."""

    def __init__(self, public_key: OKPKey, *, issuer: str = ISSUER, audience: str = AUDIENCE) -> None:
        self._key = public_key
        self._known: OrderedDict[str, tuple[float, Caller]] = OrderedDict()
        self._rules = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY_S,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            sub={"essential": True},
            exp={"essential": True},
        )

    @classmethod
    def from_file(cls, path: Path) -> TokenReader:
        """A reader for the issuer whose public key (PEM) is in `path`."""
        return cls(OKPKey.import_key(path.read_bytes()))

    def read(self, token: str, purpose: str = "") -> Caller:
        """The caller the token speaks for; raises Refusal UNAUTHENTICATED, or INVALID for an unknown purpose."""
        if purpose and purpose not in PURPOSES:
            raise Refusal(
                "purpose-unknown", Kind.INVALID, "The purpose of use is not an HL7 PurposeOfUse code."
            )
        if not token or len(token) > _MAX_TOKEN_CHARS:
            raise Refusal("token-invalid", Kind.UNAUTHENTICATED, "The bearer token cannot be read.")
        known = self._known.get(token)
        if known is None or known[0] <= time.time():
            known = self._known[token] = self._verified(token)
            while len(self._known) > _MOST_KNOWN:
                with suppress(KeyError):  # another thread made the room
                    self._known.popitem(last=False)
        return dataclasses.replace(known[1], purpose_of_use=purpose or known[1].purpose_of_use)

    def _verified(self, token: str) -> tuple[float, Caller]:
        """When to look again, and the caller; verifying costs 0.4 ms, so a good token is believed for 60 s."""
        try:
            claims = jwt.decode(token, self._key, algorithms=["Ed25519", "EdDSA"]).claims
            self._rules.validate(claims)
        except (JoseError, ValueError, TypeError):
            raise Refusal(
                "token-invalid", Kind.UNAUTHENTICATED, "The bearer token is not valid or expired."
            ) from None
        expires_at = float(claims["exp"]) + _LEEWAY_S
        return min(expires_at, time.time() + _BELIEVED_S), _caller(claims)


def expiry_of(token: str) -> datetime:
    """When a token that was read already is over; what its own words say, so read it first."""
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return datetime.fromtimestamp(float(claims["exp"]), UTC)


def _caller(claims: dict[str, object]) -> Caller:
    actor_id, role, organization_id = claims.get("sub"), claims.get("role"), claims.get("org", "")
    purpose, scope = claims.get("purpose", ""), claims.get("scope", "")
    are_texts = all(isinstance(claim, str) for claim in (actor_id, role, organization_id, purpose, scope))
    if not are_texts or role not in ROLES:
        raise Refusal("token-invalid", Kind.UNAUTHENTICATED, "The bearer token lacks a role or subject.")
    at = claims.get("auth_time", 0)
    return Caller(
        str(actor_id),
        str(role),
        str(organization_id),
        str(purpose),
        tuple(str(scope).split()),
        authenticated_at=float(at) if isinstance(at, int | float) else 0.0,
    )


def mint(
    private_pem: bytes, *, actor_id: str, role: str, organization_id: str = "", minutes: float = 60
) -> str:
    """A token of the local issuer; for development, demo and tests, refused in production.

    The issuer's private key never reaches a service.
    """
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": actor_id,
        "role": role,
        "org": organization_id,
        "iat": now,
        "auth_time": now,
        "exp": now + int(minutes * 60),
        "jti": secrets.token_urlsafe(
            9
        ),  # two tokens of one second differ: one that works once is not another's
    }
    return jwt.encode({"alg": "Ed25519"}, claims, OKPKey.import_key(private_pem), algorithms=["Ed25519"])


def require(caller: Caller, *roles: str, purposes: Sequence[str] = ()) -> None:
    """The caller has one of the roles and, where purposes are given, named one of them; else Refusal FORBIDDEN."""
    if caller.role not in roles:
        raise Refusal("role-not-allowed", Kind.FORBIDDEN, "Your role may not do this.")
    if purposes and caller.purpose_of_use not in purposes:
        raise Refusal(
            "purpose-not-allowed",
            Kind.FORBIDDEN,
            "Name a purpose of use this may be done for.",
            needed=",".join(purposes),
        )


def require_fresh(caller: Caller, within: timedelta, strength: str = "") -> None:
    """They proved who they are a moment ago, in this context where one is named; else Refusal FORBIDDEN step-up-needed.

    `max_age` is what to ask the sign-in service for (RFC 9470).
    """
    is_fresh = time.time() - caller.authenticated_at <= within.total_seconds()
    if is_fresh and strength in ("", caller.strength):
        return
    message = "This asks for a fresh sign-in: confirm that it is you, and try again."
    most_s = int(within.total_seconds())
    raise Refusal("step-up-needed", Kind.FORBIDDEN, message, max_age=most_s, acr_values=strength)
