"""A secret for one listener: HPKE (RFC 9180; X25519, HKDF-SHA256, AES-256-GCM), opaque to everybody on the way."""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from kindred.bus.v1.bus_pb2 import SealedField

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class Unsealable(Exception):  # noqa: N818
    """A sealed field that this key and context do not open."""


def _key_id(listener: str, public_key: X25519PublicKey) -> str:
    raw = public_key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return f"{listener}:{raw[:6].hex()}"


class PublicSeal:
    """Seals for one listener; anybody may hold it."""

    def __init__(self, listener: str, public_key: X25519PublicKey) -> None:
        self._public_key = public_key
        self.key_id = _key_id(listener, public_key)

    @classmethod
    def from_dir(cls, keys_dir: Path, listener: str) -> PublicSeal:
        """The seal of `listener`, from `seal.<listener>.pub.pem`."""
        key = serialization.load_pem_public_key((keys_dir / f"seal.{listener}.pub.pem").read_bytes())
        assert isinstance(key, X25519PublicKey)
        return cls(listener, key)

    def seal(self, plaintext: bytes, context: str) -> SealedField:
        """The plaintext, sealed; it opens only with the same `context` ("offer-link:off_...")."""
        ciphertext = _SUITE.encrypt(plaintext, self._public_key, info=context.encode())
        return SealedField(key_id=self.key_id, ciphertext=ciphertext)


class PrivateSeal:
    """Opens what was sealed for this listener; only the listener holds it. Old keys stay readable after a rotation."""

    def __init__(self, listener: str, *private_keys: X25519PrivateKey) -> None:
        self._keys = {_key_id(listener, key.public_key()): key for key in private_keys}

    @classmethod
    def from_dir(cls, keys_dir: Path, listener: str) -> PrivateSeal:
        """The keys in `seal.<listener>.pem` and, for older ones, `seal.<listener>.*.old.pem`."""
        paths = [keys_dir / f"seal.{listener}.pem", *sorted(keys_dir.glob(f"seal.{listener}.*.old.pem"))]
        keys = [serialization.load_pem_private_key(path.read_bytes(), None) for path in paths]
        return cls(listener, *[key for key in keys if isinstance(key, X25519PrivateKey)])

    def unseal(self, field: SealedField, context: str) -> bytes:
        """The plaintext; raises Unsealable for another key, another context or a changed ciphertext."""
        key = self._keys.get(field.key_id)
        if key is None:
            raise Unsealable("no key of this id")
        try:
            return _SUITE.decrypt(field.ciphertext, key, info=context.encode())
        except (InvalidTag, ValueError):
            raise Unsealable("does not open") from None
