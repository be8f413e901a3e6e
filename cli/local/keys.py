"""The keys of one local system: made once, readable by their owner only."""

import os
import secrets
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from cli.local import authority

MASTER_KEY_BYTES = 96
SERVICES = ("intake", "matching", "notifications", "audit")
# Processes of audit that hold a key of their own and nothing else.
KEEPERS = ("signer", "witness")
# Who has a certificate.
HOLDERS = (*SERVICES, authority.CALLER, authority.ISSUER)


def create(folder: Path, *, is_here: bool = True) -> Path:
    """Makes every key that is not there yet and leaves the others alone; returns the folder.

    `is_here` says that the whole system is on this machine, so that its certificates are good for loopback.

    Files: `<service>.master.key` (96 random bytes, the MongoDB local key provider's size), `issuer.pem` and
    `issuer.pub.pem` (Ed25519, tokens), `seal.notifications.pem` and `.pub.pem` (X25519, sealed fields),
    `audit.signer.pem` and `.pub.pem` (Ed25519, checkpoints), `audit.signer.token` (who may ask the signer),
    `witness.pem` and `.pub.pem` (Ed25519, cosignatures), `tls.ca.pem` with its key and `tls.<service>.pem` (P-256,
    mutual TLS; renewed a month before they end), `oidc.<service>.secret` (what its pages prove themselves with to the
    development issuer of sign-ins).  All are created with mode 0600 in a folder of mode
    0700.  A public key that is missing, or is another's, is written again from its private one.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for service in SERVICES:
        _write(folder / f"{service}.master.key", lambda: secrets.token_bytes(MASTER_KEY_BYTES))
    _pair(folder, "issuer", Ed25519PrivateKey)
    _pair(folder, "seal.notifications", X25519PrivateKey)
    _pair(folder, "audit.signer", Ed25519PrivateKey)
    _write(folder / "audit.signer.token", lambda: secrets.token_hex(32).encode())
    _pair(folder, "witness", Ed25519PrivateKey)
    authority.create(folder, HOLDERS, is_here=is_here)
    for service in SERVICES:
        _write(folder / secret_of(service), lambda: secrets.token_urlsafe(32).encode())
    return folder


def new_wrapping_key(folder: Path, service: str, at: datetime) -> Path:
    """Another key for wrapping the keys of people; it is used as soon as it lies in the service's own folder."""
    path = folder / f"{service}.wrapping.w{at:%Y%m%d%H%M%S%f}.key"
    _write(path, lambda: secrets.token_bytes(MASTER_KEY_BYTES))
    return path


def _pair(folder: Path, stem: str, kind: type[Ed25519PrivateKey] | type[X25519PrivateKey]) -> None:
    private = folder / f"{stem}.pem"
    _write(private, lambda: _private(kind.generate()))
    _put(folder / f"{stem}.pub.pem", _public_of(private))


def _public_of(private: Path) -> bytes:
    key = load_pem_private_key(private.read_bytes(), None)
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _private(key: Ed25519PrivateKey | X25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, make: Callable[[], bytes]) -> None:
    if not path.exists():
        _replace(path, make())


def _put(path: Path, content: bytes) -> None:
    if not path.exists() or path.read_bytes() != content:
        _replace(path, content)


def _replace(path: Path, content: bytes) -> None:
    """Whoever looks finds the whole file of before or the whole new one."""
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def secret_of(service: str) -> str:
    """The name of the file with which a service's pages prove themselves to the development issuer."""
    return f"oidc.{service}.secret"


def portion(folder: Path, service: str, to: Path) -> Path:
    """Copies to `to` what this service needs and nothing else; returns `to`.

    Nobody but the issuer holds `issuer.pem`, nobody but notifications opens sealed contacts, nobody but the signer
    signs checkpoints, nobody but the witness cosigns them.  What an earlier version gave away is taken back.
    """
    to.mkdir(parents=True, exist_ok=True, mode=0o700)
    if service == "audit":
        (to / "audit.signer.pem").unlink(missing_ok=True)
    names = needed(folder, service)
    for name in names:
        _put(to / name, (folder / name).read_bytes())
    # Only now: whoever looks in between finds the new name beside the old one, and never neither.
    for gone in {path.name for path in to.glob(f"{service}.provider*.json")} - set(names):
        (to / gone).unlink()
    return to


def needed(folder: Path, service: str) -> list[str]:
    """The files a service, the signer or the witness works with, and no others."""
    if service == "signer":
        return ["audit.signer.pem", "audit.signer.token"]
    if service == "witness":
        return ["witness.pem", "audit.signer.pub.pem"]
    wrapping = [*folder.glob(f"{service}.wrapping.*.key"), *folder.glob(f"{service}.provider*.json")]
    own = [
        f"{service}.master.key",
        *sorted(path.name for path in wrapping),
        "issuer.pub.pem",
        authority.AUTHORITY,
        authority.file_of(service),
    ]
    own.append(secret_of(service))
    if service == "notifications":
        return own + sorted(path.name for path in folder.glob("seal.notifications*.pem"))
    if service == "audit":
        return [*own, "audit.signer.pub.pem", "audit.signer.token", "witness.pub.pem"]
    return [*own, "seal.notifications.pub.pem"]
