"""Plays the database administrator: every change of the stored log is found by a check, and named for what it is."""

import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.audit import handlers
from services.audit.appending.sequencer import Sequencer
from services.audit.domain.entry import LogBroken, SealedEntry
from services.audit.domain.leaf import parse_leaf
from services.audit.keepers.remembered import RememberedNotes
from services.audit.keepers.signer import Signer
from services.audit.store.entries import Store
from services.audit.tlog.merkle import leaf_hash
from services.audit.tlog.notes import NoteSigner
from services.audit.tlog.tiles import Edge, encode_bundle
from tests.audit_builders import Log, a_room, some_reads

SIZE = 700
ORIGIN = "kindred.local/audit"
RAW = CodecOptions(document_class=RawBSONDocument)


@dataclass(frozen=True)
class Written:
    """A log that was written once, and how its databases and its folder of keys looked then."""

    database: Any
    folder: Path
    before: dict[tuple[str, str], list[bytes]]

    def mend(self) -> None:
        """Every collection is as it was; what was not touched is only read."""
        client = self.database.client
        now = _documents(self.database)
        for place in now.keys() | self.before.keys():
            collection = client[place[0]][place[1]]
            if place not in self.before:
                collection.drop()
            elif now.get(place) != self.before[place]:
                collection.delete_many({})
                collection.insert_many([RawBSONDocument(each) for each in self.before[place]])


def _documents(database: Any) -> dict[tuple[str, str], list[bytes]]:
    """Every document of the log's database and of its keys', in an order that is always the same."""
    found = {}
    for name in (database.name, f"{database.name}_keys"):
        for collection in database.client[name].list_collection_names():
            raw = database.client[name].get_collection(collection, codec_options=RAW).find()
            found[name, collection] = sorted(each.raw for each in raw)
    return {place: documents for place, documents in found.items() if documents}


@pytest.fixture(scope="module")
def written(mongo_client, mongo_uri, tmp_path_factory):
    """A whole log of 700 entries: two full leaf tiles, one partial one, one tile above."""
    database = mongo_client[f"kindred_test_{secrets.token_hex(6)}"]
    folder = tmp_path_factory.mktemp("written")
    log = Log(a_room(database, folder, mongo_uri))
    log.record(some_reads(600))
    log.record(some_reads(100, first=601))
    assert log.findings() == []
    log.room.database.client.close()
    yield Written(database, folder, _documents(database))
    for suffix in ("", "_keys", "_signer"):
        mongo_client.drop_database(database.name + suffix)


@pytest.fixture
def database(written):
    """The database of the log."""
    return written.database


@pytest.fixture
def log(written, tmp_path, mongo_uri):
    """The log as it was written, whatever the test before has done to it."""
    shutil.copytree(written.folder, tmp_path, dirs_exist_ok=True)
    log = Log(a_room(written.database, tmp_path, mongo_uri))
    yield log
    log.room.database.client.close()
    written.mend()


def _flip(content: bytes, at: int = 50) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def _edit(collection, query: dict, field: str, change) -> None:
    document = collection.find_one(query)
    assert document is not None
    assert collection.update_one(query, {"$set": {field: change(document[field])}}).modified_count == 1


@pytest.mark.parametrize("index", [0, 255, 256, 511, 512, 699])
def test_a_flipped_bit_in_a_leaf_is_located(log, index):
    """One bit of one leaf: the check names the entry and that the root no longer follows."""
    _edit(log.room.store.entries, {"_id": index}, "leaf", _flip)
    found = log.findings()
    assert ("leaf-changed", index) in found
    assert ("root-mismatch", -1) in found
    assert not any(code == "tile-changed" for code, _ in found)


