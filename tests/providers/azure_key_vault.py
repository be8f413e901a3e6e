"""What libmongocrypt asks of Azure: a token for client credentials, and wrapkey and unwrapkey of Key Vault.

As in Microsoft's REST references (OAuth 2.0 client credentials of the identity platform v2.0; Key Vault "wrap key" and
"unwrap key"): RSA-OAEP-256 with real keys, each with versions, of which the newest is meant where none is named.
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.providers.https_far_side import Asked, Door, No

TENANT, CLIENT = "5f3c2a70-hospital", "9d1e-kindred-intake"
TOKEN_LASTS_S = 3_600
_OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)


class AzureKeyVault:
    """Sign-in service and vault behind one address; two keys, `people` and `people-2027`."""

    name = "azure"

    def __init__(self, keys: Path) -> None:
        self._secret = secrets.token_urlsafe(30)
        self._tokens: dict[str, float] = {}
        self._vault: dict[str, dict[str, rsa.RSAPrivateKey]] = {"people": {}, "people-2027": {}}
        for name in self._vault:
            self.new_version(name)
        self.door = Door(str(keys / "tls.intake.pem"), self._answer)
        self._authority = str(keys / "tls.ca.pem")
        self.away, self.back, self.stop = self.door.away, self.door.back, self.door.away

    def told(self, key: int = 0, **wrong: str) -> dict[str, Any]:
        """The provider's file for the first or the second master key; `wrong` replaces credentials."""
        name = list(self._vault)[key]
        return {
            "provider": self.name,
            "credentials": {
                "tenantId": TENANT,
                "clientId": CLIENT,
                "clientSecret": self._secret,
                "identityPlatformEndpoint": self.door.address,
                **wrong,
            },
            "master_key": {
                "keyVaultEndpoint": self.door.address,
                "keyName": name,
                "keyVersion": list(self._vault[name])[-1],
            },
            "tls": {"tlsCAFile": self._authority},
        }

    def wrong_credentials(self) -> list[dict[str, Any]]:
        """Each is refused, for another reason."""
        another = self.told()
        another["master_key"]["keyName"] = "no-such-key"
        return [
            self.told(clientSecret=secrets.token_urlsafe(30)),
            self.told(clientId="somebody-else"),
            self.told(tenantId="another-hospital"),
            another,
        ]

    def new_version(self, name: str) -> str:
        """The key has a new version, which is the one meant where none is named."""
        version = secrets.token_hex(16)
        self._vault[name][version] = rsa.generate_private_key(65_537, 2_048)
        return version

    def _answer(self, asked: Asked) -> Mapping[str, Any]:
        where = urlsplit(asked.path)
        if where.path == f"/{TENANT}/oauth2/v2.0/token":
            return self._token(asked)
        if where.path.endswith("/oauth2/v2.0/token"):
            raise No(400, {"error": "invalid_request", "error_description": "AADSTS90002: no such tenant"})
        self._let_in(asked)
        return self._worked(where.path, where.query, json.loads(asked.body))

    def _token(self, asked: Asked) -> Mapping[str, Any]:
        said = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
        # The scope is the vault's domain: what follows the first dot of its host.
        scope = f"https://{self.door.address.partition('.')[2].partition(':')[0]}/.default"
        if said.get("grant_type") != "client_credentials" or said.get("scope") != scope:
            raise No(400, {"error": "invalid_request", "error_description": said.get("scope", "")})
        is_known = said.get("client_id") == CLIENT
        if not is_known or not hmac.compare_digest(said.get("client_secret", ""), self._secret):
            raise No(401, {"error": "invalid_client", "error_description": "AADSTS7000215"})
        token = secrets.token_urlsafe(40)
        self._tokens[token] = time.time() + TOKEN_LASTS_S
        return {"token_type": "Bearer", "expires_in": TOKEN_LASTS_S, "access_token": token}

    def _let_in(self, asked: Asked) -> None:
        kind, _, token = asked.headers.get("Authorization", "").partition(" ")
        if kind != "Bearer" or self._tokens.get(token, 0.0) <= time.time():
            raise No(401, {"error": {"code": "Unauthorized", "message": "no token of this tenant"}})

    def _worked(self, path: str, query: str, said: Mapping[str, str]) -> Mapping[str, Any]:
        _, kind, name, *rest = path.split("/")
        version, what = (rest[0] if len(rest) == 2 else "", rest[-1])
        versions = self._vault.get(name, {})
        key = versions.get(version or next(reversed(versions), ""))
        if kind != "keys" or key is None:
            raise No(404, {"error": {"code": "KeyNotFound", "message": "no such key or version"}})
        if parse_qs(query).get("api-version") is None or said.get("alg") != "RSA-OAEP-256":
            raise No(400, {"error": {"code": "BadParameter", "message": "api-version and alg"}})
        try:
            done = _of(what, key, _bytes(said["value"]))
        except ValueError:
            raise No(400, {"error": {"code": "BadParameter", "message": "not wrapped by this key"}}) from None
        return {"kid": f"https://vault/keys/{name}/{version}", "value": _text(done)}


def _of(what: str, key: rsa.RSAPrivateKey, value: bytes) -> bytes:
    if what == "wrapkey":
        return key.public_key().encrypt(value, _OAEP)
    if what == "unwrapkey":
        return key.decrypt(value, _OAEP)
    raise No(404, {"error": {"code": "NotFound", "message": what}})


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
