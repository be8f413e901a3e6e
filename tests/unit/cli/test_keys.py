"""The local keys: made once, private, and each service holds only its own."""

import stat
from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from chassis import identity
from chassis.identity import TokenReader
from cli.local import keys


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_keys_are_made_once_and_stay(tmp_path: Path) -> None:
    """A second start does not lock anybody out of what the first one sealed."""
    first = contents(keys.create(tmp_path / "keys"))
    assert contents(keys.create(tmp_path / "keys")) == first
    assert {name for name in first if name.endswith("master.key")} == {
        f"{service}.master.key" for service in keys.SERVICES
    }
    assert all(len(first[f"{service}.master.key"]) == 96 for service in keys.SERVICES)


def test_nobody_else_may_read_them(tmp_path: Path) -> None:
    """Keys are readable by their owner only."""
    folder = keys.create(tmp_path / "keys")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_public_keys_belong_to_their_private_ones(tmp_path: Path) -> None:
    """What is sealed to the public key opens with the private one."""
    folder = keys.create(tmp_path)
    for stem in ("issuer", "seal.notifications", "audit.signer", "witness"):
        private = load_pem_private_key((folder / f"{stem}.pem").read_bytes(), None)
        public = load_pem_public_key((folder / f"{stem}.pub.pem").read_bytes())
        assert private.public_key().public_bytes_raw() == public.public_bytes_raw()  # type: ignore[union-attr]


def test_a_folder_from_before_gets_the_signers_public_key(tmp_path: Path) -> None:
    """The next start adds the public half to an older system, and changes no key that signs or seals."""
    folder = keys.create(tmp_path / "all")
    whole = contents(folder)
    (folder / "audit.signer.pub.pem").unlink()
    own = keys.portion(keys.create(folder), "audit", tmp_path / "audit")
    assert contents(folder) == whole
    assert contents(own)["audit.signer.pub.pem"] == whole["audit.signer.pub.pem"]
    assert stat.S_IMODE((own / "audit.signer.pub.pem").stat().st_mode) == 0o600


def test_a_public_key_of_another_pair_is_replaced(tmp_path: Path) -> None:
    """The private key says which public one belongs to it."""
    folder = keys.create(tmp_path / "keys")
    whole = contents(folder)
    (folder / "audit.signer.pub.pem").write_bytes(whole["issuer.pub.pem"])
    assert contents(keys.create(folder)) == whole


def test_a_token_of_the_issuer_is_read_by_its_public_key(tmp_path: Path) -> None:
    """The command mints what the services believe."""
    folder = keys.create(tmp_path)
    token = identity.mint((folder / "issuer.pem").read_bytes(), actor_id="nurse-1", role="nurse")
    assert TokenReader.from_file(folder / "issuer.pub.pem").read(token).actor_id == "nurse-1"


def test_each_service_gets_only_what_it_needs(tmp_path: Path) -> None:
    """Only the issuer can mint, only notifications opens contacts, only the signer signs (DESIGN 5)."""
    folder = keys.create(tmp_path / "all")
    held = {name: set(contents(keys.portion(folder, name, tmp_path / name))) for name in keys.SERVICES}
    for service, names in held.items():
        assert "issuer.pem" not in names
        assert ("seal.notifications.pem" in names) == (service == "notifications")
        assert "audit.signer.pem" not in names and "witness.pem" not in names
        assert ("audit.signer.pub.pem" in names) == (service == "audit")
        assert {name for name in names if name.endswith("master.key")} == {f"{service}.master.key"}


def test_the_signers_key_is_in_the_signers_folder_alone(tmp_path: Path) -> None:
    """Signer and witness hold one private key each, and a folder from before gives up the signer's."""
    folder = keys.create(tmp_path / "all")
    assert set(contents(keys.portion(folder, "signer", tmp_path / "signer"))) == {
        "audit.signer.pem",
        "audit.signer.token",
    }
    assert set(contents(keys.portion(folder, "witness", tmp_path / "witness"))) == {
        "witness.pem",
        "audit.signer.pub.pem",
    }
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit" / "audit.signer.pem").write_bytes(b"left here by an earlier version")
    assert "audit.signer.pem" not in contents(keys.portion(folder, "audit", tmp_path / "audit"))