@pytest.mark.parametrize("index", [0, 300, 699])
def test_a_flipped_bit_in_a_body_is_located(log, index):
    """One bit of a sealed body: the check names the entry, and nothing else."""
    _edit(log.room.store.entries, {"_id": index}, "body", _flip)
    assert log.findings() == [("body-changed", index)]


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("actor_id", lambda was: "nobody"),
        ("event_type", lambda was: "offer.made.v1"),
        ("outcome", lambda was: "8"),
        ("producer", lambda was: "matching"),
        ("producer_seq", lambda was: was + 1),
        ("recorded_at", lambda was: was.replace(year=2025)),
        ("subject", _flip_last := lambda was: was[:-1] + bytes([was[-1] ^ 1])),
        ("referral", _flip_last),
        ("fingerprint", _flip_last),
    ],
)
def test_an_edited_index_row_is_located(log, field, change):
    """An index row that says something else than its sealed entry is named by its entry."""
    _edit(log.room.store.rows, {"index": 300}, field, change)
    assert ("index-row-changed", 300) in log.findings()


def test_a_fact_hidden_from_the_index_is_found(log):
    """A row without its subject, so that a search for the person misses it, is named."""
    log.room.store.rows.update_one({"index": 300}, {"$unset": {"subject": ""}})
    assert log.findings() == [("index-row-changed", 300)]


@pytest.mark.parametrize("path", ["tile/0/000", "tile/0/001", "tile/0/002.p/188", "tile/1/000.p/2"])
@pytest.mark.parametrize("at", [0, 60])
def test_a_flipped_bit_in_a_tile_is_named(log, path, at):
    """One bit of a tile of hashes: the tile is named, and no leaf is blamed."""
    _edit(log.room.store.tiles, {"_id": path}, "content", lambda was: _flip(was, at))
    found = log.room.inspection.check().findings
    assert {each.code for each in found} == {"tile-changed"}
    assert any(path in each.detail for each in found)


@pytest.mark.parametrize("path", ["tile/0/000", "tile/0/001"])
@pytest.mark.parametrize("lie", [lambda was: _flip(was, 60), lambda was: b"", lambda was: 7])
def test_an_edited_middle_of_a_tile_is_named_and_believed_by_nobody(log, path, lie):
    """What is kept beside a tile to prove faster: either check names it, and proofs are what they were."""
    wanted = handlers.prove_inclusion(log.room, 300, 0)
    _edit(log.room.store.tiles, {"_id": path}, "middle", lie)
    for with_bodies in (True, False):
        found = log.room.inspection.check(with_bodies=with_bodies).findings
        assert [(each.code, each.detail) for each in found] == [("tile-middle-changed", path)]
    fresh = Store(log.room.database)
    assert fresh.tree(wanted[0], wanted[0]).prove_inclusion(300) == list(wanted[2])


def test_a_flipped_bit_in_a_bundle_is_named(log):
    """One bit of an entry bundle."""
    _edit(log.room.store.tiles, {"_id": "tile/entries/001"}, "content", _flip)
    assert log.findings() == [("bundle-changed", -1)]


@pytest.mark.parametrize("which", ["", "published."])
@pytest.mark.parametrize(
    ("field", "change", "code"),
    [
        ("root", _flip_last, "head-changed"),
        ("checkpoint", lambda was: _flip(was, len(was) - 10), "signature-bad"),
        ("checkpoint", lambda was: was.replace(b"\n700\n", b"\n701\n"), "signature-bad"),
    ],
)
def test_an_edited_head_is_named(log, which, field, change, code):
    """A head that is not what its checkpoint says, or a checkpoint our key did not sign."""
    document = log.room.store.heads.find_one({"_id": "head"})
    was = document["published"][field] if which else document[field]
    log.room.store.heads.update_one({"_id": "head"}, {"$set": {which + field: change(was)}})
    assert code in log.codes()


def test_a_head_with_another_size_is_named(log):
    """A head that claims fewer entries than its checkpoint."""
    log.room.store.heads.update_one({"_id": "head"}, {"$set": {"published.size": 600, "size": 600}})
    assert "head-changed" in log.codes()


