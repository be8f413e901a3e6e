"""Seven years of a log in a minute, with a turned clock: quarters, the root log, retention, erasure and holds."""

from datetime import UTC, datetime, timedelta

import pytest

from chassis import failpoints
from chassis.clock import TurnedClock
from chassis.envelope import Cause
from chassis.errors import Refusal
from chassis.identity import Caller
from services.audit import bootstrap, handlers
from services.audit.custody import deeds
from services.audit.domain.entry import SwapLost
from services.audit.domain.period import end_of, quarter_of
from services.audit.domain.retention import RetentionTooShort, require_years
from services.audit.domain.root_leaf import read_root_leaf
from services.audit.handlers import Search
from services.audit.publishing.mirror import Mirror
from services.audit.tlog.merkle import leaf_hash
from services.audit.tlog.proofs import verify_inclusion
from tests.audit_builders import MOMENT, Log, a_read, a_room, facts_of

OFFICER = Caller("officer-3", "compliance", "kindred", "HCOMPL")
CAUSE = Cause("cor_test")
YEAR = timedelta(days=365.25)


@pytest.fixture
def clock():
    """The moment of the builders' events."""
    return TurnedClock(MOMENT)


@pytest.fixture
def log(database, tmp_path, mongo_uri, mongo_client, clock):
    """A log whose clock is turned, with its publisher and pruning by the turn."""
    log = Log(a_room(database, tmp_path, mongo_uri, clock))
    log.clock = clock
    log.number = 0
    log.publisher = bootstrap.publisher(log.room)
    log.pruning = log.publisher._pruning
    log.mirror = log.publisher._mirror = log.pruning._mirror = Mirror(tmp_path / "mirror")
    yield log
    failpoints.enable("")
    mongo_client.drop_database(database.name + "_keys")


def _hear(log, people, clock=None) -> None:
    """A read of each person's record, now."""
    now = log.clock.now() - MOMENT
    heard = []
    for person in people:
        log.number += 1
        heard.append(facts_of(a_read(peer_id=person), producer_seq=log.number, after=now))
    assert log.record(heard) == len(heard)


def _publish(log) -> None:
    log.publisher._done_at.clear()
    log.publisher.turn()


def _places(log):
    return [place.name for place in log.room.sequencer.periods.places()]


def test_quarters_follow_each_other_as_logs(log):
    """A new quarter is a new log; the old one is closed, in the root log, and its entries are proven under it."""
    _hear(log, ["peer_a", "peer_b"])
    log.clock.turn(timedelta(days=60))
    _hear(log, ["peer_a"])
    log.clock.turn(timedelta(days=91))
    _hear(log, ["peer_c"])
    _publish(log)
    assert _places(log) == ["", "2027Q1", "2027Q2"]
    assert log.mirror.read("newest") == b"2027Q2"
    assert log.mirror.read("2027Q1/checkpoint").startswith(b"kindred.local/audit/2027Q1\n1\n")
    said = [read_root_leaf(leaf)[:3] for leaf in log.publisher._root_store.leaves(0, 2)]
    assert said == [("closed", "kindred.local/audit", 2), ("closed", "kindred.local/audit/2027Q1", 1)]
    hits = handlers.search(log.room, Search(), OFFICER, CAUSE).hits
    assert [hit.index for hit in hits] == [3, 2, 1, 0]
    assert [
        hit.index for hit in handlers.search(log.room, Search(peer_id="peer_a"), OFFICER, CAUSE).hits
    ] == [2, 0]
    for hit in hits:
        size, hashed, proof = handlers.prove_inclusion(log.room, hit.index, 0)
        store = log.room.store.log_of(hit.index)
        assert hashed == leaf_hash(hit.leaf)
        root = store.heads_now().published.root
        verify_inclusion(hit.index - store.place.first, size, hashed, proof, root)
    assert log.findings() == []


