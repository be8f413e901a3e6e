"""Verifying the running audit log: fetch its leaves and checkpoint, compare with what was seen before."""

import base64
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cli import show, verify
from cli.reach import Reach
from cli.verify import Checkpoint, NotVerified, VerifierKey

VERIFY_S = 300.0
# The service counts a larger limit as this one; and a limit must fit the 32 bits it travels in.
LARGEST_PAGE = 1_000


def verify_log(reach: Reach, folder: Path, given_key: str = "") -> dict[str, Any]:
    """Checks the log from its leaves up and remembers the checkpoint in `folder`.

    In this order: the signature under the pinned key, the root recomputed from every leaf, the beginning
    against the checkpoint remembered from last time (and the service's own consistency proof for it), the
    service's check of its copies and indexes, and every producer's sequence.  Raises NotVerified, or
    grpc.RpcError where the service does not answer.
    """
    from kindred.audit.v1 import audit_pb2

    metadata = reach.officer()
    stub = reach.audit()
    signed = stub.GetCheckpoint(audit_pb2.GetCheckpointRequest(), timeout=reach.deadline_s, metadata=metadata)
    key, key_from = _trusted(folder, given_key, signed.verifier_key)
    key = _of_this_log(key, signed.checkpoint)
    now = verify.open_checkpoint(signed.checkpoint, key)
    before = _remembered(folder, key)
    verify.check_leaves(_leaves(stub, now.size, metadata), now, before)
    if before and before.size:
        asked = audit_pb2.ProveConsistencyRequest(old_size=before.size, new_size=now.size)
        proof = stub.ProveConsistency(asked, timeout=reach.deadline_s, metadata=metadata)
        verify.check_consistency(before, now, proof.hashes)
    checked = stub.CheckLog(audit_pb2.CheckLogRequest(), timeout=VERIFY_S, metadata=metadata)
    gaps = {producer.producer: list(producer.missing) for producer in checked.producers if producer.missing}
    _remember(folder, key, signed.checkpoint)
    return {
        "verified": not gaps and not checked.findings,
        "origin": now.origin,
        "entries": now.size,
        "root": now.root.hex(),
        "signed_by": f"{key.name}+{key.key_id.hex()} ({key_from})",
        "grown_since": before.size if before else "never verified here before",
        "producers": {producer.producer: producer.highest_seq for producer in checked.producers},
        "gaps": gaps,
        "findings": [f"{one.code} at entry {one.index}: {one.detail}" for one in checked.findings],
        "checkpoint": signed.checkpoint.decode(),
    }


def found(reach: Reach, asked: Any, limit: int) -> tuple[list[Any], bytes]:
    """The first `limit` entries that match, newest first, and the checkpoint they were searched under.

    Page by page; each page is a search in the log, and the checkpoint is the first page's.
    `asked` is a SearchEntriesRequest; its limit and page token are set here.  Raises grpc.RpcError.
    """
    metadata = reach.officer()
    stub = reach.audit()
    entries: list[Any] = []
    asked.page_token, checkpoint = "", b""
    while True:
        asked.limit = min(limit - len(entries), LARGEST_PAGE)
        answer = stub.SearchEntries(asked, timeout=reach.deadline_s, metadata=metadata)
        entries += answer.entries
        checkpoint = checkpoint or answer.checkpoint
        asked.page_token = answer.next_page_token
        if not asked.page_token or len(entries) >= limit:
            return entries, checkpoint


def size(reach: Reach) -> int:
    """How many entries the newest checkpoint covers, as the service says (not verified); 0 before the first."""
    from kindred.audit.v1 import audit_pb2

    metadata = reach.officer()
    stub = reach.audit()
    signed = stub.GetCheckpoint(audit_pb2.GetCheckpointRequest(), timeout=reach.deadline_s, metadata=metadata)
    lines = signed.checkpoint.decode().split("\n")
    return int(lines[1]) if len(lines) > 1 and lines[1].isdigit() else 0


