"""Who we are to the provider, and what we ask its token endpoint: a code, or a device's, for tokens."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from chassis.oidc.fetching import Asks, Away
from chassis.oidc.provider import Provider

_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_LASTS_S = 60
_OF_CURVE = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}


class NotGranted(Exception):  # noqa: N818
    """The token endpoint said no; `error` is its word for it (RFC 6749 section 5.2)."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


@dataclass(frozen=True)
class Client:
    """A registration at the provider. Secret and key are files, read at each use: a new one needs no restart."""

    client_id: str
    secret_file: str = ""
    key_file: str = ""

    def tokens(self, provider: Provider, asks: Asks, fields: Mapping[str, str]) -> Mapping[str, Any]:
        """What the token endpoint grants; raises NotGranted, or Away."""
        endpoint = provider.endpoint("token_endpoint")
        more, headers = self._proof(endpoint, provider.says("token_endpoint_auth_methods_supported"))
        status, body = asks.post(endpoint, {**fields, **more}, headers)
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            raise Away from None
        if not isinstance(answer, dict) or status >= 500:
            raise Away
        if status != 200:
            raise NotGranted(str(answer.get("error", "")))
        return answer

    def _proof(self, endpoint: str, methods: Any) -> tuple[dict[str, str], dict[str, str]]:
        try:
            if self.key_file:
                assertion = _assertion(
                    self.client_id, endpoint, Path(self.key_file).read_text(encoding="utf-8")
                )
                return {"client_assertion_type": _ASSERTION, "client_assertion": assertion}, {}
            if not self.secret_file:
                return {"client_id": self.client_id}, {}
            secret = Path(self.secret_file).read_text(encoding="utf-8").strip()
        except (OSError, ValueError, JoseError):
            raise Away from None  # the operator's log names the file; nobody at a page can mend it
        if (
            isinstance(methods, list)
            and "client_secret_basic" not in methods
            and "client_secret_post" in methods
        ):
            return {"client_id": self.client_id, "client_secret": secret}, {}
        pair = f"{quote(self.client_id, safe='')}:{quote(secret, safe='')}".encode()
        return {}, {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


def _assertion(client_id: str, endpoint: str, jwk: str) -> str:
    """RFC 7523: good for a minute, once."""
    key = KeySet.import_key_set({"keys": [json.loads(jwk)]}).keys[0]
    now = int(time.time())
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": endpoint,
        "iat": now,
        "exp": now + _ASSERTION_LASTS_S,
    }
    algorithm = algorithm_of(key)
    header = {"alg": algorithm, "kid": key.kid, "typ": "JWT"}
    return jwt.encode(header, {**claims, "jti": secrets.token_urlsafe(16)}, key, algorithms=[algorithm])


def algorithm_of(key: Any) -> str:
    """The algorithm a key signs with here; raises ValueError for a kind we do not use."""
    if isinstance(key, RSAKey):
        return "PS256"
    if isinstance(key, ECKey):
        return _OF_CURVE[str(key.as_dict()["crv"])]
    if isinstance(key, OKPKey):
        return "EdDSA"
    raise ValueError("no signing key")
