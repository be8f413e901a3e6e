"""The log's trust policy (C2SP tlog-policy) of one set-up: our key, our witness, and that it must have cosigned."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

NAME = "audit.policy"
ORIGIN = "kindred.local/audit"
WITNESS = "kindred.local/witness"
_ED25519, _COSIGNATURE_V1 = b"\x01", b"\x04"


def write(keys: Path, to: Path, witness_url: str, origin: str = ORIGIN, witness: str = WITNESS) -> Path:
    """The policy file is in `to`: the one somebody edited, with our log's and witness's lines as they are now.

    A file that names other witnesses or another quorum is left as it is.
    """
    path = to / NAME
    text = make(keys, witness_url, origin, witness)
    if not path.exists() or _is_ours(path.read_text(encoding="utf-8")):
        path.write_text(text, encoding="utf-8")
    return path


def make(keys: Path, witness_url: str, origin: str = ORIGIN, witness: str = WITNESS) -> str:
    """The policy: one log, one witness, both needed."""
    log_key = _vkey(origin, _ED25519, keys / "audit.signer.pub.pem")
    witness_key = _vkey(witness, _COSIGNATURE_V1, keys / "witness.pub.pem")
    return f"log {log_key}\nwitness ours {witness_key} {witness_url}\nquorum ours\n"


def _is_ours(text: str) -> bool:
    kinds = [line.split()[:2] for line in text.splitlines()]
    return [kind[0] for kind in kinds] == ["log", "witness", "quorum"] and kinds[2] == ["quorum", "ours"]


def _vkey(name: str, algorithm: bytes, pem: Path) -> str:
    key = load_pem_public_key(pem.read_bytes()).public_bytes(Encoding.Raw, PublicFormat.Raw)
    key_id = hashlib.sha256(name.encode() + b"\n" + algorithm + key).digest()[:4]
    return f"{name}+{key_id.hex()}+{base64.b64encode(algorithm + key).decode()}"
