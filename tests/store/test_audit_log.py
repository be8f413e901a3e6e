"""The log on a real database: what is recorded, once, in order, provable, and readable."""

import threading
from datetime import timedelta
from itertools import pairwise

import pytest

from chassis import failpoints
from chassis.envelope import Cause
from chassis.errors import Refusal
from chassis.identity import Caller
from services.audit import handlers
from services.audit.appending.sequencer import Sequencer
from services.audit.domain.entry import Batch, LogBroken
from services.audit.domain.leaf import MAX_BYTES
from services.audit.handlers import Search
from services.audit.tlog.checkpoints import open_checkpoint
from services.audit.tlog.merkle import CompactRange, leaf_hash
from services.audit.tlog.proofs import verify_consistency, verify_inclusion
from tests.audit_builders import Log, a_read, a_room, a_submission, facts_of, some_reads

OFFICER = Caller("officer-3", "compliance", "kindred", "HCOMPL")
CAUSE = Cause("cor_test")
STEPS = ["audit.after_stage", "audit.after_sign", "audit.after_swap", "audit.after_entries"]


@pytest.fixture
def log(database, tmp_path, mongo_uri, mongo_client):
    """An empty log."""
    yield Log(a_room(database, tmp_path, mongo_uri))
    failpoints.enable("")
    for suffix in ("_keys", "_signer"):
        mongo_client.drop_database(database.name + suffix)


@pytest.fixture
def second(log, database, tmp_path, mongo_uri):
    """A second worker on the same log."""
    return Log(a_room(database, tmp_path, mongo_uri))


def _search(log: Log, **criteria) -> list[handlers.Hit]:
    return handlers.search(log.room, Search(**criteria), OFFICER, CAUSE).hits


def test_every_event_is_one_entry_under_a_signed_checkpoint(log):
    """The leaves lead to the signed root, and each entry has a proof."""
    assert log.record(some_reads(700)) == 700
    head = handlers.newest_checkpoint(log.room)
    checkpoint = open_checkpoint(head.checkpoint, "kindred.local/audit", [log.room.verifier])
    tree = CompactRange()
    leaves = list(log.room.store.leaves(0, 700))
    for leaf in leaves:
        tree.append(leaf_hash(leaf))
    assert (checkpoint.size, checkpoint.root) == (700, tree.root())
    for index in (0, 255, 256, 511, 699):
        size, hashed, proof = handlers.prove_inclusion(log.room, index, 0)
        assert hashed == leaf_hash(leaves[index])
        verify_inclusion(index, size, hashed, proof, checkpoint.root)
    assert log.findings() == []


def test_growing_keeps_every_old_checkpoint_true(log):
    """Each checkpoint of a growing log is consistent with the next, whatever the sizes of the batches."""
    seen = []
    for number in (1, 1, 3, 250, 1, 2, 300, 1_500):
        log.record(some_reads(number, first=log.size + 1))
        seen.append(handlers.newest_checkpoint(log.room))
    for old, new in pairwise(seen):
        proof = handlers.prove_consistency(log.room, old.size, new.size)
        verify_consistency(old.size, new.size, old.root, new.root, proof)
    for old in seen:
        size, hashed, proof = handlers.prove_inclusion(log.room, old.size - 1, old.size)
        verify_inclusion(old.size - 1, size, hashed, proof, old.root)
    assert log.findings() == []


def test_an_event_that_comes_again_is_not_written_again(log):
    """However often and in whatever batches an event comes, it is one entry."""
    events = some_reads(50)
    assert log.record(events) == 50
    assert log.record(events[::-1]) == 0
    assert log.record([events[3], facts_of(a_submission(), producer_seq=51), events[7]]) == 1
    assert log.record([events[0]] * 3) == 0
    assert log.size == 51


def test_twice_in_one_batch_is_once(log):
    """A duplicate within a batch is one entry."""
    event = facts_of(a_read(), producer_seq=1)
    assert log.record([event, event]) == 1


def test_another_event_under_a_known_id_is_named(log):
    """Two different events with one id: the first stands, and every check names the id."""
    log.record([facts_of(a_read(), event_id="evt_1", producer_seq=1)])
    assert log.record([facts_of(a_read(actor_id="mallory"), event_id="evt_1", producer_seq=1)]) == 0
    assert log.findings() == [("event-id-reused", -1)]


