"""A provider without sockets that signs whatever a test tells it to: right, wrong, too old, for somebody else."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from chassis.oidc.attempts import Attempts
from chassis.oidc.claims import ClaimMap
from chassis.oidc.client import Client
from chassis.oidc.fetching import Away
from chassis.oidc.party import RelyingParty
from chassis.oidc.provider import Provider
from chassis.oidc.tokens import half_hash

ISSUER = "https://sign-in.hospital.example"
CLIENT = "kindred-desk"
BACK = "https://desk.hospital.example/desk/sign-in/done"


class Lies:
    """The far side of `Asks`; `claims` replace what an honest id token says, None takes a claim away."""

    def __init__(self) -> None:
        self.keys = {"one": ECKey.generate_key("P-256", {"kid": "one"})}
        self.signing = "one"
        self.claims: dict[str, Any] = {}
        self.header: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        self.asked: list[str] = []
        self.is_away = False
        self.nonce = ""
        self.code_error = ""
        self.token = ""
        self.now = 0.0

    def get(self, url: str) -> bytes:
        """Discovery and keys."""
        if self.is_away:
            raise Away
        self.asked.append(url)
        if url.endswith("/jwks"):
            return json.dumps({"keys": [key.as_dict(private=False) for key in self.keys.values()]}).encode()
        return json.dumps(
            {
                "issuer": ISSUER,
                "authorization_endpoint": f"{ISSUER}/authorize",
                "token_endpoint": f"{ISSUER}/token",
                "jwks_uri": f"{ISSUER}/jwks",
                "end_session_endpoint": f"{ISSUER}/logout",
                **self.metadata,
            }
        ).encode()

    def post(
        self, url: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """The token endpoint."""
        if self.is_away:
            raise Away
        self.posted = dict(fields)
        if self.code_error:
            return 400, json.dumps({"error": self.code_error}).encode()
        return 200, json.dumps({"id_token": self.token or self.id_token(), "access_token": "at"}).encode()

    def id_token(self, **more: Any) -> str:
        """An honest one, but for what the test changed."""
        now = int(time.time())
        said = {
            "iss": ISSUER,
            "aud": CLIENT,
            "sub": "nurse-ada",
            "iat": now,
            "exp": now + 300,
            "nonce": self.nonce,
            "auth_time": now,
            "at_hash": half_hash("ES256", "at"),
            "role": "nurse",
            "organization": "er-st-brigid",
            **self.claims,
            **more,
        }
        claims = {name: value for name, value in said.items() if value is not None}
        header = {"alg": "ES256", "kid": self.signing, **self.header}
        return jwt.encode(header, claims, self.keys[self.signing], algorithms=["ES256"])

    def a_public_key_as_secret(self) -> bytes:
        """What an attacker has: the public key's text."""
        self.keys["rsa"] = RSAKey.generate_key(2048, {"kid": "rsa"})
        return bytes(self.keys["rsa"].as_pem(private=False))

    def provider(self) -> Provider:
        """Ours, with a clock that the test turns."""
        return Provider(ISSUER, self, now=lambda: time.monotonic() + self.now)


def a_party(lies: Lies, attempts: Attempts, *, strength: str = "") -> RelyingParty:
    """The pages' side."""
    return RelyingParty(
        provider=lies.provider(),
        asks=lies,
        client=Client(CLIENT),
        claims=ClaimMap.of((), ()),
        attempts=attempts,
        redirect_uri=BACK,
        scopes=("openid",),
        strength=strength,
    )


def begun(lies: Lies, where: str) -> dict[str, str]:
    """What the browser carried to the provider; the provider remembers the nonce."""
    asked = {name: values[0] for name, values in parse_qs(urlsplit(where).query).items()}
    lies.nonce = asked["nonce"]
    return asked
