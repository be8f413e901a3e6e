"""Signer and witness apart from the log: what they refuse, what they remember, and what is published through them."""

import random
import threading
from datetime import UTC, datetime, timedelta

import pytest

from chassis import failpoints
from chassis.clock import TurnedClock
from cli.local import keys
from services.audit import bootstrap
from services.audit.domain.entry import LogBroken
from services.audit.keepers.asking import RemoteSigner, RemoteWitness, WitnessAway, WitnessObjects
from services.audit.keepers.keeper import KeeperSettings, build_signer, build_witness, signer_route
from services.audit.keepers.remembered import RememberedNotes
from services.audit.keepers.signer import Signer, SignerAway
from services.audit.keepers.witness import WitnessRefused
from services.audit.publishing.mirror import Mirror
from services.audit.tlog.checkpoints import Checkpoint, parse_checkpoint
from services.audit.tlog.merkle import EMPTY_ROOT, CompactRange, leaf_hash, subtree_root
from services.audit.tlog.notes import NoteSigner, NoteVerifier, split_note
from services.audit.tlog.submissions import Submission
from services.audit.tlog.tiles import TiledTree, TilePlace, decode_bundle
from tests.audit_builders import Log, a_room, a_signer, a_witness, serving, settings_for, some_reads

ORIGIN = "kindred.local/audit"


def _tree(size: int, flavor: bytes = b"") -> tuple[Checkpoint, TiledTree]:
    from services.audit.tlog.tiles import Edge

    _, tiles = Edge().grow([leaf_hash(flavor + b"%d" % each) for each in range(size)])
    held = {tile.place: tile.content for tile in tiles}
    tree = TiledTree(size, held.get)
    return Checkpoint(ORIGIN, size, tree.root()), tree


@pytest.fixture(params=["here", "over HTTP"])
def signer(request, tmp_path):
    """The signer in this process and through its door: both keep the same promises."""
    folder = keys.create(tmp_path / "keys")
    settings = KeeperSettings(keys_dir=folder, state_dir=tmp_path / "kept")
    built, token = build_signer(settings)
    if request.param == "here":
        yield built
        return
    verifier = NoteVerifier.from_pem(ORIGIN, (folder / "audit.signer.pub.pem").read_bytes())
    with serving(signer_route(built, token)) as url:
        yield RemoteSigner(url, token, verifier)


def test_the_signer_signs_what_goes_on_and_nothing_else(signer):
    """Growing trees are signed; a smaller, a rewritten and an empty one with a root are refused by name."""
    assert signer.last(ORIGIN) is None
    signer.sign(Checkpoint(ORIGIN, 0, EMPTY_ROOT), lambda _: [])
    for size in (1, 5, 300):
        checkpoint, tree = _tree(size)
        assert signer.sign(checkpoint, tree.prove_consistency) == signer.sign(
            checkpoint, tree.prove_consistency
        )
        assert signer.last(ORIGIN) == checkpoint
    for size, flavor, code in (
        (299, b"", "signer-remembers-a-larger-log"),
        (300, b"x", "signer-remembers-another-root"),
        (301, b"x", "signer-remembers-another-history"),
    ):
        lie, tree = _tree(size, flavor)
        with pytest.raises(LogBroken, match=code):
            signer.sign(lie, tree.prove_consistency)
    assert signer.last(ORIGIN) == _tree(300)[0]


def test_a_signer_without_memory_takes_only_what_its_own_key_signed(signer, tmp_path):
    """After its folder was lost it goes on from the log's signed head, and from nothing else."""
    five, tree5 = _tree(5)
    nine, tree9 = _tree(9)
    with pytest.raises(LogBroken, match="signer-remembers-nothing"):
        signer.sign(five, tree5.prove_consistency)
    key = NoteSigner.from_pem(ORIGIN, (tmp_path / "keys" / "audit.signer.pem").read_bytes())
    head = key.sign(five.text())
    forged = NoteSigner(
        ORIGIN, NoteSigner.from_pem(ORIGIN, (tmp_path / "keys" / "witness.pem").read_bytes())._private_key
    )
    with pytest.raises(LogBroken, match="signer-memory-changed"):
        signer.sign(nine, tree9.prove_consistency, forged.sign(five.text()))
    assert signer.sign(nine, tree9.prove_consistency, head)
    assert signer.last(ORIGIN) == nine


