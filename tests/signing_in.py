"""Signing in, for tests of pages: a development issuer under a certificate of its own, and a browser without scripts."""

from __future__ import annotations

import base64
import json
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from chassis.http_server import serve
from chassis.identity import Caller
from cli.local import authority, keys, ports
from cli.local.issuer.clients import Client
from cli.local.issuer.door import Issuer
from cli.local.issuer.signing import SigningKeys


@dataclass
class SignIns:
    """A running issuer and the registration of one service's pages; `settings` are what its api is told."""

    issuer: Issuer
    keys_dir: Path
    port: int
    home: str

    @property
    def settings(self) -> dict[str, str]:
        """The service's settings."""
        return {
            "KINDRED_HTTP_ADDRESS": f"127.0.0.1:{self.port}",
            "KINDRED_OIDC_ISSUER": self.issuer.url,
            "KINDRED_OIDC_CLIENT_ID": "kindred-test",
            "KINDRED_OIDC_SECRET_PATH": str(self.keys_dir / keys.secret_of("intake")),
            "KINDRED_OIDC_CA": str(self.keys_dir / authority.AUTHORITY),
        }

    def at_the_issuer(self) -> httpx.Client:
        """A browser that trusts the issuer's certificate."""
        trusted = ssl.create_default_context(cafile=str(self.keys_dir / authority.AUTHORITY))
        return httpx.Client(base_url=self.issuer.url, verify=trusted, timeout=15)

    def walk(self, client: httpx.Client, *, again: str = "", **who: str) -> httpx.Response:
        """From the page to the issuer and back as somebody; what the page answers to their return.

        `who` is a persona, or person, role, organization and programme; `again` asks for a step-up, as a form does.
        """
        return client.get(self.way_back(client, again=again, **who))

    def way_back(self, client: httpx.Client, *, again: str = "", **who: str) -> str:
        """The same, up to the address that the issuer sends them back to."""
        begun = client.get(f"{self.home}/sign-in/start{again}")
        assert begun.status_code == 303, begun.text
        return self.chosen(begun.headers["location"], **who)

    def chosen(self, asked: str, **who: str) -> str:
        """Somebody is chosen at the issuer's page."""
        with self.at_the_issuer() as elsewhere:
            page = elsewhere.get(asked)
            assert page.status_code == 200, page.text
            ticket = re.findall('name="ticket" value="([^"]+)"', page.text)[0]
            back = elsewhere.post("/choose", data={"ticket": ticket, **who})
        assert back.status_code == 303, back.text
        return str(back.headers["location"])


@contextmanager
def sign_ins(folder: Path, home: str) -> Iterator[SignIns]:
    """An issuer that knows one client, the pages below `home` on a port that was free a moment ago."""
    keys_dir, port, here = keys.create(folder), ports.any_free(), ports.any_free()
    page = f"http://127.0.0.1:{port}{home}/sign-in"
    secret = str(keys_dir / keys.secret_of("intake"))
    client = Client("kindred-test", (f"{page}/done",), (page,), secret)
    issuer = Issuer(
        f"https://127.0.0.1:{here}",
        SigningKeys(folder / "signing"),
        {client.client_id: client, "kindred-cli": Client("kindred-cli")},
    )
    server = serve(issuer.app(), f"127.0.0.1:{here}", str(keys_dir / authority.file_of(authority.ISSUER)))
    try:
        yield SignIns(issuer, keys_dir, port, home)
    finally:
        server.stop(grace_s=1)


def settings_of(people: SignIns) -> dict[str, str]:
    """The same by the names of the fields, for settings that are built and not read."""
    return {name.removeprefix("KINDRED_").lower(): value for name, value in people.settings.items()}


def signed_in(client: httpx.Client, sessions: Any, cookie: str, caller: Caller) -> httpx.Client:
    """The client has a session of the caller's, as after a sign-in."""
    client.cookies.set(cookie, sessions.start(caller), domain="127.0.0.1")
    return client


def opened(context: Any, address: str, sessions: Any, cookie: str, caller: Caller) -> None:
    """The same for a browser's context."""
    row = {
        "name": cookie,
        "value": sessions.start(caller),
        "url": address,
        "httpOnly": True,
        "sameSite": "Strict",
    }
    context.add_cookies([row])


def query_of(address: str) -> dict[str, str]:
    """The parameters of an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def claims_of(token: str) -> dict[str, Any]:
    """What a token says, unproven."""
    part = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))
