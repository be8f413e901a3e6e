"""A backlog as a whole, ladders of programmes, capacity without identity, and sixty-four accepts over four processes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from datetime import timedelta

import pytest

from chassis.errors import Refusal
from chassis.identity import Caller
from kindred.intake.v1 import events_pb2
from kindred.matching.v1 import coordination_pb2 as pb
from services.matching import handlers
from services.matching.coordinating import messages
from services.matching.domain.ladders import Steps
from services.matching.handlers import NewLadder
from tests.matching_room import (
    CAUSE,
    a_room,
    a_row,
    a_submission,
    accept,
    enroll,
    looked,
    revise,
    said,
    submit,
)

LEAD = Caller("wanda", "coordinator", "bronx-peers")
OPERATOR = Caller("ops", "engineer", "platform")
MUST = events_pb2.STRENGTH_MUST
REFS = ("any", "veteran", "late")


def backlog(room):
    """Three referrals nobody was there for; then two people come who could take one each."""
    enroll(room, [a_row("sleeping", shifts="mon 09:00-10:00")])
    wish = [events_pb2.Preference(code="military.veteran", strength=MUST)]
    submit(
        room,
        a_submission("ref_any"),
        a_submission("ref_veteran", preferences=wish),
        a_submission("ref_late", urgency=events_pb2.URGENCY_ROUTINE),
    )
    assert {room.cases.case(f"ref_{n}").state for n in REFS} == {"unfilled"}
    enroll(
        room,
        [
            a_row("vet", attributes="military.veteran:released;substance.opioids:released", capacity="1"),
            a_row("plain", attributes="parenting:released", capacity="1"),
        ],
    )


def test_a_backlog_is_previewed_and_applied_as_a_whole(room):
    """Two are served where one after another would serve one well; nothing moves before it is applied, once."""
    backlog(room)
    plan = handlers.preview_backlog(room, [], LEAD, CAUSE)
    chosen = {one.case.referral_id: one.candidate.specialist_id for one in plan.planned}
    assert chosen == {"ref_any": "plain", "ref_veteran": "vet"} and plan.is_proven
    told = {one.case.referral_id: one for one in plan.planned}["ref_any"]
    assert (told.trade.choice, told.instead_of, told.trade.is_served_at_all) == (2, "ref_veteran", True)
    [left] = plan.left_over
    assert (left.case.referral_id, left.reason_code) == ("ref_late", "no-capacity-left")
    assert said(room, "offer.made.v1") == []
    assert looked(room) == {("record.read.v1", about): 1 for about in ("", *(f"peer_ref_{n}" for n in REFS))}
    shown = messages.plan(plan)
    assert shown.matches[0].explanation.score_milli == shown.matches[0].score_milli
    for _ in range(2):
        assert handlers.apply_backlog(room, plan.plan_id, "go", LEAD, CAUSE) == 2
    asked = {m.referral_id: m.specialist_id for m in said(room, "offer.made.v1")}
    assert asked == chosen and room.cases.case("ref_any").state == "seeking"
    with pytest.raises(Refusal, match="plan-applied"):
        handlers.apply_backlog(room, plan.plan_id, "again", LEAD, CAUSE)
    assert accept(room, room.cases.case("ref_veteran"), "vet").state == "assigned"


def test_the_stable_plan_is_another_and_is_compared_in_both(room):
    """Who fits best has them, and somebody else nobody: told beside the best plan, and applied where it is wanted."""
    backlog(room)
    best = handlers.preview_backlog(room, [], LEAD, CAUSE)
    plan = handlers.preview_backlog(room, [], LEAD, CAUSE, variant="stable")
    for made in (best, plan):
        shown = messages.plan(made)
        assert (shown.stable_served, shown.stable_total_milli) == (len(plan.planned), plan.total_milli)
    assert (best.variant, plan.variant, plan.is_proven) == ("best", "stable", False)
    assert next(one.trade.choice for one in plan.planned) == 1
    assert handlers.apply_backlog(room, plan.plan_id, "go", LEAD, CAUSE) == len(plan.planned)
    with pytest.raises(Refusal, match="variant-unknown"):
        handlers.preview_backlog(room, [], LEAD, CAUSE, variant="cheapest")


def test_a_plan_that_the_world_overtook_changes_nothing(room, clock):
    """One referral was corrected, one specialist is full, ten minutes passed: each time all or nothing, so nothing."""
    backlog(room)
    corrected = handlers.preview_backlog(room, [], LEAD, CAUSE)
    revise(room, "ref_any", languages=["vi"])
    with pytest.raises(Refusal, match="plan-stale"):
        handlers.apply_backlog(room, corrected.plan_id, "go", LEAD, CAUSE)
    full = handlers.preview_backlog(room, ["ref_veteran"], LEAD, CAUSE)
    room.database["caseloads"].update_one({"_id": "vet"}, {"$set": {"load_milli": 1000}})
    with pytest.raises(Refusal, match="plan-stale"):
        handlers.apply_backlog(room, full.plan_id, "go", LEAD, CAUSE)
    clock.turn(timedelta(minutes=10))
    with pytest.raises(Refusal, match="plan-expired"):
        handlers.apply_backlog(room, full.plan_id, "go", LEAD, CAUSE)
    with pytest.raises(Refusal, match="plan-unknown"):
        handlers.apply_backlog(room, "plan_none", "go", LEAD, CAUSE)
    assert said(room, "offer.made.v1") == []


def new_ladder(version=0, sources=None, caller=LEAD, seconds=(60,), programme="bronx-peers"):
    steps = {"immediate": Steps((2,), seconds)}
    return NewLadder(programme, steps, sources, "two at once, one minute", version), caller


def test_a_programme_has_its_own_ladder_for_the_sources_it_serves(room, clock):
    """Whom it serves the platform says; the ladder its coordinator does, with a reason, version by version."""
    enroll(room, [a_row(f"s{n}") for n in range(5)])
    wanted, operator = new_ladder(sources=("st-brigid",), caller=OPERATOR)
    handlers.set_ladder(room, wanted, operator, CAUSE)
    submit(room, a_submission(), a_submission("ref_2", source_id="elsewhere"))
    assert [len(room.cases.case(n).offers) for n in ("ref_1", "ref_2")] == [2, 3]
    clock.turn(timedelta(seconds=60))
    handlers.advance_due(room, CAUSE)
    assert [room.cases.case(n).state for n in ("ref_1", "ref_2")] == ["unfilled", "seeking"]
    handlers.set_ladder(room, *new_ladder(1, seconds=(90,)), CAUSE)
    read = handlers.read_ladder(room, "bronx-peers", LEAD)
    assert (read.version, read.source_ids) == (2, ("st-brigid",))
    assert [(c.version, c.changed_by) for c in read.changes] == [(1, "ops"), (2, "wanda")]
    assert [m.version for m in said(room, "ladder.changed.v1")] == [1, 2]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"version": 7}, "ladder-changed-meanwhile"),
        ({"sources": ("st-brigid",)}, "sources-not-yours"),
        ({"programme": "buffalo-peers"}, "not-your-programme"),
        ({"seconds": (901,)}, "ladder-not-possible"),
        ({"sources": ("st-agnes",), "caller": OPERATOR}, "source-served-by-another"),
    ],
)
def test_a_ladder_that_may_not_be_is_refused(room, changes, code):
    """An old version, others' sources, another programme's, one too long for the peer, a source that is served."""
    other, operator = new_ladder(sources=("st-agnes",), caller=OPERATOR, programme="harbor")
    handlers.set_ladder(room, other, operator, CAUSE)
    with pytest.raises(Refusal, match=code):
        handlers.set_ladder(room, *new_ladder(**changes), CAUSE)


def capacity(room, **fields):
    asked = pb.QueryCapacityRequest(**({"facility_zip": "10451", "languages": ["es"]} | fields))
    return messages.capacity(handlers.capacity(room, *messages.imagined(asked)))


def test_capacity_says_how_many_and_how_soon_and_never_who(room):
    """Counts by minutes, up to ten; who is far rings; who speaks no Spanish, is full or off shift is not counted."""
    enroll(
        room,
        [
            *[a_row(f"near{n}", zip="10451") for n in range(12)],
            a_row("far", zip="14203", modalities="phone"),
            a_row("english", languages="en:native"),
            a_row("asleep", shifts="mon 09:00-10:00"),
        ],
    )
    found = capacity(room)
    assert {band.minutes: band.specialists for band in found.bedside} == {20: 10, 30: 10, 45: 10, 60: 10}
    assert (found.by_phone, found.by_video) == (10, 10)
    assert [band.minutes for band in capacity(room, minutes_until_departure=30).bedside] == [20, 30]
    assert capacity(room, languages=["vi"]).by_phone == 0
    assert not any(name in str(found) for name in ("near", "far", "bronx"))
    for wrong in ({"facility_zip": "x"}, {"urgency": "now"}, {"minutes_until_departure": -1}):
        with pytest.raises(Refusal, match="request-incomplete"):
            capacity(room, **wrong)


ACCEPTS = """
import json, sys, threading
from datetime import timedelta
from pathlib import Path

