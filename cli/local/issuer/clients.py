"""Who may ask the development issuer: our services' pages with a secret or key each, and the command line without one."""

import base64
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

CLI = "kindred-cli"


@dataclass
class Client:
    """A registration; addresses are compared letter by letter (RFC 9700 section 2.1)."""

    client_id: str
    redirect_uris: tuple[str, ...] = ()
    after_logout: tuple[str, ...] = ()
    secret_file: str = ""
    jwk: dict[str, Any] | None = None
    assertions_seen: set[str] = field(default_factory=set)

    @property
    def is_public(self) -> bool:
        """True for who can keep no secret."""
        return not self.secret_file and self.jwk is None


def load(path: Path) -> dict[str, Client]:
    """The registrations of a JSON file, a list of objects."""
    rows = json.loads(path.read_text(encoding="utf-8"))
    found = [
        Client(
            row["client_id"],
            tuple(row.get("redirect_uris", ())),
            tuple(row.get("after_logout", ())),
            row.get("secret_file", ""),
            row.get("jwk"),
        )
        for row in rows
    ]
    return {client.client_id: client for client in found}


def proven(
    clients: Mapping[str, Client], fields: Mapping[str, str], basic: str, audience: str
) -> Client | None:
    """The client that proved itself by secret, assertion or, where it is public, by its mere id; None for nobody."""
    if fields.get("client_assertion"):
        return _by_assertion(clients, fields["client_assertion"], audience)
    client_id, secret = fields.get("client_id", ""), fields.get("client_secret", "")
    if basic.startswith("Basic "):
        try:
            pair = base64.b64decode(basic[6:]).decode().partition(":")
        except ValueError:
            return None
        client_id, secret = unquote(pair[0]), unquote(pair[2])
    client = clients.get(client_id)
    if client is None or client.is_public:
        return client
    if not client.secret_file:
        return None
    wanted = Path(client.secret_file).read_text(encoding="utf-8").strip()
    return client if hmac.compare_digest(secret.encode(), wanted.encode()) else None


def _by_assertion(clients: Mapping[str, Client], assertion: str, audience: str) -> Client | None:
    try:
        part = assertion.split(".")[1]
        said = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        client = clients[said["sub"]]
        key = KeySet.import_key_set({"keys": [client.jwk or {}]})
        claims = jwt.decode(assertion, key, algorithms=["ES256", "PS256", "EdDSA"]).claims
        rules = jwt.JWTClaimsRegistry(aud={"essential": True, "value": audience}, exp={"essential": True})
        rules.validate(claims)
    except (JoseError, ValueError, KeyError, IndexError, TypeError, AttributeError):
        return None
    if claims.get("iss") != client.client_id or claims["jti"] in client.assertions_seen:
        return None
    client.assertions_seen.add(claims["jti"])
    return client
