"""A certificate authority of one system: who has a certificate of it may speak with its gRPC doors.

Made with the other keys and as private as they are.  A hospital network brings its own authority instead.
An authority is followed by another in two steps, so that nobody is refused in between: first everybody trusts both, then,
a week later or when somebody says so, the next one signs; the one before stays trusted until it ends.
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
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# Whoever is trusted: the authority that signs now, then those before and after it.
AUTHORITY = "tls.ca.pem"
# Whoever calls and serves nobody: the command line.
CALLER = "cli"
# The development issuer of sign-ins.
ISSUER = "issuer"
_AUTHORITY_KEY = "tls.ca.key.pem"
_NEXT, _NEXT_KEY = "tls.ca.next.pem", "tls.ca.next.key.pem"
_AUTHORITY_LASTS = timedelta(days=3_650)
_LASTS = timedelta(days=397)
_RENEWED_BEFORE = timedelta(days=30)
# So long everybody who trusts the authority has time to read that there is another one.
_TRUSTED_BEFORE = timedelta(days=7)
_CLOCKS_DIFFER = timedelta(hours=1)


def file_of(holder: str) -> str:
    """The name of a holder's file: its private key and its certificate."""
    return f"tls.{holder}.pem"


def create(folder: Path, holders: tuple[str, ...], *, is_here: bool = True) -> None:
    """Every holder has a certificate that lasts a month at least; what is good stays as it is.

    `is_here` puts loopback into the certificates of those who serve, for a system that is all on one machine.
    An authority that would end before what it signs is followed by another.
    """
    key, trusted = _authority(folder)
    if trusted[0].not_valid_after_utc - datetime.now(UTC) < _LASTS + _RENEWED_BEFORE:
        trusted = _prepared(folder, trusted)
    if _is_next_due(folder, trusted[0]):
        key, trusted = _succeeded(folder, trusted)
    for holder in holders:
        path = folder / file_of(holder)
        if not _lasts(path, trusted[0]):
            _write(path, _issued(holder, key, trusted[0], is_here))


def renew(folder: Path, holders: tuple[str, ...], *, is_here: bool = True) -> None:
    """Every holder has a new key and a new certificate."""
    create(folder, ())
    for holder in holders:
        (folder / file_of(holder)).unlink(missing_ok=True)
    create(folder, holders, is_here=is_here)


def follow(folder: Path, holders: tuple[str, ...], *, is_here: bool = True) -> bool:
    """The next step from one authority to another; True where the new one signs now, False where it is only trusted."""
    _, trusted = _authority(folder)
    if not (folder / _NEXT).exists():
        _prepared(folder, trusted)
        return False
    _succeeded(folder, trusted)
    create(folder, holders, is_here=is_here)
    return True


def trusted(folder: Path) -> list[x509.Certificate]:
    """The authorities of the folder, the one that signs first; empty where there is none."""
    return _load(folder / AUTHORITY) if (folder / AUTHORITY).exists() else []


def _authority(folder: Path) -> tuple[ec.EllipticCurvePrivateKey, list[x509.Certificate]]:
    key_path, path = folder / _AUTHORITY_KEY, folder / AUTHORITY
    if not key_path.exists():
        _write(key_path, _private(ec.generate_private_key(ec.SECP256R1())))
    key = load_pem_private_key(key_path.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    if not path.exists():
        _write(path, _self_signed(key).public_bytes(Encoding.PEM))
    return key, _load(path)


def _prepared(folder: Path, known: list[x509.Certificate]) -> list[x509.Certificate]:
    """The next authority is there, and trusted beside the others; it signs nothing yet."""
    if not (folder / _NEXT).exists():
        key = ec.generate_private_key(ec.SECP256R1())
        _write(folder / _NEXT_KEY, _private(key))
        _write(folder / _NEXT, _self_signed(key).public_bytes(Encoding.PEM))
    return _trust(folder, [*known, *_load(folder / _NEXT)])


def _is_next_due(folder: Path, first: x509.Certificate) -> bool:
    """Everybody had time to trust it, or a crash left it half in place."""
    if not (folder / _NEXT).exists():
        return False
    (following,) = _load(folder / _NEXT)
    return following == first or _age(following) >= _TRUSTED_BEFORE


def _succeeded(
    folder: Path, known: list[x509.Certificate]
) -> tuple[ec.EllipticCurvePrivateKey, list[x509.Certificate]]:
    """The next authority signs from now on; a crash between two of these steps is mended by the next call."""
    found = _trust(folder, [*_load(folder / _NEXT), *known])
    if (folder / _NEXT_KEY).exists():
        (folder / _NEXT_KEY).replace(folder / _AUTHORITY_KEY)
    (folder / _NEXT).unlink()
    return _authority(folder)[0], found


def _trust(folder: Path, wanted: list[x509.Certificate]) -> list[x509.Certificate]:
    """The file of those who are trusted holds each of them once, without those that ended."""
    found = [each for each in dict.fromkeys(wanted) if each.not_valid_after_utc > datetime.now(UTC)]
    if found != trusted(folder):
        _write(folder / AUTHORITY, b"".join(each.public_bytes(Encoding.PEM) for each in found))
    return found


def _load(path: Path) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(path.read_bytes())


def _age(certificate: x509.Certificate) -> timedelta:
    return datetime.now(UTC) - certificate.not_valid_before_utc - _CLOCKS_DIFFER


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


def _issued(
    holder: str, signer: ec.EllipticCurvePrivateKey, authority: x509.Certificate, is_here: bool
) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"kindred {holder}")])
    uses = [ExtendedKeyUsageOID.CLIENT_AUTH]
    if holder != CALLER:
        uses.append(ExtendedKeyUsageOID.SERVER_AUTH)
    signed = (
        _begun(name, authority.subject, key.public_key(), _LASTS)
        .add_extension(x509.SubjectAlternativeName(_names(holder, is_here)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .sign(signer, hashes.SHA256())
    )
    return _private(key) + signed.public_bytes(Encoding.PEM)


def _names(holder: str, is_here: bool) -> list[x509.GeneralName]:
    """Who it is, and where it may serve; whoever only calls serves nowhere."""
    if holder == CALLER:
        return [x509.DNSName(holder)]
    names: list[x509.GeneralName] = [x509.DNSName(holder), x509.DNSName(f"{holder}-api")]
    if is_here:
        names.append(x509.DNSName("localhost"))
        names += [x509.IPAddress(ipaddress.ip_address(one)) for one in ("127.0.0.1", "::1")]
    return names


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
    found = _load(path)[0]
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