def test_only_who_has_the_token_is_signed_for(tmp_path):
    """A caller from the same network without the token is told nothing and signed nothing."""
    folder = keys.create(tmp_path / "keys")
    built, token = build_signer(KeeperSettings(keys_dir=folder, state_dir=tmp_path / "kept"))
    verifier = NoteVerifier.from_pem(ORIGIN, (folder / "audit.signer.pub.pem").read_bytes())
    with serving(signer_route(built, token)) as url:
        stranger = RemoteSigner(url, "0" * 64, verifier)
        for ask in (lambda: stranger.last(ORIGIN), lambda: stranger.sign(*_signing(0))):
            with pytest.raises(SignerAway, match="401"):
                ask()
    with pytest.raises(SignerAway):
        RemoteSigner(url, token, verifier).last(ORIGIN)


def _signing(size: int):
    checkpoint, tree = _tree(size) if size else (Checkpoint(ORIGIN, 0, EMPTY_ROOT), None)
    return checkpoint, tree.prove_consistency if tree else lambda _: []


def test_a_memory_somebody_wrote_into_is_named(signer, tmp_path):
    """A signer whose remembered note is not its own signs nothing."""
    signer.sign(Checkpoint(ORIGIN, 0, EMPTY_ROOT), lambda _: [])
    (note,) = (tmp_path / "kept").glob("*.note")
    note.write_bytes(note.read_bytes().replace(b"\n0\n", b"\n7\n"))
    with pytest.raises(LogBroken):
        signer.sign(*_signing(8))


