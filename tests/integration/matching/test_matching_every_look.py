"""Every RPC of matching, in a table: what the trail holds before it answers; one that is in no table fails."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import kindred.matching.v1
from chassis import catalog
from chassis.errors import Kind, Refusal
from chassis.identity import Caller, reset_current, set_current
from kindred.intake.v1 import events_pb2
from kindred.matching.v1 import coordination_pb2, matching_pb2, roster_pb2
from services.audit.domain import classes
from services.matching.api import MatchingServicer
from services.matching.coordinating import CoordinationServicer
from services.matching.rostering import RosterServicer
from tests.matching_room import a_row, a_submission, accept, enroll, submit

ROSA = Caller("rosa", "specialist", "bronx-peers", "TREAT")
BOSS = Caller("boss", "supervisor", "bronx-peers", "COC")
NURSE = Caller("nurse-17", "nurse", "st-brigid", "TREAT")
ALL = frozenset({"asked", "waiting", "carried"})
# Who asks what, what is on record by then (record_type, action), and whose referrals the entries name.
LOOKS = {
    "ListOffers": (ROSA, matching_pb2.ListOffersRequest(only_open=True), ("Match", "search"), {"asked"}),
    "GetCase": (NURSE, matching_pb2.GetCaseRequest(referral_id="asked"), ("Match", "read"), {"asked"}),
    "ListPool": (BOSS, coordination_pb2.ListPoolRequest(), ("Match", "search"), {"waiting"}),
    "ListCaseload": (
        BOSS,
        coordination_pb2.ListCaseloadRequest(specialist_id="sol", with_takers=True),
        ("Match", "search"),
        {"carried"},
    ),
    "PreviewBacklog": (BOSS, coordination_pb2.PreviewBacklogRequest(), ("Match", "search"), {"waiting"}),
    "WhyNot": (
        BOSS,
        roster_pb2.WhyNotRequest(referral_id="waiting", specialist_id="rosa"),
        ("Match", "WhyNot"),
        {"waiting"},
    ),
    "WhatIf": (BOSS, roster_pb2.WhatIfRequest(referral_id="waiting"), ("Match", "WhatIf"), {"waiting"}),
    # A specialist's own side is as sensitive as a peer's.
    "ExportRoster": (BOSS, roster_pb2.ExportRosterRequest(format="csv"), ("Specialist", "ExportRoster"), ()),
    "GetSpecialist": (
        BOSS,
        roster_pb2.GetSpecialistRequest(specialist_id="rosa"),
        ("Specialist", "GetSpecialist"),
        (),
    ),
    "ReviseSpecialist": (
        BOSS,
        roster_pb2.ReviseSpecialistRequest(specialist_id="rosa", revision=1, columns={"radius_miles": "5"}),
        ("Specialist", "GetSpecialist"),
        (),
    ),
    "ListExpiringCertifications": (
        BOSS,
        roster_pb2.ListExpiringCertificationsRequest(),
        ("Specialist", "ListExpiringCertifications"),
        (),
    ),
}
# What changes something says so in the same write, and answers with nothing that the caller did not have.
CHANGES = {
    "ImportRoster": "specialist.enrolled.v1",
    "AcceptOffer": "offer.accepted.v1",
    "DeclineOffer": "offer.declined.v1",
    "RecordHandoff": "handoff.recorded.v1",
    "RecordCheckin": "checkin.recorded.v1",
    "CompleteCase": "case.completed.v1",
    "AssignByHand": "assignment.chosen.v1",
    "ClaimReferral": "assignment.chosen.v1",
    "ReportArrival": "arrival.updated.v1",
    "RequestRematch": "rematch.requested.v1",
    "ProposeMove": "offer.made.v1",
    "ApplyBacklog": "offer.made.v1",
    "SetLadder": "ladder.changed.v1",
    "TakeRest": "specialist.changed.v1",
    "KeepApart": "specialist.changed.v1",
}
# Counts, a ladder, the policy: no person is in the answer.
ABOUT_NOBODY = {"QueryCapacity", "GetLadder", "GetPolicy"}


def _methods():
    for found in pkgutil.iter_modules(kindred.matching.v1.__path__):
        if found.name.endswith("_pb2"):
            file = importlib.import_module(f"kindred.matching.v1.{found.name}").DESCRIPTOR
            for service in file.services_by_name.values():
                yield from (method.name for method in service.methods)


def test_every_method_is_in_one_table_and_every_change_is_an_entry():
    """A new RPC is thought about here before it is served: what does it show, and what is on record by then?"""
    tables = [*LOOKS, *CHANGES, *ABOUT_NOBODY]
    assert sorted(tables) == sorted(_methods())
    assert set(CHANGES.values()) <= classes.CLASSES.keys()


@pytest.fixture
def call(room):
    """Calls a method of any of the three doors as somebody, on a roster with one who is asked, one who carries."""
    enroll(room, [a_row("sol"), a_row("boss", role="supervisor")])
    submit(room, a_submission("carried"))
    accept(room, room.cases.case("carried"), "sol")
    must = [events_pb2.Preference(code="military.veteran", strength=events_pb2.STRENGTH_MUST)]
    submit(room, a_submission("waiting", preferences=must))
    enroll(room, [a_row("rosa")])
    submit(room, a_submission("asked"))
    doors = [MatchingServicer(room), CoordinationServicer(room), RosterServicer(room)]

    def calling(name):
        caller, request, _, _ = LOOKS[name]
        method = next(getattr(door, name) for door in doors if hasattr(type(door), name))
        token = set_current(caller)
        try:
            answer = method(request, None)
            return list(answer) if name == "ExportRoster" else answer
        finally:
            reset_current(token)

    return calling


def _entries(room):
    rows = [row for document in room.database["accesses"].find() for row in document["outbox"]]
    return [catalog.message_class(row["type"]).FromString(row["data"]) for row in rows]


def test_every_look_is_on_record_with_whom_it_was_about(room, call):
    """Each answer that shows a peer's referral, or a specialist's own side, has its entry, and names every peer shown."""
    for name, (caller, _, expected, referrals) in LOOKS.items():
        known = len(_entries(room))
        answer = call(name)
        fresh = _entries(room)[known:]
        assert {(entry.record_type, entry.action) for entry in fresh} == {expected}, name
        assert {entry.provenance.actor_id for entry in fresh} == {caller.actor_id}
        named = {entry.provenance.peer_id for entry in fresh} - {""}
        assert named == {f"peer_{referral}" for referral in referrals}, name
        shown = {referral for referral in ALL if referral in str(answer)}
        assert shown <= set(referrals), f"{name} shows somebody the entry does not name"


def test_nothing_is_shown_that_cannot_be_put_on_record(room, call, monkeypatch):
    """Where the entry cannot be stored there is no answer: it comes first in every one of these methods."""

    def unwritable(*_args, **_more):
        raise Refusal("store-unavailable", Kind.UNAVAILABLE)

    monkeypatch.setattr(room.access.aggregates, "insert", unwritable)
    for name in LOOKS:
        with pytest.raises(Refusal, match="store-unavailable"):
            call(name)
    assert room.roster.profile("rosa").revision == 1
