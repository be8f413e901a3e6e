"""Certificates name their holder, and one authority follows another without anybody being refused in between."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from typer.testing import CliRunner

from cli.app import app
from cli.commands.certs import names_of
from cli.local import authority, keys

HOLDERS = ("intake", "audit", authority.CALLER)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Certificates of two services and the command line."""
    authority.create(tmp_path, HOLDERS)
    return tmp_path


def certificate_of(folder: Path, holder: str) -> x509.Certificate:
    return x509.load_pem_x509_certificates((folder / authority.file_of(holder)).read_bytes())[0]


def believes(trusting: list[x509.Certificate], shown: x509.Certificate, name: str) -> bool:
    """Whether somebody who trusts these takes the certificate for a server of that name, by an independent verifier."""
    verifier = PolicyBuilder().store(Store(trusting)).build_server_verifier(x509.DNSName(name))
    try:
        verifier.verify(shown, [])
    except VerificationError:
        return False
    return True


def test_a_certificate_is_good_for_its_holder_and_no_other(folder: Path) -> None:
    """Intake's does not pass for audit, and the command line's passes for nobody who serves."""
    trusting = authority.trusted(folder)
    shown = certificate_of(folder, "intake")
    assert believes(trusting, shown, "intake-api") and believes(trusting, shown, "localhost")
    assert not believes(trusting, shown, "audit-api")
    caller = certificate_of(folder, authority.CALLER)
    assert names_of(caller) == ["cli"]
    assert not believes(trusting, caller, "cli") and not believes(trusting, caller, "localhost")


def test_off_one_machine_nobody_is_localhost(tmp_path: Path) -> None:
    """In containers a certificate names its service and nothing that every machine has."""
    authority.create(tmp_path, HOLDERS, is_here=False)
    assert names_of(certificate_of(tmp_path, "intake")) == ["intake", "intake-api"]


def test_renewing_gives_new_keys_under_the_same_authority(folder: Path) -> None:
    """The old certificate is replaced, and the new one is believed."""
    before = certificate_of(folder, "intake")
    authority.renew(folder, HOLDERS)
    after = certificate_of(folder, "intake")
    assert after.public_key() != before.public_key()
    assert believes(authority.trusted(folder), after, "intake-api")


def test_an_authority_follows_another_and_nobody_is_refused(folder: Path) -> None:
    """Old trust believes old and new certificates until the second step; new trust believes both all the time."""
    trust = [authority.trusted(folder)]
    shown = [certificate_of(folder, "intake")]
    assert authority.follow(folder, HOLDERS) is False
    trust.append(authority.trusted(folder))
    shown.append(certificate_of(folder, "intake"))
    assert believes(trust[0], shown[1], "intake"), "whoever has not read the new file yet is served"
    assert authority.follow(folder, HOLDERS) is True
    trust.append(authority.trusted(folder))
    shown.append(certificate_of(folder, "intake"))
    for known in trust[1:]:
        assert all(believes(known, each, "intake") for each in shown)
    assert not believes(trust[0], shown[2], "intake")
    for path in folder.glob("tls.*"):
        assert path.stat().st_mode & 0o077 == 0
    context = ssl.create_default_context(cafile=folder / authority.AUTHORITY)
    context.load_cert_chain(folder / authority.file_of("intake"))


@pytest.mark.parametrize("crashed_after", ["trust", "key"])
def test_a_crash_on_the_way_to_the_next_authority_is_mended(folder: Path, crashed_after: str) -> None:
    """Whatever was written, the next start ends with a key and a certificate that belong together."""
    authority.follow(folder, HOLDERS)
    (following,) = x509.load_pem_x509_certificates((folder / "tls.ca.next.pem").read_bytes())
    authority.create(folder, HOLDERS)
    assert authority.trusted(folder)[0] != following, "everybody needs time to read it"
    authority._trust(folder, [following, *authority.trusted(folder)])
    if crashed_after == "key":
        (folder / "tls.ca.next.key.pem").replace(folder / "tls.ca.key.pem")
    authority.create(folder, HOLDERS)
    assert authority.trusted(folder)[0] == following
    assert believes([following], certificate_of(folder, "intake"), "intake")


def test_an_authority_that_would_end_first_is_followed_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thirteen months before its end another is trusted, a week later it signs; one that ended is forgotten."""
    monkeypatch.setattr(authority, "_AUTHORITY_LASTS", timedelta(days=420))
    authority.create(tmp_path, HOLDERS)
    (old, following) = authority.trusted(tmp_path)
    monkeypatch.setattr(authority, "_AUTHORITY_LASTS", timedelta(days=3_650))
    assert old.not_valid_after_utc - datetime.now(UTC) < timedelta(days=421)
    assert believes([old], certificate_of(tmp_path, "intake"), "intake")
    monkeypatch.setattr(authority, "_TRUSTED_BEFORE", timedelta(0))
    authority.create(tmp_path, HOLDERS)
    assert authority.trusted(tmp_path)[0] == following
    assert believes([following], certificate_of(tmp_path, "intake"), "intake")


def test_the_command_shows_and_renews(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`kindred certs renew` also puts the new files where each service looks for them."""
    monkeypatch.setenv("KINDRED_VAR", str(tmp_path))
    run = CliRunner().invoke
    assert run(app, ["certs", "show"]).exit_code == 1
    keys.create(tmp_path / "keys")
    before = keys.portion(tmp_path / "keys", "intake", tmp_path / "keys" / "intake") / "tls.intake.pem"
    text = before.read_bytes()
    assert run(app, ["certs", "renew", "--json"]).exit_code == 0
    assert before.read_bytes() != text
    for _ in range(2):
        assert run(app, ["certs", "renew", "--authority"]).exit_code == 0
    shown = run(app, ["certs", "show", "--json"])
    assert shown.exit_code == 0 and '"holder": "authority"' in shown.stdout
    own = x509.load_pem_x509_certificates(before.read_bytes())[0]
    key = own.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert believes(authority.trusted(tmp_path / "keys" / "intake"), own, "intake-api")
