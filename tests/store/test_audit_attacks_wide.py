"""Plays the administrator of everything: every field of every collection, outboxes, files, signer and witness."""

import secrets
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chassis.clock import TurnedClock
from cli import monitoring
from cli.local import keys
from cli.verify import NotVerified
from services.audit import bootstrap
from services.audit.appending.periodic_log import PeriodicLog
from services.audit.checks.reconciliation import Reconciliation
from services.audit.domain.entry import LogBroken
from services.audit.keepers.remembered import RememberedNotes
from services.audit.keepers.signer import Signer
from services.audit.publishing.mirror import Mirror
from services.audit.store.entries import Store
from services.audit.tlog.notes import NoteSigner
from services.audit.tlog.tiles import TILE_WIDTH
from tests.audit_builders import MOMENT, Log, a_read, a_room, a_witness, facts_of, some_reads

ORIGIN = "kindred.local/audit"
# What is kept for a search, a metric or the next worker and proves nothing: editing it changes no answer about the past.
HARMLESS = {
    ("heads", "quarter"),
    ("heads", "cosigned_at"),
    ("producers", "version"),
    ("staged", "is_end"),
    ("root_heads", "quarter"),
    ("root_heads", "cosigned_at"),
    ("root_rows", "fingerprint"),
    ("root_rows", "producer"),
    ("root_rows", "producer_seq"),
    ("root_entries", "body"),
    ("root_entries", "key_id"),
    ("periods", "turn"),
}
ROOT_KEPT = ("root_entries", "root_rows", "root_tiles", "root_heads")
KEPT = ("entries", "rows", "finds", "tiles", "heads", "producers", "periods", *ROOT_KEPT)


@pytest.fixture
def log(database, tmp_path, mongo_uri, mongo_client):
    """A witnessed, mirrored log of two quarters."""
    folder = keys.create(tmp_path / "keys")
    clock = TurnedClock(MOMENT)
    with a_witness(folder) as url:
        log = Log(a_room(database, folder, mongo_uri, clock))
        log.url, log.clock = url, clock
        log.publisher = bootstrap.publisher(log.room)
        log.mirror = log.publisher._mirror = Mirror(tmp_path / "mirror")
        log.record(some_reads(300))
        _publish(log)
        clock.turn(timedelta(days=60))
        log.record([facts_of(a_read(), producer="intake", producer_seq=301, after=timedelta(days=60))])
        _publish(log)
        _publish(log)
        log.room.inspection._search.follow(301)
        assert log.findings() == []
        yield log
    mongo_client.drop_database(database.name + "_keys")


def _publish(log) -> None:
    log.publisher._done_at.clear()
    log.publisher._committed_at = None
    log.publisher.turn()


def _another(value):
    """A value of the same kind that is not the same."""
    if isinstance(value, bytes):
        return bytes([value[0] ^ 1]) + value[1:] if value else b"x"
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 10_000
    if isinstance(value, str):
        return f"{value}x"
    if isinstance(value, datetime):
        return value + timedelta(days=400)
    if isinstance(value, dict):
        return value | {name: _another(each) for name, each in list(value.items())[:1]}
    return [] if value else [[1, 1]]


