"""What the development issuer serves: discovery, keys, signing in by choosing who one is, tokens, devices, logout."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from joserfc.errors import JoseError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from cli.local.issuer import pages
from cli.local.issuer.clients import Client
from cli.local.issuer.forms import form
from cli.local.issuer.grants import Asked, Given, Grants
from cli.local.issuer.personas import NobodySuch, of_form
from cli.local.issuer.signing import SigningKeys
from cli.local.issuer.tokens import TokenDoor

_STATE_CHARS = 512


@dataclass
class Issuer:
    """The provider at `url`."""

    url: str
    keys: SigningKeys
    clients: Mapping[str, Client]
    grants: Grants = field(default_factory=Grants)

    def app(self) -> Starlette:
        """Every path."""
        buys = TokenDoor(self.url, self.keys, self.clients, self.grants)
        return Starlette(
            routes=[
                Route("/readyz", self._ready),
                Route("/.well-known/openid-configuration", self._configuration),
                Route("/jwks", self._jwks),
                Route("/authorize", self._authorize),
                Route("/choose", self._choose, methods=["POST"]),
                Route("/token", buys.token, methods=["POST"]),
                Route("/revoke", buys.revoke, methods=["POST"]),
                Route("/device_authorization", buys.device, methods=["POST"]),
                Route("/device", self._device),
                Route("/device", self._approve, methods=["POST"]),
                Route("/end_session", self._end_session, methods=["GET", "POST"]),
            ]
        )

    async def _ready(self, request: Request) -> Response:
        return JSONResponse({"ready": True})

    async def _configuration(self, request: Request) -> Response:
        ends = ("authorize", "token", "end_session", "device_authorization", "revoke")
        names = ("authorization", "token", "end_session", "device_authorization", "revocation")
        return JSONResponse(
            {
                "issuer": self.url,
                "jwks_uri": f"{self.url}/jwks",
                **{f"{name}_endpoint": f"{self.url}/{end}" for name, end in zip(names, ends, strict=True)},
                "response_types_supported": ["code"],
                "response_modes_supported": ["query"],
                "grant_types_supported": [
                    "authorization_code",
                    "refresh_token",
                    "urn:ietf:params:oauth:grant-type:device_code",
                ],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256"],
                "token_endpoint_auth_methods_supported": [
                    "client_secret_basic",
                    "client_secret_post",
                    "private_key_jwt",
                    "none",
                ],
                "scopes_supported": ["openid", "offline_access"],
                "claims_supported": ["sub", "role", "organization", "programme", "auth_time", "acr"],
                "code_challenge_methods_supported": ["S256"],
                "authorization_response_iss_parameter_supported": True,
            }
        )

    async def _jwks(self, request: Request) -> Response:
        return JSONResponse(self.keys.jwks(), headers={"cache-control": "no-store"})

    async def _authorize(self, request: Request) -> Response:
        """GET: the page that asks who one is; to an address that is not registered nothing is ever sent."""
        asked = request.query_params
        client = self.clients.get(asked.get("client_id", ""))
        redirect_uri = asked.get("redirect_uri", "")
        if client is None or redirect_uri not in client.redirect_uris:
            return pages.render(request, "bad", 400)
        error = _wrong_with(asked)
        if error:
            return self._back(redirect_uri, {"error": error, "state": asked.get("state", "")[:_STATE_CHARS]})
        ticket = self.grants.ask(
            Asked(
                client.client_id,
                redirect_uri,
                asked.get("state", ""),
                asked.get("nonce", ""),
                asked["code_challenge"],
                asked.get("acr_values", "").split(" ")[0],
            )
        )
        return self._chooser(
            request, client.client_id, ticket, redirect_uri, is_again="login" in asked.get("prompt", "")
        )

    def _chooser(
        self,
        request: Request,
        client_id: str,
        ticket: str,
        redirect_uri: str,
        *,
        is_again: bool = False,
        told: str = "",
    ) -> Response:
        words = pages.words_for(request)[1]
        return pages.render(
            request,
            "title",
            400 if told else 200,
            leads_to=redirect_uri,
            action="/choose",
            hidden={"ticket": ticket},
            told=told,
            note=words["again"] if is_again else f"{words['for_whom']} {client_id}",
        )

    async def _choose(self, request: Request) -> Response:
        """POST: back to who asked, with a code."""
        fields = await form(request)
        asked = self.grants.asked(fields.get("ticket", ""))
        if asked is None:
            return pages.render(request, "bad", 400)
        try:
            persona = of_form(fields)
        except NobodySuch:
            ticket = self.grants.ask(asked)
            told = pages.words_for(request)[1]["wrong_person"]
            return self._chooser(request, asked.client_id, ticket, asked.redirect_uri, told=told)
        given = Given(
            persona,
            int(time.time()),
            asked.client_id,
            asked.redirect_uri,
            asked.nonce,
            asked.challenge,
            asked.acr,
        )
        return self._back(asked.redirect_uri, {"code": self.grants.code(given), "state": asked.state})

    async def _device(self, request: Request) -> Response:
        """GET: the page where somebody types, or finds, the code of their command line."""
        return self._device_page(request, request.query_params.get("user_code", ""))

    async def _approve(self, request: Request) -> Response:
        """POST: the command line that shows this code is somebody's now, or nobody's."""
        fields = await form(request)
        words = pages.words_for(request)[1]
        device = self.grants.device_shown(fields.get("user_code", ""))
        if device is None:
            return self._device_page(request, fields.get("user_code", ""), words["code_wrong"])
        if fields.get("deny"):
            device.is_denied = True
            return pages.render(request, "device_denied")
        try:
            device.given = Given(of_form(fields), int(time.time()), device.client_id)
        except NobodySuch:
            return self._device_page(request, device.user_code, words["wrong_person"])
        return pages.render(request, "device_done")

    def _device_page(self, request: Request, user_code: str, told: str = "") -> Response:
        status, shown = 400 if told else 200, user_code[:16]
        return pages.render(
            request, "device", status, action="/device", asks_code=True, user_code=shown, told=told
        )

    async def _end_session(self, request: Request) -> Response:
        """Signed out: nothing is kept here of who signed in, so all there is to do is to send them back."""
        sent = await form(request) if request.method == "POST" else dict(request.query_params)
        client_id = sent.get("client_id", "")
        if sent.get("id_token_hint"):
            try:
                client_id = str(self.keys.is_ours(sent["id_token_hint"]).get("aud", ""))
            except (JoseError, ValueError):
                return pages.render(request, "bad", 400)
        client, back = self.clients.get(client_id), sent.get("post_logout_redirect_uri", "")
        onward = back if client is not None and back in client.after_logout else ""
        return pages.render(request, "out", onward=onward)

    def _back(self, redirect_uri: str, told: dict[str, str]) -> Response:
        more = urlencode({**told, "iss": self.url})
        return RedirectResponse(f"{redirect_uri}?{more}", 303, {"referrer-policy": "no-referrer"})


def _wrong_with(asked: Mapping[str, Any]) -> str:
    """The error of RFC 6749 section 4.1.2.1, "" where the request is good."""
    if asked.get("response_type") != "code":
        return "unsupported_response_type"
    if "openid" not in asked.get("scope", "").split():
        return "invalid_scope"
    if asked.get("prompt") == "none":
        return "login_required"
    is_pkce = asked.get("code_challenge_method") == "S256" and len(asked.get("code_challenge", "")) == 43
    is_short = all(len(asked.get(name, "")) <= _STATE_CHARS for name in ("state", "nonce", "acr_values"))
    return "" if is_pkce and is_short and asked.get("state") else "invalid_request"
