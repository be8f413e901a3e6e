"""People on a real mongod: who is the same one, merged, unmerged and kept apart, whoever races."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
from bson import encode
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.clock import TurnedClock
from chassis.envelope import Cause
from chassis.errors import Refusal
from chassis.identity import Caller
from cli.local import keys
from kindred.intake.v1 import events_pb2
from services.intake import handlers
from services.intake.bootstrap import Room, build_room, prepare
from services.intake.domain.pairs import NotMerged, PairUnknown
from services.intake.domain.person import Person, RecordNumber
from services.intake.handlers.linking import NotYourPeople
from services.intake.settings import Settings
from tests.unit.intake.intake_builders import NOW, SOURCE, a_person, a_submission

CAUSE = Cause("cor-1")
NURSE = Caller("nurse-ada", "nurse", SOURCE, "TREAT")
COORDINATOR = Caller("coordinator-ines", "coordinator", SOURCE, "HOPERAT")
ELSEWHERE = "er-elsewhere"
STRANGER = Caller("coordinator-otto", "coordinator", ELSEWHERE, "HOPERAT")
SYSTEM = "urn:oid:2.999.1"


def number(value: str, system: str = SYSTEM) -> RecordNumber:
    return RecordNumber(system, value)


@pytest.fixture(scope="module")
def rooms(mongo_uri, mongo_client, tmp_path_factory):
    """One room for the whole file, emptied for each test: indexes are made once."""
    keys_dir = keys.create(tmp_path_factory.mktemp("people-keys"))
    name = "kindred_test_people_" + keys_dir.name.replace("-", "_") + f"_{id(keys_dir):x}"
    settings = Settings(
        mongo_uri=mongo_uri, mongo_database=name, amqp_uri="amqp://nowhere", keys_dir=keys_dir
    )
    built = build_room(settings, TurnedClock(NOW))
    prepare(built)
    yield built
    mongo_client.drop_database(name)


@pytest.fixture
def room(rooms: Room) -> Room:
    empty(rooms)
    return rooms


def empty(room: Room) -> None:
    for name in ("people", "links", "referrals", "accesses"):
        room.database[name].delete_many({})


def submit(room: Room, key: str, person: Person, source_id: str = SOURCE, **also):
    caller = replace(NURSE, organization_id=source_id)
    said = a_submission(person=person, idempotency_key=key, source_id=source_id, **{"visit": None, **also})
    return handlers.submit(room, caller, said, CAUSE).referral


def known(room: Room, person: Person, source_id: str = SOURCE, visit: str = "") -> str:
    return room.people.known_as(person, visit, source_id).peer_id


def said(room: Room, collection: str = "links") -> list[str]:
    return [row["type"] for doc in room.database[collection].find() for row in doc["outbox"]]


def waiting(room: Room, caller: Caller = COORDINATOR):
    return handlers.list_pairs(room, caller, cause=CAUSE).pairs


def people(room: Room) -> list[dict]:
    return list(room.database.people.find().sort("_id", 1))


def merge(room: Room, one: str, other: str, caller: Caller = COORDINATOR):
    return handlers.merge_peers(room, caller, one, other, reason_code="reviewed", cause=CAUSE)


def unmerge(room: Room, one: str, other: str, caller: Caller = COORDINATOR):
    return handlers.unmerge_peers(room, caller, one, other, reason_code="wrong-merge", cause=CAUSE)


BARE = a_person(record_numbers=())
VISIT = RecordNumber("urn:oid:2.999.2", "V-1")


# Same visit.


@pytest.mark.parametrize(
    "second",
    [
        replace(BARE, given_name="Wrne"),
        replace(BARE, family_name="Quilfeather", phones=()),
        replace(BARE, birth_date="1988-01-04", phones=()),
        replace(BARE, family_name="Wren", given_name="Quillfeather"),
        Person(family_name="Unknown", given_name="Unknown"),
        Person(),
    ],
    ids=[
        "given mistyped",
        "family mistyped",
        "day and month",
        "turned round",
        "nobody knew",
        "only the visit",
    ],
)
@pytest.mark.parametrize("is_reversed", [False, True], ids=["", "the other first"])
def test_one_visits_number_is_one_referral(room: Room, second: Person, is_reversed: bool):
    """A second nurse's typing error, or a name found later, does not make a second referral of one visit."""
    first, again = (second, BARE) if is_reversed else (BARE, second)
    one = submit(room, "k1", first, visit=VISIT)
    assert submit(room, "k2", again, visit=VISIT).referral_id == one.referral_id
    assert submit(room, "k3", BARE, visit=VISIT).referral_id == one.referral_id
    assert waiting(room) == []


