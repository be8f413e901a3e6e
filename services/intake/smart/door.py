"""The token endpoint and its discovery document; errors in OAuth's words (RFC 6749 section 5.2)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from chassis import telemetry
from chassis.errors import Refusal
from chassis.http_server import form
from chassis.identity import Caller
from chassis.outbound import system_lookup
from services.intake.bootstrap import Room
from services.intake.smart import scopes
from services.intake.smart.addresses import CONFIGURATION, TOKEN, public_base
from services.intake.smart.assertions import ALGORITHMS, TYPE, Unproven, prove
from services.intake.smart.clients import Client, Clients
from services.intake.smart.issuing import EXPIRES_IN_S, ROLE, Issuer
from services.intake.smart.key_sets import KeySets, fetching
from services.intake.store.assertions import Assertions

_MOST_SCOPES = 50


class SmartDoor:
    """Signs systems in: GET of the configuration, POST for a token."""

    def __init__(self, room: Room, issuer: Issuer) -> None:
        self._room, self._issuer = room, issuer
        settings = room.settings
        self._base = public_base(settings.fhir_public_url, settings.http_address)
        self._clients = Clients(settings.smart_clients)
        self._key_sets = KeySets(fetching(system_lookup, may_be_private=settings.smart_allow_private))
        self._spent = Assertions(room.database)
        self._spent.ensure_indexes()

    @property
    def token_url(self) -> str:
        """The audience of every assertion."""
        return f"{self._base}{TOKEN}"

    def routes(self) -> list[Route]:
        """Both paths."""
        return [
            Route(CONFIGURATION, self.configuration, methods=["GET"], name="smart-configuration"),
            Route(TOKEN, self.token, methods=["POST"], name="token"),
        ]

    def configuration(self, request: Request) -> Response:
        """What a client finds out by itself (SMART App Launch 2, section 5)."""
        return JSONResponse(
            {
                "issuer": self._base,
                "token_endpoint": self.token_url,
                "token_endpoint_auth_methods_supported": ["private_key_jwt"],
                "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
                "grant_types_supported": ["client_credentials"],
                "scopes_supported": [*scopes.SUPPORTED, "system/*.cruds"],
                "code_challenge_methods_supported": ["S256"],
                "capabilities": ["client-confidential-asymmetric", "permission-v1", "permission-v2"],
            }
        )

    def token(self, request: Request) -> Response:
        """A token for what was asked and is registered, once per assertion; every one and every no is on record."""
        try:
            client, given = self._admitted(*_asked(request))
        except _Refused as no:
            return _answer({"error": no.error, "error_description": no.message}, no.status)
        signed = self._issuer.issue(client, given)
        expires_at = datetime.fromtimestamp(time.time() + EXPIRES_IN_S, UTC)
        caller = Caller(client.client_id, ROLE, client.organization_id)
        self._room.access.record_token_issued(caller, given, expires_at, telemetry.current_cause())
        told = {"access_token": signed, "token_type": "bearer", "expires_in": EXPIRES_IN_S}
        return _answer(told | {"scope": " ".join(given)})

    def _admitted(self, assertion: str, asked: list[str]) -> tuple[Client, list[str]]:
        try:
            proven = prove(assertion, self._clients, self._key_sets, self.token_url)
            client = proven.client
            if not self._spent.spend(client.client_id, proven.assertion_id, proven.expires_at):
                raise Unproven("assertion-used", client.client_id)
        except Unproven as told:
            self._denied(told.client_id, told.code)
            message = "The assertion proves no registered client; the operator's log says why."
            raise _Refused("invalid_client", message, 401) from None
        given = scopes.granted(asked, client.scopes)
        if not given:
            self._denied(client.client_id, "scope-not-registered")
            raise _Refused("invalid_scope", "None of these scopes is registered for this client.")
        return client, given

    def _denied(self, client_id: str, code: str) -> None:
        caller = Caller(client_id, ROLE, "") if client_id else None
        self._room.access.record_denied(
            caller,
            record_type="Token",
            record_id="",
            action="issue",
            reason_code=code,
            cause=telemetry.current_cause(),
        )


class _Refused(Exception):  # noqa: N818
    """A no in the words of RFC 6749 section 5.2."""

    def __init__(self, error: str, message: str, status: int = 400) -> None:
        super().__init__(error)
        self.error, self.message, self.status = error, message, status


def _asked(request: Request) -> tuple[str, list[str]]:
    """The assertion and the scopes of a request that has the right form."""
    try:
        fields = form(request)
    except Refusal as refusal:
        raise _Refused("invalid_request", refusal.message) from None
    if fields.get("grant_type") != "client_credentials":
        raise _Refused("unsupported_grant_type", "Only client_credentials is served.")
    if fields.get("client_assertion_type") != TYPE or not fields.get("client_assertion"):
        raise _Refused("invalid_request", f"Send client_assertion, and client_assertion_type {TYPE}.")
    asked = fields.get("scope", "").split()
    if not 0 < len(asked) <= _MOST_SCOPES:
        raise _Refused("invalid_scope", "Ask for one scope at least, and 50 at most.")
    return fields["client_assertion"], asked


def _answer(body: Mapping[str, Any], status: int = 200) -> Response:
    return JSONResponse(body, status, {"cache-control": "no-store", "pragma": "no-cache"})