@pytest.mark.parametrize("index", [0, 256, 699])
def test_a_deleted_entry_is_located(log, index):
    """A missing entry is named, and its index row with it."""
    log.room.store.entries.delete_one({"_id": index})
    found = log.findings()
    assert ("leaf-missing", index) in found and ("root-mismatch", -1) in found


def test_a_deleted_index_row_is_located(log):
    """An entry that no search can find is named; its producer's numbers no longer agree either."""
    log.room.store.rows.delete_one({"index": 300})
    assert log.findings() == [("index-row-missing", 300), ("producer-state-changed", -1)]


def test_an_invented_index_row_is_found(log):
    """A row for an entry that is not there, or for none at all."""
    row = log.room.store.rows.find_one({"index": 300})
    log.room.store.rows.insert_one(row | {"_id": "evt_invented", "index": 5_000})
    log.room.store.rows.insert_one(row | {"_id": "evt_other", "index": "x"})
    assert log.findings() == [("index-row-extra", 5_000), ("index-row-extra", -1)]


def test_an_index_between_two_entries_is_found(log):
    """A fraction is no index; the check names it and goes on."""
    log.room.store.rows.insert_one(
        log.room.store.rows.find_one({"index": 300}) | {"_id": "evt_half", "index": 300.5}
    )
    log.room.store.entries.insert_one(log.room.store.entries.find_one({"_id": 300}) | {"_id": 300.5})
    assert log.findings() == [("leaf-extra", -1), ("index-row-extra", -1)]


def test_an_oddity_of_another_form_is_found(log):
    """A note that lost its parts is named, and keeps no other finding from being told."""
    log.room.store.oddities.insert_one({"_id": "x"})
    assert log.findings() == [("oddity-changed", -1)]


def test_a_row_pointed_at_another_entry_is_found(log):
    """Two rows that changed places are both named."""
    rows = log.room.store.rows
    one, two = (rows.find_one({"index": index})["_id"] for index in (300, 301))
    rows.update_one({"_id": one}, {"$set": {"index": -1}})
    rows.update_one({"_id": two}, {"$set": {"index": 300}})
    rows.update_one({"_id": one}, {"$set": {"index": 301}})
    assert log.findings() == [("index-row-changed", 300), ("index-row-changed", 301)]


def test_swapped_entries_are_found(log):
    """Two entries that changed places are both named."""
    entries = log.room.store.entries
    one, two = entries.find_one({"_id": 10}), entries.find_one({"_id": 600})
    entries.replace_one({"_id": 10}, {key: two[key] for key in ("leaf", "body", "key_id")})
    entries.replace_one({"_id": 600}, {key: one[key] for key in ("leaf", "body", "key_id")})
    assert {("leaf-changed", 10), ("leaf-changed", 600), ("root-mismatch", -1)} <= set(log.findings())


def test_swapped_bodies_are_found(log):
    """A body under another entry's leaf."""
    entries = log.room.store.entries
    one, two = entries.find_one({"_id": 10})["body"], entries.find_one({"_id": 11})["body"]
    entries.update_one({"_id": 10}, {"$set": {"body": two}})
    entries.update_one({"_id": 11}, {"$set": {"body": one}})
    assert log.findings() == [("body-changed", 10), ("body-changed", 11)]


def test_a_truncated_log_is_found(log):
    """The last entries, their rows and everything above them cut off: every missing entry is named."""
    log.room.store.entries.delete_many({"_id": {"$gte": 650}})
    log.room.store.rows.delete_many({"index": {"$gte": 650}})
    found = log.findings()
    assert {("leaf-missing", index) for index in range(650, 700)} <= set(found)


def test_an_entry_beyond_the_head_is_found(log):
    """An entry slipped in behind the head."""
    entry = log.room.store.entries.find_one({"_id": 699})
    log.room.store.entries.insert_one(entry | {"_id": 700})
    assert log.findings() == [("leaf-extra", 700)]