def test_a_closed_log_takes_nothing_more_from_anybody(log, database, tmp_path, mongo_uri):
    """A worker that slept through the turn of the quarter appends to the new log, and the old one stays as it was."""
    asleep = Log(a_room(database, tmp_path, mongo_uri, TurnedClock(log.clock.now())))
    asleep.clock, asleep.number = log.clock, 100
    _hear(log, ["peer_a"])
    asleep.record([facts_of(a_read(), producer="matching", producer_seq=1)])
    log.clock.turn(timedelta(days=60))
    _hear(log, ["peer_b"])
    asleep.record([facts_of(a_read(), producer="matching", producer_seq=2)])
    assert _places(log) == ["", "2027Q1"]
    assert log.room.store.log_of(0).heads_now().published.size == 2
    assert log.room.store.end == 4
    assert log.findings() == []


@pytest.mark.parametrize(
    "step", ["audit.after_stage", "audit.after_sign", "audit.after_swap", "audit.after_entries"]
)
def test_a_quarter_may_end_in_the_middle_of_a_broken_batch(log, step, database, tmp_path, mongo_uri):
    """What was staged before the quarter ended is finished in its log before that is closed; nothing twice."""
    _hear(log, ["peer_a"])
    failpoints.enable(f"{step}=raise@1")
    late = [facts_of(a_read(), producer_seq=2), facts_of(a_read(), producer_seq=3)]
    with pytest.raises(failpoints.FailpointRaised):
        log.record(late)
    failpoints.enable("")
    log.clock.turn(timedelta(days=60))
    second = Log(a_room(database, tmp_path, mongo_uri, log.clock))
    assert second.record([*late, facts_of(a_read(), producer_seq=4)]) == 1
    assert _places(log) == ["", "2027Q1"]
    assert log.room.store.log_of(0).heads_now().published.size == 3
    assert log.findings() == []


def test_two_workers_close_one_quarter(log, database, tmp_path, mongo_uri):
    """Both notice that the quarter is over: one log follows, whichever of them was quicker."""
    second = Log(a_room(database, tmp_path, mongo_uri, log.clock))
    _hear(log, ["peer_a"])
    second.record([facts_of(a_read(), producer="matching", producer_seq=1)])
    log.clock.turn(timedelta(days=60))
    assert log.room.sequencer.roll_over()
    second.record([facts_of(a_read(), producer="matching", producer_seq=2)])
    assert not second.room.sequencer.roll_over()
    assert _places(log) == ["", "2027Q1"]
    assert log.findings() == []


def test_seven_years(log):
    """Twenty-nine quarters: what is older than seven years is pruned unless held, and the rest is whole."""
    seen = []
    for _ in range(29):
        _hear(log, ["peer_a", "peer_old" if not seen else "peer_new"])
        _publish(log)
        seen.append(quarter_of(log.clock.now()))
        log.clock.turn(timedelta(days=91.4))
    _hear(log, ["peer_last"])
    assert len(_places(log)) == 30
    hold = deeds.place_hold(log.room, "peer_old", "case-7", OFFICER, CAUSE)
    log.clock.turn(timedelta(days=92))
    assert log.pruning.turn() == []
    deeds.release_hold(log.room, hold, "case-7-closed", OFFICER, CAUSE)
    log.room.inspection._search.follow(59)
    assert log.pruning.turn()[0] == "kindred.local/audit"
    pruned = set(log.room.sequencer.periods.pruned())
    assert pruned and all(
        end_of(name or seen[0]) + 7 * YEAR - timedelta(days=2) <= log.clock.now() for name in pruned
    )
    assert log.findings() == []
    assert log.room.store.rows.count_documents({}) == 2 * (29 - len(pruned)) + 1
    assert log.room.inspection._search.finds.count_documents({}) == 2 * (29 - len(pruned)) + 1
    assert log.room.store.tiles.count_documents({"_id": {"$regex": "^tile/"}}) == 0
    assert log.pruning.turn() == []
    kept = [hit.index for hit in handlers.search(log.room, Search(), OFFICER, CAUSE).hits]
    assert min(kept) == 2 * len(pruned)
    kinds = {read_root_leaf(leaf)[0] for leaf in log.publisher._root_store.leaves(0, 10_000)}
    assert {"closed", "pruned"} <= kinds


