"""Settings, ids, clock, catalog, errors, sealing, identity: the small parts every service stands on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from joserfc.jwk import OKPKey

from chassis import catalog, errors, identity, settings
from chassis.clock import TurnedClock
from chassis.errors import Kind, Refusal
from chassis.ids import new_id
from chassis.sealing import PrivateSeal, PublicSeal, Unsealable
from kindred.intake.v1.events_pb2 import ReferralStatusChanged

PEM = serialization.Encoding.PEM
PKCS8 = (PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
SPKI = (PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@dataclass(frozen=True, kw_only=True)
class Sample:
    port: int = settings.setting("PORT")
    folder: Path = settings.setting("FOLDER")
    key: settings.Secret = settings.setting("KEY", secret=True)
    is_loud: bool = settings.setting("LOUD", False)
    waves: tuple[str, ...] = settings.setting("WAVES", ("3", "5"))


def test_settings_are_read_by_type():
    """Values come typed; what is not set keeps its default."""
    sample = settings.read(
        Sample, {"PORT": "80", "FOLDER": "/tmp/x", "KEY": "k", "LOUD": "yes", "WAVES": "1, 2"}
    )
    assert (sample.port, sample.folder, sample.is_loud, sample.waves) == (
        80,
        Path("/tmp/x"),
        True,
        ("1", "2"),
    )
    assert "k" not in repr(sample.key)


def test_all_settings_faults_are_told_at_once_without_secrets():
    """Every fault is named in one go, and a secret's value is not."""
    with pytest.raises(settings.SettingsFaults) as caught:
        settings.read(Sample, {"PORT": "eighty", "LOUD": "perhaps"})
    assert len(caught.value.faults) == 4
    assert "PORT must be a whole number" in str(caught.value)


def test_every_kind_of_refusal_has_a_face_in_every_protocol():
    """No table forgets a kind."""
    for table in (
        errors.GRPC_STATUS,
        errors.HTTP_STATUS,
        errors.OUTCOME_TYPE,
        errors.HL7_ERR,
        errors.WORKER_END,
    ):
        assert set(table) == set(Kind)


def test_ids_sort_by_time_and_do_not_repeat():
    """Ids made later sort later (to the millisecond) and never collide."""
    ids = [new_id("ref") for _ in range(2_000)]
    assert len(set(ids)) == 2_000
    assert [i[:16] for i in ids] == sorted(i[:16] for i in ids)


def test_a_turned_clock_moves_only_when_turned():
    """Time stands until it is turned, also backward."""
    clock = TurnedClock(datetime(2026, 1, 1, tzinfo=UTC))
    assert clock.now() == clock.now()
    assert clock.turn(timedelta(minutes=-5)) == datetime(2025, 12, 31, 23, 55, tzinfo=UTC)


def test_wire_names_come_from_the_protos():
    """One stem: ReferralStatusChanged is referral.status-changed.v1, both ways."""
    assert catalog.type_of(ReferralStatusChanged()) == "referral.status-changed.v1"
    assert catalog.message_class("referral.status-changed.v1") is ReferralStatusChanged
    with pytest.raises(catalog.UnknownEventType):
        catalog.message_class("referral.vanished.v9")


@pytest.fixture
def seals():
    private = X25519PrivateKey.generate()
    return PublicSeal("notifications", private.public_key()), PrivateSeal("notifications", private)


def test_a_sealed_field_opens_only_in_its_own_context(seals):
    """A sealed link cannot be moved to another offer."""
    public, private = seals
    field = public.seal(b"secret", "offer-link:off_1")
    assert private.unseal(field, "offer-link:off_1") == b"secret"
    assert b"secret" not in field.SerializeToString()
    with pytest.raises(Unsealable):
        private.unseal(field, "offer-link:off_2")


def test_a_sealed_field_opens_for_nobody_else(seals):
    """Another key, or a flipped bit, opens nothing."""
    public, private = seals
    field = public.seal(b"secret", "c")
    with pytest.raises(Unsealable):
        PrivateSeal("notifications", X25519PrivateKey.generate()).unseal(field, "c")
    field.ciphertext = field.ciphertext[:-1] + bytes([field.ciphertext[-1] ^ 1])
    with pytest.raises(Unsealable):
        private.unseal(field, "c")


@pytest.fixture
def issuer():
    return Ed25519PrivateKey.generate()


def _reader(key):
    return identity.TokenReader(OKPKey.import_key(key.public_key().public_bytes(*SPKI)))


def test_a_token_says_who_calls(issuer):
    """Subject, role and organization come from the token, the purpose from the call."""
    token = identity.mint(
        issuer.private_bytes(*PKCS8), actor_id="nurse-1", role="nurse", organization_id="er-1"
    )
    assert _reader(issuer).read(token, "TREAT") == identity.Caller("nurse-1", "nurse", "er-1", "TREAT")


@pytest.mark.parametrize(
    "spoil", ["expired", "other-issuer", "unknown-role", "garbage", "none-alg", "empty", "huge"]
)
def test_a_spoiled_token_is_refused(issuer, spoil):
    """Expired, foreign, malformed or unsigned tokens say nothing about anybody."""
    pem = issuer.private_bytes(*PKCS8)
    token = {
        "expired": lambda: identity.mint(pem, actor_id="n", role="nurse", minutes=-5),
        "other-issuer": lambda: identity.mint(
            Ed25519PrivateKey.generate().private_bytes(*PKCS8), actor_id="n", role="nurse"
        ),
        "unknown-role": lambda: identity.mint(pem, actor_id="n", role="root"),
        "garbage": lambda: "a.b.c",
        "none-alg": lambda: "eyJhbGciOiJub25lIn0.eyJzdWIiOiJuIiwicm9sZSI6Im51cnNlIn0.",
        "empty": lambda: "",
        "huge": lambda: "a" * 10_000,
    }[spoil]()
    with pytest.raises(Refusal) as caught:
        _reader(issuer).read(token)
    assert caught.value.kind is Kind.UNAUTHENTICATED


def test_role_and_purpose_are_both_asked_for():
    """A call needs an allowed role and, where PHI is read, an allowed purpose."""
    caller = identity.Caller("n", "nurse", "er-1", "TREAT")
    identity.require(caller, "nurse", purposes=("TREAT",))
    with pytest.raises(Refusal, match="role-not-allowed"):
        identity.require(caller, "compliance")
    with pytest.raises(Refusal, match="purpose-not-allowed"):
        identity.require(caller, "nurse", purposes=("HCOMPL",))
