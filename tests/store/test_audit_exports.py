"""Exports that strangers verify: alone, offline, against what they saw before, and the evidence of a fork."""

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from chassis.envelope import Cause
from chassis.identity import Caller
from cli.local import keys
from services.audit import bootstrap, offline
from services.audit.custody import deeds
from services.audit.handlers import Search
from services.audit.offline import export as verifier
from services.audit.tlog.proof_files import decode_proof_file
from tests.audit_builders import Log, a_room, a_witness, some_reads

OFFICER = Caller("officer-3", "compliance", "kindred", "HCOMPL")
CAUSE = Cause("cor_test")


@pytest.fixture
def log(database, tmp_path, mongo_uri, mongo_client):
    """A witnessed log of 300 entries."""
    folder = keys.create(tmp_path / "keys")
    with a_witness(folder):
        log = Log(a_room(database, folder, mongo_uri))
        log.publisher = bootstrap.publisher(log.room)
        log.record(some_reads(300))
        log.publisher.turn()
        log.publisher.turn()
        yield log
    mongo_client.drop_database(database.name + "_keys")


def _export(log, path: Path, numbers=(0, 0), known=(), **criteria) -> Path:
    pieces = deeds.export(log.room, Search(**criteria), numbers, known, caller=OFFICER, cause=CAUSE)
    path.write_bytes(b"".join(pieces))
    return path


def _changed(path: Path, name: str, change) -> Path:
    """The export with one of its files changed."""
    with zipfile.ZipFile(path) as archive:
        files = {each: archive.read(each) for each in archive.namelist()}
    files[name] = change(files.get(name, b""))
    other = path.with_name("changed.zip")
    with zipfile.ZipFile(other, "w") as archive:
        for each, content in files.items():
            archive.writestr(each, content)
    return other


def _entries(content: bytes) -> list[dict]:
    return [json.loads(line) for line in content.splitlines()]


def _packed(entries: list[dict]) -> bytes:
    return b"".join(json.dumps(entry).encode() + b"\n" for entry in entries)


