"""Keys, certificates and passwords as files: who may read them, which are there, which should not be, when they end."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from cli.doctor.findings import Finding
from cli.local import access, authority, keys, rights

SOON = timedelta(days=30)
# An authority must outlive what it signs.
AUTHORITY_SOON = timedelta(days=397)
FULL_BYTES, NEARLY_FULL_BYTES, NEARLY_FULL_PART = 500_000_000, 2_000_000_000, 0.05
_PUBLIC = (".pub.pem", "tls.ca.pem", "audit.policy")


def private(folder: Path) -> Iterator[Finding]:
    """Nobody but their owner reads keys and passwords, or looks into their folders."""
    for path in sorted([folder, *folder.rglob("*")]) if folder.exists() else []:
        found = path.stat()
        if found.st_mode & 0o077 and not path.name.endswith(_PUBLIC):
            yield Finding("key-readable-by-others", str(path), f"its mode is {found.st_mode & 0o777:04o}")
        if found.st_uid != os.getuid():
            yield Finding("key-of-another-owner", str(path), f"it belongs to user {found.st_uid}")


def complete(folder: Path) -> Iterator[Finding]:
    """Every process finds the keys it needs in its own folder, and none that are another's."""
    for holder in (*keys.SERVICES, *keys.KEEPERS):
        needed = set(keys.needed(folder, holder))
        own = folder / holder
        there = {path.name for path in own.iterdir() if path.is_file()} if own.is_dir() else set()
        for name in sorted(needed - there):
            yield Finding("key-missing", str(own / name), f"{holder} cannot work without it")
        for name in sorted((there - needed) & _keys_of_others(folder)):
            yield Finding("key-misplaced", str(own / name), f"{holder} has no use for it")


def addresses(folder: Path) -> Iterator[Finding]:
    """Every process's folder holds its own addresses and nobody else's."""
    for user in rights.users():
        own = folder / user.name
        if user.name != rights.PRUNER and not (own / access.MONGO).exists():
            yield Finding("key-missing", str(own / access.MONGO), f"{user.name} cannot reach the database")
        if (own / access.PRUNER).exists() and user.name != "audit-api":
            yield Finding(
                "key-misplaced", str(own / access.PRUNER), f"{user.name} must not remove from the log"
            )


def _keys_of_others(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()}


def certificates(folder: Path, now: datetime | None = None) -> Iterator[Finding]:
    """Every certificate is of our authority and lasts; so does the authority."""
    now = now or datetime.now(UTC)
    trusted = authority.trusted(folder)
    for place, each in enumerate(trusted[:1]):
        left = each.not_valid_after_utc - now
        where = str(folder / authority.AUTHORITY)
        if left <= timedelta(0):
            yield Finding("authority-ended", where, f"authority {place + 1} ended on {_day(each)}")
        elif left < AUTHORITY_SOON and len(trusted) == 1:
            yield Finding("authority-ends-soon", where, f"it ends on {_day(each)}, and none follows it")
    for path in sorted(folder.rglob("tls.*.pem")):
        if path.name.startswith("tls.ca."):
            continue
        yield from _certificate(path, trusted, now)


def _certificate(path: Path, trusted: list[x509.Certificate], now: datetime) -> Iterator[Finding]:
    shown = x509.load_pem_x509_certificates(path.read_bytes())[0]
    left = shown.not_valid_after_utc - now
    if not any(_signed(shown, each) for each in trusted):
        yield Finding("certificate-not-ours", str(path), "no authority that is trusted here signed it")
    elif left <= timedelta(0):
        yield Finding("certificate-ended", str(path), f"it ended on {_day(shown)}")
    elif left < SOON:
        yield Finding("certificate-ends-soon", str(path), f"it ends on {_day(shown)}")


def _signed(shown: x509.Certificate, by: x509.Certificate) -> bool:
    try:
        shown.verify_directly_issued_by(by)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _day(certificate: x509.Certificate) -> str:
    return certificate.not_valid_after_utc.date().isoformat()


def disk(folder: Path) -> Iterator[Finding]:
    """There is room for what comes."""
    found = shutil.disk_usage(folder)
    says = f"{found.free // 1_000_000} MB of {found.total // 1_000_000} are free"
    if found.free < FULL_BYTES:
        yield Finding("disk-full", str(folder), says)
    elif found.free < max(NEARLY_FULL_BYTES, min(found.total * NEARLY_FULL_PART, 20 * NEARLY_FULL_BYTES)):
        yield Finding("disk-nearly-full", str(folder), says)