def test_a_missing_tile_is_named(log):
    """Tiles of hashes and bundles are missed when they are gone."""
    log.room.store.tiles.delete_one({"_id": "tile/0/001"})
    log.room.store.tiles.delete_one({"_id": "tile/entries/000"})
    log.room.store.tiles.delete_one({"_id": "tile/1/000.p/2"})
    found = [(each.code, each.detail) for each in log.room.inspection.check().findings]
    assert ("tile-missing", "tile/0/001") in found
    assert ("bundle-missing", "tile/entries/000") in found
    assert ("tile-missing", "tile/1/000.p/2") in found


def test_a_whole_earlier_state_is_a_rollback(log, database):
    """A perfectly consistent older state of the log's database is found by what the signer remembers."""
    earlier = {
        name: list(getattr(log.room.store, name).find()) for name in ("entries", "rows", "tiles", "heads")
    }
    sequences = list(log.room.store.sequences.collection.find())
    log.record(some_reads(50, first=701))
    for name, documents in {**earlier, "producers": sequences}.items():
        database[name].delete_many({})
        database[name].insert_many(documents)
    assert log.findings() == [("rolled-back", -1)]
    assert log.room.sequencer.signed_beyond() == 50


def test_a_wiped_log_is_missed(log, database):
    """An empty database in the place of a log is not an empty log."""
    for name in ("entries", "rows", "tiles", "heads", "producers"):
        database[name].delete_many({})
    assert log.findings() == [("log-missing", -1)]


def _rewrite(log, database, key: NoteSigner, memory: RememberedNotes) -> None:
    """Everything written anew from entry 300 on: a consistent tree over a leaf that lies."""
    store = Store(database.client[f"{database.name}_forged"])
    store.ensure_indexes()
    sequencer = Sequencer(store, Signer(memory, key), key.verifier, ORIGIN)
    batch = log.room.store
    entries = [batch.entries.find_one({"_id": index}) for index in range(SIZE)]
    rows = {row["index"]: row for row in batch.rows.find()}
    forged = []
    for index in [*range(300), *range(301, SIZE)]:  # entry 300 never happened
        row = {name: value for name, value in rows[index].items() if name not in ("_id", "index")}
        entry = entries[index]
        forged.append(SealedEntry(rows[index]["_id"], entry["leaf"], entry["body"], entry["key_id"], row))
    sequencer.append(forged)
    for name in ("entries", "rows", "tiles", "heads"):
        target, source = getattr(log.room.store, name), getattr(store, name)
        target.delete_many({})
        target.insert_many(list(source.find()))
    database.client.drop_database(f"{database.name}_forged")


def test_a_fresh_tree_signed_by_another_key_is_found(log, database, tmp_path):
    """Everything rewritten consistently without one entry, and signed by a key of the attacker's own."""
    stranger = NoteSigner(ORIGIN, Ed25519PrivateKey.generate())
    memory = RememberedNotes(tmp_path / "forged")
    _rewrite(log, database, stranger, memory)
    assert "signature-bad" in log.codes()


def test_a_fresh_tree_signed_by_the_stolen_key_is_found_by_the_signers_memory(log, database, tmp_path):
    """Even with our key, a rewritten history is not the one the signer remembers."""
    ours = NoteSigner.from_pem(ORIGIN, (tmp_path / "audit.signer.pem").read_bytes())
    memory = RememberedNotes(tmp_path / "forged")
    _rewrite(log, database, ours, memory)
    found = log.codes()
    assert "rolled-back" in found or "history-rewritten" in found
    assert "signature-bad" not in found


