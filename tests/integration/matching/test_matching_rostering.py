"""The roster edited and explained, on a real mongod: who may, what is told, what is audited, what follows."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chassis.errors import Refusal
from chassis.identity import Caller, reset_current, set_current
from kindred.matching.v1 import roster_pb2 as pb
from services.matching import handlers
from services.matching.importing import RosterImport
from services.matching.roster_reading import reader
from services.matching.rostering import RosterServicer
from tests.matching_room import CAUSE, a_row, a_submission, accept, enroll, said, submit

BOSS = Caller("boss", "supervisor", "bronx-peers", "HOPERAT")
STRANGER = Caller("other", "coordinator", "elsewhere", "HOPERAT")
ROSA = Caller("rosa", "specialist", "bronx-peers", "HOPERAT")
VETERAN = {"code": "military.veteran", "strength": 4}


@pytest.fixture
def call(room):
    """Calls a method of the roster's door as somebody."""
    servicer = RosterServicer(room)

    def calling(caller, name, request):
        token = set_current(caller)
        try:
            answer = getattr(servicer, name)(request, None)
            return list(answer) if name == "ExportRoster" else answer
        finally:
            reset_current(token)

    return calling


def _reads(room):
    return [row for one in room.database["accesses"].find({}) for row in one["outbox"]]


def _export(call, caller, file_format):
    parts = call(caller, "ExportRoster", pb.ExportRosterRequest(format=file_format))
    return b"".join(part.chunk for part in parts)


@pytest.mark.parametrize("file_format", ["csv", "jsonl", "fhir"])
def test_an_export_imported_again_changes_nothing_and_shows_nothing_private(room, call, file_format):
    """A supervisor's file has no private attribute and no address, and yet loses neither when it comes back."""
    private = a_row("amal", attributes="overdose:released;gender.woman:private", agrees_to_private_use="yes")
    withheld = a_row("bo", attributes="overdose:released;hiv:private", time_off="2027-01-01..2027-01-07")
    enroll(room, [private, withheld, a_row("foreign", programme_id="elsewhere")])
    file = _export(call, BOSS, file_format)
    assert b"gender" not in file and b"hiv" not in file and b"@" not in file and b"foreign" not in file
    opened, taking = reader(file_format), RosterImport(room, BOSS, CAUSE)
    told = [*taking.take(opened.feed(file)), *taking.take(opened.finish()), taking.flush()]
    assert (told[-1].rows_unchanged, told[-1].rows_stored, told[-1].faults) == (2, 0, ())
    assert _reads(room), "the export was audited"


def test_a_specialist_changes_their_own_limits_and_nobody_elses_columns(room, call):
    """Their own side is theirs; a certification is their programme's to say; a stale revision is refused."""
    enroll(room, [a_row("rosa"), a_row("sol")])
    change = pb.ReviseSpecialistRequest(
        specialist_id="rosa", revision=1, columns={"limits": "source:st-brigid"}
    )
    assert call(ROSA, "ReviseSpecialist", change).revision == 2
    read = call(ROSA, "GetSpecialist", pb.GetSpecialistRequest(specialist_id="rosa"))
    assert read.columns["limits"] == "source:st-brigid" and read.revision == 2
    assert said(room, "specialist.enrolled.v1")[-1].revision in (1, 2)
    for caller, request, code in (
        (ROSA, change, "revision-stale"),
        (ROSA, _revision("rosa", capacity="9"), "column-not-yours"),
        (ROSA, _revision("sol", limits=""), "specialist-unknown"),
        (STRANGER, _revision("rosa", capacity="9"), "specialist-unknown"),
        (BOSS, _revision("rosa", specialist_id="x"), "column-unknown"),
    ):
        with pytest.raises(Refusal) as refused:
            call(caller, "ReviseSpecialist", request)
        assert refused.value.code == code
    bad = call(BOSS, "ReviseSpecialist", _revision("rosa", time_off="soon", zip="00000"))
    assert {(f.column, f.code) for f in bad.faults} == {("time_off", "not-a-span"), ("zip", "unknown-zip")}
    submit(room, a_submission("ref_1"))
    assert room.cases.case("ref_1").asked_ids == {"sol"}


def _revision(whose: str, **columns: str) -> pb.ReviseSpecialistRequest:
    return pb.ReviseSpecialistRequest(specialist_id=whose, revision=2, columns=columns)


