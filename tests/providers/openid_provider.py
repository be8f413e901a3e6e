"""oidc-provider on Node, started with its settings, and a browser without scripts that walks through its pages."""

from __future__ import annotations

import html
import json
import os
import re
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from joserfc.jwk import RSAKey

from tests.providers import running

HERE = Path(__file__).parent / "openid"
START_S = 30.0
_MOST_STEPS = 20


class OpenIdProvider:
    """The provider under the run's authority, with `pages` as what Kindred's pages are reached at."""

    def __init__(self, keys: Path, pages: str) -> None:
        if shutil.which("node") is None or not (HERE / "node_modules").is_dir():
            pytest.skip(
                "node, or oidc-provider, is not here: `make providers` installs it where node and npm are"
            )
        self._keys, self._port = keys, running.a_port()
        self.issuer, self.authority = f"https://127.0.0.1:{self._port}", str(keys / "tls.ca.pem")
        self.secret_file = keys / "oidc.secret"
        self.secret_file.write_text(secrets.token_urlsafe(32), encoding="utf-8")
        self._told: dict[str, Any] = {
            "issuer": self.issuer,
            "port": self._port,
            "pages": pages,
            "secret": self.secret_file.read_text(encoding="utf-8"),
            "certificate": str(keys / "tls.issuer.pem"),
            "cookies": secrets.token_urlsafe(32),
            "keys": [],
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.rotate()

    @property
    def settings(self) -> dict[str, str]:
        """What Kindred is told of it."""
        return {
            "oidc_issuer": self.issuer,
            "oidc_client_id": "kindred-console",
            "oidc_secret_path": str(self.secret_file),
            "oidc_ca": self.authority,
        }

    def rotate(self) -> None:
        """It signs with a new key and has forgotten the old one, and its sessions."""
        key = RSAKey.generate_key(2_048, {"kid": secrets.token_hex(4), "use": "sig", "alg": "RS256"})
        self._told["keys"] = [key.as_dict(private=True)]
        self.stop()
        told = self._keys / "openid.json"
        told.write_text(json.dumps(self._told), encoding="utf-8")
        trusted = os.environ | {"NODE_EXTRA_CA_CERTS": self.authority}
        with (self._keys / "openid.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["node", str(HERE / "provider.mjs"), str(told)],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=trusted,
                start_new_session=True,
            )
        until = time.monotonic() + START_S
        while time.monotonic() < until and self._process.poll() is None:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", self._port), 1).close()
                return
            time.sleep(0.1)
        pytest.fail(f"oidc-provider did not start: {self.log()}")

    def stop(self) -> None:
        """It has ended."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def log(self) -> str:
        """The end of what it wrote."""
        return (self._keys / "openid.log").read_text(encoding="utf-8")[-2_000:]

    def browser(self) -> httpx.Client:
        """One that trusts it; whoever keeps it keeps the provider's session."""
        return httpx.Client(verify=ssl.create_default_context(cafile=self.authority), timeout=20)

    def walk(self, browser: httpx.Client, address: str, until: str, **filled: str) -> str:
        """Every page's form is sent as it is, with `filled` where it asks; the first address that starts with `until`."""
        answer = browser.get(address)
        for _ in range(_MOST_STEPS):
            if answer.is_redirect:
                address = urljoin(address, answer.headers["location"])
                if address.startswith(until):
                    return address
                answer = browser.get(address)
                continue
            form = _form(answer.text)
            if form is None:
                return f"{answer.status_code} {answer.text}"
            address = urljoin(address, form[0])
            answer = browser.post(address, data=form[1] | filled)
        raise AssertionError(f"no end of pages: {address} {answer.text[:500]}")


def _form(page: str) -> tuple[str, dict[str, str]] | None:
    found = re.search(r'<form[^>]*action="([^"]+)"[^>]*>(.*?)</form>', page, re.S)
    if found is None:
        return None
    inputs = re.findall(r"<input[^>]*>", found.group(2))
    named = [dict(re.findall(r'(\w+)="([^"]*)"', one)) for one in inputs]
    fields = {one["name"]: html.unescape(one.get("value", "")) for one in named if "name" in one}
    return html.unescape(found.group(1)), fields