from chassis.errors import Refusal

from tests.matching_room import accept, existing_room
uri, name, folder, at, *people = sys.argv[1:]
room = existing_room(uri, name, Path(folder), at)
case = room.cases.case("ref_1")
gate, answers = threading.Barrier(len(people) + 1), []
def yes(one):
    gate.wait()
    try:
        answers.append(accept(room, case, one).assigned_specialist_id)
    except Refusal as refusal:
        answers.append(refusal.code)
threads = [threading.Thread(target=yes, args=(one,)) for one in people]
for thread in threads: thread.start()
print("ready", flush=True); sys.stdin.readline(); gate.wait()
for thread in threads: thread.join()
print(json.dumps(answers))
"""


def test_of_sixty_four_acceptances_over_four_processes_one_wins(mongo_uri, database, clock, tmp_path):
    """Four workers that share nothing but the database, sixteen yeses each at once: one winner, one load (P3)."""
    keys = tmp_path / "keys"
    with a_room(
        mongo_uri, database, clock, keys, KINDRED_WAVE_SIZES="64", KINDRED_WAVE_SECONDS="300"
    ) as room:
        people = [f"s{n:02}" for n in range(64)]
        enroll(room, [a_row(one) for one in people])
        submit(room, a_submission())
        base = [sys.executable, "-c", ACCEPTS, mongo_uri, database.name, str(keys), clock.now().isoformat()]
        workers = [
            subprocess.Popen([*base, *people[n::4]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for n in range(4)
        ]
        assert [worker.stdout.readline() for worker in workers] == ["ready\n"] * 4
        for worker in workers:
            worker.stdin.write("go\n")
            worker.stdin.flush()
        answers = Counter(one for worker in workers for one in json.loads(worker.communicate(timeout=120)[0]))
        after = room.cases.case("ref_1")
        assert answers == {after.assigned_specialist_id: 1, "offer-already-closed": 63}
        loads = {row["_id"]: row["load_milli"] for row in room.database["caseloads"].find()}
        assert [one for one, load in loads.items() if load] == [after.assigned_specialist_id]
        assert (len(said(room, "offer.accepted.v1")), len(said(room, "offer.withdrawn.v1"))) == (1, 63)
