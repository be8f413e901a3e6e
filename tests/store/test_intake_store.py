"""Referrals and people on a real mongod: PHI unreadable, one referral per person and visit, no hot query scans."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from bson import encode

from chassis.aggregates import StaleVersion
from chassis.envelope import Cause
from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from cli.local import keys
from kindred.intake.v1 import events_pb2
from services.intake import handlers
from services.intake.bootstrap import Room, build_room, prepare
from services.intake.domain.errors import (
    IdempotencyKeyReused,
    ReferralAlreadyAssigned,
    ReferralUnknown,
    SubmissionRejected,
)
from services.intake.domain.person import Person, RecordNumber, SafeContact
from services.intake.domain.receipts import Becoming, Step, Word
from services.intake.domain.referral import Assignment
from services.intake.handlers import Receipt, Told
from services.intake.settings import Settings
from tests.unit.intake.intake_builders import NOW, SOURCE, a_consent, a_person, a_submission

CAUSE = Cause("cor-1")
NURSE = Caller("nurse-ada", "nurse", SOURCE, "TREAT")
ALL = {
    "referral.submitted.v1": events_pb2.ReferralSubmitted,
    "referral.revised.v1": events_pb2.ReferralRevised,
}
MARKED = ("Zyxmarkham", "Qwylla", "1977-07-07", "MRN-ZQX-991", "+15185550199", "zq.mail@st-brigid.example")


@pytest.fixture(scope="session")
def keys_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return keys.create(tmp_path_factory.mktemp("intake-keys"))


@pytest.fixture
def room(mongo_uri, emptied_database, clock, keys_dir) -> Room:
    database = emptied_database
    settings = Settings(
        mongo_uri=mongo_uri, mongo_database=database.name, amqp_uri="amqp://nowhere", keys_dir=keys_dir
    )
    room = build_room(settings, clock)
    prepare(room)
    return room


def submit(room: Room, **given):
    return handlers.submit(room, NURSE, a_submission(**given), CAUSE)


def said(room: Room, collection: str = "referrals") -> list[str]:
    return [row["type"] for doc in room.database[collection].find() for row in doc["outbox"]]


def test_what_is_stored_cannot_be_read(room: Room):
    """P9: no marked word of a person is readable in any document of any collection."""
    family, given, birth, number, phone, mail = MARKED
    person = Person(family, given, birth, (RecordNumber("urn:oid:2.999.1", number),), (phone,))
    contact = replace(a_submission().source_contact, email=mail)
    told = submit(room, person=person, note="Zyxnote wants tea", source_contact=contact)
    raw = b"".join(
        encode(doc) for name in room.database.list_collection_names() for doc in room.database[name].find()
    )
    assert [word for word in (*MARKED, "Zyxnote") if word.encode() in raw] == []
    _, kept = handlers.read_referral(room, NURSE, told.referral.referral_id, "Task", CAUSE)
    assert (kept.person, kept.note) == (person, "Zyxnote wants tea")


def test_a_referral_says_what_matching_needs_and_not_who(room: Room):
    """The stored event carries codes and times and the callback only sealed."""
    told = submit(room)
    rows = room.database.referrals.find_one({"_id": told.referral.referral_id})["outbox"]
    event = events_pb2.ReferralSubmitted.FromString(rows[0]["data"])
    assert [row["type"] for row in rows] == ["referral.submitted.v1", "consent.recorded.v1"]
    assert (event.age_band, list(event.languages), event.urgency) == ("adult", ["es", "en"], 3)
    assert event.sealed_source_contact.key_id.startswith("notifications:")
    assert event.provenance.peer_id == told.referral.peer_id
    assert b"Quillfeather" not in rows[0]["data"] and b"1988" not in rows[0]["data"]


def test_the_same_key_gets_the_same_answer(room: Room):
    """A retry with its key is told the first id, and the repeat is said."""
    first, again = submit(room), submit(room)
    assert again.referral.referral_id == first.referral.referral_id
    assert (first.was_known, again.was_known) == (False, True)
    assert said(room) == ["referral.submitted.v1", "consent.recorded.v1", "submission.repeated.v1"]


def test_a_key_used_for_something_else_is_a_conflict(room: Room):
    """The same key with another content is refused, and makes no second referral."""
    submit(room)
    with pytest.raises(IdempotencyKeyReused) as refused:
        submit(room, person=a_person(given_name="Rowan", record_numbers=()))
    assert refused.value.kind is Kind.CONFLICT
    assert room.database.referrals.count_documents({}) == 1
    assert room.database.people.count_documents({}) == 1


def test_two_nurses_make_one_referral(room: Room):
    """The same person on the same visit, with another key and no visit number, is the same referral."""
    first = submit(room)
    second = submit(room, idempotency_key="key-2", visit=None, arrived_at=NOW, note="Again.")
    assert second.referral.referral_id == first.referral.referral_id
    retried = submit(room, idempotency_key="key-2", visit=None, arrived_at=NOW, note="Again.")
    assert retried.referral.referral_id == first.referral.referral_id


@pytest.mark.parametrize(
    "second",
    [
        SafeContact(do_not_contact=True),
        SafeContact(may_leave_message=False),
        SafeContact(may_leave_message=True, who_else_answers="her brother"),
    ],
)
def test_a_second_nurses_no_counts(room: Room, second: SafeContact):
    """Nothing else of a repeat is taken, but its no is: the number is in no event from then on."""
    first = submit(room, person=a_person(safe_contact=SafeContact(may_leave_message=True)))
    again = {"idempotency_key": "key-2", "note": "Again.", "person": a_person(safe_contact=second)}
    assert [submit(room, **again).was_known for _ in range(2)] == [True, True]
    rows = room.database.referrals.find_one({"_id": first.referral.referral_id})["outbox"]
    sealed = {
        row["type"]: ALL[row["type"]].FromString(row["data"]).HasField("sealed_peer_contact")
        for row in rows
        if row["type"] in ALL
    }
    assert sealed == {"referral.submitted.v1": True, "referral.revised.v1": False}
    assert [row["type"] for row in rows].count("referral.revised.v1") == 1
    _, kept = handlers.read_referral(room, NURSE, first.referral.referral_id, "Task", CAUSE)
    assert (kept.note, kept.person.phones) == ("Likes to be called Wren.", a_person().phones)


def test_a_second_nurses_yes_is_no_yes(room: Room):
    """What the first said not to do is not allowed by a repeat; only a correction does that."""
    first = submit(room, person=a_person(safe_contact=SafeContact(do_not_contact=True)))
    yes = a_person(safe_contact=SafeContact(may_leave_message=True, do_not_contact=False))
    submit(room, idempotency_key="key-2", person=yes)
    _, kept = handlers.read_referral(room, NURSE, first.referral.referral_id, "Task", CAUSE)
    assert kept.person.safe_contact == SafeContact(do_not_contact=True)
    assert "referral.revised.v1" not in said(room)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"visit": RecordNumber("urn:oid:2.999.2", "V-2")}, "another visit number"),
        ({"visit": None, "arrived_at": NOW - timedelta(hours=13)}, "more than 12 hours apart"),
        ({"source_id": "er-elsewhere"}, "another source"),
        ({"person": a_person(record_numbers=(RecordNumber("urn:oid:2.999.1", "MRN-2"),))}, "another number"),
        ({"person": a_person(birth_date="1991-11-30")}, "another birth date"),
        ({"visit": None, "person": a_person(given_name="Wrenna", record_numbers=())}, "another given name"),
    ],
)
def test_uncertain_is_not_joined(room: Room, given: dict, why: str):
    """A false join is worse than a missed one: what differs in a key, with nothing to explain it, is another referral."""
    first = submit(room)
    second = submit(room, idempotency_key="key-2", **given)
    assert second.referral.referral_id != first.referral.referral_id, why
    third = submit(room, idempotency_key="key-3", **given)
    assert third.referral.referral_id == second.referral.referral_id, why


def test_a_person_keeps_their_pseudonym(room: Room):
    """An earlier visit and a later one have the same peer_id; another person has another."""
    first = submit(room)
    later = submit(room, idempotency_key="k2", visit=RecordNumber("urn:oid:2.999.2", "V-9"))
    nameless = submit(
        room,
        idempotency_key="k3",
        visit=RecordNumber("urn:oid:2.999.2", "V-10"),
        person=Person(record_numbers=a_person().record_numbers),
    )
    other = submit(room, idempotency_key="k4", person=a_person(given_name="Lark", record_numbers=()))
    assert first.referral.peer_id == later.referral.peer_id == nameless.referral.peer_id
    assert other.referral.peer_id != first.referral.peer_id


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"visit": None},
        {"visit": None, "person": a_person(record_numbers=())},
        {"person": Person()},
    ],
    ids=["all keys", "no visit number", "only a name", "only a visit number"],
)
def test_many_at_once_make_one_referral(room: Room, given: dict):
    """Sixteen simultaneous submissions of one person and visit, each with its own key, make one referral."""
    ids: list[str] = []
    faults: list[BaseException] = []
    gate = threading.Barrier(16)

    def one(number: int) -> None:
        gate.wait()
        try:
            ids.append(submit(room, idempotency_key=f"key-{number}", **given).referral.referral_id)
        except Exception as fault:  # noqa: BLE001
            faults.append(fault)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert faults == []
    assert (len(ids), len(set(ids))) == (16, 1)
    assert room.database.referrals.count_documents({}) == 1
    assert sorted(said(room)) == [
        "consent.recorded.v1",
        "referral.submitted.v1",
        *["submission.repeated.v1"] * 15,
    ]


def test_a_submission_without_consent_leaves_nothing(room: Room):
    """P7: nothing is stored of a submission that was refused."""
    with pytest.raises(SubmissionRejected) as refused:
        submit(room, consent=a_consent(is_permitted=False))
    assert refused.value.code == "consent-refused"
    assert {
        name: room.database[name].count_documents({}) for name in ("referrals", "people", "data_keys")
    } == {
        "referrals": 0,
        "people": 0,
        "data_keys": 0,
    }


def test_a_rejection_is_said_without_a_value(room: Room):
    """The audit entry of a rejection holds codes and places; a made-up element's name is left out of it."""
    from chassis.errors import Fault

    refusal = SubmissionRejected(
        [
            Fault("Bundle.entry[0].resource.zyxmarkham", "unknown-element", "R4 has no such element here."),
            Fault("Bundle.entry[0].resource.birthDate", "bad-format", "x"),
        ]
    )
    handlers.reject(room, NURSE, "fhir", refusal, CAUSE)
    document = room.database.rejections.find_one()
    event = events_pb2.SubmissionRejected.FromString(document["outbox"][0]["data"])
    assert list(event.reason_codes) == ["unknown-element", "bad-format"]
    assert list(event.paths) == ["Bundle.entry[0].resource", "Bundle.entry[0].resource.birthDate"]
    assert b"zyxmarkham" not in encode(document)


