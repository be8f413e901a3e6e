"""The bearer tokens of people, at every API door: the provider's access tokens, and in development the local issuer's."""

from __future__ import annotations

import dataclasses
import time
from collections import OrderedDict
from contextlib import suppress
from typing import Protocol

from chassis.errors import Kind, Refusal
from chassis.identity import ISSUER, PURPOSES, Caller, TokenReader
from chassis.oidc import tokens
from chassis.oidc.claims import ClaimMap
from chassis.oidc.fetching import Fetcher
from chassis.oidc.provider import Provider
from chassis.oidc.tokens import Judge
from chassis.settings import ProcessSettings

_BELIEVED_S = 60.0
_MOST_KNOWN = 4_096


class Tokens(Protocol):
    """What a door reads bearer tokens with."""

    def read(self, token: str, purpose: str = "") -> Caller: ...


class ProviderTokens:
    """Access tokens of the provider that are meant for our APIs."""

    def __init__(self, judge: Judge, claims: ClaimMap, audience: str) -> None:
        self._judge, self._claims, self._audience = judge, claims, audience
        self._known: OrderedDict[str, tuple[float, Caller]] = OrderedDict()

    def read(self, token: str, purpose: str = "") -> Caller:
        """The caller the token speaks for; raises Refusal UNAUTHENTICATED, FORBIDDEN, INVALID or UNAVAILABLE."""
        if purpose and purpose not in PURPOSES:
            message = "The purpose of use is not an HL7 PurposeOfUse code."
            raise Refusal("purpose-unknown", Kind.INVALID, message)
        known = self._known.get(token)
        if known is None or known[0] <= time.time():
            known = self._known[token] = self._verified(token)
            while len(self._known) > _MOST_KNOWN:
                with suppress(KeyError):  # another thread made the room
                    self._known.popitem(last=False)
        return dataclasses.replace(known[1], purpose_of_use=purpose)

    def _verified(self, token: str) -> tuple[float, Caller]:
        claims = self._judge.access_token(token, self._audience)
        roles = self._claims.roles(claims)
        if len(roles) != 1:
            code = "role-ambiguous" if roles else "role-missing"
            raise Refusal(code, Kind.FORBIDDEN, "The token names no one role of this system.")
        places = (self._claims.place(claims, kind) for kind in ("organization", "programme"))
        caller = Caller(
            self._claims.person(claims),
            next(iter(roles)),
            next(filter(None, places), ""),
            authenticated_at=float(claims.get("auth_time") or 0.0),
            strength=str(claims.get("acr", "")),
        )
        return min(float(claims["exp"]), time.time() + _BELIEVED_S), caller


class PeopleTokens:
    """Chooses by the issuer that a token names who must have signed it."""

    def __init__(self, local: TokenReader | None, provider: ProviderTokens | None, issuer: str) -> None:
        self._local, self._provider, self._issuer = local, provider, issuer

    def read(self, token: str, purpose: str = "") -> Caller:
        """The caller; raises what its reader raises, or Refusal UNAUTHENTICATED where nobody trusts the issuer."""
        named = tokens.unproven(token).get("iss")
        if self._provider is not None and named == self._issuer:
            return self._provider.read(token, purpose)
        if self._local is not None:
            return self._local.read(token, purpose)
        if named == ISSUER:
            message = "Tokens of the local issuer are for development; this system is not."
            raise Refusal("token-for-development", Kind.UNAUTHENTICATED, message)
        raise Refusal("token-invalid", Kind.UNAUTHENTICATED, "The bearer token cannot be read.")


def people_tokens(settings: ProcessSettings) -> PeopleTokens:
    """The reader for these settings: in production nothing but the provider's tokens is believed."""
    local = None
    if not settings.is_production:
        local = TokenReader.from_file(settings.keys_dir / "issuer.pub.pem")
    provider = None
    if settings.oidc_issuer:
        judge = Judge(Provider(settings.oidc_issuer, Fetcher(settings.oidc_issuer, settings.oidc_ca)))
        claims = ClaimMap.of(settings.oidc_claims, settings.oidc_roles)
        provider = ProviderTokens(judge, claims, settings.oidc_audience)
    return PeopleTokens(local, provider, settings.oidc_issuer)
