"""Our witness and our policy reader against other people's exchanges and files (torchwood, transparency-dev)."""

import hashlib
import json
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from chassis.clock import SystemClock
from services.audit.keepers.remembered import RememberedNotes
from services.audit.keepers.witness import Witness, WitnessRefused
from services.audit.tlog.cosignatures import Cosigner, cosignatures_of, with_cosignatures
from services.audit.tlog.notes import NoteRefused, NoteVerifier
from services.audit.tlog.policy import PolicyRefused, parse_policy

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "data" / "audit-vectors"

pytestmark = [
    pytest.mark.needs_shared_data,
    pytest.mark.skipif(
        not VECTORS.exists(), reason="../shared/data/audit-vectors is not beside this checkout"
    ),
]


@pytest.fixture
def cosigner():
    """A witness's key."""
    return Cosigner("witness.example/w1", Ed25519PrivateKey.generate())


def _exchanges(name: str) -> list[tuple[bytes, int]]:
    """Each request's body and the status the vectors expect; an unknown log is 404 since tlog-witness 1.0, not 403."""
    text = (VECTORS / "torchwood-litewitness" / name).read_text()
    found = []
    for body, status, rest in re.findall(r"```\n(.*?)```\nHTTP (\d+)\n(.*?)(?=\nPOST|\Z)", text, re.S):
        found.append((body.encode(), 404 if "unknown log" in rest else int(status)))
    return found


@pytest.mark.parametrize("name", ["litewitness.add-checkpoint.hurl", "sumdb.add-checkpoint.hurl"])
def test_exchanges_of_another_witness(name, tmp_path, cosigner):
    """The same requests get the same status from ours, and each 200 is a cosignature over the checkpoint."""
    sigsum = "ffdc2d4d98e4124d3feaf788c0c2f9abfd796083d1f0495437f302ec79cf100f"
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(sigsum))
    origin = f"sigsum.org/v1/tree/{hashlib.sha256(bytes.fromhex(sigsum)).hexdigest()}"
    logs = {origin: NoteVerifier.of(origin, key)}
    setup = (VECTORS / "torchwood-litewitness" / "sumdb.setup.txt").read_text()
    (vkey,) = re.findall(r"sum\.golang\.org\+\S+", setup) or [""]
    if vkey:
        logs["go.sum database tree"] = NoteVerifier.from_vkey(vkey)
    witness = Witness(RememberedNotes(tmp_path), cosigner, logs.get, SystemClock())
    exchanges = _exchanges(name)
    assert exchanges
    for number, (body, expected) in enumerate(exchanges):
        try:
            line = witness.add_checkpoint(body)
            got = 200
            note = body.partition(b"\n\n")[2]
            assert cosignatures_of(note + line, [cosigner.verifier])
        except WitnessRefused as refused:
            got = refused.status
        assert got == expected, (name, number, body)


def test_a_witness_key_of_other_people_is_read(cosigner):
    """The text form of a cosignature key round-trips, and remora.n621.de's, from the vectors, is one."""
    text = (VECTORS / "transparency-dev-formats" / "witness_policies.json").read_text()
    (theirs,) = set(re.findall(r"remora\.n621\.de\+\S+", text))
    from services.audit.tlog.cosignatures import CosignatureVerifier

    assert CosignatureVerifier.from_vkey(theirs).vkey() == theirs
    assert CosignatureVerifier.from_vkey(cosigner.verifier.vkey()) == cosigner.verifier


def test_policies_of_other_people():
    """Files of transparency-dev are read as meant, with keys of the kind the specification asks for.

    Their own keys are log keys, and one is used twice; both are refused by the specification as it is now.
    """
    cases = {
        case["name"]: case["policy"]
        for case in json.loads((VECTORS / "transparency-dev-formats" / "witness_policies.json").read_text())
    }
    with pytest.raises(PolicyRefused):
        parse_policy(cases["tidy"])

    def with_real_keys(text: str) -> str:
        text = re.sub(r"#comment", "", text)
        return re.sub(
            r"(witness\s+\S+\s+)\S+",
            lambda found: found[1] + Cosigner("w.example", Ed25519PrivateKey.generate()).verifier.vkey(),
            text,
        )

    met = {
        "tidy": (["w1", "w2"], ["w1"]),
        "whitespace and comments": (["w1", "w2"], ["w2"]),
        "group numerical": (["w1", "w4"], ["w3"]),
        "group all": (["w1", "w2", "w3"], ["w1", "w2"]),
        "group any": (["w1"], ["w2", "w3"]),
    }
    for name, (enough, too_few) in met.items():
        policy = parse_policy(with_real_keys(cases[name]))
        assert policy.is_met_by(enough), name
        assert not policy.is_met_by(too_few), name
        assert parse_policy(policy.text()) == policy
    with pytest.raises(PolicyRefused, match="threshold"):
        parse_policy(with_real_keys(cases["negative threshold"]))


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "quorum w1",
        "quorum none\nquorum none",
        "group g 1 w1\nquorum g",
        "log x",
        "what is this",
        "witness a",
    ],
)
def test_what_is_no_policy_is_refused(bad):
    """A file without its one quorum, with names nobody defined or with lines of no kind says nothing."""
    with pytest.raises(PolicyRefused):
        parse_policy(bad)


def test_a_changed_cosignature_spoils_the_note(cosigner):
    """A known witness's signature over another time or text is no cosignature, and the note no note."""
    text = "example.com/log\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
    line = cosigner.cosign(text, 1_700_000_000)
    assert list(cosignatures_of(text.encode() + b"\n" + line, [cosigner.verifier]).values()) == [
        1_700_000_000
    ]
    with pytest.raises(NoteRefused):
        cosignatures_of(text.replace("1", "2", 1).encode() + b"\n" + line, [cosigner.verifier])
    with pytest.raises(NoteRefused):
        with_cosignatures(text.replace("log", "gol").encode() + b"\n" + line, line, [cosigner.verifier])