def test_a_read_is_recorded_before_it_is_told(room: Room, monkeypatch: pytest.MonkeyPatch):
    """Without a durable record of the read there is no answer."""
    told = submit(room)
    handlers.read_referral(room, NURSE, told.referral.referral_id, "Task", CAUSE)
    assert said(room, "accesses") == ["record.read.v1"]
    monkeypatch.setattr(room.access.aggregates, "insert", _unavailable)
    with pytest.raises(Refusal) as refused:
        handlers.read_referral(room, NURSE, told.referral.referral_id, "Task", CAUSE)
    assert refused.value.kind is Kind.UNAVAILABLE


def _unavailable(*_: object, **__: object) -> None:
    raise Refusal("store-unavailable", Kind.UNAVAILABLE)


def test_another_organization_reads_nothing(room: Room):
    """A caller of another organization is refused, and the denial names the record."""
    told = submit(room)
    stranger = replace(NURSE, organization_id="er-elsewhere")
    with pytest.raises(ReferralUnknown):
        handlers.read_referral(room, stranger, told.referral.referral_id, "Task", CAUSE)
    assert said(room, "accesses") == ["access.denied.v1"]
    assert handlers.list_referrals(room, stranger, "", 0, CAUSE) == []
    assert len(handlers.list_referrals(room, NURSE, "submitted", 0, CAUSE)) == 1


