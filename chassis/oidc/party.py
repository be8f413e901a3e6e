"""The relying party: a browser goes to the provider and comes back as somebody (authorization code, PKCE).

What comes back is believed only if this browser asked, once, this very issuer, and the provider signed it for us.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from pymongo.database import Database

from chassis import logs
from chassis.clock import SystemClock
from chassis.errors import Kind, Refusal
from chassis.oidc.attempts import Attempt, Attempts
from chassis.oidc.claims import ClaimMap
from chassis.oidc.client import Client, NotGranted
from chassis.oidc.fetching import Asks, Away, Fetcher, away
from chassis.oidc.provider import Provider
from chassis.oidc.tokens import Ending, Expected, Judge, refused
from chassis.settings import ProcessSettings

log = logs.get()
_MOST_TOKEN_CHARS = 16_384


@dataclass(frozen=True)
class Arrival:
    """Somebody who came back: who the provider says they are, and what it gave us for them."""

    person: str
    roles: frozenset[str]
    organization: str
    programme: str
    authenticated_at: float
    strength: str
    next_path: str
    is_step_up: bool
    replaces: str
    id_token: str
    access_token: str
    subject: str
    session_id: str


@dataclass(frozen=True)
class RelyingParty:
    """One service's pages at one provider."""

    provider: Provider
    asks: Asks
    client: Client
    claims: ClaimMap
    attempts: Attempts
    redirect_uri: str
    scopes: tuple[str, ...]
    strength: str = ""

    def begin(
        self, browser: str, next_path: str, *, fresh_for: str = "", replaces: str = "", is_other: bool = False
    ) -> str:
        """Where to send the browser; `fresh_for` must authenticate anew, `is_other` is somebody else than before.

        `replaces` is the session that ends when they come back.

        Raises Refusal UNAVAILABLE.
        """
        try:
            endpoint = self.provider.endpoint("authorization_endpoint")
        except Away:
            raise away() from None
        begun = self.attempts.begin(browser, next_path, fresh_for, replaces)
        asked = {
            "response_type": "code",
            "client_id": self.client.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": " ".join(self.scopes),
            "state": begun.state,
            "nonce": begun.nonce,
            "code_challenge": begun.challenge,
            "code_challenge_method": "S256",
        }
        if fresh_for:
            asked |= {"prompt": "login", "max_age": "0"} | (
                {"acr_values": self.strength} if self.strength else {}
            )
        elif is_other:
            asked["prompt"] = "login"
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"

    def finish(self, browser: str, sent: Mapping[str, str]) -> Arrival:
        """Who came back; raises Refusal UNAUTHENTICATED, FORBIDDEN or UNAVAILABLE, each with its code."""
        attempt = self.attempts.take(browser, sent.get("state", ""))
        if attempt is None:
            raise refused("sign-in-lost")
        try:
            self._check_issuer(sent)
            if sent.get("error") or not sent.get("code"):
                raise refused("sign-in-declined")
            granted = self._granted(sent["code"], attempt)
        except Away:
            raise away() from None
        return self._arrival(granted, attempt)

    def farewell(self, id_token: str, back: str) -> str:
        """Where the provider ends its own session too (RP-Initiated Logout 1.0); "" where it cannot, or is away."""
        try:
            endpoint = self.provider.endpoint("end_session_endpoint")
        except Away:
            return ""
        if not endpoint:
            return ""
        asked = {"client_id": self.client.client_id, "post_logout_redirect_uri": back}
        if id_token:
            asked["id_token_hint"] = id_token
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"

    def signed_out(self, logout_token: str) -> Ending:
        """Whom the provider signed out, as it tells by itself; `attempts.spend` its id when that is done.

        Raises Refusal UNAUTHENTICATED, also for one that was acted on before, or UNAVAILABLE.
        """
        ending = Judge(self.provider).logout_token(logout_token, self.client.client_id)
        if self.attempts.is_spent(ending.token_id):
            raise refused("logout-token-spent")
        return ending

    def _check_issuer(self, sent: Mapping[str, str]) -> None:
        """RFC 9207: a code of another issuer is not taken to this one's token endpoint."""
        named = sent.get("iss", "")
        is_promised = self.provider.says("authorization_response_iss_parameter_supported") is True
        if (named or is_promised) and named != self.provider.issuer:
            raise refused("sign-in-mixed-up")

    def _granted(self, code: str, attempt: Attempt) -> Mapping[str, Any]:
        asked = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": attempt.verifier,
        }
        try:
            granted = self.client.tokens(self.provider, self.asks, asked)
        except NotGranted as no:
            if no.error in ("invalid_client", "unauthorized_client"):
                log.error("the sign-in service does not know us by our secret or key")
                raise away() from None
            raise refused("sign-in-code-refused") from None
        tokens = granted.get("id_token"), granted.get("access_token", "")
        if not all(isinstance(one, str) and len(one) <= _MOST_TOKEN_CHARS for one in tokens):
            raise refused("token-invalid")
        return granted

    def _arrival(self, granted: Mapping[str, Any], attempt: Attempt) -> Arrival:
        id_token, access_token = granted["id_token"], granted.get("access_token", "")
        since = attempt.begun_at.timestamp() if attempt.fresh_for else None
        wanted = self.strength if attempt.fresh_for else ""
        expected = Expected(self.client.client_id, attempt.nonce, since, wanted)
        said = Judge(self.provider).id_token(id_token, expected, access_token)
        person = self.claims.person(said)
        if attempt.fresh_for and not hmac.compare_digest(person.encode(), attempt.fresh_for.encode()):
            raise Refusal("step-up-other-person", Kind.FORBIDDEN, "Somebody else signed in. Sign in again.")
        return Arrival(
            person=person,
            roles=self.claims.roles(said),
            organization=self.claims.place(said, "organization"),
            programme=self.claims.place(said, "programme"),
            # Where the provider does not say when, only a sign-in that had to be fresh counts as one.
            authenticated_at=float(said.get("auth_time") or 0.0),
            strength=str(said.get("acr", "")),
            next_path=attempt.next_path,
            is_step_up=bool(attempt.fresh_for),
            replaces=attempt.replaces,
            id_token=id_token,
            access_token=access_token,
            subject=str(said["sub"]),
            session_id=str(said.get("sid", "")),
        )


def relying_party(
    settings: ProcessSettings, database: Database[dict[str, Any]], name: str, done_path: str
) -> RelyingParty | None:
    """The party of a service's pages; None where nobody said which provider. Connects to nothing.

    It goes by the machine's own time: the provider and MongoDB do.
    """
    if not settings.oidc_issuer:
        return None
    asks = Fetcher(settings.oidc_issuer, settings.oidc_ca)
    return RelyingParty(
        provider=Provider(settings.oidc_issuer, asks),
        asks=asks,
        client=Client(settings.oidc_client_id, settings.oidc_secret_path, settings.oidc_key_path),
        claims=ClaimMap.of(settings.oidc_claims, settings.oidc_roles),
        attempts=Attempts(database, SystemClock(), name),
        redirect_uri=f"{settings.pages_origin}{done_path}",
        scopes=settings.oidc_scopes,
        strength=settings.step_up_acr,
    )