def test_any_field_of_any_collection(log, database, mongo_client):
    """One value changed anywhere in the log, the root log or the keys is found; what is not is listed, and why."""
    unseen = []
    places = [database[name] for name in KEPT]
    places.append(mongo_client[f"{database.name}_keys"]["data_keys"])
    tried = 0
    for collection in places:
        found = list(collection.find())
        assert found, collection.name
        # Of what there is much of, one of the first quarter; of the rest both quarters', or the newest.
        for document in [found[len(found) // 2]] if len(found) > 20 else found[-2:]:
            for field, value in document.items():
                if field == "_id" or (collection.name, field) in HARMLESS:
                    continue
                tried += 1
                collection.update_one({"_id": document["_id"]}, {"$set": {field: _another(value)}})
                if not log.codes():
                    unseen.append((collection.name, field))
                collection.replace_one({"_id": document["_id"]}, document)
    assert unseen == []
    assert tried > 35
    assert log.findings() == []


def test_any_document_of_any_collection(log, database, mongo_client):
    """One document deleted anywhere is missed, and named."""
    places = [database[name] for name in KEPT]
    places.append(mongo_client[f"{database.name}_keys"]["data_keys"])
    for collection in places:
        everything = list(collection.find())
        found = [each for each in everything if ".p/" not in str(each["_id"])] or everything
        document = found[len(found) // 2] if found is not everything else everything[-1]
        collection.delete_one({"_id": document["_id"]})
        assert log.codes(), (collection.name, document["_id"])
        collection.insert_one(document)
    assert log.findings() == []


def test_search_rows_for_entries_that_never_were(log, database):
    """Rows of the search that stand for no entry of the log, behind its end or of another kind, are named."""
    row = database["finds"].find_one({})
    database["finds"].insert_many([row | {"_id": 10_000}, row | {"_id": "row"}])
    assert sorted(log.findings()) == [("search-row-extra", -1), ("search-row-extra", 10_000)]


def test_a_quarter_taken_away_whole_is_missed(log, database):
    """Everything of the first log deleted, as if there had only ever been the second."""
    first = log.room.store.log_of(0)
    first.delete_all(300)
    database["heads"].delete_one({"_id": "head"})
    assert {"log-missing", "history-rewritten"} <= log.codes()


def test_a_rewritten_quarter_with_every_key_of_ours_is_convicted(
    log, database, tmp_path, mongo_uri, mongo_client
):
    """Key and memory of the signer stolen, a quarter rewritten consistently and signed: the root log remains."""
    settings = log.room.settings
    stolen = NoteSigner.from_pem(ORIGIN, (settings.keys_dir / "audit.signer.pem").read_bytes())
    forged = Signer(RememberedNotes(tmp_path / "forged"), stolen)
    other = mongo_client[f"{database.name}_forged"]
    fake = PeriodicLog(other, forged, log.room.verifier, ORIGIN, TurnedClock(MOMENT))
    fake.append(log.room.sealer.seal(some_reads(300)))
    for name in ("entries", "rows", "tiles", "heads"):
        ids = {"_id": {"$in": [each["_id"] for each in other[name].find({}, {"_id": 1})]}}
        database[name].delete_many(ids if name != "rows" else {"index": {"$lt": 300}})
        database[name].insert_many(list(other[name].find()))
    # The signer's memory is replaced too: nothing of ours remembers.
    for path in (settings.keys_dir / "signer-state").glob("*.note"):
        path.unlink()
    log.room.signer._memory = RememberedNotes(tmp_path / "forged")
    mongo_client.drop_database(other.name)
    assert "history-rewritten" in log.codes()


def test_an_event_that_was_stored_and_never_sent_is_found(log, database, mongo_client):
    """A producer's outbox row, or the end of its outbox, that never reached the log; and an entry it never said."""
    other = mongo_client[f"{database.name}_intake"]
    rows = list(log.room.store.rows.find().sort("index", 1))
    old = datetime(2026, 11, 1, tzinfo=UTC)

    def event(row, **more):
        return {"_id": row["_id"], "seq": row["producer_seq"], "time": old, "aggregate_id": "ref_1",
                "aggregate_seq": row["producer_seq"], "state": "published"} | more  # fmt: skip

    other["outbox"].insert_many([event(row) for row in rows])
    other["outbox_numbers"].insert_one({"_id": "intake", "seq": 301})
    other["referrals"].insert_one({"_id": "ref_1", "event_seq": 301, "outbox": []})
    check = Reconciliation(database, {"intake": other.name}, log.room.clock)
    try:
        assert list(check.findings()) == []
        other["outbox"].insert_one({**event(rows[0]), "_id": "evt_hidden", "seq": 302, "aggregate_seq": 301})
        assert [each.detail for each in check.findings()] == ["intake 302 evt_hidden"]
        other["outbox"].delete_one({"_id": "evt_hidden"})
        other["outbox_numbers"].update_one({"_id": "intake"}, {"$set": {"seq": 304}})
        (found,) = check.findings()
        assert (found.code, found.detail) == (
            "event-not-in-log",
            "intake 302-304, deleted before it was sent",
        )
        other["outbox_numbers"].update_one({"_id": "intake"}, {"$set": {"seq": 301}})
        other["outbox"].delete_one({"_id": rows[200]["_id"]})
        assert [(each.code, each.index) for each in check.findings()] == [("entry-without-event", 200)]
        other["outbox"].insert_one(event(rows[200]))
        other["referrals"].update_one({"_id": "ref_1"}, {"$set": {"event_seq": 303}})
        assert [each.code for each in check.findings()] == ["state-without-event"]
    finally:
        mongo_client.drop_database(other.name)


def test_a_file_of_the_mirror_that_was_changed_is_named(log, tmp_path):
    """A tile or bundle on the disk that is not the database's; and the publisher does not write over it."""
    path = tmp_path / "mirror" / "tile" / "0" / "000"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    bundle = tmp_path / "mirror" / "tile" / "entries" / "000"
    bundle.unlink()
    first = Store(log.room.database)
    assert sorted(log.mirror.compare(first, 300)) == ["tile/0/000", "tile/entries/000"]
    log.room.inspection._mirror = log.mirror
    assert log.findings() == [("mirror-differs", -1)] * 2
    head = log.room.store.log_of(0).cosigned()[0]
    (tmp_path / "mirror" / "checkpoint").unlink()
    with pytest.raises(LogBroken, match="mirror-differs"):
        log.mirror.write(first, head)


@pytest.fixture
def watching(log, tmp_path):
    """A monitor from outside that reads the mirror and has looked once."""
    policy = monitoring.read_policy((log.room.settings.keys_dir / "audit.policy").read_text())
    monitor = monitoring.Monitor("x:", policy, tmp_path / "seen")

    def fetch(path: str) -> bytes:
        content = log.mirror.read(path)
        if content is None:
            raise NotVerified("tile-missing", path)
        return content

    monitor._fetch = fetch
    first = monitor.look()
    assert (first.size, first.compared_with, first.grown_by) == (
        300,
        "nothing yet: this is the first look",
        None,
    )
    return monitor


def _swap(path, old: bytes, new: bytes) -> None:
    path.write_bytes(path.read_bytes().replace(old, new))


@pytest.mark.parametrize(
    ("attack", "code"),
    [
        (lambda folder: _swap(folder / "checkpoint", b"\n300\n", b"\n301\n"), "signature-bad"),
        (lambda folder: _drop_last_line(folder / "checkpoint"), "cosignatures-missing"),
        (lambda folder: (folder / "root" / "checkpoint").replace(folder / "checkpoint"), "note-unsigned"),
        (lambda folder: (folder / "checkpoint").unlink(), "log-missing"),
    ],
)
def test_the_monitor_names_what_is_wrong_with_a_checkpoint(watching, tmp_path, attack, code):
    """Edited, stripped of its cosignature, another log's, or gone: each has its name."""
    assert watching.look().compared_with == "the 300 entries seen before"
    attack(tmp_path / "mirror")
    with pytest.raises(NotVerified) as wrong:
        watching.look()
    assert wrong.value.code == code


def _drop_last_line(path) -> None:
    path.write_bytes(b"".join(line + b"\n" for line in path.read_bytes().split(b"\n")[:-2]))


def test_the_monitor_keeps_the_evidence_of_another_history(
    watching, log, tmp_path, database, mongo_uri, mongo_client
):
    """Everybody who signs colludes and shows the monitor a rewritten log: it prints both signed notes."""
    folder = log.room.settings.keys_dir
    for name in ("signer-state", "witness-state"):
        (folder / name).rename(tmp_path / name)
    other = mongo_client[f"{database.name}_other"]
    fork = Log(a_room(other, folder, mongo_uri, TurnedClock(datetime.now(UTC))))
    publisher = bootstrap.publisher(fork.room)
    mirror = publisher._mirror = Mirror(tmp_path / "other-mirror")
    fork.record(some_reads(320, producer="matching"))
    publisher.turn()
    watching._fetch = lambda path: mirror.read(path) or b""
    with pytest.raises(NotVerified) as wrong:
        watching.look()
    assert wrong.value.code == "history-rewritten"
    assert wrong.value.detail.count(ORIGIN + "\n") == 2
    for suffix in ("", "_keys"):
        mongo_client.drop_database(other.name + suffix)


def test_the_monitor_sees_a_rollback_a_stale_log_and_a_bad_tile(watching, log, tmp_path, monkeypatch):
    """An older checkpoint than the one seen; one whose cosignature is old; a tile that its parent does not know."""
    folder = tmp_path / "mirror"
    kept = watching._kept.read_bytes()
    older = NoteSigner.from_pem(ORIGIN, (log.room.settings.keys_dir / "audit.signer.pem").read_bytes())
    tree_of_1 = f"{ORIGIN}\n1\n{'A' * 43}=\n"
    monkeypatch.setattr(monitoring, "_cosigned", lambda *_: {})
    good = (folder / "checkpoint").read_bytes()
    (folder / "checkpoint").write_bytes(older.sign(tree_of_1))
    with pytest.raises(NotVerified, match="rolled-back"):
        watching.look()
    (folder / "checkpoint").write_bytes(good)
    monkeypatch.setattr(monitoring, "_cosigned", lambda *_: {"ours": 1_000_000})
    with pytest.raises(NotVerified, match="stale"):
        watching.look()
    monkeypatch.setattr(monitoring, "_cosigned", lambda *_: {})
    watching._kept.unlink()
    tile = folder / "tile/0/000"
    tile.write_bytes(tile.read_bytes()[: 31 * 32] + secrets.token_bytes(32) + tile.read_bytes()[32 * 32 :])
    assert len(tile.read_bytes()) == TILE_WIDTH * 32
    with pytest.raises(NotVerified, match="tile-changed"):
        watching.look()
    assert kept


def test_a_checkpoint_of_another_key_is_no_checkpoint(watching, tmp_path):
    """Signed by the attacker's own key under the log's name."""
    stranger = NoteSigner(ORIGIN, Ed25519PrivateKey.generate())
    (tmp_path / "mirror" / "checkpoint").write_bytes(stranger.sign(f"{ORIGIN}\n400\n{'A' * 43}=\n"))
    with pytest.raises(NotVerified, match="note-unsigned"):
        watching.look()


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("tile/entries/000", "bundle-or-tile-changed"),
        ("tile/0/000", "bundle-or-tile-changed"),
        ("tile/1/000.p/1", "tile-changed"),
        ("tile/0/001.p/44", "tile-changed"),
    ],
)
def test_the_fast_check_sees_the_tree(log, database, path, code):
    """Without looking at bodies: a changed tile or bundle is named, and a whole log has no finding."""

    def codes() -> set[str]:
        return {each.code for each in log.room.inspection.check(with_bodies=False).findings}

    assert codes() == set()
    content = database["tiles"].find_one({"_id": path})["content"]
    database["tiles"].update_one(
        {"_id": path}, {"$set": {"content": content[:-1] + bytes([content[-1] ^ 1])}}
    )
    assert code in codes()
    database["tiles"].delete_one({"_id": path})
    assert codes() & {"tile-missing", "bundle-missing"}
