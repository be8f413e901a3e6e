"""Finds of many threads share questions on a real mongod, and each hears exactly what it would have found alone."""

from __future__ import annotations

import threading
from types import SimpleNamespace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.errors import AutoReconnect

from chassis.shared_finds import SharedFinds
from services.intake.store import lookout, messages

MARKS = st.sampled_from(["a", "b", "c", "d"])
SETS = st.lists(MARKS, max_size=3, unique=True)
ONE_OR_NONE = st.one_of(st.just(""), MARKS)
PEOPLE = st.lists(
    st.fixed_dictionaries(
        {
            "name": ONE_OR_NONE,
            "claims": SETS,
            "trails": SETS,
            "records": SETS.map(lambda marks: [{"s": "x", "n": mark} for mark in marks]),
        }
    ),
    max_size=8,
)
NEWCOMERS = st.lists(
    st.builds(
        lambda name, visit, trails, rows: SimpleNamespace(
            marks=SimpleNamespace(name=name),
            visit_mark=visit,
            trails=trails,
            rows=[{"s": "y", "n": mark} for mark in rows],
        ),
        ONE_OR_NONE,
        ONE_OR_NONE,
        SETS,
        SETS,
    ).filter(lambda one: bool(lookout._ways([one]))),
    min_size=2,
    max_size=5,
)
CONTENTS = st.lists(st.builds(messages.Marks, control=MARKS, content=MARKS), min_size=2, max_size=5)
COMPARED = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def ids(rows: list[dict]) -> list:
    return sorted(row["_id"] for row in rows)


@COMPARED
@given(people=PEOPLE, newcomers=NEWCOMERS, most=st.sampled_from([1, 3, 60]))
def test_who_is_near_is_the_same_asked_alone_or_together(database, people, newcomers, most):
    """Whoever asks for people, each hears of those with a mark in common, as if nobody else had asked."""
    rows = database.people
    rows.delete_many({})
    rows.insert_many([{"_id": "nobody", "name": "", "claims": [], "trails": [], "records": []}])
    if people:
        rows.insert_many([{"_id": str(number), **one} for number, one in enumerate(people)])
    finds = SharedFinds(rows, lookout.near_any, lookout.is_near, most=most)
    for newcomer, told in zip(newcomers, finds._found(newcomers), strict=True):
        alone = ids(list(rows.find(lookout.near_any([newcomer]))))
        assert set(ids(told)) <= set(alone)
        assert len(told) == min(most, len(alone))


@COMPARED
@given(stored=st.lists(st.tuples(MARKS, SETS), max_size=4, unique_by=lambda one: one[0]), wanted=CONTENTS)
def test_a_message_is_known_the_same_asked_alone_or_together(database, stored, wanted):
    """A message's earlier answer is found by its content or its control id, whoever else asks."""
    rows = database.messages
    rows.delete_many({})
    if stored:
        rows.insert_many([{"_id": content, "controls": controls} for content, controls in stored])
    finds = SharedFinds(rows, messages.known_any, messages.is_known, most=10)
    for marks, told in zip(wanted, finds._found(wanted), strict=True):
        assert ids(told) == ids(list(rows.find(messages.known_any([marks]))))


class Held:
    """The real collection, whose first find waits until enough others wait behind it; it counts its finds."""

    def __init__(self, collection, company: int) -> None:
        self.collection, self.company, self.count = collection, company, 0
        self.finds: SharedFinds | None = None
        self.fails: Exception | None = None

    def find(self, query, fields):
        self.count += 1
        enough = threading.Event()
        while self.count == 1 and self.finds.rounds.waiting < self.company:
            enough.wait(0.001)
        if self.fails is not None and self.count == 2:
            raise self.fails
        return self.collection.find(query, fields)


def asked(rows, company: int, fails: Exception | None = None) -> tuple[Held, list]:
    """The collection after one find and as many behind it, and what each heard."""
    held = Held(rows, company)
    held.fails = fails
    finds = held.finds = SharedFinds(
        held, lambda ids: {"_id": {"$in": list(ids)}}, lambda wish, row: row["_id"] == wish, most=1
    )
    heard: list = [None] * (company + 1)

    def one(number: int) -> None:
        try:
            heard[number] = finds.find(number)
        except AutoReconnect as error:
            heard[number] = error

    crew = [threading.Thread(target=one, args=(number,)) for number in range(company + 1)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join(60)
        assert not thread.is_alive()
    return held, heard


def test_those_who_wait_for_a_find_share_the_next_one(database):
    """Twenty finds behind one that is under way are one question, and each hears its own answer."""
    database.rows.insert_many([{"_id": number} for number in range(21)])
    held, heard = asked(database.rows, 20)
    assert heard == [[{"_id": number}] for number in range(21)]
    assert held.count == 2


def test_a_find_that_fails_is_told_to_all_who_shared_it(database):
    """Where the database is away, everybody who asked together hears so, and nobody waits for ever."""
    _, heard = asked(database.rows, 3, AutoReconnect("away"))
    assert sum(isinstance(one, AutoReconnect) for one in heard) == 3