def test_a_leaf_rewritten_with_its_tiles_and_bundle_is_found(log):
    """An attacker who repairs tiles and bundles after editing a leaf still cannot reach the signed root."""
    store = log.room.store
    leaf = store.entries.find_one({"_id": 300})["leaf"]
    lie = leaf.replace(
        b"\n%s\n" % parse_leaf(leaf).class_code.encode(), b"\nC0\n"
    )  # its line, not a digest's letters
    store.entries.update_one({"_id": 300}, {"$set": {"leaf": lie}})
    leaves = list(store.leaves(0, SIZE))
    _, tiles = Edge().grow([leaf_hash(each) for each in leaves])
    for tile in tiles:
        middle = {"middle": tile.middle} if tile.middle else {}
        store.tiles.update_one({"_id": tile.place.path()}, {"$set": {"content": tile.content} | middle})
    store.tiles.update_one({"_id": "tile/entries/001"}, {"$set": {"content": encode_bundle(leaves[256:512])}})
    assert log.codes() == {"root-mismatch"}


def test_edited_sequences_of_a_producer_are_found(log):
    """A gap that was papered over, and numbers that were taken away."""
    log.record(some_reads(5, first=710))
    log.room.store.sequences.collection.update_one({"_id": "intake"}, {"$set": {"heard": [[1, 714]]}})
    assert "producer-state-changed" in log.codes()
    log.room.store.sequences.collection.update_one({"_id": "intake"}, {"$set": {"heard": "all of them"}})
    assert "producer-state-changed" in log.codes()
    log.room.store.sequences.collection.delete_many({})
    assert "producer-state-changed" in log.codes()


def test_an_exchanged_key_does_not_open_an_entry(log):
    """A data key put in the place of another one opens nothing, and the entry says so."""
    keys = log.room.keyring._collection
    entry = log.room.store.entries.find_one({"_id": 0})
    keys.update_one({"key_id": entry["key_id"]}, {"$set": {"key_id": secrets.token_bytes(16)}})
    assert "key-missing" in log.codes()


@pytest.mark.parametrize("field", ["leaf", "body", "key_id"])
@pytest.mark.parametrize("value", [None, 7, "text"])
def test_an_entry_of_another_form_is_no_entry(log, field, value):
    """Nonsense in the place of bytes does not stop the check: the entry is missing."""
    log.room.store.entries.update_one({"_id": 300}, {"$set": {field: value}})
    assert ("leaf-missing", 300) in log.findings()


def test_a_row_of_another_form_is_found(log):
    """A row with numbers for names, or nothing but its index, is not the entry's row."""
    log.room.store.rows.update_one({"index": 300}, {"$set": {"producer": 7, "actor_id": None}})
    log.room.store.rows.delete_one({"index": 301})
    log.room.store.rows.insert_one({"_id": 5, "index": 301})
    assert {("index-row-changed", 300), ("index-row-changed", 301)} <= set(log.findings())


@pytest.mark.parametrize(
    "change", [{"$unset": {"root": ""}}, {"$set": {"published": 7}}, {"$set": {"size": "x"}}]
)
def test_a_head_of_another_form_is_found(log, change):
    """A head that lost its parts is named, and nothing is appended to it."""
    log.room.store.heads.update_one({"_id": "head"}, change)
    assert log.findings() == [("head-malformed", -1)]
    again = Sequencer(log.room.store, log.room.signer, log.room.verifier, ORIGIN)
    with pytest.raises(LogBroken):
        again.recover()


def test_a_tile_of_another_form_is_found(log):
    """Something else in the place of a tile."""
    log.room.store.tiles.update_one({"_id": "tile/0/001"}, {"$set": {"content": "x"}})
    assert log.codes() == {"tile-missing"}


def test_a_damaged_key_is_found(log):
    """A wrapped data key with one flipped bit opens nothing; the check goes on and says so."""
    entry = log.room.store.entries.find_one({"_id": 300})
    _edit(log.room.keyring._collection, {"key_id": entry["key_id"]}, "wrapped", lambda was: _flip(was, 20))
    assert ("key-missing", 300) in log.findings()


def test_the_check_says_nothing_about_a_whole_log(log):
    """The same log, untouched, has no finding: the checks above can tell the difference."""
    report = log.room.inspection.check()
    assert (report.findings, report.tree_size, report.entries_checked) == ([], SIZE, SIZE)
    assert report.producers == {"intake": ((1, SIZE),)}