def _leaves(stub: Any, size: int, metadata: Any) -> Iterator[bytes]:
    from kindred.audit.v1 import audit_pb2

    if not size:
        return
    asked = audit_pb2.ReadLeavesRequest(start=0, end=size)
    expected = 0
    for part in stub.ReadLeaves(asked, timeout=VERIFY_S, metadata=metadata):
        if part.start != expected:
            raise NotVerified("leaf-missing", f"entry {expected} was not served")
        yield from part.leaves
        expected += len(part.leaves)


def _trusted(folder: Path, given: str, offered: str) -> tuple[VerifierKey, str]:
    """The key to believe: the given one, the pinned one, or on the very first use the service's own."""
    pinned = folder / "audit.vkey"
    if given:
        return verify.read_key(given), "given by --key"
    if pinned.exists():
        return verify.read_key(pinned.read_text(encoding="utf-8")), f"pinned in {pinned}"
    key = verify.read_key(offered)
    signer = folder / "keys" / "audit.signer.pub.pem"
    if signer.exists() and key.public != _public_of(signer):
        raise NotVerified("key-differs", "the service's key is not the one made for this system")
    pinned.write_text(f"{key}\n", encoding="utf-8")
    return key, "this system's own, pinned" if signer.exists() else "believed at first use and pinned"


def _of_this_log(key: VerifierKey, note: bytes) -> VerifierKey:
    """The key under the name of the log the checkpoint is of: each quarter's log bears the pinned name and its own."""
    origin = note.partition(b"\n")[0].decode(errors="replace")
    return verify.verifier_key(origin, key.public) if origin.startswith(f"{key.name}/") else key


def _public_of(signer: Path) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

    return load_pem_public_key(signer.read_bytes()).public_bytes(Encoding.Raw, PublicFormat.Raw)


def _remembered(folder: Path, key: VerifierKey) -> Checkpoint | None:
    kept = folder / f"audit.{key.key_id.hex()}.checkpoint"
    return verify.open_checkpoint(kept.read_bytes(), key) if kept.exists() else None


def _remember(folder: Path, key: VerifierKey, note: bytes) -> None:
    kept = folder / f"audit.{key.key_id.hex()}.checkpoint"
    draft = kept.with_suffix(".draft")
    draft.write_bytes(note)
    draft.replace(kept)


def told_by(file: Path) -> tuple[dict[str, str], int]:
    """What an export says it was asked for, and how many entries it says it holds; nothing of it is verified."""
    with zipfile.ZipFile(file) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    return manifest.get("asked_for", {}), manifest["count"]


def export(reach: Reach, asked: Any, to: Path) -> int:
    """The export is in the file `to`, whole; returns its bytes. Raises grpc.RpcError."""
    metadata = reach.officer()
    with show.written(to) as file:
        for piece in reach.custody().ExportEntries(asked, timeout=VERIFY_S, metadata=metadata):
            file.write(piece.content)
    return to.stat().st_size


def known_sizes(folder: Path) -> list[int]:
    """The sizes of the checkpoints that were verified or monitored here before."""
    found: set[int] = set()
    for path in [*folder.glob("audit.*.checkpoint"), *folder.glob("monitor.*.checkpoint")]:
        lines = path.read_bytes().split(b"\n")
        if len(lines) > 1 and lines[1].isdigit():
            found.add(int(lines[1]))
    return sorted(found)


def check_proof(proof: bytes, policy: str, leaf: bytes) -> dict[str, Any]:
    """What a tlog-proof of a leaf shows under a policy; raises NotVerified."""
    from cli import monitoring

    head, _, note = proof.partition(b"\n\n")
    lines = head.decode().split("\n")
    hashes = [
        base64.b64decode(line) for line in lines if not line.startswith(("c2sp.org/", "index ", "extra "))
    ]
    index = int(next(line for line in lines if line.startswith("index ")).removeprefix("index "))
    believed = monitoring.read_policy(policy)
    checkpoint = verify.open_checkpoint(note, believed.log)
    cosigned = monitoring.cosigned_by(note, believed)
    verify.check_inclusion(leaf, index, checkpoint.size, hashes, checkpoint.root)
    return {"log": checkpoint.origin, "index": index, "under": checkpoint.size, "cosigned": cosigned}