def test_a_period_that_somebody_else_deleted_is_missed(log, database):
    """Without its own leaf in the root log a period was not pruned but taken away."""
    _hear(log, ["peer_a"])
    log.clock.turn(timedelta(days=60))
    _hear(log, ["peer_b"])
    head = log.room.store.log_of(0).heads_now().published
    kept = {
        "of": "",
        "size": 1,
        "root": head.root,
        "checkpoint": head.checkpoint,
        "heard": {"intake": [[1, 1]]},
    }
    database["periods"].insert_one({"_id": "pruned/", "pruned_at": log.clock.now(), **kept})
    log.room.store.log_of(0).delete_all(1)
    assert log.codes() == {"period-missing"}
    database["periods"].update_one({"_id": "pruned/"}, {"$set": {"size": 0}})
    assert "pruned-period-changed" in log.codes()


def test_erasing_waits_for_the_law_and_then_takes_all_but_the_proof(log):
    """Six-year duty first: keys of younger quarters stay, are destroyed in their time, and every proof still holds."""
    _hear(log, ["peer_a", "peer_b"])
    assert log.room.sequencer.signed_beyond() == 0
    for deed in (deeds.erase, deeds.place_hold):
        for reason in ("req-0", "req-0"):  # asked twice: that it was asked for is no entry about somebody
            with pytest.raises(Refusal, match="no-such-person"):
                deed(log.room, "peer_misspelt", reason, OFFICER, CAUSE)
    first = deeds.erase(log.room, "peer_a", "req-1", OFFICER, CAUSE)
    assert (first.erased, first.kept) == ([], ["2026Q4"])
    assert first.last_due == datetime(2034, 1, 1, tzinfo=UTC)
    before = handlers.newest_checkpoint(log.room)
    assert len(handlers.search(log.room, Search(peer_id="peer_a"), OFFICER, CAUSE).hits) == 1
    log.clock.turn(7 * YEAR + timedelta(days=60))
    _hear(log, ["peer_a"])
    deeds.place_hold(log.room, "", "war", OFFICER, CAUSE)
    log.pruning.turn()
    assert len(handlers.search(log.room, Search(peer_id="peer_a"), OFFICER, CAUSE).hits) == 2
    with pytest.raises(Refusal, match="legal-hold"):
        deeds.erase(log.room, "peer_b", "req-2", OFFICER, CAUSE)
    (hold,) = deeds.holds(log.room, OFFICER, CAUSE)
    deeds.release_hold(log.room, hold.hold_id, "peace", OFFICER, CAUSE)
    log.room.inspection._search.follow(3)
    assert log.room.inspection._search.finds.count_documents({"s": {"$exists": True}}) == 3
    log.pruning._erase_what_is_due()
    assert log.room.inspection._search.finds.count_documents({"s": {"$exists": True}}) == 2
    (hit,) = handlers.search(log.room, Search(peer_id="peer_a"), OFFICER, CAUSE).hits
    assert hit.index == 2
    size, hashed, proof = handlers.prove_inclusion(log.room, 0, before.size)
    verify_inclusion(0, size, hashed, proof, before.root)
    report = log.room.inspection.check()
    assert (report.findings, report.erased) == ([], 1)
    shown = deeds.show_entry(log.room, 0, OFFICER, CAUSE)
    said = [row["id"] for doc in log.room.access.aggregates.collection.find() for row in doc["outbox"]]
    assert shown.hit.body is None and shown.erased_under in said


def test_a_stone_that_we_did_not_lay_is_no_erasure(log):
    """A key deleted by somebody else is missing, also where they write that it was erased."""
    _hear(log, ["peer_a"])
    ring = log.room.keyring
    (key_id,) = ring.periods_of(ring.mark_of("peer_a")).values()
    log.room.erasures._stones.insert_one(
        {"_id": key_id, "period": "2026Q4", "under": "evt_1", "seal": b"x" * 32}
    )
    ring.destroy([key_id])
    assert log.codes() == {"key-missing", "erasure-forged"}


def test_the_law_is_the_least(log):
    """No policy keeps entries for less than six years."""
    assert require_years(6) == 6
    with pytest.raises(RetentionTooShort):
        require_years(5)


def test_swaps_lost_for_ever_are_told():
    """The refusal that ends a fight for the head is of a kind that is retried."""
    assert SwapLost().kind.value == "unavailable"
