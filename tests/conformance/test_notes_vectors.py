"""Signed notes and checkpoints of other people: Go's sumdb, C2SP, transparency-dev, a real sum.golang.org one."""

import base64
import json
import re
from itertools import pairwise
from pathlib import Path

import pytest

from services.audit.tlog.checkpoints import (
    Checkpoint,
    CheckpointRefused,
    open_checkpoint,
    parse_checkpoint,
    sign_checkpoint,
)
from services.audit.tlog.notes import NoteRefused, NoteSigner, NoteVerifier, open_note
from services.audit.tlog.proofs import ProofRefused, verify_consistency

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "data" / "audit-vectors"

pytestmark = [
    pytest.mark.needs_shared_data,
    pytest.mark.skipif(
        not VECTORS.exists(), reason="../shared/data/audit-vectors is not beside this checkout"
    ),
]


def _text(name: str) -> str:
    return (VECTORS / name).read_text()


@pytest.fixture(scope="module")
def go_notes() -> dict:
    """The cases of golang.org/x/mod/sumdb/note."""
    return json.loads(_text("golang-mod-sumdb/note_cases.json"))


def test_notes_open_as_go_opens_them(go_notes):
    """Every case of Go's own test opens with the same verified and unknown names, or is refused."""
    for case in go_notes["open"]:
        known = [NoteVerifier.from_vkey(go_notes["vkeys"][name]) for name in case["keys"]]
        if "error" in case:
            with pytest.raises(NoteRefused):
                open_note(case["note"].encode(), known)
        else:
            opened = open_note(case["note"].encode(), known)
            assert list(opened.signed_by) == case["verified"]
            assert list(opened.unknown) == case["unverified"]


def test_refusals_name_the_step_that_failed(go_notes):
    """Each refused case is refused for its own reason, not for another one."""
    said = []
    for case in go_notes["open"]:
        known = [NoteVerifier.from_vkey(go_notes["vkeys"][name]) for name in case["keys"]]
        if "error" in case:
            with pytest.raises(NoteRefused) as refused:
                open_note(case["note"].encode(), known)
            said.append((case["error"].split(" (")[0], str(refused.value)))
    for theirs, ours in said:
        assert (
            theirs == ours
            or (theirs.startswith("malformed") and ours.startswith("malformed"))
            or (theirs == "note has no verifiable signatures" and ours == "no known key signed the note")
        )


def test_bad_verifier_keys_are_refused(go_notes):
    """A key whose id is not its hash, or whose base64 is broken, is refused."""
    for vkey in go_notes["bad_vkeys"]:
        with pytest.raises(NoteRefused):
            NoteVerifier.from_vkey(vkey)


def test_signing_gives_gos_bytes(go_notes):
    """Our signature of Go's text under Go's test key is Go's published note."""
    signer = NoteSigner.from_skey(go_notes["skey_peter"])
    golden = _text("golang-mod-sumdb/note_peter.txt")
    assert signer.sign(golden.rpartition("\n\n")[0] + "\n").decode() == golden
    assert signer.verifier.vkey() == go_notes["vkeys"]["peter"]


def test_the_c2sp_example_note_verifies():
    """The example in the specification opens under its key."""
    key = NoteVerifier.from_vkey(_text("c2sp-specs/example_note.vkey").strip())
    assert (
        open_note(_text("c2sp-specs/example_note.txt").encode(), [key]).text
        == "This is an example message.\n"
    )


def test_the_c2sp_cosigned_checkpoint_parses():
    """The specification's example names its origin, size and a root of 32 bytes, and both signers."""
    note = _text("c2sp-specs/example_cosigned_checkpoint.txt")
    checkpoint = parse_checkpoint(note.rpartition("\n\n")[0] + "\n")
    assert (checkpoint.origin, checkpoint.size, len(checkpoint.root)) == (
        "example.com/behind-the-sofa",
        20_852_163,
        32,
    )
    assert note.rpartition("\n\n")[0] + "\n" == checkpoint.text()


def test_a_real_checkpoint_of_the_go_checksum_database_verifies():
    """A checkpoint of sum.golang.org over 35 million leaves opens under its public key."""
    key = re.search(r" -key (\S+)", _text("torchwood-litewitness/sumdb.setup.txt"))
    exchange = _text("torchwood-litewitness/sumdb.add-checkpoint.hurl")
    body = re.search(r"```\n(.*?)```", exchange, re.DOTALL)
    note = body.group(1).split("\n\n", 1)[1]
    known = [NoteVerifier.from_vkey(key.group(1))]
    assert open_checkpoint(note.encode(), "go.sum database tree", known).size == 35_225_469
    with pytest.raises(NoteRefused):
        open_checkpoint(note.replace("35225469", "35225470").encode(), "go.sum database tree", known)
    with pytest.raises(CheckpointRefused):
        open_checkpoint(note.encode(), "another log", known)


def test_checkpoint_texts_parse_as_transparency_dev_says():
    """Each of its 12 cases agrees but one: the specification forbids the empty extension lines it allows."""
    for case in json.loads(_text("transparency-dev-formats/checkpoint_unmarshal_cases.json")):
        is_refused_by_us = case["wantErr"] or case["desc"] == "valid with trailing newlines"
        if is_refused_by_us:
            with pytest.raises(CheckpointRefused):
                parse_checkpoint(case["m"])
        else:
            assert parse_checkpoint(case["m"]).text() == case["m"]


def test_the_golden_tree_note_parses():
    """Go's golden tree text is a checkpoint of 123,456,789,012 leaves, to the byte."""
    text = _text("golang-mod-sumdb/tree_note_golden.txt")
    assert parse_checkpoint(text).size == 123_456_789_012
    assert parse_checkpoint(text).text() == text


def test_gos_fork_example_convicts():
    """Both signed trees of Go's fork example verify, and its proof joins the new one to another old root (line 1).

    The example's old tree is printed with an exclamation mark that its signature does not cover: refused as it stands.
    """
    key = NoteVerifier.from_vkey(_text("golang-mod-sumdb/sumdb_test.vkey").strip())
    lines = [line.strip() for line in _text("golang-mod-sumdb/fork_example.txt").splitlines()]
    at = [lines.index(f"{name}:") for name in ("old database", "new database", "proof of misbehavior")]
    old, new = ("\n".join(lines[a + 1 : b]).strip() + "\n" for a, b in pairwise(at))
    proof = [base64.b64decode(line) for line in lines[at[2] + 1 :] if line]
    with pytest.raises(NoteRefused):
        open_note(old.encode(), [key])
    older = open_checkpoint(old.replace("tree!", "tree").encode(), "go.sum database tree", [key])
    newer = open_checkpoint(new.encode(), "go.sum database tree", [key])
    implied_root, *path = proof
    verify_consistency(older.size, newer.size, implied_root, newer.root, path)
    assert implied_root != older.root
    with pytest.raises(ProofRefused, match="another old root"):
        verify_consistency(older.size, newer.size, older.root, newer.root, path)


def test_a_checkpoint_survives_the_round_trip(go_notes):
    """What is signed opens to the same checkpoint."""
    signer = NoteSigner.from_skey(go_notes["skey_peter"])
    checkpoint = Checkpoint("kindred.example/audit", 7, bytes(range(32)))
    assert (
        open_checkpoint(sign_checkpoint(checkpoint, signer), checkpoint.origin, [signer.verifier])
        == checkpoint
    )