def test_an_erased_person_is_unreadable(room: Room):
    """Destroying a person's key makes their referral unreadable, and says so."""
    told = submit(room)
    assert room.vault.erase(told.referral.peer_id)
    fresh = build_room(room.settings, room.clock)
    with pytest.raises(Refusal) as refused:
        handlers.read_referral(fresh, NURSE, told.referral.referral_id, "Task", CAUSE)
    assert refused.value.code == "referral-erased"


def test_what_matching_says_moves_the_referral_once(room: Room):
    """An offer, its redelivery and an acceptance move the referral twice, each said once."""
    told = submit(room)
    ref, at = told.referral.referral_id, NOW + timedelta(seconds=1)
    heard = Cause("cor-1", "evt-1")
    handlers.seek(room, [handlers.Told(referral_id=ref, said_at=at, cause=heard)])
    handlers.seek(room, [handlers.Told(referral_id=ref, said_at=at, cause=heard)])
    assignment = Assignment("off-1", NOW + timedelta(minutes=25), "bedside")
    accepted = handlers.Accepted(
        referral_id=ref,
        said_at=at + timedelta(seconds=9),
        cause=Cause("cor-1", "evt-2"),
        assignment=assignment,
    )
    handlers.assign(room, [accepted])
    late = handlers.Told(referral_id=ref, said_at=at + timedelta(seconds=1), cause=Cause("cor-1", "evt-3"))
    handlers.seek(room, [late])
    now = room.referrals.load(ref).referral
    assert (now.state, now.task_version, now.offer_id) == ("assigned", 3, "off-1")
    assert said(room).count("referral.status-changed.v1") == 2


