"""Roster import on a real mongod: good rows stored, bad ones told, the same row twice changes nothing."""

from __future__ import annotations

import json

from chassis.envelope import Cause
from chassis.identity import Caller
from chassis.sealing import PrivateSeal
from services.matching import roster_text
from services.matching.importing import BATCH, RosterImport
from services.matching.roster_file import RosterFile
from tests.matching_room import CAUSE, SYSTEM, a_row, enroll, said


def test_the_same_roster_again_changes_nothing_and_says_nothing(room):
    """A second import counts its rows as unchanged; a changed row alone has a new revision and says so."""
    rows = [a_row("a"), a_row("b")]
    assert enroll(room, rows).rows_stored == 2
    again = enroll(room, [a_row("a"), a_row("b", capacity="5")])
    assert (again.rows_read, again.rows_stored, again.rows_unchanged) == (2, 1, 1)
    enrolled = said(room, "specialist.enrolled.v1")
    assert sorted((e.specialist_id, e.revision) for e in enrolled) == [("a", 1), ("b", 1), ("b", 2)]


def test_the_address_is_sealed_to_notifications_and_nowhere_in_the_database(room, tmp_path):
    """The e-mail opens only with notifications' key and its own context; the database has no trace of it."""
    enroll(room, [a_row("rosa", display_name="Rosa Zzyzx-Testwoman", notice_language="es-MX")])
    [enrolled] = said(room, "specialist.enrolled.v1")
    private = PrivateSeal.from_dir(tmp_path / "keys", "notifications")
    contact = json.loads(private.unseal(enrolled.sealed_contact, "specialist-contact:rosa"))
    assert contact == {
        "email": "rosa@specialists.kindred.example",
        "language": "es",
        "time_zone": "America/New_York",
    }
    stored = "".join(
        repr(d) for name in room.database.list_collection_names() for d in room.database[name].find()
    )
    assert "specialists.kindred.example" not in stored and "Zzyzx" not in stored


def test_a_number_travels_sealed_beside_the_address_and_both_stay_together(room, tmp_path):
    """Told anew both are as told, kept both stay; the database knows that there is a number, and not which."""
    private = PrivateSeal.from_dir(tmp_path / "keys", "notifications")
    enroll(room, [a_row("rosa", phone="(212) 555-0142")])
    enroll(room, [a_row("rosa", phone="+1 212 555 0142")])
    enroll(room, [a_row("rosa", email="kept", phone="kept", capacity="5")])
    enroll(room, [a_row("rosa", email="kept", capacity="6")])
    contacts = [
        json.loads(private.unseal(e.sealed_contact, "specialist-contact:rosa"))
        for e in said(room, "specialist.enrolled.v1")
    ]
    assert [contact["phone"] for contact in contacts] == ["+12125550142"] * 3
    assert (
        roster_text.columns(room.roster.profile("rosa").specialist, _body(room), 6, shows_private=True)[
            "phone"
        ]
        == "kept"
    )
    assert "5550142" not in str(room.database["specialists"].find_one({"_id": "rosa"}))
    enroll(room, [a_row("rosa")])
    assert "has_phone" not in _body(room)["contact"]
    [fault] = enroll(room, [a_row("rosa", email="kept", phone="+12125550143")]).faults
    assert (fault.column, fault.code) == ("phone", "send-both")


def _body(room):
    return room.roster.profile("rosa").loaded.body


def test_private_attributes_without_agreement_are_not_even_stored(room):
    """Of what a specialist did not release and did not agree to have used, the database holds the category only."""
    enroll(
        room,
        [
            a_row("rosa", attributes="overdose:released;hiv:private;gender.woman:private"),
            a_row("otto", attributes="overdose:released;hiv:private", agrees_to_private_use="yes"),
        ],
    )
    rosa, otto = room.database["specialists"].find().sort("_id", -1)
    assert (rosa["private"], rosa["withheld"]) == ([], ["gender", "lone"])
    assert (otto["private"], otto["withheld"]) == (["hiv"], [])
    assert "hiv" not in repr(rosa) and "gender.woman" not in repr(rosa)


def _age(room):
    """Every profile is as it was stored before there was a list of what is withheld."""
    room.database["specialists"].update_many({}, {"$unset": {"withheld": ""}})