def test_unknown_events_are_stored_and_flagged(log):
    """What this version cannot read is kept whole in the sealed body, and found by its flag."""
    log.record([facts_of(None, content=b"\x00\xffwhat?", producer_seq=1)])
    (hit,) = _search(log, event_type="weather.changed.v9")
    assert "unknown-type" in hit.body.flags
    assert hit.row["flags"] == ["unknown-type"]
    assert b"AP93aGF0Pw==" in hit.fhir_json
    assert hit.parsed.class_code.endswith("?")
    assert log.findings() == []


def test_odd_names_do_not_break_a_leaf(log):
    """An event id with a newline, or of 256 characters, is blinded in the leaf and still found and checked."""
    log.record(
        [
            facts_of(a_read(), event_id="evt\n1", producer_seq=1),
            facts_of(a_read(), event_id="é" * 256, producer="odd producer\n", producer_seq=1),
        ]
    )
    leaves = list(log.room.store.leaves(0, 2))
    assert all(leaf.count(b"\n") == 8 and len(leaf) <= MAX_BYTES for leaf in leaves)
    assert {hit.row["_id"] for hit in _search(log)} == {"evt\n1", "é" * 256}
    assert log.findings() == []


def test_search_by_each_criterion(log):
    """Every criterion finds its entries and nothing else, newest first."""
    log.record([*some_reads(30), facts_of(a_submission("peer_3"), producer_seq=31, after=timedelta(hours=1))])
    assert {hit.body.peer_id for hit in _search(log, peer_id="peer_3")} == {"peer_3"}
    assert len(_search(log, peer_id="peer_3")) == 4
    assert _search(log, peer_id="peer_nobody") == []
    assert len(_search(log, actor_id="nurse-1")) == 10
    assert len(_search(log, referral_id="ref_1")) == 31
    assert [hit.row["event_type"] for hit in _search(log, event_type="referral.submitted.v1")] == [
        "referral.submitted.v1"
    ]
    late = log.room.store.rows.find_one(sort=[("recorded_at", -1)])["recorded_at"]
    assert len(_search(log, recorded_from=late)) == 1
    assert len(_search(log, recorded_until=late)) == 30
    assert _search(log, actor_id="nurse-1", peer_id="peer_3", event_type="referral.submitted.v1") == []
    indexes = [hit.index for hit in _search(log)]
    assert indexes == sorted(indexes, reverse=True)


def test_a_hit_says_who_what_why_and_which_trace(log):
    """The opened entry carries actor, role, purpose, peer, referral and the trace of the request."""
    log.record([facts_of(a_read(), producer_seq=1)])
    (hit,) = _search(log)
    assert (hit.body.actor_id, hit.body.actor_role, hit.body.purpose_of_use) == ("nurse-17", "nurse", "TREAT")
    assert (hit.body.peer_id, hit.body.referral_id) == ("peer_rosa", "ref_1")
    assert hit.body.trace_id == "0af7651916cd43dd8448eb211c80319c"


def test_reading_the_log_is_an_event_before_the_answer(log):
    """Each search, reading of leaves and check leaves a record.read that names the criteria, not their values."""
    log.record(some_reads(3))
    _search(log, peer_id="peer_1", actor_id="nurse-1")
    list(handlers.read_leaves(log.room, 0, 0, OFFICER, CAUSE))
    handlers.check_log(log.room, OFFICER, CAUSE)
    said = [row for doc in log.room.access.aggregates.collection.find() for row in doc["outbox"]]
    assert [row["type"] for row in said] == ["record.read.v1"] * 3
    assert b"actor_id" in said[0]["data"] and b"nurse-1" not in said[0]["data"]


def test_a_search_that_cannot_be_recorded_gives_nothing(log, monkeypatch):
    """Where the reading cannot be made durable, there is no answer."""
    log.record(some_reads(3))

    def unable(*_, **__):
        raise ConnectionError

    monkeypatch.setattr(log.room.access.aggregates, "insert", unable)
    with pytest.raises(ConnectionError):
        _search(log)
    with pytest.raises(ConnectionError):
        next(handlers.read_leaves(log.room, 0, 0, OFFICER, CAUSE))