def test_somebody_unknown_is_found_by_the_name_they_turned_out_to_have(room: Room):
    """John Doe under a record number, identified later, comes again by name and birth date alone."""
    doe = Person("Doe", "John", "1900-01-01", (number("JD-1"),))
    peer_id = known(room, doe)
    assert known(room, a_person(record_numbers=(number("JD-1"),))) == peer_id
    assert known(room, BARE) == peer_id
    assert known(room, replace(doe, record_numbers=(number("JD-2"),))) != peer_id


def test_two_placeholders_are_two_people(room: Room):
    """Two John Does with one made-up birth date and no number are nobody's second visit."""
    doe = Person("Doe", "John", "1900-01-01")
    assert known(room, doe) != known(room, doe)
    assert known(room, replace(doe, record_numbers=(number("000-00-0000"),))) != known(
        room, replace(BARE, record_numbers=(number("000-00-0000"),))
    )


def test_a_mistyped_name_under_the_right_number_is_no_door_for_a_twin(room: Room):
    """What came under one visit's number with another given name finds its person, and lets nobody else in."""
    one = submit(room, "k1", BARE, visit=VISIT)
    submit(room, "k2", replace(BARE, given_name="Wrenna"), visit=VISIT)
    assert known(room, replace(BARE, given_name="Wrenna")) != one.peer_id
    assert {each.given_name for each in room.people.faces_at(one.peer_id, SOURCE)} == {"Wren", "Wrenna"}


def test_a_name_that_was_certain_is_known_from_then_on(room: Room):
    """A married name that came with her own phone finds her later without it."""
    peer_id = known(room, BARE)
    known(room, replace(BARE, family_name="Brackwater"))
    assert known(room, replace(BARE, family_name="Brackwater", phones=())) == peer_id


def test_many_spellings_of_one_visit_at_once_are_one_person(room: Room):
    """Twelve senders of one visit, each near every other's spelling, make one person, whoever comes first."""
    spellings = ["Wren", "Wrenn", "Wrehn", "Wreen", "Wren Opal", "WREN"] * 2
    ids: list[str] = []
    faults: list[BaseException] = []

    def one(position: int) -> None:
        try:
            spelled = replace(BARE, given_name=spellings[position])
            ids.append(submit(room, f"k{position}", spelled, visit=VISIT).referral_id)
        except Exception as fault:  # noqa: BLE001
            faults.append(fault)

    at_once([lambda position=position: one(position) for position in range(12)])
    assert faults == []
    assert (len(ids), len(set(ids)), len(people(room))) == (12, 1, 1)


@pytest.mark.parametrize("names", [("Wern", "Wrenn"), ("Wrenn", "Wern")], ids=["one order", "the other"])
def test_spellings_too_far_apart_to_be_sure_wait_for_people(room: Room, names: tuple[str, str]):
    """Under one visit's number two names that may be twins' are two people and a pair to look at, in any order."""
    first, second = (
        submit(room, name, replace(BARE, given_name=name), visit=VISIT).referral_id for name in names
    )
    assert first != second
    assert len(waiting(room)) == 1