def test_a_profile_from_before_anything_was_withheld_is_read_as_withholding_nothing(room):
    """A specialist stored by an earlier version is read and ranked as before (P10)."""
    enroll(room, [a_row("rosa")])
    before = room.roster.entries(["rosa"])
    _age(room)
    assert room.roster.entries(["rosa"]) == before
    assert before["rosa"][0].perhaps_held == frozenset()


def test_the_same_roster_again_after_an_upgrade_stores_what_is_withheld_and_nothing_else(room):
    """Of two rows an earlier version stored, the one that withholds something has a new revision, the other not."""
    # That is what the earlier version kept of Rosa's row below: it left the private attribute out.
    enroll(room, [a_row("rosa", attributes="overdose:released"), a_row("otto")])
    _age(room)
    rows = [a_row("rosa", attributes="overdose:released;gender.woman:private"), a_row("otto")]
    again = enroll(room, rows)
    assert (again.rows_stored, again.rows_unchanged) == (1, 1)
    assert room.database["specialists"].find_one({"_id": "rosa"})["withheld"] == ["gender"]
    assert enroll(room, rows).rows_unchanged == 2


def test_what_a_specialist_carries_survives_a_new_roster(room):
    """An import changes the capacity and leaves the load."""
    enroll(room, [a_row("rosa")])
    room.database["caseloads"].update_one({"_id": "rosa"}, {"$set": {"load_milli": 2000}})
    enroll(room, [a_row("rosa", capacity="9")])
    load = room.database["caseloads"].find_one({"_id": "rosa"})
    assert (load["load_milli"], load["capacity_milli"]) == (2000, 9000)


def test_a_supervisor_imports_their_own_programme_only(room):
    """Rows of another programme, and ids that belong to one, are refused row by row."""
    enroll(room, [a_row("theirs", programme_id="queens-peers")])
    caller = Caller("boss", "supervisor", "bronx-peers")
    told = enroll(room, [a_row("mine"), a_row("x", programme_id="queens-peers"), a_row("theirs")], caller)
    assert told.rows_stored == 1
    assert [(f.line, f.column, f.code) for f in told.faults] == [
        (2, "programme_id", "not-your-programme"),
        (3, "specialist_id", "not-your-programme"),
    ]


def test_an_id_twice_in_one_file_is_told_and_the_first_row_holds(room):
    """The second row with an id is a fault, also far apart."""
    rows = [
        a_row("twin", capacity="1"),
        *[a_row(f"s{n}") for n in range(BATCH + 10)],
        a_row("twin", capacity="9"),
    ]
    told = enroll(room, rows)
    assert [(f.line, f.code) for f in told.faults] == [(len(rows), "id-twice")]
    assert room.database["caseloads"].find_one({"_id": "twin"})["capacity_milli"] == 1000


def test_progress_is_told_after_every_batch_and_memory_does_not_grow_with_the_file(room):
    """A file of several batches tells several times; between two batches no row waits longer than a batch."""
    taking, file = RosterImport(room, SYSTEM, CAUSE), RosterFile("jsonl")
    counts = []
    for n in range(BATCH * 3):
        for progress in taking.take(file.feed((json.dumps(a_row(f"s{n}")) + "\n").encode())):
            counts.append(progress.rows_stored)
        assert len(taking._waiting) < BATCH
    assert counts == [BATCH, 2 * BATCH, 3 * BATCH]


def test_two_imports_at_once_leave_every_specialist_with_whole_revisions(room):
    """Somebody else enrolled an id between our look and our write: the row is decided again, not lost."""
    enroll(room, [a_row("rosa")])
    original = room.roster.load_many
    calls = []

    def late(ids):
        known = original(ids)
        if not calls:
            calls.append(1)
            enroll(room, [a_row("rosa", capacity="7")], cause=Cause("req_other"))
        return known

    room.roster.load_many = late
    told = enroll(room, [a_row("rosa", capacity="8")])
    assert told.rows_stored == 1 and told.faults == ()
    assert room.database["specialists"].find_one({"_id": "rosa"})["revision"] == 3
    assert [e.revision for e in said(room, "specialist.enrolled.v1")] == [1, 2, 3]