def test_a_stranger_verifies_it_with_one_file(log, tmp_path):
    """Without our code on the path: the verifier from the export says what is proven, and the zip runs by itself."""
    path = _export(log, tmp_path / "export.zip", peer_id="peer_3")
    with zipfile.ZipFile(path) as archive:
        (tmp_path / "verify.py").write_bytes(archive.read("verify.py"))
        assert archive.read("verify.py").decode() == offline.program()
    clean = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    for command in (["verify.py", "export.zip"], ["export.zip"], ["export.zip", "--remember", "seen"]):
        done = subprocess.run(
            [sys.executable, "-I", *command],
            cwd=tmp_path,
            env=clean,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "proven: 30 entries" in done.stdout and "cosigned by: ours at 20" in done.stdout


def test_an_export_from_before_files_were_named_still_verifies(log, tmp_path, capsys):
    """What it proved it proves; that its README may say anything is said."""
    path = _export(log, tmp_path / "export.zip", peer_id="peer_3")
    older = _changed(path, "manifest.json", lambda c: json.dumps(_without_files(json.loads(c))).encode())
    assert verifier.main([str(older)]) == 0
    told = capsys.readouterr().out
    assert "proven: 30 entries" in told and "not proven by this file: what its README.txt says" in told


def _without_files(manifest: dict) -> dict:
    return {name: value for name, value in manifest.items() if name != "files"}


def test_a_wrong_call_is_told_apart_from_what_is_not_proven(log, tmp_path, capsys):
    """No file, no such file or policy, no zip file: usage and 2, because nothing was looked at."""
    (tmp_path / "noise.zip").write_bytes(b"noise")
    missing = str(tmp_path / "missing")
    for wrong in ([], [missing], [str(tmp_path / "noise.zip"), "--policy", missing]):
        with pytest.raises(SystemExit) as ended:
            verifier.main(wrong)
        assert ended.value.code == 2 and "usage" in capsys.readouterr().err
    for content in (b"noise", b"PK\x03\x04 and no more"):  # no proof failed: nothing was looked at
        (tmp_path / "noise.zip").write_bytes(content)
        with pytest.raises(SystemExit) as ended:
            verifier.main([str(tmp_path / "noise.zip")])
        assert ended.value.code == 2 and "nothing was looked at" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("entries.ndjson", lambda c: c.replace(b"nurse-0", b"nurse-9", 1), "says something else"),
        ("entries.ndjson", lambda c: _packed(_entries(c)[1:]), "holds 29"),
        (
            "entries.ndjson",
            lambda c: _packed([_entries(c)[0] | {"leaf": _entries(c)[1]["leaf"]}, *_entries(c)[1:]]),
            "is not in the log",
        ),
        (
            "entries.ndjson",
            lambda c: _packed([_entries(c)[0] | {"index": 7}, *_entries(c)[1:]]),
            "is not in the log",
        ),
        ("logs/0/checkpoint", lambda c: c.replace(b"\n300\n", b"\n301\n"), "signature"),
        ("logs/0/checkpoint", lambda c: b"\n".join(c.split(b"\n")[:-2]) + b"\n", "cosignatures"),
        ("logs/root/checkpoint", lambda c: c.replace(b"/root\n1\n", b"/root\n2\n"), "signature"),
        ("policy", lambda c: c.replace(b"log kindred", b"log wundred"), "malformed key"),
        ("manifest.json", lambda c: b"{}", "no export"),
        (
            "README.txt",
            lambda c: c + b"Nothing else is needed.",
            "README.txt is not the file that was exported",
        ),
        ("extra.txt", lambda c: c + b"Look here.", "extra.txt is not the file that was exported"),
    ],
)
def test_what_was_changed_in_an_export_is_not_proven(log, tmp_path, capsys, name, change, says):
    """A body, a leaf, a place, a checkpoint, a policy: each is missed by the verifier in words."""
    path = _export(log, tmp_path / "export.zip", peer_id="peer_3")
    assert verifier.main([str(path)]) == 0
    assert verifier.main([str(_changed(path, name, change))]) == 1
    assert says in capsys.readouterr().out


def test_nothing_found_is_an_answer_too(log, tmp_path, capsys):
    """An export about somebody unknown holds no entry, and says under which checkpoint there was none."""
    path = _export(log, tmp_path / "none.zip", peer_id="peer_nobody")
    assert verifier.main([str(path)]) == 0
    told = capsys.readouterr().out
    assert "300 entries, root" in told and "NOTHING WAS FOUND" in told
    assert "asked for: peer_id peer_nobody" in told and "proven: 0" not in told


def test_a_range_is_known_to_be_whole(log, tmp_path, capsys):
    """Entries by number without a gap are all there are between the two numbers."""
    path = _export(log, tmp_path / "range.zip", numbers=(10, 20))
    assert verifier.main([str(path)]) == 0
    assert "all entries from number 10 to 19" in capsys.readouterr().out


def test_a_stranger_remembers_and_asks_for_the_connection(log, tmp_path, capsys):
    """A later export with the known size connects; without it the verifier asks for it, and believes nothing."""
    memory = tmp_path / "seen"
    assert verifier.main([str(_export(log, tmp_path / "a.zip")), "--remember", str(memory)]) == 0
    log.record(some_reads(50, first=301))
    log.publisher.turn()
    assert verifier.main([str(_export(log, tmp_path / "b.zip")), "--remember", str(memory)]) == 1
    assert "--known 300" in capsys.readouterr().out
    later = _export(log, tmp_path / "c.zip", known=(300,))
    policy = tmp_path / "keys" / "audit.policy"
    # The root log was seen as well; it has not grown, so it needs no connection.
    assert verifier.main([str(later), "--remember", str(memory), "--policy", str(policy)]) == 0
    assert verifier.main([str(tmp_path / "a.zip"), str(later)]) == 0