def test_who_must_never_meet_is_sealed_and_holds_in_every_wave(room, call):
    """No list can be read in the database, no event names the person, and the two are kept apart from then on."""
    enroll(room, [a_row("rosa"), a_row("sol")])
    submit(room, a_submission("ref_1"))
    apart = pb.KeepApartRequest(specialist_id="rosa", referral_id="ref_1")
    call(ROSA, "KeepApart", apart)
    call(ROSA, "KeepApart", apart)
    stored = str(room.database["specialists"].find_one({"_id": "rosa"}))
    assert "peer_ref_1" not in stored
    (event,) = said(room, "specialist.changed.v1")
    assert (event.what, event.provenance.peer_id) == ("kept-apart", "")
    enroll(room, [a_row("rosa", capacity="4")])
    again = a_submission("ref_2")
    again.provenance.peer_id = "peer_ref_1"
    submit(room, again)
    assert room.cases.case("ref_2").asked_ids == {"sol"}
    why = call(BOSS, "WhyNot", pb.WhyNotRequest(referral_id="ref_2", specialist_id="rosa"))
    assert list(why.rules) == ["kept-apart"] and why.place == 0
    with pytest.raises(Refusal):
        call(
            BOSS,
            "KeepApart",
            pb.KeepApartRequest(specialist_id="rosa", referral_id="ref_1", is_taken_back=True),
        )


def test_rest_is_kept_and_ends_by_itself(room, call, clock):
    """Nobody is brought to who rests; when the time has come they are asked again."""
    enroll(room, [a_row("rosa")])
    request = pb.TakeRestRequest(specialist_id="rosa")
    request.until.FromDatetime(clock.now() + timedelta(hours=8))
    call(ROSA, "TakeRest", request)
    submit(room, a_submission("ref_1"))
    assert room.cases.case("ref_1").exclusions == {"resting": 1}
    clock.turn(timedelta(hours=8))
    submit(room, a_submission("ref_2"))
    assert room.cases.case("ref_2").asked_ids == {"rosa"}


def test_many_acceptances_make_rest_due_and_a_death_weighs(room, clock):
    """What the store counts is what the rules rest and strain by."""
    enroll(room, [a_row("rosa", capacity="20")])
    for number in range(room.policy.care.most_acceptances):
        submit(room, a_submission(f"ref_{number}"))
        accept(room, room.cases.case(f"ref_{number}"), "rosa")
    assert room.roster.profile("rosa").standing.is_resting(clock.now())
    told = handlers.Recorded("ref_0", "k", "met", modality="phone")
    handlers.record_handoff(room, told, ROSA, CAUSE)
    handlers.complete(room, "ref_0", "died", ROSA, CAUSE)
    later = clock.now() + timedelta(days=2)
    standing = room.roster.profile("rosa").standing
    assert standing.carried_milli(later) == standing.load_milli + room.policy.care.death_milli


def test_why_not_tells_every_rule_or_the_place_with_reasons_that_add_up(room, call):
    """A coordinator reads it of their own people, audited; the points of the reasons are the score."""
    off = a_row("off", shifts="mon 00:00-00:01", languages="es:native", transport="walk")
    enroll(room, [a_row("rosa"), a_row("sol", attributes=""), off])
    submit(room, a_submission("ref_1"))
    before = len(_reads(room))
    told = call(BOSS, "WhyNot", pb.WhyNotRequest(referral_id="ref_1", specialist_id="off"))
    assert list(told.rules) == ["language", "off-shift"] and len(told.texts) == 2
    sol = call(BOSS, "WhyNot", pb.WhyNotRequest(referral_id="ref_1", specialist_id="sol"))
    assert (sol.place, sol.eligible, sol.offer_state, list(sol.rules)) == (2, 2, "open", [])
    assert sol.explanation.score_milli == sum(term.points_milli for term in sol.explanation.terms) > 0
    assert len(_reads(room)) == before + 2
    for caller in (STRANGER, Caller("sol", "specialist", "bronx-peers")):
        with pytest.raises(Refusal, match="specialist-unknown"):
            call(caller, "WhyNot", pb.WhyNotRequest(referral_id="ref_1", specialist_id="off"))