def test_nothing_readable_is_stored_of_the_person(log, mongo_client, database):
    """No document of the log or its keys holds the peer's or the referral's id in clear."""
    log.record(some_reads(20))
    for name in (database.name, f"{database.name}_keys", f"{database.name}_signer"):
        for collection in mongo_client[name].list_collection_names():
            for document in mongo_client[name][collection].find():
                assert "peer_" not in str(document) and "ref_1" not in str(document), collection


def test_without_its_key_an_entry_stays_provable_and_unreadable(log):
    """Destroying a subject's keys hides body and subject; leaf, proof and root stay as they were."""
    log.record(some_reads(20))
    (key_ids,) = {tuple(key.key_id for key in log.room.keyring.keys_of_subject("peer_3"))}
    log.room.keyring._collection.delete_many({"key_id": {"$in": list(key_ids)}})
    assert _search(log, peer_id="peer_3") == []
    blank = [hit for hit in _search(log) if hit.body is None]
    assert len(blank) == 2 and all(hit.fhir_json == b"" for hit in blank)
    root = handlers.newest_checkpoint(log.room).root
    for hit in blank:
        size, hashed, proof = handlers.prove_inclusion(log.room, hit.index, 0)
        assert hashed == leaf_hash(hit.leaf)
        verify_inclusion(hit.index, size, hashed, proof, root)


def test_gaps_of_a_producer_are_kept_and_named_until_they_fill(log):
    """A missing number is named by producer and range; when it comes late, the gap is gone."""
    reads = some_reads(10)
    log.record([*reads[:3], *reads[7:]])
    assert log.findings() == [("producer-gap", -1)]
    (finding,) = log.room.inspection.check().findings
    assert finding.detail == "intake 4-7"
    log.record(reads[3:7][::-1])
    assert log.findings() == []


def test_leaves_are_streamed_in_order_and_in_small_pieces(log):
    """The pieces follow each other and hold every leaf."""
    log.record(some_reads(2_500))
    at = 0
    for start, leaves in handlers.read_leaves(log.room, 0, 0, OFFICER, CAUSE):
        assert start == at and sum(map(len, leaves)) <= 256_000
        at += len(leaves)
    assert at == 2_500


@pytest.mark.parametrize("bad", [(5, 0), (-1, 3), (0, 99)])
def test_what_is_not_in_the_log_is_refused(log, bad):
    """Proofs and leaves outside the log are INVALID, with the log's size."""
    log.record(some_reads(5))
    with pytest.raises(Refusal) as refused:
        handlers.prove_inclusion(log.room, *bad)
    assert refused.value.code == "out-of-range"
    with pytest.raises(Refusal):
        handlers.prove_consistency(log.room, 0, 5)
    with pytest.raises(Refusal):
        list(handlers.read_leaves(log.room, 0, 6, OFFICER, CAUSE))


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("earlier", [0, 5, 300])
def test_a_batch_broken_off_at_any_step_is_finished_once(log, second, step, earlier):
    """Whatever step a worker dies at, the next one finishes the same batch, and redelivery adds nothing."""
    if earlier:
        log.record(some_reads(earlier))
    events = some_reads(600, first=earlier + 1)
    failpoints.enable(f"{step}=raise@1")
    with pytest.raises(failpoints.FailpointRaised):
        log.record(events)
    failpoints.enable("")
    before = second.size
    assert before in (earlier, earlier + 600)
    assert second.room.sequencer.recover() == earlier + 600
    assert second.record(events) == 0
    assert log.record(events) == 0
    assert log.size == earlier + 600
    assert log.findings() == []


@pytest.mark.parametrize("step", STEPS[:3])
def test_readers_see_only_what_is_published(log, step):
    """Until a batch is committed and written everywhere, a search and a checkpoint are those of before."""
    log.record(some_reads(5))
    failpoints.enable(f"{step}=raise@1")
    with pytest.raises(failpoints.FailpointRaised):
        log.record(some_reads(5, first=6))
    assert handlers.newest_checkpoint(log.room).size == 5
    assert len(_search(log)) == 5
    assert log.findings() == []