@pytest.fixture
def forked(log, tmp_path, mongo_client, database, mongo_uri):
    """The same keys, another history: whoever has every private key shows somebody else another log."""
    for name in ("signer-state", "witness-state"):
        (tmp_path / "keys" / name).rename(tmp_path / name)
    other = mongo_client[f"{database.name}_other"]
    fork = Log(a_room(other, tmp_path / "keys", mongo_uri))
    fork.publisher = bootstrap.publisher(fork.room)
    fork.record([*some_reads(10), *some_reads(290, producer="matching")])
    fork.publisher.turn()
    yield fork
    for suffix in ("", "_keys"):
        mongo_client.drop_database(other.name + suffix)


def test_a_fork_convicts_itself(log, forked, tmp_path, capsys):
    """Two exports of two histories under everybody's keys: the verifier prints both signed notes and ends with 3."""
    mine, theirs = _export(log, tmp_path / "mine.zip"), _export(forked, tmp_path / "theirs.zip")
    assert verifier.main([str(mine)]) == verifier.main([str(theirs)]) == 0
    capsys.readouterr()
    assert verifier.main([str(mine), str(theirs)]) == 3
    told = capsys.readouterr().out
    assert told.startswith("TWO HISTORIES: one log, one size, two roots")
    notes = [part.strip("\n") + "\n" for part in told.split("-----")[1:3]]
    for note in notes:
        assert log.room.policy.check(note.encode(), "kindred.local/audit")[0].size == 300
    assert notes[0] != notes[1]


def test_a_fork_is_seen_by_whoever_remembers(log, forked, tmp_path, capsys):
    """Somebody who verified once and is shown the other history gets the evidence."""
    memory = tmp_path / "seen"
    assert verifier.main([str(_export(log, tmp_path / "mine.zip")), "--remember", str(memory)]) == 0
    assert verifier.main([str(_export(forked, tmp_path / "x.zip")), "--remember", str(memory)]) == 3
    forked.record(some_reads(20, first=11))
    forked.publisher.turn()
    assert "TWO HISTORIES" in capsys.readouterr().out
    longer = _export(forked, tmp_path / "y.zip", known=(300,))
    assert verifier.main([str(longer), "--remember", str(memory)]) == 3
    assert "does not connect what it signed" in capsys.readouterr().out


def test_two_exports_of_other_sizes_convict_by_an_entry(log, forked, tmp_path, capsys):
    """Where the sizes differ, one entry that is two entries is the evidence."""
    forked.record(some_reads(20, first=11))
    forked.publisher.turn()
    mine, theirs = _export(log, tmp_path / "mine.zip"), _export(forked, tmp_path / "theirs.zip")
    assert verifier.main([str(mine), str(theirs)]) == 3
    assert "is two entries" in capsys.readouterr().out


def test_one_entry_with_its_proof_is_a_tlog_proof(log):
    """What `show` gives verifies by itself: index, hashes, cosigned checkpoint, policy."""
    shown = deeds.show_entry(log.room, 42, OFFICER, CAUSE)
    proof = decode_proof_file(shown.proof)
    assert proof.index == 42 and proof.encode() == shown.proof
    checkpoint = verifier.Checkpoint(proof.checkpoint, verifier.Policy(shown.policy))
    hashed = verifier.leaf_hash(shown.hit.leaf)
    assert verifier.root_of_inclusion(42, checkpoint.size, hashed, proof.hashes) == checkpoint.root


def test_what_the_witness_has_not_seen_is_not_exported(log, tmp_path):
    """Entries newer than the cosigned checkpoint wait for the next export."""
    log.record(some_reads(20, first=301))
    content = _export(log, tmp_path / "e.zip").read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert json.loads(archive.read("manifest.json"))["count"] == 300
