"""kill -9 of the signer and the witness at the moment between remembering and answering: what was given stays true."""

import json
import signal

import pytest

from services.audit.domain.entry import LogBroken
from services.audit.keepers.asking import RemoteSigner, RemoteWitness, WitnessAway, WitnessObjects
from services.audit.keepers.signer import SignerAway
from services.audit.tlog.checkpoints import Checkpoint
from services.audit.tlog.cosignatures import CosignatureVerifier, cosignatures_of
from services.audit.tlog.merkle import leaf_hash
from services.audit.tlog.notes import NoteSigner, NoteVerifier
from services.audit.tlog.tiles import Edge, TiledTree
from tests.integration.audit.processes import running, until

ORIGIN = "kindred.local/audit"


def _tree(size: int, flavor: bytes = b"") -> tuple[Checkpoint, TiledTree]:
    _, tiles = Edge().grow([leaf_hash(flavor + b"%d" % each) for each in range(size)])
    held = {tile.place: tile.content for tile in tiles}
    tree = TiledTree(size, held.get)
    return Checkpoint(ORIGIN, size, tree.root()), tree


@pytest.fixture
def settings(keys_dir, tmp_path) -> dict[str, str]:
    """What such a process is told: its keys, its folder, and nothing of databases."""
    return {"KINDRED_KEYS_DIR": str(keys_dir), "KINDRED_STATE_DIR": str(tmp_path / "kept")}


def _url(process) -> str:
    return f"http://127.0.0.1:{process.ready()['http_port']}"


def test_a_signer_killed_before_it_answers_signs_the_same_again_and_nothing_else(
    settings, keys_dir, tmp_path
):
    """The worker never heard the answer: after the restart it gets the same bytes, and no other tree of that size."""
    token = (keys_dir / "audit.signer.token").read_text()
    verifier = NoteVerifier.from_pem(ORIGIN, (keys_dir / "audit.signer.pub.pem").read_bytes())
    key = NoteSigner.from_pem(ORIGIN, (keys_dir / "audit.signer.pem").read_bytes())
    five, tree5 = _tree(5)
    empty = Checkpoint(ORIGIN, 0, Edge().root())
    with running(
        "signer", settings, tmp_path, KINDRED_FAILPOINTS="audit.signer.after_keep=kill@2"
    ) as process:
        signer = RemoteSigner(_url(process), token, verifier)
        signer.sign(empty, lambda _: [])
        with pytest.raises(SignerAway):
            signer.sign(five, tree5.prove_consistency)
        until("killed", process.killed)
    with running("signer", settings, tmp_path) as process:
        signer = RemoteSigner(_url(process), token, verifier)
        assert signer.last(ORIGIN) == five
        lie, tree = _tree(5, b"other")
        with pytest.raises(LogBroken, match="another-root"):
            signer.sign(lie, tree.prove_consistency)
        assert signer.sign(five, tree5.prove_consistency) == key.sign(five.text())
        process.popen.send_signal(signal.SIGTERM)
        assert process.popen.wait(10) == 0


def test_a_witness_killed_before_it_answers_still_remembers(settings, keys_dir, tmp_path):
    """What it cosigned and could not say is what it goes on from; another history is refused."""
    key = NoteSigner.from_pem(ORIGIN, (keys_dir / "audit.signer.pem").read_bytes())
    five, tree5 = _tree(5)
    note = key.sign(five.text())
    with running(
        "witness", settings, tmp_path, KINDRED_FAILPOINTS="audit.witness.before_answer=kill@1"
    ) as process:
        with pytest.raises(WitnessAway):
            RemoteWitness(_url(process)).cosign(note, five, tree5.prove_consistency)
        until("killed", process.killed)
    with running("witness", settings, tmp_path) as process:
        witness = RemoteWitness(_url(process))
        lie, tree = _tree(9, b"other")
        with pytest.raises(WitnessObjects, match="history-rewritten"):
            witness.cosign(key.sign(lie.text()), lie, tree.prove_consistency)
        nine, tree9 = _tree(9)
        longer = key.sign(nine.text())
        line = witness.cosign(longer, nine, tree9.prove_consistency)
        public = NoteVerifier.from_pem("x", (keys_dir / "witness.pub.pem").read_bytes()).public_key
        assert cosignatures_of(longer + line, [CosignatureVerifier.of("kindred.local/witness", public)])
        assert json.loads(process.log.read_text().splitlines()[-1])["level"] != "critical"


def test_a_keeper_without_its_key_says_so_and_ends(settings, keys_dir, tmp_path):
    """Exit code 2, and the file that is missing."""
    (keys_dir / "witness.pem").unlink()
    with running("witness", settings, tmp_path) as process:
        assert process.popen.wait(20) == 2
        assert "witness.pem" in process.log.read_text()
