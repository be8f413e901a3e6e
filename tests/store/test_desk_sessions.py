"""What the ER desk keeps between two requests: who is signed in, and what was typed so far."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from bson import BSON

from chassis.aggregates import Aggregates
from chassis.clock import SystemClock
from chassis.identity import Caller
from services.intake.store.drafts import REMEMBERED, Drafts
from services.intake.store.listing import Listing
from services.intake.store.sessions import Sessions
from services.intake.store.worklist import NEWEST, Worklist

ADA = Caller("nurse-ada", "nurse", "er-st-brigid", "TREAT")
OTTO = Caller("nurse-otto", "nurse", "er-st-brigid", "TREAT")
KEY = "k" * 24


class AheadClock:
    """The real time, turned ahead: MongoDB forgets by the real time, so what is kept here must not be behind it."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def now(self):
        """The moment of this test."""
        return SystemClock().now() + self._ahead

    def turn(self, ahead: timedelta) -> None:
        """So much later."""
        self._ahead += ahead


@pytest.fixture
def clock():
    """A clock that is never behind MongoDB's."""
    return AheadClock()


@pytest.fixture
def sessions(database, clock):
    """Fifteen minutes idle, twelve hours at most."""
    found = Sessions(database, clock, timedelta(minutes=15), timedelta(hours=12))
    found.ensure_indexes()
    return found


@pytest.fixture
def drafts(database, clock):
    """Kept for a day."""
    found = Drafts(database, clock, b"m" * 96, timedelta(hours=24))
    found.ensure_indexes()
    return found


def test_a_session_is_found_by_its_secret_and_the_database_does_not_hold_it(sessions, database):
    """Whoever reads the collection cannot sign in with what is there."""
    secret = sessions.start(ADA)
    assert sessions.find(secret).caller == ADA
    assert sessions.find("x" * 43) is None and sessions.find("") is None
    stored = b"".join(BSON.encode(one) for one in database["desk_sessions"].find({}))
    assert secret.encode() not in stored


def test_a_session_ends_when_nobody_types_and_after_a_shift_whatever_happens(sessions, clock):
    """Activity prolongs it, a page that asks by itself does not, and nothing prolongs it past its end."""
    secret = sessions.start(ADA)
    for _ in range(3):
        clock.turn(timedelta(minutes=10))
        assert sessions.find(secret)
    clock.turn(timedelta(minutes=10))
    assert sessions.find(secret, is_activity=False)
    clock.turn(timedelta(minutes=6))
    assert sessions.find(secret) is None and sessions.known(secret).caller == ADA
    longest = sessions.start(ADA)
    for _ in range(71):
        clock.turn(timedelta(minutes=10))
        assert sessions.find(longest)
    clock.turn(timedelta(minutes=10))
    assert sessions.find(longest) is None


def test_a_signed_out_session_is_forgotten(sessions):
    """The secret opens nothing afterwards, not even a draft of what was typed."""
    secret = sessions.start(ADA)
    sessions.end(secret)
    assert sessions.find(secret) is None and sessions.known(secret) is None


def test_a_session_keeps_its_tokens_for_its_own_secret(sessions, database):
    """What it was opened with can be opened by the browser's secret, and read by nobody in the database."""
    secret, other = sessions.start(ADA, {"access": "the-token"}), sessions.start(OTTO)
    assert sessions.token(secret, "access") == "the-token" and sessions.token(other, "access") == ""
    stored = b"".join(BSON.encode(one) for one in database["desk_sessions"].find({}))
    assert b"the-token" not in stored


def test_a_draft_is_sealed_and_opens_only_for_who_typed_it(drafts, database):
    """Neither a name nor whose draft it is can be read in the database."""
    assert drafts.keep(ADA, KEY, "", {"family": "Quillfeather"})
    assert drafts.open(ADA, KEY).fields == {"family": "Quillfeather"}
    assert drafts.open(OTTO, KEY) is None
    stored = b"".join(BSON.encode(one) for one in database["desk_drafts"].find({}))
    assert b"Quillfeather" not in stored and b"nurse-ada" not in stored


