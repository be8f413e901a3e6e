"""Sealing one body: AES-256-GCM under a key of its own, with a hiding commitment and a commitment to that key.

The hiding commitment (HMAC under 32 random bytes kept inside the ciphertext) lets a body be proven to somebody
without giving away the key; the key commitment makes a second key that also opens the ciphertext useless
(AES-GCM alone does not bind its key).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import zlib
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_RECORD_KEY = b"kindred-audit/record-key/1\n"
_KEY_COMMITMENT = b"kindred-audit/key-commitment/1\n"
_ASSOCIATED = b"kindred-audit/body/1\n"
# What AuditEvents have in common, so that a sealed body is a seventh of its text.  Frozen: bodies sealed with it need
# it for ever; another dictionary is another packing.
_DICTIONARY = (Path(__file__).parent / "body_dictionary.v1.txt").read_bytes()
_DEFLATED_WITH_DICTIONARY_1 = b"\x01"
_RAW_DEFLATE = -15
# Copied for each body, because learning the dictionary takes longer than packing with it.  A window of 8 kB holds the
# dictionary and all but the longest bodies; any reader of raw deflate unpacks it.
_LEARNED = zlib.compressobj(3, zlib.DEFLATED, -13, 5, zdict=_DICTIONARY)
_NONCE_BYTES = 12
_BLINDING_BYTES = 32


class BodyUnreadable(Exception):  # noqa: N818
    """The key does not open this body, or what it opens is not what was committed to."""


@dataclass(frozen=True, slots=True)
class SealedBody:
    """A ciphertext (nonce first), its SHA-256 and the two commitments of the leaf."""

    ciphertext: bytes
    digest: bytes
    hiding_commitment: bytes
    key_commitment: bytes


def seal_body(data_key: bytes, event_id: str, body: bytes) -> SealedBody:
    """The body under the record key of `event_id`, packed first."""
    record_key = _record_key(data_key, event_id)
    chance = secrets.token_bytes(_NONCE_BYTES + _BLINDING_BYTES)
    nonce, blinding = chance[:_NONCE_BYTES], chance[_NONCE_BYTES:]
    plaintext = blinding + _pack(body)
    ciphertext = nonce + AESGCM(record_key).encrypt(nonce, plaintext, _associated(event_id))
    return SealedBody(
        ciphertext,
        hashlib.sha256(ciphertext).digest(),
        hmac.digest(blinding, body, "sha256"),
        _commitment_to(record_key),
    )


def open_body(
    data_key: bytes, event_id: str, ciphertext: bytes, hiding: bytes, key_commitment: bytes
) -> bytes:
    """The body, if key and content are those the leaf commits to; raises BodyUnreadable."""
    return open_with_blinding(data_key, event_id, ciphertext, hiding, key_commitment)[0]


def open_with_blinding(
    data_key: bytes, event_id: str, ciphertext: bytes, hiding: bytes, key_commitment: bytes
) -> tuple[bytes, bytes]:
    """The body and the 32 bytes that show anybody that the leaf's hiding commitment is to it; raises BodyUnreadable."""
    record_key = _record_key(data_key, event_id)
    if not hmac.compare_digest(_commitment_to(record_key), key_commitment):
        raise BodyUnreadable("another key than the leaf commits to")
    nonce, sealed = ciphertext[:_NONCE_BYTES], ciphertext[_NONCE_BYTES:]
    try:
        plaintext = AESGCM(record_key).decrypt(nonce, sealed, _associated(event_id))
        body = _unpack(plaintext[_BLINDING_BYTES:])
    except (InvalidTag, ValueError, zlib.error) as wrong:
        raise BodyUnreadable("the ciphertext was changed") from wrong
    if not hmac.compare_digest(hmac.digest(plaintext[:_BLINDING_BYTES], body, "sha256"), hiding):
        raise BodyUnreadable("another content than the leaf commits to")
    return body, plaintext[:_BLINDING_BYTES]


def _pack(body: bytes) -> bytes:
    packer = _LEARNED.copy()
    return _DEFLATED_WITH_DICTIONARY_1 + packer.compress(body) + packer.flush()


def _unpack(packed: bytes) -> bytes:
    if packed[:1] != _DEFLATED_WITH_DICTIONARY_1:
        raise ValueError("a packing this version does not know")
    unpacker = zlib.decompressobj(_RAW_DEFLATE, zdict=_DICTIONARY)
    return unpacker.decompress(packed[1:]) + unpacker.flush()


def _record_key(data_key: bytes, event_id: str) -> bytes:
    return hmac.digest(data_key, _RECORD_KEY + event_id.encode(), "sha256")


def _commitment_to(record_key: bytes) -> bytes:
    return hmac.digest(record_key, _KEY_COMMITMENT, "sha256")


def _associated(event_id: str) -> bytes:
    return _ASSOCIATED + event_id.encode()