def test_many_at_once_get_one_history_cosigned(tmp_path):
    """Checkpoints of two histories race at one witness: everything it cosigned is one line of growth."""
    folder = keys.create(tmp_path / "keys")
    witness = build_witness(KeeperSettings(keys_dir=folder, state_dir=tmp_path / "kept"))
    key = NoteSigner.from_pem(ORIGIN, (folder / "audit.signer.pem").read_bytes())
    cosigned: list[tuple[int, bytes]] = []
    trees = {flavor: [_tree(size, flavor) for size in range(1, 30)] for flavor in (b"", b"other")}

    def submit(flavor: bytes, seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(60):
            checkpoint, tree = dice.choice(trees[flavor])
            old = dice.randrange(0, checkpoint.size + 1)
            proof = tree.prove_consistency(old) if 0 < old < checkpoint.size else []
            try:
                witness.add_checkpoint(Submission(old, proof, key.sign(checkpoint.text())).encode())
                cosigned.append((checkpoint.size, checkpoint.root))
            except WitnessRefused as refused:
                assert refused.status in (409, 422)

    threads = [
        threading.Thread(target=submit, args=(flavor, seed))
        for seed in range(4)
        for flavor in (b"", b"other")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    roots = dict(cosigned)
    assert len(cosigned) > 1 and all(roots[size] == root for size, root in cosigned)
    winner = next(
        flavor for flavor, found in trees.items() if found[min(roots) - 1][0].root == roots[min(roots)]
    )
    assert all(trees[winner][size - 1][0].root == root for size, root in roots.items())


def test_a_witness_that_was_restarted_remembers(tmp_path):
    """A new process on the same folder refuses what the old one would have refused."""
    folder = keys.create(tmp_path / "keys")
    settings = KeeperSettings(keys_dir=folder, state_dir=tmp_path / "kept")
    key = NoteSigner.from_pem(ORIGIN, (folder / "audit.signer.pem").read_bytes())
    checkpoint, _ = _tree(9)
    build_witness(settings).add_checkpoint(Submission(0, [], key.sign(checkpoint.text())).encode())
    lie, tree = _tree(12, b"other")
    again = build_witness(settings)
    with pytest.raises(WitnessRefused, match="409 9"):
        again.add_checkpoint(Submission(0, [], key.sign(lie.text())).encode())
    with pytest.raises(WitnessRefused, match="422"):
        again.add_checkpoint(Submission(9, tree.prove_consistency(9), key.sign(lie.text())).encode())


# -- the publisher, on a real database


@pytest.fixture
def witnessed(database, tmp_path, mongo_uri, mongo_client):
    """A log with a witness, and its publisher by the turn."""
    folder = keys.create(tmp_path)
    with a_witness(folder) as url:
        log = Log(a_room(database, folder, mongo_uri))
        log.url = url
        log.publisher = bootstrap.publisher(log.room)
        log.publisher._mirror = log.mirror = Mirror(tmp_path / "mirror")
        yield log
    failpoints.enable("")
    mongo_client.drop_database(database.name + "_keys")


def test_what_is_published_is_cosigned_and_mirrored(witnessed, tmp_path):
    """After a turn the newest checkpoint carries the witness's signature, and the files alone rebuild the root."""
    witnessed.record(some_reads(600))
    witnessed.publisher.turn()
    witnessed.record(some_reads(100, first=601))
    witnessed.publisher.turn()
    head, _ = witnessed.room.store.cosigned()
    assert witnessed.room.policy.check(head.checkpoint, ORIGIN)[0].size == 700
    folder = tmp_path / "mirror"
    assert (folder / "checkpoint").read_bytes() == head.checkpoint
    leaves = [
        leaf
        for number, width in ((0, 256), (1, 256), (2, 188))
        for leaf in decode_bundle(
            (folder / f"tile/entries/{number:03d}{'' if width == 256 else f'.p/{width}'}").read_bytes()
        )
    ]
    tree = CompactRange()
    for leaf in leaves:
        tree.append(leaf_hash(leaf))
    assert (len(leaves), tree.root()) == (700, head.root)
    full = (folder / TilePlace(0, 0, 256).path()).read_bytes()
    assert (
        subtree_root([full[at : at + 32] for at in range(0, len(full), 32)])
        == (folder / "tile/1/000.p/2").read_bytes()[:32]
    )
    assert list(witnessed.mirror.compare(witnessed.room.store, 700)) == []
    assert witnessed.findings() == []


def test_the_root_log_commits_to_the_log_and_is_cosigned_too(witnessed):
    """A turn later the root log holds the log's checkpoint as a leaf, under a cosigned checkpoint of its own."""
    witnessed.record(some_reads(5))
    witnessed.publisher.turn()
    witnessed.publisher.turn()
    root = witnessed.publisher._root_store
    (leaf,) = root.leaves(0, 1)
    assert leaf.startswith(b"kindred-audit-root/1\nseen\nkindred.local/audit\n5\n")
    cosigned, _ = root.cosigned()
    assert parse_checkpoint(split_note(cosigned.checkpoint)[0]).origin == f"{ORIGIN}/root"
    assert witnessed.room.policy.cosigned_by(cosigned.checkpoint)
    assert witnessed.findings() == []


def test_an_idle_log_is_cosigned_anew_each_minute(witnessed):
    """The heartbeat: the same checkpoint with a later time, and no new one before the minute is over."""
    clock = TurnedClock(datetime.now(UTC))
    witnessed.publisher._clock = clock
    witnessed.record(some_reads(5))
    witnessed.publisher.turn()
    _, first = witnessed.room.store.cosigned()
    clock.turn(timedelta(seconds=59))
    witnessed.publisher.turn()
    assert witnessed.room.store.cosigned()[1] == first
    clock.turn(timedelta(seconds=2))
    witnessed.publisher.turn()
    assert witnessed.room.store.cosigned()[1] == first + timedelta(seconds=61)


def test_without_the_witness_nothing_is_published_as_cosigned(witnessed, monkeypatch):
    """While the policy's witness is away the old cosigned checkpoint stays, and entries are still taken."""
    witnessed.record(some_reads(5))
    witnessed.publisher.turn()

    def away(*_):
        raise WitnessAway("gone")

    monkeypatch.setattr(RemoteWitness, "cosign", away)
    assert witnessed.record(some_reads(5, first=6)) == 5
    witnessed.publisher.turn()
    assert witnessed.room.store.cosigned()[0].size == 5
    assert witnessed.codes() == {"witness-unreachable"}


def test_whoever_restores_everything_of_ours_is_convicted_by_the_witness(witnessed, database, tmp_path):
    """Database and signer put back together to the same older state: the witness remembers more."""
    witnessed.record(some_reads(5))
    names = ("entries", "rows", "tiles", "heads", "producers")
    earlier = {name: list(database[name].find()) for name in names}
    (kept,) = [
        path for path in (tmp_path / "signer-state").glob("*.note") if b"/root" not in path.read_bytes()
    ]
    memory = kept.read_bytes()
    witnessed.record(some_reads(5, first=6))
    witnessed.publisher.turn()
    for name, documents in earlier.items():
        database[name].delete_many({})
        database[name].insert_many(documents)
    kept.write_bytes(memory)
    assert "rolled-back" in witnessed.codes()
    head = witnessed.room.store.heads_now().published
    with pytest.raises(WitnessObjects, match="rolled-back"):
        RemoteWitness(witnessed.url).cosign(head.checkpoint, Checkpoint(ORIGIN, 5, head.root), lambda _: [])


def test_the_signer_away_means_waiting_not_losing(database, tmp_path, mongo_uri, mongo_client):
    """While the signer is away nothing is acknowledged; back again, the same batch goes in once."""
    folder = keys.create(tmp_path)
    settings = settings_for(database, folder, mongo_uri)
    built: Signer = a_signer(settings)
    token = (folder / "audit.signer.token").read_text()
    with serving(signer_route(built, token)) as url:
        verifier = NoteVerifier.from_pem(ORIGIN, (folder / "audit.signer.pub.pem").read_bytes())
        remote = RemoteSigner(url, token, verifier)
        room = bootstrap.build_writing_room(settings, remote)
        bootstrap.prepare(room)
        log = Log(room)
        log.record(some_reads(3))
        port, remote._url = url, "http://127.0.0.1:1"
        late = some_reads(3, first=4)
        with pytest.raises(SignerAway):
            log.record(late)
        remote._url = port
        assert log.room.sequencer.recover() == 6
        assert log.record(late) == 0
        assert log.findings() == []
    mongo_client.drop_database(database.name + "_keys")


def test_workers_that_ask_one_signer_in_turn_need_no_tile_of_before(
    database, tmp_path, mongo_uri, mongo_client
):
    """Each remembers what the signer signed for it, which is old when its turn comes again, tiles further on."""
    folder = keys.create(tmp_path / "keys")
    settings = settings_for(database, folder, mongo_uri)
    signer = a_signer(settings)
    token = (folder / "audit.signer.token").read_text().strip()
    with serving(signer_route(signer, token)) as url:
        verifier = NoteVerifier.from_pem(ORIGIN, (folder / "audit.signer.pub.pem").read_bytes())
        workers = []
        for _ in range(2):
            room = bootstrap.build_writing_room(settings, RemoteSigner(url, token, verifier))
            bootstrap.prepare(room)
            workers.append(Log(room))
        for turn in range(6):
            assert workers[turn % 2].record(some_reads(300, first=1 + 300 * turn)) == 300
        assert workers[0].size == 1_800 and workers[0].findings() == []
    mongo_client.drop_database(database.name + "_keys")


def test_notes_are_whole_or_the_old_ones(tmp_path):
    """Two writers take turns, and what is read is always a note that was kept."""
    memory = RememberedNotes(tmp_path)
    with memory.turn():
        memory.keep("a/b", b"one")
        memory.keep("a", b"two")
    assert (memory.last("a/b"), memory.last("a"), memory.last("c")) == (b"one", b"two", None)
    assert sorted(memory.notes()) == [b"one", b"two"]