def test_a_draft_that_was_changed_in_the_database_does_not_open(drafts, database):
    """Another draft's bytes under this id are refused."""
    drafts.keep(ADA, KEY, "", {"family": "Quillfeather"})
    drafts.keep(OTTO, KEY, "", {"family": "Ottercreek"})
    one, other = database["desk_drafts"].find({})
    database["desk_drafts"].update_one({"_id": one["_id"]}, {"$set": {"sealed": other["sealed"]}})
    assert sum(drafts.open(who, KEY) is None for who in (ADA, OTTO)) == 1


def test_a_save_that_comes_after_the_form_was_sent_brings_nothing_back(drafts, database):
    """What was typed is gone from the database, and a late save is turned away."""
    drafts.keep(ADA, KEY, "", {"family": "Quillfeather"})
    drafts.close(ADA, KEY)
    assert not drafts.keep(ADA, KEY, "", {"family": "Quillfeather"})
    assert drafts.open(ADA, KEY) is None and drafts.unfinished(ADA) == []
    assert all("sealed" not in one for one in database["desk_drafts"].find({}))


def test_a_form_remembers_when_it_was_first_sent(drafts, clock):
    """Every later try finds the first moment; that is no draft."""
    first = drafts.first_sent(ADA, KEY)
    clock.turn(timedelta(minutes=5))
    assert drafts.first_sent(ADA, KEY) == first < drafts.first_sent(OTTO, KEY)
    assert drafts.unfinished(ADA) == []


def test_drafts_are_listed_newest_first_and_end_after_a_day(drafts, clock):
    """Only this person's, with what tells one from another and nothing more; the callback is no draft."""
    drafts.keep(ADA, KEY, "", {"family": "Quillfeather", "note": "y"})
    clock.turn(timedelta(minutes=1))
    drafts.keep(ADA, "c" * 24, "ref-1", {"note": "x"})
    drafts.keep(ADA, REMEMBERED, "", {"ref_name": "Dr. Lark"})
    drafts.keep(OTTO, "o" * 24, "", {})
    assert [(one.key, one.about, dict(one.fields)) for one in drafts.unfinished(ADA)] == [
        ("c" * 24, "ref-1", {}),
        (KEY, "", {"family": "Quillfeather"}),
    ]
    clock.turn(timedelta(hours=24))
    assert drafts.unfinished(ADA) == [] and drafts.open(ADA, KEY) is None


def test_the_queries_of_the_desk_look_at_nothing_else(drafts, database):
    """Whose drafts there are is answered by an index."""
    plan = database["desk_drafts"].find({"owner": "x", "gone_at": {"$gt": 0}}).sort("saved_at", -1).explain()
    assert "COLLSCAN" not in json.dumps(plan["queryPlanner"]["winningPlan"], default=str)


def test_the_worklist_reads_by_its_indexes_and_sorts_nothing_itself(database, clock):
    """Both halves, what waits and what moved on, are ranges of the listing's indexes."""
    Listing(database).ensure_indexes()
    worklist = Worklist(Aggregates(database, "referrals", clock, "intake"), vault=None)
    for query in worklist.queries("er-st-brigid", clock.now()):
        plan = database["referrals"].find(query).sort(NEWEST).limit(200).explain()
        told = json.dumps(plan["queryPlanner"]["winningPlan"], default=str)
        assert "COLLSCAN" not in told and '"stage": "SORT"' not in told


@pytest.mark.parametrize("ended", [{"sub": "ada-there", "sid": ""}, {"sub": "", "sid": "s-1"}])
def test_who_was_signed_out_elsewhere_is_found_without_looking_at_everybody(sessions, clock, ended):
    """By the provider's name of the person, or of its session, each with an index; nobody else is found."""
    sessions.start(ADA, {}, {"sub": "ada-there", "sid": "s-1"})
    sessions.start(OTTO, {}, {"sub": "otto-there", "sid": "s-2"})
    assert [one.caller.actor_id for one in sessions.of_provider(ended, clock.now())] == ["nurse-ada"]
    [(name, value)] = [(name, value) for name, value in ended.items() if value]
    plan = sessions._sessions.find({f"elsewhere.{name}": value}).explain()["queryPlanner"]["winningPlan"]
    assert f"elsewhere_{name}" in str(plan)