def test_two_workers_at_once_lose_nothing_and_write_nothing_twice(log, second, monkeypatch):
    """Two workers that hear overlapping events at the same time end in one whole log, and take turns at it."""
    published, publish = [], Sequencer._publish

    def noting(sequencer, growth, *rest):
        published.append(growth.batch.start)
        publish(sequencer, growth, *rest)

    monkeypatch.setattr(Sequencer, "_publish", noting)
    events = some_reads(1_200)
    pieces = [events[at : at + 60] for at in range(0, 1_200, 60)]
    trouble = []

    def hear(worker: Log, order: list) -> None:
        try:
            for piece in order:
                worker.record(piece)
        except Exception as exc:  # noqa: BLE001
            trouble.append(exc)

    threads = [
        threading.Thread(target=hear, args=(log, pieces)),
        threading.Thread(target=hear, args=(second, pieces[::-1])),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert trouble == []
    assert log.size == 1_200
    assert len(published) == len(set(published)), "a batch was finished by both"
    assert len(set(log.room.store.rows.distinct("_id"))) == 1_200
    assert log.findings() == []


def test_a_worker_with_an_old_head_cannot_fork_the_log(log, second):
    """A worker that slept through another's batches stages at an old index and is refused, then appends behind."""
    log.record(some_reads(5))
    second.record(some_reads(5, first=6))
    second.record(some_reads(5, first=11))
    assert log.record(some_reads(5, first=16)) == 5
    assert log.size == 20
    assert log.findings() == []


def test_a_staged_batch_that_was_edited_is_not_published(log, second):
    """Content that differs from what was signed is refused at replay, and nothing more is appended."""
    failpoints.enable("audit.after_swap=raise@1")
    with pytest.raises(failpoints.FailpointRaised):
        log.record(some_reads(5))
    failpoints.enable("")
    staged = log.room.store.staged.find_one({"_id": 0})
    staged["leaves"][2] = staged["leaves"][2].replace(b"R0", b"C0")
    log.room.store.staged.replace_one({"_id": 0}, staged)
    with pytest.raises(LogBroken, match="staged-batch-changed"):
        second.room.sequencer.recover()
    with pytest.raises(LogBroken):
        second.record(some_reads(5, first=6))


def test_a_rolled_back_log_is_not_continued(log, second):
    """After the log's database went back to an older state, the signer refuses and names why."""
    log.record(some_reads(5))
    old = log.room.store.heads.find_one({"_id": "head"})
    log.record(some_reads(5, first=6))
    log.room.store.heads.replace_one({"_id": "head"}, old)
    for collection, field in ((log.room.store.entries, "_id"), (log.room.store.rows, "index")):
        collection.delete_many({field: {"$gte": 5}})
    with pytest.raises(LogBroken, match="signer-remembers"):
        second.record(some_reads(1, first=11))
    assert "rolled-back" in log.codes()


def test_a_large_batch_is_staged_in_pieces(log):
    """Events with large unread content do not break the limit of one document."""
    import os

    events = [facts_of(None, content=os.urandom(60_000), producer_seq=each) for each in range(1, 301)]
    assert log.record(events) == 300
    assert log.findings() == []


def test_a_batch_holds_consecutive_entries():
    """A batch knows where it ends."""
    assert Batch(7, ()).end == 7


def test_searches_use_an_index(log):
    """No search of the log scans it."""
    log.record(some_reads(50))
    key = log.room.keyring.keys_of_subject("peer_1")[0]
    queries = [
        {"subject": key.blind_subject},
        {"referral": log.room.sealer.blind_referral("ref_1")},
        {"actor_id": "nurse-1"},
        {"event_type": "record.read.v1"},
        {"index": {"$lt": 50}},
    ]
    for query in queries:
        found = log.room.store.rows.find(query).sort([("recorded_at", -1), ("index", -1)]).limit(10)
        plan = str(found.explain()["queryPlanner"]["winningPlan"])
        assert "IXSCAN" in plan and "'SORT'" not in plan and "COLLSCAN" not in plan, (query, plan)