def test_what_is_told_together_ends_as_if_told_one_by_one(room: Room):
    """Offers of two referrals in one batch move each once; a batch with an unknown one says so and spoils nothing."""
    other = {"idempotency_key": "key-2", "person": a_person(given_name="Lark", record_numbers=())}
    refs = [submit(room, **given).referral.referral_id for given in ({}, other)]
    made = [
        handlers.Told(referral_id=refs[n % 2], said_at=NOW, cause=Cause("cor", f"evt-{n}")) for n in range(6)
    ]
    handlers.seek(room, made)
    handlers.seek(room, made)
    assert [room.referrals.load(ref).referral.task_version for ref in refs] == [2, 2]
    nowhere = handlers.Told(referral_id="ref-nowhere", said_at=NOW, cause=Cause("cor", "evt-9"))
    with pytest.raises(ReferralUnknown):
        handlers.seek(room, [*made, nowhere])
    assert said(room).count("referral.status-changed.v1") == 2


def test_two_acceptances_in_one_batch_are_refused_as_a_whole_then_one_by_one(room: Room):
    """The second acceptance refuses the batch with nothing stored; alone, the first one wins and it is refused."""
    ref = submit(room).referral.referral_id
    first, second = (
        handlers.Accepted(
            referral_id=ref,
            said_at=NOW,
            cause=Cause("cor", f"evt-{n}"),
            assignment=Assignment(f"off-{n}", None, "phone"),
        )
        for n in range(2)
    )
    with pytest.raises(ReferralAlreadyAssigned):
        handlers.assign(room, [first, second])
    assert room.referrals.load(ref).referral.state == "submitted"
    handlers.assign(room, [first, first])
    with pytest.raises(ReferralAlreadyAssigned):
        handlers.assign(room, [second])
    assert room.referrals.load(ref).referral.offer_id == "off-0"


