"""A certificate authority of one system: who has a certificate of it may speak with its gRPC doors.

Made with the other keys and as private as they are.  A hospital network brings its own authority instead.
"""

import ipaddress
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

AUTHORITY = "tls.ca.pem"
# Whoever calls and serves nobody: the command line.
CALLER = "cli"
_AUTHORITY_KEY = "tls.ca.key.pem"
_AUTHORITY_LASTS = timedelta(days=3_650)
_LASTS = timedelta(days=397)
_RENEWED_BEFORE = timedelta(days=30)
_CLOCKS_DIFFER = timedelta(hours=1)


def file_of(holder: str) -> str:
    """The name of a holder's file: its private key and its certificate."""
    return f"tls.{holder}.pem"


def create(folder: Path, holders: tuple[str, ...]) -> None:
    """Every holder has a certificate that lasts a month at least; what is good stays as it is."""
    key, certificate = _authority(folder)
    for holder in holders:
        path = folder / file_of(holder)
        if not _lasts(path, certificate):
            _write(path, _issued(holder, key, certificate))


def _authority(folder: Path) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key_path, path = folder / _AUTHORITY_KEY, folder / AUTHORITY
    if not key_path.exists():
        _write(key_path, _private(ec.generate_private_key(ec.SECP256R1())))
    key = load_pem_private_key(key_path.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    if not path.exists():
        _write(path, _self_signed(key).public_bytes(Encoding.PEM))
    return key, x509.load_pem_x509_certificate(path.read_bytes())


def _self_signed(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Kindred, this system only")])
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    return (
        _begun(name, name, key.public_key(), _AUTHORITY_LASTS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _issued(holder: str, signer: ec.EllipticCurvePrivateKey, authority: x509.Certificate) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"kindred {holder}")])
    names = [x509.DNSName(one) for one in ("localhost", holder, f"{holder}-api")]
    here = [x509.IPAddress(ipaddress.ip_address(one)) for one in ("127.0.0.1", "::1")]
    signed = (
        _begun(name, authority.subject, key.public_key(), _LASTS)
        .add_extension(x509.SubjectAlternativeName([*names, *here]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .sign(signer, hashes.SHA256())
    )
    return _private(key) + signed.public_bytes(Encoding.PEM)


def _begun(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, lasts: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS_DIFFER)
        .not_valid_after(now + lasts)
    )


def _lasts(path: Path, authority: x509.Certificate) -> bool:
    if not path.exists():
        return False
    found = x509.load_pem_x509_certificates(path.read_bytes())[0]
    is_ours = found.issuer == authority.subject and _is_signed(found, authority)
    return is_ours and found.not_valid_after_utc - datetime.now(UTC) > _RENEWED_BEFORE


def _is_signed(found: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        found.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, content: bytes) -> None:
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
