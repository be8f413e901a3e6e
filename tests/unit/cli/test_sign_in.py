"""`kindred sign-in`: a link for one person whose token no server, proxy or log ever sees."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import OKPKey
from typer.testing import CliRunner

from cli.app import app
from cli.local import keys


def test_the_link_carries_a_short_token_behind_the_hash(tmp_path, monkeypatch):
    """Role, hospital and actor are as asked, it ends within minutes, and two links are never the same."""
    folder = keys.create(tmp_path / "keys")
    monkeypatch.setenv("KINDRED_KEYS_DIR", str(folder))
    monkeypatch.setenv("KINDRED_INTAKE_HTTP", "127.0.0.1:8080")
    monkeypatch.setenv("KINDRED_VAR", str(tmp_path))
    monkeypatch.delenv("KINDRED_TOKEN", raising=False)
    asked = [
        "sign-in",
        "--role",
        "clinician",
        "--organization",
        "er-st-brigid",
        "--actor",
        "dr-lark",
        "--json",
    ]
    links = [urlsplit(json.loads(CliRunner().invoke(app, asked).stdout)["url"]) for _ in range(2)]
    tokens = [parse_qs(link.fragment)["token"][0] for link in links]
    assert all((link.path, link.query) == ("/desk/sign-in", "") for link in links)
    assert tokens[0] != tokens[1]
    key = OKPKey.import_key((folder / "issuer.pub.pem").read_bytes())
    claims = jwt.decode(tokens[0], key, algorithms=["Ed25519"]).claims
    assert (claims["sub"], claims["role"], claims["org"]) == ("dr-lark", "clinician", "er-st-brigid")
    assert claims["exp"] - claims["iat"] == 600