def test_offers_heard_at_once_do_not_collide(room: Room):
    """Three offers heard by three workers at the same moment leave one move and no error."""
    ref = submit(room).referral.referral_id
    faults: list[StaleVersion] = []

    def hear(number: int) -> None:
        try:
            told = handlers.Told(referral_id=ref, said_at=NOW, cause=Cause("cor", f"evt-{number}"))
            handlers.seek(room, [told])
        except StaleVersion as fault:
            faults.append(fault)

    threads = [threading.Thread(target=hear, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert faults == []
    assert said(room).count("referral.status-changed.v1") == 1


def test_notices_heard_beside_offers_are_all_kept(room: Room):
    """Two listeners and a move at once: each word is in the book once, and the move is made."""
    referral_id = submit(room).referral.referral_id
    receipts = [
        Receipt(
            referral_id=referral_id,
            notice_id=f"ntc-{number % 8}",
            intent="offer-made",
            word=Word(Step.DELIVERED if number > 7 else Step.SENT, NOW, 1 + number // 8, "email", 1),
            cause=Cause("cor-1", f"evt-{number}"),
        )
        for number in range(16)
    ]

    def hear(start: int) -> None:
        for one in receipts[start::2]:
            handlers.keep_receipts(room, [one])
            handlers.keep_receipts(room, [one, receipts[0]])

    def move() -> None:
        told = Told(referral_id=referral_id, said_at=NOW, cause=Cause("cor-1", "evt-seek"))
        handlers.seek(room, [told])

    threads = [threading.Thread(target=hear, args=(start,)) for start in (0, 1)]
    threads += [threading.Thread(target=move)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held = room.referrals.load(referral_id)
    book = room.referrals.open(held).book
    assert [one.becoming for one in book.notices] == [Becoming.ARRIVED] * 8 and book.version == 16
    assert (held.referral.state.value, held.referral.task_version) == ("seeking", 2)
    with pytest.raises(ReferralUnknown):
        handlers.keep_receipts(room, [replace(receipts[0], referral_id="ref-nowhere")])


def _plans(plan: object) -> list[str]:
    if isinstance(plan, dict):
        inner = [name for value in plan.values() for name in _plans(value)]
        return [plan["stage"], *inner] if "stage" in plan else inner
    return [name for value in plan for name in _plans(value)] if isinstance(plan, list) else []


@pytest.mark.parametrize(
    ("collection", "query"),
    [
        ("referrals", {"claims": "i:x"}),
        (
            "referrals",
            {"peer_id": "p", "source_id": "s", "$or": [{"arrived_at": {"$gt": NOW}}, {"visit.number": "v"}]},
        ),
        ("referrals", {"source_id": "s", "status": "seeking"}),
        ("referrals", {"status": "submitted"}),
        (
            "people",
            {
                "$or": [
                    {"records.n": {"$in": ["x"]}},
                    {"name": "y"},
                    {"claims": "v:x"},
                    {"trails": {"$in": ["z", "w"]}},
                ]
            },
        ),
        ("people", {"phones": {"$in": ["x"]}}),
        ("people", {"merged_into": {"$in": ["x"]}}),
        ("links", {"reviewers": "s", "state": {"$in": ["open", "later"]}}),
        ("links", {"peer_ids": {"$in": ["x"]}, "state": {"$in": ["open", "later"]}}),
    ],
)
def test_no_hot_query_scans(room: Room, collection: str, query: dict):
    """Every query of a submission, a read and a list is served by an index."""
    submit(room)
    plan = room.database[collection].find(query).explain()["queryPlanner"]["winningPlan"]
    assert "COLLSCAN" not in _plans(plan)


def test_who_waits_for_matchings_first_word_is_known(room: Room):
    """A referral is unheard from its submission until matching says that it seeks; then nobody is."""
    assert room.listing.unheard_since() is None
    told = submit(room)
    assert room.listing.unheard_since() == told.referral.submitted_at
    handlers.seek(room, [Told(referral_id=told.referral.referral_id, said_at=NOW, cause=Cause("cor"))])
    assert room.listing.unheard_since() is None