def test_an_avoid_of_what_somebody_keeps_to_themselves_is_not_told_apart(room, call):
    """Why-not and what-if never tell that somebody has, or withholds, what the peer avoids."""
    enroll(room, [a_row("rosa", attributes="gender.man:private")])
    avoid = [{"code": "gender.man", "strength": 5}]
    submit(room, a_submission("ref_1", preferences=avoid))
    why = call(BOSS, "WhyNot", pb.WhyNotRequest(referral_id="ref_1", specialist_id="rosa"))
    assert list(why.rules) == ["kept-apart"]
    with pytest.raises(Refusal) as refused:
        call(BOSS, "WhatIf", pb.WhatIfRequest(referral_id="ref_1", dropped_codes=["gender.man"]))
    assert [fault.code for fault in refused.value.faults] == ["avoid-stays"]


def test_what_if_shows_the_effect_and_changes_nothing(room, call):
    """Without a "must", and with a longer way allowed, others may be asked; the case stays as it was."""
    far = a_row(
        "far", zip="12208", radius_miles="300", modalities="bedside", attributes="military.veteran:released"
    )
    enroll(room, [a_row("near", modalities="bedside"), far])
    submit(room, a_submission("ref_1", preferences=[VETERAN]))
    before = room.cases.case("ref_1")
    assert before.state == "unfilled"
    dropped = call(BOSS, "WhatIf", pb.WhatIfRequest(referral_id="ref_1", dropped_codes=["military.veteran"]))
    assert dropped.before.eligible == 0 and [one.specialist_id for one in dropped.after.best] == ["near"]
    wider = call(BOSS, "WhatIf", pb.WhatIfRequest(referral_id="ref_1", bedside_limit_minutes=400))
    assert [one.specialist_id for one in wider.after.best] == ["far"] and wider.after.best[0].place == 1
    assert {one.rule: one.specialists for one in wider.before.exclusions} == {
        "must-or-avoid": 1,
        "out-of-reach": 1,
    }
    assert room.cases.case("ref_1") == before
    assert (
        call(STRANGER, "WhatIf", pb.WhatIfRequest(referral_id="ref_1", bedside_limit_minutes=400)).after.best
        == []
    )


def test_a_certification_that_ends_is_said_once_for_each_step(room, call, clock):
    """Sixty, thirty, seven days before, and when it has ended; a renewal ends the warnings."""
    last = (clock.now() + timedelta(days=40)).date()
    enroll(room, [a_row("rosa", certifications=f"NY/any/any/2026-01-01/{last}", supervisor_id="boss")])
    steps = []
    for _ in range(12):
        handlers.warn_expiring(room, CAUSE)
        steps = [event.days_left for event in said(room, "certification.expiring.v1")]
        clock.turn(timedelta(days=5))
    assert steps == [60, 30, 7, 0]
    listed = call(BOSS, "ListExpiringCertifications", pb.ListExpiringCertificationsRequest())
    assert [(c.specialist_id, c.valid_until) for c in listed.certifications] == [("rosa", str(last))]
    renewed = f"NY/any/any/2026-01-01/{last};NY/any/any/{last}/2030-12-31"
    enroll(room, [a_row("rosa", certifications=renewed, supervisor_id="boss")])
    assert not call(BOSS, "ListExpiringCertifications", pb.ListExpiringCertificationsRequest()).certifications


def test_the_policy_in_force_can_be_read_with_its_history(room, call):
    """Every version has who changed it, when and why, and the newest is the one in force."""
    told = call(ROSA, "GetPolicy", pb.GetPolicyRequest())
    assert told.version == told.changes[0].version == room.policy.version
    assert all(one.changed_by and one.changed_on and one.reason for one in told.changes)


def test_an_index_that_is_behind_proposes_and_the_store_refuses(room):
    """Somebody who filled up a moment ago may be proposed by a stale index, and is neither offered nor assigned."""
    enroll(room, [a_row("rosa", capacity="1"), a_row("sol")])
    submit(room, a_submission("ref_1"))
    room.database["caseloads"].update_one({"_id": "rosa"}, {"$set": {"load_milli": 1000}})
    with pytest.raises(Refusal, match="at-capacity"):
        accept(room, room.cases.case("ref_1"), "rosa")
    entry = room.roster.entries(["rosa"])["rosa"]
    assert entry[1].load_milli == 1000
