"""The endpoints that command lines and services ask without a browser: tokens, devices, revocation."""

import base64
import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from cli.local.issuer.clients import Client, proven
from cli.local.issuer.forms import form
from cli.local.issuer.grants import DEVICE_S, INTERVAL_S, Given, Grants
from cli.local.issuer.signing import SigningKeys

ID_TOKEN_S, ACCESS_TOKEN_S = 300, 3_600
AUDIENCE = "kindred"
_DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


class _Refused(Exception):  # noqa: N818
    """A no in the words of RFC 6749 section 5.2."""


@dataclass
class TokenDoor:
    """What of the issuer speaks JSON."""

    url: str
    keys: SigningKeys
    clients: Mapping[str, Client]
    grants: Grants

    async def token(self, request: Request) -> Response:
        """Tokens for a code, a device's code or a refresh token, each of which buys once."""
        fields = await form(request)
        client = self._client(request, fields)
        if client is None:
            return _json({"error": "invalid_client"}, 401)
        try:
            given = self._bought(client, fields)
        except _Refused as no:
            return _json({"error": str(no)}, 400)
        return _json(self._tokens(given, has_refresh=client.is_public))

    async def revoke(self, request: Request) -> Response:
        """The refresh token is over (RFC 7009)."""
        fields = await form(request)
        if self._client(request, fields) is None:
            return _json({"error": "invalid_client"}, 401)
        self.grants.revoke(fields.get("token", ""))
        return _json({})

    async def device(self, request: Request) -> Response:
        """Codes for a command line (RFC 8628)."""
        client = self._client(request, await form(request))
        if client is None or not client.is_public:
            return _json({"error": "invalid_client"}, 401)
        code, device = self.grants.device(client.client_id)
        return _json(
            {
                "device_code": code,
                "user_code": device.user_code,
                "verification_uri": f"{self.url}/device",
                "verification_uri_complete": f"{self.url}/device?user_code={device.user_code}",
                "expires_in": int(DEVICE_S),
                "interval": int(INTERVAL_S),
            }
        )

    def _client(self, request: Request, fields: Mapping[str, str]) -> Client | None:
        return proven(self.clients, fields, request.headers.get("authorization", ""), f"{self.url}/token")

    def _bought(self, client: Client, fields: Mapping[str, str]) -> Given:
        grant = fields.get("grant_type", "")
        if grant == "authorization_code":
            given = self.grants.redeemed(fields.get("code", ""))
            is_theirs = given is not None and given.redirect_uri == fields.get("redirect_uri", "")
            if given is None or not is_theirs or not given.is_verified_by(fields.get("code_verifier", "")):
                raise _Refused("invalid_grant")
        elif grant == "refresh_token":
            given = self.grants.refreshed(fields.get("refresh_token", ""))
        elif grant == _DEVICE_CODE:
            given = self._of_device(client, fields.get("device_code", ""))
        else:
            raise _Refused("unsupported_grant_type")
        if given is None or given.client_id != client.client_id:
            raise _Refused("invalid_grant")
        return given

    def _of_device(self, client: Client, code: str) -> Given:
        device = self.grants.device_of(code)
        if device is None or device.client_id != client.client_id:
            raise _Refused("invalid_grant")
        now = self.grants.now()
        if device.ends_at <= now or device.is_denied:
            self.grants.forget_device(code)
            raise _Refused("access_denied" if device.is_denied else "expired_token")
        if device.given is None:
            is_hasty, device.asked_at = now - device.asked_at < INTERVAL_S * 0.9, now
            raise _Refused("slow_down" if is_hasty else "authorization_pending")
        self.grants.forget_device(code)
        return device.given

    def _tokens(self, given: Given, *, has_refresh: bool) -> dict[str, Any]:
        now = int(time.time())
        said = {"iss": self.url, "auth_time": given.authenticated_at, **given.persona.claims}
        said |= {"acr": given.acr} if given.acr else {}
        access = self.keys.sign(
            {**said, "aud": AUDIENCE, "client_id": given.client_id, "exp": now + ACCESS_TOKEN_S}, "at+jwt"
        )
        digest = hashlib.sha256(access.encode()).digest()
        at_hash = base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()
        proof = {**said, "aud": given.client_id, "exp": now + ID_TOKEN_S, "at_hash": at_hash}
        proof |= {"nonce": given.nonce} if given.nonce else {}
        answer: dict[str, Any] = {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": ACCESS_TOKEN_S,
            "id_token": self.keys.sign(proof),
        }
        return answer | ({"refresh_token": self.grants.refresh(given)} if has_refresh else {})


def _json(body: Mapping[str, Any], status: int = 200) -> Response:
    return JSONResponse(body, status, {"cache-control": "no-store", "pragma": "no-cache"})
