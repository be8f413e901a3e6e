"""Signing in on one machine: the development issuer as a part of the system, and each service's registration there."""

import hashlib
import json
import sys
from pathlib import Path

from cli.local import access, authority, keys
from cli.local.place import ROOT, Addresses, Place
from cli.local.ports import SERVICES, Ports

NAME = "issuer"
CLIENTS = "clients.json"
SIGNING = "signing"
# The first path of each service's pages.
HOMES = {"intake": "/desk", "matching": "/matching", "notifications": "/notices", "audit": "/console"}
_CLI = "kindred-cli"


def prepare(place: Place, chosen: Ports) -> None:
    """The registrations are written; signing keys the issuer makes itself."""
    place.issuer.mkdir(parents=True, exist_ok=True, mode=0o700)
    rows: list[dict[str, object]] = [{"client_id": _CLI}]
    for service in SERVICES:
        sign_in = f"http://127.0.0.1:{chosen.http(service)}{HOMES[service]}/sign-in"
        rows.append(
            {
                "client_id": client_of(service),
                "redirect_uris": [f"{sign_in}/done"],
                "after_logout": [sign_in],
                "secret_file": str(place.keys / keys.secret_of(service)),
            }
        )
    access.give(place.issuer, CLIENTS, json.dumps(rows, indent=1))


def client_of(service: str) -> str:
    """What a service's pages are called at the issuer."""
    return f"kindred-{service}"


def command(place: Place, known: Addresses) -> tuple[tuple[str, ...], dict[str, str]]:
    """How the issuer is called: its arguments and its environment, which changes with the registrations."""
    argv = (
        sys.executable, "-m", "cli.local.issuer", "--address", known.issuer,
        "--cert", str(place.keys / authority.file_of(authority.ISSUER)),
        "--keys", str(place.issuer / SIGNING), "--clients", str(place.issuer / CLIENTS),
    )  # fmt: skip
    held = place.issuer / CLIENTS
    registered = hashlib.sha256(held.read_bytes()).hexdigest()[:16] if held.exists() else ""
    env = {"PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}", "KINDRED_MODE": "development", "REGISTERED": registered}
    return argv, env


def settings(known: Addresses, service: str) -> dict[str, str]:
    """How a service's api finds the issuer and who it is there."""
    if not known.issuer:
        return {}
    folder = Path(known.keys_dir) / service
    return {
        "KINDRED_MODE": "development",
        "KINDRED_OIDC_ISSUER": f"https://{known.issuer}",
        "KINDRED_OIDC_CLIENT_ID": client_of(service),
        "KINDRED_OIDC_SECRET_PATH": str(folder / keys.secret_of(service)),
        "KINDRED_OIDC_CA": str(folder / authority.AUTHORITY),
    }
