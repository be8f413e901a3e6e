"""What libmongocrypt asks of Google Cloud: a token for a signed assertion, and encrypt and decrypt of Cloud KMS v1.

As in Google's references (OAuth 2.0 for server to server; projects.locations.keyRings.cryptoKeys): the assertion's
signature, issuer, audience, scope and times are checked; AES-256-GCM, bound to the key's name; a key has versions, the
newest encrypts and all decrypt.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from tests.providers.https_far_side import Asked, Door, No

EMAIL = "kindred-intake@hospital-1.iam.gserviceaccount.example"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
RING = {"projectId": "hospital-1", "location": "us-east4", "keyRing": "kindred"}
TOKEN_LASTS_S = 3_600
_NONCE_BYTES = 12


class GoogleKms:
    """Sign-in service and key service behind one address; two keys, `people` and `people-2027`."""

    name = "gcp"

    def __init__(self, keys: Path) -> None:
        self._account = rsa.generate_private_key(65_537, 2_048)
        self._tokens: dict[str, float] = {}
        self._keys: dict[str, list[bytes]] = {"people": [], "people-2027": []}
        for name in self._keys:
            self.new_version(name)
        self.door = Door(str(keys / "tls.intake.pem"), self._answer)
        self._authority = str(keys / "tls.ca.pem")
        self.away, self.back, self.stop = self.door.away, self.door.back, self.door.away

    def told(self, key: int = 0, **wrong: str) -> dict[str, Any]:
        """The provider's file for the first or the second master key; `wrong` replaces credentials."""
        return {
            "provider": self.name,
            "credentials": {
                "email": EMAIL,
                "privateKey": _pkcs8(self._account),
                "endpoint": self.door.address,
                **wrong,
            },
            "master_key": {**RING, "keyName": list(self._keys)[key], "endpoint": self.door.address},
            "tls": {"tlsCAFile": self._authority},
        }

    def wrong_credentials(self) -> list[dict[str, Any]]:
        """Each is refused, for another reason."""
        another = self.told()
        another["master_key"]["keyName"] = "no-such-key"
        return [
            self.told(privateKey=_pkcs8(rsa.generate_private_key(65_537, 2_048))),
            self.told(email="somebody-else@hospital-1.iam.gserviceaccount.example"),
            another,
        ]

    def new_version(self, name: str) -> str:
        """The key has a new primary version."""
        self._keys[name].append(AESGCM.generate_key(256))
        return str(len(self._keys[name]))

    def _answer(self, asked: Asked) -> Mapping[str, Any]:
        if asked.path == "/token":
            return self._token(asked)
        self._let_in(asked)
        return self._worked(asked.path, json.loads(asked.body))

    def _token(self, asked: Asked) -> Mapping[str, Any]:
        said = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
        if said.get("grant_type") != GRANT:
            raise No(400, {"error": "unsupported_grant_type"})
        self._believe(said.get("assertion", ""))
        token = secrets.token_urlsafe(40)
        self._tokens[token] = time.time() + TOKEN_LASTS_S
        return {"access_token": token, "expires_in": TOKEN_LASTS_S, "token_type": "Bearer"}

    def _believe(self, assertion: str) -> None:
        public = self._account.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        try:
            # libmongocrypt pads the signature, which RFC 7515 does not; Google takes it.
            claims = jwt.decode(assertion.rstrip("="), RSAKey.import_key(public), algorithms=["RS256"]).claims
        except (JoseError, ValueError):
            raise No(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}) from None
        now = time.time()
        is_now = claims["iat"] <= now + 60 and now < claims["exp"] <= claims["iat"] + 3_600
        host = self.door.address.partition(":")[0]
        # The scope is one of Google's where the endpoint is: what follows the first dot of its host.
        scope = f"https://www.{host.partition('.')[2]}/auth/cloudkms"
        wanted = {"iss": EMAIL, "aud": f"https://{host}/token", "scope": scope}
        if not is_now or any(claims.get(name) != value for name, value in wanted.items()):
            raise No(400, {"error": "invalid_grant", "error_description": "not this account"})

    def _let_in(self, asked: Asked) -> None:
        kind, _, token = asked.headers.get("Authorization", "").partition(" ")
        if kind != "Bearer" or self._tokens.get(token, 0.0) <= time.time():
            raise No(401, {"error": {"code": 401, "status": "UNAUTHENTICATED"}})

    def _worked(self, path: str, said: Mapping[str, str]) -> Mapping[str, Any]:
        ring = "/v1/projects/{projectId}/locations/{location}/keyRings/{keyRing}/cryptoKeys/".format(**RING)
        name, _, what = path.removeprefix(ring).partition(":")
        versions = self._keys.get(name)
        if not path.startswith(ring) or versions is None or what not in ("encrypt", "decrypt"):
            raise No(404, {"error": {"code": 404, "status": "NOT_FOUND"}})
        if what == "encrypt":
            return {"ciphertext": _text(_sealed(versions, name, base64.b64decode(said["plaintext"])))}
        return {"plaintext": _text(_opened(versions, name, base64.b64decode(said["ciphertext"])))}


def _sealed(versions: list[bytes], name: str, plain: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return bytes([len(versions)]) + nonce + AESGCM(versions[-1]).encrypt(nonce, plain, name.encode())


def _opened(versions: list[bytes], name: str, sealed: bytes) -> bytes:
    try:
        key = versions[sealed[0] - 1]
        return AESGCM(key).decrypt(sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :], name.encode())
    except (InvalidTag, IndexError):
        raise No(400, {"error": {"code": 400, "status": "INVALID_ARGUMENT"}}) from None


def _pkcs8(key: rsa.RSAPrivateKey) -> str:
    return _text(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