def at_once(works: list[Callable[[], object]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


# Same person.


def test_a_certain_match_is_the_same_pseudonym_and_an_uncertain_one_waits_for_people(room: Room):
    """A married name with her own phone joins; a mistyped given name makes a new pseudonym and a pair to look at."""
    peer_id = known(room, BARE)
    assert known(room, replace(BARE, family_name="Brackwater")) == peer_id
    other = known(room, replace(BARE, given_name="Wrenna"))
    assert other != peer_id
    (pair,) = waiting(room)
    assert set(pair.peer_ids) == {peer_id, other}
    assert (pair.levels["given"], pair.caveats) == ("alike", ("given-name-not-sure",))
    assert known(room, replace(BARE, given_name="Wrenna")) == other
    assert len(waiting(room)) == 1


def test_twins_are_two_people_and_nobody_is_asked(room: Room):
    """One family name, birth date, phone and home with another given name is no question."""
    assert known(room, BARE) != known(room, replace(BARE, given_name="Rowan"))
    assert waiting(room) == []


def test_a_phone_of_many_is_no_evidence(room: Room):
    """Where four people have a phone, it no longer makes a married name certain."""
    for name in ("Ash", "Birch", "Cedar"):
        known(room, replace(BARE, family_name=name, given_name=name + "er", birth_date="1970-05-06"))
    assert known(room, replace(BARE, family_name="Brackwater")) != known(room, BARE)
    assert len(waiting(room)) == 1


def test_a_number_belongs_to_one_person(room: Room):
    """A number that comes with somebody else's name and birth date stays with its holder, and people are asked."""
    holder = known(room, a_person())
    stranger = a_person(family_name="Brackwater", given_name="Otis", birth_date="1951-09-09", phones=())
    other = known(room, stranger)
    assert other != holder
    assert known(room, stranger) == other
    assert known(room, Person(record_numbers=stranger.record_numbers)) == holder
    assert [set(pair.peer_ids) for pair in waiting(room)] == [{holder, other}]


def test_identities_are_sealed_with_the_persons_own_key(room: Room):
    """Nothing of a person is readable in `people` and `links`; with their key gone, only the keyed hashes remain."""
    peer_id = known(room, BARE)
    known(room, replace(BARE, given_name="Wrenna"))
    raw = b"".join(encode(one) for name in ("people", "links") for one in room.database[name].find())
    for word in (b"Quillfeather", b"Wren", b"1988", b"5550177", b"quillfeather"):
        assert word not in raw
    assert room.people.faces_at(peer_id, SOURCE) == [BARE]
    room.vault.erase(peer_id)
    fresh = build_room(room.settings, room.clock)
    assert fresh.people.faces_at(peer_id, SOURCE) == []
    assert known(fresh, BARE) == peer_id


def test_what_each_source_said_stays_its_own(room: Room):
    """Two hospitals speak of one person: each sees its own words only."""
    peer_id = known(room, BARE)
    elsewhere = replace(BARE, record_numbers=(number("X-9", "urn:oid:2.999.8"),), home_zip="12208")
    assert known(room, elsewhere, ELSEWHERE) == peer_id
    assert room.people.faces_at(peer_id, SOURCE) == [BARE]
    assert room.people.faces_at(peer_id, ELSEWHERE) == [elsewhere]
    assert known(room, Person(record_numbers=elsewhere.record_numbers)) == peer_id


# Review.


def test_a_pair_of_two_hospitals_is_shown_to_neither_until_it_knows_both(room: Room):
    """Whoever knows one side only sees no pair, cannot open or decide it, and the attempt is in the trail."""
    one = known(room, BARE)
    other = known(room, replace(BARE, given_name="Wrenna"), ELSEWHERE)
    assert (list(waiting(room)), list(waiting(room, STRANGER))) == ([], [])
    pair_id = room.database.links.find_one()["_id"]
    for work in (
        lambda: handlers.read_pair(room, STRANGER, pair_id, cause=CAUSE),
        lambda: handlers.keep_apart(room, COORDINATOR, pair_id, reason_code="twins", cause=CAUSE),
    ):
        with pytest.raises(PairUnknown):
            work()
    with pytest.raises(NotYourPeople):
        merge(room, one, other)
    assert said(room, "accesses").count("access.denied.v1") == 3
    assert known(room, replace(BARE, given_name="Wrenna"), SOURCE) == other
    assert [pair.pair_id for pair in waiting(room)] == [pair_id]
    assert list(waiting(room, STRANGER)) == []


def test_both_identities_are_read_only_with_both_reads_in_the_trail(room: Room, monkeypatch):
    """A reviewer sees two identities after two durable reads, one of each person; without them, none."""
    known(room, BARE)
    known(room, replace(BARE, given_name="Wrenna"))
    (pair,) = waiting(room)
    room.database.accesses.delete_many({})
    _, one, other = handlers.read_pair(room, COORDINATOR, pair.pair_id, cause=CAUSE)
    assert {side.persons[0].given_name for side in (one, other)} == {"Wren", "Wrenna"}
    reads = [doc["outbox"][0]["data"] for doc in room.database.accesses.find()]
    subjects = {type(one).__name__ and _subject(data) for data in reads}
    assert subjects == set(pair.peer_ids)

    def unavailable(*_: object, **__: object) -> None:
        raise Refusal("store-unavailable", "unavailable")

    monkeypatch.setattr(room.access.aggregates, "insert", unavailable)
    with pytest.raises(Refusal):
        handlers.read_pair(room, COORDINATOR, pair.pair_id, cause=CAUSE)


def _subject(data: bytes) -> str:
    from kindred.access.v1.events_pb2 import RecordRead

    return RecordRead.FromString(data).provenance.peer_id


def test_kept_apart_is_not_asked_again_and_later_goes_to_the_end(room: Room):
    """A reviewed "not the same" leaves the list for good; "later" stays in it, after the others."""
    known(room, BARE)
    known(room, replace(BARE, given_name="Wrenna"))
    known(room, replace(BARE, given_name="Wrenno"))
    first, *_ = waiting(room)
    room.clock.turn(timedelta(minutes=5))
    handlers.postpone_pair(room, COORDINATOR, first.pair_id, cause=CAUSE)
    assert waiting(room)[-1].pair_id == first.pair_id
    for pair in waiting(room):
        handlers.keep_apart(room, COORDINATOR, pair.pair_id, reason_code="other-people", cause=CAUSE)
    assert waiting(room) == []
    assert known(room, replace(BARE, given_name="Wrenna")) != known(room, BARE)
    assert waiting(room) == []
    with pytest.raises(Refusal) as refused:
        handlers.keep_apart(room, COORDINATOR, first.pair_id, reason_code="because", cause=CAUSE)
    assert refused.value.code == "reason-unknown"


def correct(room: Room, referral_id: str, person: Person, **also) -> None:
    """The source says who it is."""
    said = a_submission(person=person, idempotency_key="corrected", source_id=SOURCE, **also)
    handlers.correct(room, NURSE, referral_id, said, cause=CAUSE)


def test_a_correction_that_names_somebody_unknown_is_found_by_that_name(room: Room):
    """John Doe of visit V-1 is named later: the next submission, with name or number, is the same person's."""
    doe = Person(family_name="Doe", given_name="John")
    first = submit(room, "k1", doe, visit=VISIT)
    named = a_person(record_numbers=(number("77"),))
    correct(room, first.referral_id, named, visit=VISIT)
    assert known(room, Person(record_numbers=(number("77"),))) == first.peer_id
    assert known(room, BARE) == first.peer_id
    before = people(room)
    correct(room, first.referral_id, named, visit=VISIT)
    assert len(before) == 1 and people(room) == before


def test_a_correction_to_somebody_who_is_here_is_for_people_to_look_at(room: Room):
    """The number stays with who had it, the two pseudonyms are in the review list, and nobody is joined."""
    here = submit(room, "k1", a_person(record_numbers=(number("77"),)))
    doe = submit(room, "k2", Person(family_name="Doe", given_name="John"), visit=VISIT)
    correct(room, doe.referral_id, a_person(record_numbers=(number("77"),)), visit=VISIT)
    assert known(room, Person(record_numbers=(number("77"),))) == here.peer_id
    (pair,) = waiting(room)
    assert set(pair.peer_ids) == {here.peer_id, doe.peer_id} and said(room) == []


# Merge and unmerge.


@pytest.mark.parametrize("is_claimed_first", [False, True])
def test_a_hospital_merges_nobody_of_another_hospital_s(room: Room, is_claimed_first: bool):
    """A40 with another hospital's number changes nobody there, not even after a referral that only bore the number."""
    theirs = submit(room, "k1", a_person(record_numbers=(number("1"),)), "er-far")
    other = replace(BARE, given_name="Ada", family_name="Ash", birth_date="1990-02-03", phones=())
    submit(room, "k2", replace(other, record_numbers=(number("2"),)))
    if is_claimed_first:
        submit(room, "k3", Person(record_numbers=(number("1"),)))
    told = handlers.merge_people(room, NURSE, number("2"), number("1"), cause=CAUSE)
    assert told.is_new is False and said(room) == []
    assert room.people.group(theirs.peer_id) == [theirs.peer_id]
    assert len(waiting(room)) == int(is_claimed_first)


def test_a_record_merge_makes_one_person_of_two_numbers(room: Room):
    """After A40 both numbers lead to the survivor; referrals keep their pseudonyms; again, nothing happens."""
    old = submit(room, "k1", a_person(record_numbers=(number("1"),)))
    new = submit(
        room, "k2", replace(BARE, family_name="Ash", birth_date="1990-02-03", record_numbers=(number("2"),))
    )
    told = handlers.merge_people(room, NURSE, number("2"), number("1"), cause=CAUSE)
    assert (told.surviving_peer_id, told.merged_peer_id, told.is_new) == (new.peer_id, old.peer_id, True)
    assert known(room, Person(record_numbers=(number("1"),))) == new.peer_id
    assert known(room, a_person(record_numbers=())) == new.peer_id
    assert room.referrals.load(old.referral_id).referral.peer_id == old.peer_id
    again = handlers.merge_people(room, NURSE, number("2"), number("1"), cause=CAUSE)
    assert (again.is_new, again.surviving_peer_id) == (False, new.peer_id)
    assert said(room) == ["person.merged.v1"]
    event = events_pb2.PersonMerged.FromString(room.database.links.find_one()["outbox"][0]["data"])
    assert (event.merged_peer_id, event.reason_code) == (old.peer_id, "record-merge")
    assert event.provenance.actor_id == NURSE.actor_id


def test_a_merge_of_numbers_nobody_knows_keeps_nothing(room: Room):
    """A hospital tells of every merge it makes: people who were never referred leave no trace here."""
    told = handlers.merge_people(room, NURSE, number("2"), number("1"), cause=CAUSE)
    assert (told.surviving_peer_id, people(room)) == ("", [])
    known(room, a_person(record_numbers=(number("1"),)), ELSEWHERE)
    assert handlers.merge_people(room, NURSE, number("2"), number("1"), cause=CAUSE).surviving_peer_id == ""
    with pytest.raises(Refusal):
        handlers.merge_people(room, NURSE, number("1"), number("1"), cause=CAUSE)


@pytest.mark.parametrize("known_one", ["1", "2"])
def test_a_merge_with_a_number_not_met_yet_is_remembered(room: Room, known_one: str):
    """Of two numbers one is new: a later submission with it finds the person."""
    peer_id = known(room, a_person(record_numbers=(number(known_one),)))
    told = handlers.merge_people(room, NURSE, number("2"), number("1"), cause=CAUSE)
    both = {known(room, Person(record_numbers=(number(value),))) for value in ("1", "2")}
    assert both == {told.surviving_peer_id}
    assert peer_id in room.people.group(told.surviving_peer_id)


def test_the_same_visit_is_found_under_a_merged_pseudonym(room: Room):
    """A referral that is open under the merged pseudonym is the one a second nurse is told."""
    first = submit(room, "k1", a_person(record_numbers=(number("1"),)))
    known(room, a_person(family_name="Ash", birth_date="1990-02-03", record_numbers=(number("2"),)))
    handlers.merge_people(room, NURSE, number("2"), number("1"), cause=CAUSE)
    again = submit(room, "k2", Person(record_numbers=(number("2"),)))
    assert again.referral_id == first.referral_id


def test_two_open_referrals_of_one_visit_are_flagged_not_joined(room: Room):
    """A merge that brings two referrals of one visit together leaves both, and asks people until one is closed."""
    one = submit(room, "k1", a_person(record_numbers=(number("1"),)))
    other = submit(room, "k2", a_person(record_numbers=(number("2"),)))
    assert one.peer_id != other.peer_id
    handlers.merge_people(room, NURSE, number("1"), number("2"), cause=CAUSE)
    (pair,) = handlers.list_pairs(room, COORDINATOR, cause=CAUSE).doubled
    assert set(pair.doubled[0]) == {one.referral_id, other.referral_id}
    states = {room.referrals.load(ref).referral.state for ref in pair.doubled[0]}
    assert states == {"submitted"}
    handlers.enter_in_error(room, NURSE, other.referral_id, cause=CAUSE)
    assert handlers.list_pairs(room, COORDINATOR, cause=CAUSE).doubled == []


def test_an_unmerge_restores_exactly(room: Room):
    """After merge and unmerge every person's document is what it was, and both events were said."""
    one, other = (
        known(room, a_person(record_numbers=(number("1"),))),
        known(room, a_person(record_numbers=(number("2"),))),
    )
    before = people(room)
    merge(room, one, other)
    assert known(room, Person(record_numbers=(number("2"),))) == one
    assert unmerge(room, one, other).is_new
    assert people(room) == before
    assert known(room, Person(record_numbers=(number("2"),))) == other
    assert said(room) == ["person.merged.v1", "person.unmerged.v1"]
    assert not unmerge(room, one, other).is_new


def test_aliases_lead_on_and_only_the_merge_that_was_made_is_undone(room: Room):
    """A into B into C: all lead to C; who was not merged with each other is not unmerged."""
    a, b, c = (known(room, a_person(record_numbers=(number(value),))) for value in "123")
    merge(room, b, a)
    merge(room, c, a)
    assert [room.links.root(one) for one in (a, b, c)] == [c, c, c]
    with pytest.raises(NotMerged):
        unmerge(room, c, a)
    unmerge(room, c, b)
    assert [room.links.root(one) for one in (a, b, c)] == [b, b, c]


def test_a_merged_persons_other_number_still_contradicts(room: Room):
    """Whoever has another number of a system one of whose numbers the merged person has, is not certainly them."""
    one = known(room, a_person(record_numbers=(number("1"),)))
    other = known(room, replace(BARE, family_name="Ash", birth_date="1990-02-03", phones=()))
    merge(room, one, other)
    third = replace(
        BARE, family_name="Ash", birth_date="1990-02-03", phones=(), record_numbers=(number("9"),)
    )
    assert known(room, third) != one


def test_opposite_merges_at_once_make_one_person_and_no_circle(room: Room):
    """Three merges in a ring, all at once, from many hands, end in one root."""
    ids = [known(room, a_person(record_numbers=(number(value),))) for value in "123"]
    ring = [(ids[0], ids[1]), (ids[1], ids[2]), (ids[2], ids[0]), (ids[1], ids[0])]
    at_once([lambda two=two: merge(room, *two) for two in ring])
    assert len({room.links.root(one) for one in ids}) == 1
    assert said(room).count("person.merged.v1") == 2


def check(room: Room) -> None:
    """No two unmerged people share a record number of one system; every alias chain ends."""
    holders: dict[tuple[str, str], set[str]] = {}
    for document in people(room):
        root = room.links.root(document["_id"])
        for row in document["records"]:
            holders.setdefault((row["s"], row["n"]), set()).add(root)
    assert [key for key, roots in holders.items() if len(roots) > 1] == []


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_any_order_of_submissions_and_merges_keeps_the_invariants(rooms: Room, seed: int):
    """Whatever comes in whatever order: one holder per number, chains that end, and what is undone was never done."""
    random = Random(seed)
    empty(rooms)
    described = [
        a_person(given_name=given, birth_date=birth, record_numbers=numbers)
        for given in ("Wren", "Wrenna", "Rowan")
        for birth in ("1988-04-01", "1988-04-02")
        for numbers in ((), (number("1"),), (number("2"), number("7", "urn:oid:2.999.5")))
    ]
    for _ in range(14):
        ids = [document["_id"] for document in people(rooms)]
        kind = random.random()
        if kind < 0.55 or len(ids) < 2:
            known(rooms, random.choice(described))
        elif kind < 0.8:
            one, other = random.sample(ids, 2)
            before = people(rooms)
            told = merge(rooms, one, other)
            if told.is_new and random.random() < 0.5:
                unmerge(rooms, told.surviving_peer_id, told.merged_peer_id)
                assert people(rooms) == before
        else:
            edge = rooms.database.people.find_one({"merged_into": {"$exists": True}})
            if edge:
                unmerge(rooms, edge["merged_into"], edge["_id"])
                assert rooms.links.root(edge["_id"]) == edge["_id"]
        check(rooms)
