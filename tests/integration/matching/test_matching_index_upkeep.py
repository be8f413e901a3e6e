"""The index beside the store: seen by every process, rebuilt exactly, split by region, never waited for."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import ExitStack
from datetime import timedelta
from random import Random

import pytest

from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from services.matching import candidates, handlers, watching
from services.matching.domain.case import CLAIM
from services.matching.domain.policy import IMMEDIATE
from services.matching.domain.rules import question
from services.matching.domain.score import scale
from services.matching.domain.taking import Taking
from services.matching.store.roster import RosterStore
from tests.bus_driving import until
from tests.matching_room import CAUSE, a_room, a_row, a_submission, accept, decline, enroll, submit
from tests.unit.matching.matching_builders import a_need

NEWARK = "07102"


@pytest.fixture
def rooms(mongo_uri, database, clock, tmp_path):
    """As many processes on one database as are asked for, each with its own regions."""
    with ExitStack() as stack:

        def opened(*regions: str):
            folder = tmp_path / f"keys-{'-'.join(regions) or 'all'}"
            made = a_room(mongo_uri, database, clock, folder, KINDRED_REGIONS=",".join(regions))
            return stack.enter_context(made)

        yield opened


def _ranking(room, state="NY"):
    """Everything an index says about a few questions, and what is rare in a state."""
    told = []
    for urgency in ("immediate", "routine"):
        need = a_need(urgency=urgency, experience=("substance.opioids", "overdose"), languages=("en",))
        wave, now = room.policy.ladders[IMMEDIATE][1], room.clock.now()
        asked = question(need, wave, now, room.policy, frozenset())
        scaled = scale(need, wave, room.policy, room.index.rarity(state), room.taxonomy)
        told += [room.index.propose(asked, scaled, 50), room.index.exclusions(asked)]
    return told, +Counter(room.index.rarity(state).counts)


def test_what_one_process_stores_every_other_ranks_by_after_its_next_look(rooms):
    """A look takes place every second: whoever was imported, changed or filled up elsewhere is seen as they are."""
    here, there = rooms(), rooms("NY", "NJ", "elsewhere")
    enroll(here, [a_row("rosa"), a_row("sol", capacity="1")])
    assert there.roster_watch.refresh() == 2
    submit(here, a_submission("ref_1"))
    accept(here, here.cases.case("ref_1"), "sol")
    enroll(here, [a_row("rosa", time_off="2026-01-01..2026-12-31")])
    there.roster_watch.refresh()
    submit(there, a_submission("ref_2"))
    assert there.cases.case("ref_2").exclusions == {"off-shift": 1, "at-capacity": 1}


def test_an_index_that_lived_through_changes_is_the_one_built_from_the_store(rooms, clock):
    """After imports, answers, rests and departures nothing in it differs from one that was just read (P12)."""
    lived, dice = rooms(), Random(11)
    for turn in range(4):
        rows = [
            a_row(
                f"s{number}",
                capacity=str(dice.randint(0, 3)),
                attributes=dice.choice(["", "overdose:released", "substance.opioids:released"]),
                shifts=dice.choice(["always", "mon-fri 08:00-16:00"]),
                role="supervisor" if dice.random() < 0.1 else "specialist",
                limits=dice.choice(["", "urgency:routine"]),
            )
            for number in range(12)
        ]
        enroll(lived, rows)
        submit(lived, a_submission(f"ref_{turn}"))
        case = lived.cases.case(f"ref_{turn}")
        for offer in case.open_offers[:1]:
            (accept if dice.random() < 0.5 else decline)(lived, case, offer.specialist_id)
        clock.turn(timedelta(minutes=7))
    lived.roster_watch.refresh()
    fresh = rooms("NY", "elsewhere")
    fresh.roster_watch.refresh()
    assert _ranking(lived) == _ranking(fresh)


def test_a_process_holds_its_regions_and_ranks_their_referrals_exactly(rooms):
    """A process of one state has its specialists only, with the same rarity and order as one that has everybody."""
    whole, york, jersey = rooms(), rooms("NY"), rooms("NJ")
    both = "NY/any/any/2026-01-01/2026-12-31;NJ/any/any/2026-01-01/2026-12-31"
    enroll(whole, [a_row(f"ny{n}") for n in range(3)])
    enroll(
        whole,
        [a_row("nj", certifications="NJ/any/any/2026-01-01/2026-12-31"), a_row("b", certifications=both)],
    )
    for room in (whole, york, jersey):
        room.roster_watch.refresh()
    assert (len(whole.index), len(york.index), len(jersey.index)) == (5, 4, 2)
    assert _ranking(whole)[0] != _ranking(jersey)[0] and whole.index.rarity("NY") == york.index.rarity("NY")
    submit(jersey, a_submission("ref_ny"))
    assert jersey.cases.case("ref_ny").offers == ()
    assert handlers.advance_due(jersey, CAUSE) == 0
    assert handlers.advance_due(york, CAUSE) == 1
    assert york.cases.case("ref_ny").asked_ids == {"b", "ny0", "ny1"}
    submit(jersey, a_submission("ref_nj", facility_zip=NEWARK))
    assert jersey.cases.case("ref_nj").asked_ids == {"nj", "b"}
    enroll(york, [a_row("b")])
    jersey.roster_watch.refresh()
    assert jersey.index.rarity("NJ").roster_size == 1


def test_a_process_says_what_another_one_ranks(rooms):
    """Counts, places, plans and hands of a region it does not hold are refused or said to be elsewhere, never guessed."""
    york, jersey = rooms("NY", "elsewhere"), rooms("NJ")
    enroll(york, [a_row("rosa", shifts="mon 09:00-10:00"), a_row("wanda", role="supervisor")])
    submit(york, a_submission("ref_1"))
    enroll(york, [a_row("rosa")])
    need, lead = york.cases.case("ref_1").need, Caller("wanda", "coordinator", "bronx-peers")
    rosa, at = Caller("rosa", "specialist", "bronx-peers"), york.clock.now() + timedelta(minutes=9)
    chosen = handlers.ByHand("ref_1", "rosa", "h", at, "phone", "nobody-in-time", True)
    told = Taking(CLAIM, "c", at, "phone")
    assert handlers.capacity(york, need, 0).by_phone == 1
    for asked in (
        lambda: handlers.capacity(jersey, need, 0),
        lambda: handlers.assign_by_hand(jersey, chosen, lead, CAUSE),
        lambda: handlers.claim(jersey, "ref_1", told, rosa, CAUSE),
        lambda: candidates.best(jersey, york.cases.case("ref_1"), at, 3, frozenset()),
    ):
        with pytest.raises(Refusal) as refused:
            asked()
        assert (refused.value.code, refused.value.kind) == ("roster-not-here", Kind.UNAVAILABLE)
    seen = [handlers.pool(room, 50, rosa, CAUSE) for room in (york, jersey)]
    assert [(len(pool), pool.elsewhere) for pool in seen] == [(1, 0), (0, 1)]
    [left] = handlers.preview_backlog(jersey, [], lead, CAUSE).left_over
    assert (left.case.referral_id, left.reason_code) == ("ref_1", "held-elsewhere")
    plan = handlers.preview_backlog(york, [], lead, CAUSE)
    with pytest.raises(Refusal, match="roster-not-here"):
        handlers.apply_backlog(jersey, plan.plan_id, "a", lead, CAUSE)
    assert handlers.apply_backlog(york, plan.plan_id, "a", lead, CAUSE) == 1


def test_nobody_waits_for_a_large_roster_to_be_read(rooms, monkeypatch):
    """A referral that comes while a process still reads is stored at once and asked for when the roster is there."""
    room = rooms()
    enroll(room, [a_row("rosa")])
    monkeypatch.setattr(RosterStore, "count", lambda _: 1_000_000)
    monkeypatch.setattr(room.index, "reserve", lambda _: None)
    submit(room, a_submission("ref_1"))
    assert room.cases.case("ref_1").offers == () and not room.roster_watch.is_read
    assert handlers.advance_due(room, CAUSE) == 0
    room.roster_watch.refresh()  # what the timer does
    assert handlers.advance_due(room, CAUSE) == 1
    assert room.cases.case("ref_1").asked_ids == {"rosa"}


def test_the_keeper_reads_until_it_is_stopped(rooms):
    """Beside an api the index is read without anybody asking, and the thread ends when it is told to."""
    room = rooms()
    enroll(room, [a_row("rosa")])
    keeper = watching.RosterKeeper(room.roster_watch)
    thread = threading.Thread(target=keeper.run)
    thread.start()
    until("the roster is read", lambda: room.roster_watch.is_read and len(room.index) == 1)
    enroll(room, [a_row("sol")])
    until("the newcomer is seen", lambda: len(room.index) == 2)
    keeper.stop()
    thread.join(10)
    assert not thread.is_alive()
