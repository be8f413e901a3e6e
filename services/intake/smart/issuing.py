"""Access tokens of systems: signed by intake itself, good at its FHIR door only, and for five minutes."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc import jwt
from joserfc.jwk import OKPKey

from chassis.identity import Caller, TokenReader
from chassis.oidc.bearer import Tokens
from chassis.oidc.tokens import unproven
from services.intake.smart.clients import Client

ISSUER = "kindred-intake"
AUDIENCE = "kindred-fhir"
# SMART Backend Services asks for five minutes at most.
EXPIRES_IN_S = 300
ROLE = "system"


class Issuer:
    """The key every process of intake's api has from the master key, so that each reads what another signed."""

    def __init__(self, master_key: bytes, now: Callable[[], float] = time.time) -> None:
        seed = HKDF(SHA256(), length=32, salt=None, info=b"kindred intake smart tokens v1").derive(master_key)
        private = Ed25519PrivateKey.from_private_bytes(seed)
        self._private = OKPKey.import_key(
            private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        self._public = OKPKey.import_key(
            private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )
        self._now = now

    def issue(self, client: Client, scopes: Sequence[str]) -> str:
        """A token for what was granted."""
        now = int(self._now())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": client.client_id,
            "role": ROLE,
            "org": client.organization_id,
            "scope": " ".join(scopes),
            "purpose": client.purpose,
            "iat": now,
            "exp": now + EXPIRES_IN_S,
            "jti": secrets.token_urlsafe(9),
        }
        return jwt.encode({"alg": "Ed25519"}, claims, self._private, algorithms=["Ed25519"])

    def reader(self) -> TokenReader:
        """Reads what `issue` signed."""
        return TokenReader(self._public, issuer=ISSUER, audience=AUDIENCE)


class FhirTokens:
    """What the HTTP door reads tokens with: a system's of our own, anybody else's of the issuer of people."""

    def __init__(self, systems: TokenReader, people: Tokens) -> None:
        self._systems, self._people = systems, people

    def read(self, token: str, purpose: str = "") -> Caller:
        """The caller; raises what TokenReader raises."""
        reader: Tokens = self._systems if unproven(token).get("iss") == ISSUER else self._people
        return reader.read(token, purpose)
