"""Notices and contacts on a real mongod: unreadable addresses, one notice per intent, every query by index."""

from __future__ import annotations

import json
import secrets
import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from bson import encode

from chassis.aggregates import Aggregates, StaleVersion
from chassis.envelope import Cause
from chassis.vault import Vault
from services.notifications import codec
from services.notifications.domain.contacts import Card, Contact
from services.notifications.domain.intents import Intent, Urgency
from services.notifications.domain.notices import (
    Answer,
    Outcome,
    Reason,
    State,
    begin_attempt,
    cancel,
    settle_attempt,
)
from services.notifications.domain.opening import Opening
from services.notifications.store import Contacts, Links, Notices
from tests.unit.notifications.notice_builders import a_notice

MARKED = "quillfeather.marked@example.org"
CAUSE = Cause("cor_1", "evt_1")


@pytest.fixture
def database(emptied_database):
    return emptied_database


@pytest.fixture
def master_key():
    return secrets.token_bytes(96)


@pytest.fixture
def vault(mongo_client, database, master_key):
    vault = Vault(mongo_client, database.name, master_key)
    vault.ensure_indexes()
    return vault


@pytest.fixture
def contacts(database, vault):
    return Contacts(database, vault)


@pytest.fixture
def notices(database, clock, vault, master_key):
    links = Links(vault, master_key)
    notices = Notices(Aggregates(database, "notices", clock, "notifications"), links, codec.event_to_proto)
    notices.ensure_indexes()
    return notices


def a_card(revision=1, address=MARKED, person_id="sp_1"):
    return Card(
        f"specialist-contact:{person_id}", person_id, revision, Contact(address, "es", "America/Chicago")
    )


def an_opening(clock, number=1, token="", **changes):
    notice = a_notice(Intent.OFFER_MADE, offer_id=f"off_{number}")
    now = clock.now()
    times = {"opened_at": now, "due_at": now, "expires_at": now + timedelta(minutes=5)}
    notice = replace(notice, **{**times, **changes})
    return Opening(notice, (), token), CAUSE


def opened(contacts, person_id):
    contact_id = f"specialist-contact:{person_id}"
    return contacts.open_many([contact_id]).get(contact_id)


def raw(database):
    """Every byte this service stored, keys included."""
    names = database.list_collection_names()
    return b"".join(encode(document) for name in names for document in database[name].find())


def test_no_address_is_readable_in_the_database(contacts, database):
    """What MongoDB holds of a contact shows neither address nor parts of it (P9)."""
    contacts.keep_many([a_card()])
    stored = raw(database)
    assert b"sp_1" in stored  # the scan looks at the right place
    for part in (MARKED, "quillfeather", "America/Chicago"):
        assert part.encode() not in stored
    assert opened(contacts, "sp_1") == Contact(MARKED, "es", "America/Chicago")


def test_the_token_of_a_link_is_unreadable_and_forgotten_when_over(notices, database, clock):
    """An answer page's token is ciphertext while somebody may open it: until it is cancelled, or its time is over."""
    [held] = notices.open_many([an_opening(clock, token="tok-marked-secret")])
    assert b"tok-marked-secret" not in raw(database)
    assert notices.link_token(held) == "tok-marked-secret"
    notices.save(held, cancel(held.notice, Reason.OFFER_CLOSED), [])
    assert "sealed_link" not in database.notices.find_one()
    [mailed] = notices.open_many([an_opening(clock, 2, token="tok-marked-secret")])
    mailed = notices.save(mailed, replace(mailed.notice, state=State.SENT, due_at=None), [])
    assert notices.forget_old_links(clock.now()) == 0
    assert notices.link_token(mailed) == "tok-marked-secret"
    assert notices.forget_old_links(mailed.notice.expires_at) == 1
    assert database.notices.count_documents({"sealed_link": {"$exists": True}}) == 0


def test_a_link_opens_only_for_its_own_notice_and_unchanged(notices, database, clock):
    """A ciphertext that was changed, or was put under another notice, opens to nothing."""
    [first] = notices.open_many([an_opening(clock, token="tok-marked-secret")])
    [second] = notices.open_many([an_opening(clock, 2, token="tok-other")])
    sealed = database.notices.find_one({"_id": first.notice.notice_id})["sealed_link"]
    query = {"_id": second.notice.notice_id}
    for wrong in (sealed, sealed[:-1], sealed[:20], b"", bytes(60)):
        database.notices.update_one(query, {"$set": {"sealed_link": wrong}})
        assert notices.link_token(notices.load_many([second.notice.notice_id])[second.notice.notice_id]) == ""
    read = notices.load_many([first.notice.notice_id])[first.notice.notice_id]
    assert notices.link_token(read) == "tok-marked-secret"


def test_a_link_that_the_vault_sealed_still_opens(notices, database, clock, vault):
    """What was kept by the release before opens until it is worthless, unless its person was erased (P10)."""
    [held] = notices.open_many([an_opening(clock, token="tok-new")])
    old = vault.seal(held.notice.recipient_id, {"token": "tok-old"})
    database.notices.update_one({"_id": held.notice.notice_id}, {"$set": {"sealed_link": old}})
    read = notices.load_many([held.notice.notice_id])[held.notice.notice_id]
    assert notices.link_token(read) == "tok-old"


def test_an_older_revision_never_replaces_a_newer(contacts):
    """Contacts that arrive out of order, alone or in one batch, end with the newest."""
    contacts.keep_many([a_card(2, "second@example.org")])
    contacts.keep_many([a_card(1, "first@example.org"), a_card(1, "other@example.org", "sp_2")])
    assert opened(contacts, "sp_1").address == "second@example.org"
    assert opened(contacts, "sp_2").address == "other@example.org"
    contacts.keep_many([a_card(4, "fourth@example.org"), a_card(3, "third@example.org")])
    assert opened(contacts, "sp_1").address == "fourth@example.org"


def test_a_card_without_address_is_known_and_not_reachable(contacts):
    """Knowing that there is no address is different from not knowing the person."""
    contacts.keep_many([a_card(address="")])
    known = contacts.known(["specialist-contact:sp_1", "specialist-contact:sp_2"])
    assert known == {"specialist-contact:sp_1": False}


def test_a_no_is_kept_without_a_key_and_an_older_yes_does_not_undo_it(contacts, database):
    """A peer who may not be written to has a card that holds nothing, and no data key."""
    no = Card("peer-contact:peer_1", "peer_1", 9, Contact())
    contacts.keep_many([no])
    assert database.data_keys.count_documents({}) == 0
    contacts.keep_many([Card("peer-contact:peer_1", "peer_1", 8, Contact(phone="+13125550171"))])
    assert contacts.known([no.contact_id]) == {no.contact_id: False}
    assert contacts.open_many([no.contact_id]) == {}
    assert database.contacts.find_one()["sealed"] == b""


def test_erased_is_unreadable(contacts, vault, mongo_client, database, master_key):
    """Without the person's key the card opens no more, for any process that has not just used the key."""
    contacts.keep_many([a_card()])
    vault.erase("sp_1")
    another = Contacts(database, Vault(mongo_client, database.name, master_key))
    assert opened(another, "sp_1") is None


def test_many_writers_open_a_notice_once(notices, database, clock):
    """Eight threads that heard the same ten events store ten notices (P4)."""
    openings = [an_opening(clock, number, token=f"tok_{number}") for number in range(10)]
    threads = [threading.Thread(target=notices.open_many, args=[openings]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert database.notices.count_documents({}) == 10


def test_a_notice_comes_back_as_it_was_saved(notices, clock):
    """Attempts, times and codes survive the database unchanged."""
    [held] = notices.open_many([an_opening(clock, token="tok")])
    begun, _ = begin_attempt(held.notice, clock.now())
    held = notices.save(held, begun, [])
    notice, events = settle_attempt(begun, 1, Answer(Outcome.DEFERRED, 451), clock.now(), 0.5)
    notices.save(held, notice, events)
    assert notices.load_many([notice.notice_id])[notice.notice_id].notice == notice


def test_saving_twice_from_one_reading_is_refused(notices, clock):
    """Whoever saves second is told that the notice moved on."""
    [held] = notices.open_many([an_opening(clock)])
    begun, _ = begin_attempt(held.notice, clock.now())
    notices.save(held, begun, [])
    with pytest.raises(StaleVersion):
        notices.save(held, begun, [])


def test_two_who_save_many_from_one_reading_do_not_both_win(notices, clock):
    """Of two workers that hold the same notices exactly one may send them, though both have the same cause."""
    held = notices.open_many([an_opening(clock, number) for number in range(3)])
    begun = [(one, begin_attempt(one.notice, clock.now())[0], ()) for one in held]
    assert len(notices.save_many(begun)) == 3
    assert notices.save_many(begun) == {}


def test_revise_decides_again_on_the_newest_state(notices, clock):
    """A cancel that meets a running attempt keeps the attempt in the log."""
    [held] = notices.open_many([an_opening(clock)])
    stale = held
    notices.save(held, begin_attempt(held.notice, clock.now())[0], [])
    revised = notices.revise(stale, lambda notice: (cancel(notice, Reason.OFFER_CLOSED), []))
    assert (revised.notice.state, len(revised.notice.attempts)) == (State.CANCELLED, 1)


def test_what_was_opened_is_its_openers_for_a_moment(notices, clock):
    """Whoever opened a notice gets it in the hand; for two seconds nobody else finds it due, and then everybody does."""
    [held] = notices.open_many([an_opening(clock)])
    assert notices.open_many([an_opening(clock)]) == []
    assert notices.due(10) == []
    clock.turn(timedelta(seconds=2))
    [found] = notices.due(10)
    assert (found.notice, found.loaded.body) == (held.notice, held.loaded.body)
    assert notices.due(10, but=[held.notice.notice_id]) == []


def test_what_was_handed_on_is_saved_without_being_read(notices, clock):
    """The notice as it was stored is what its opener holds: its save succeeds, and a second one from it does not."""
    [held] = notices.open_many([an_opening(clock)])
    begun = begin_attempt(held.notice, clock.now())[0]
    assert notices.save_many([(held, begun, [])]).keys() == {held.notice.notice_id}
    assert notices.save_many([(held, begun, [])]) == {}


def test_what_is_immediate_comes_before_what_waited_longer(notices, clock):
    """An offer of this second goes before fifty routine notices that have been due for an hour, through an index."""
    waited = [
        an_opening(clock, number, urgency=Urgency.ROUTINE, expires_at=clock.now() + timedelta(days=1))
        for number in range(50)
    ]
    notices.open_many(waited)
    clock.turn(timedelta(hours=1))
    notices.open_many([an_opening(clock, 99)])
    clock.turn(timedelta(seconds=2))
    claimed = notices.due(4)
    assert (claimed[0].notice.offer_id, len(claimed)) == ("off_99", 4)
    assert len({held.notice.notice_id for held in claimed}) == 4


def test_lists_are_newest_first_and_bounded(notices, clock):
    """A referral's notices come with the newest first, at most as many as asked for."""
    for number in range(5):
        notices.open_many([an_opening(clock, number)])
        clock.turn(timedelta(seconds=1))
    found = notices.of_referral("ref_0192f3aa7b31", 3)
    assert [notice.offer_id for notice in found] == ["off_4", "off_3", "off_2"]
    assert len(notices.of_recipient("sp_ines_calloway", 100)) == 5
    assert notices.of_recipient("nobody", 100) == []


@pytest.mark.parametrize(
    "query",
    [
        {"referral_id": "ref_1"},
        {"recipient_id": "sp_1"},
        {"due_at": {"$lte": 0}},
        {"urgency": "immediate", "due_at": {"$lte": 0}},
        {"attempts.address_mark": "m"},
        {"state": "dead"},
    ],
    ids=lambda query: "-".join(query),
)
def test_no_hot_query_scans(notices, database, clock, query):
    """Each question asked of the collection is answered by an index."""
    notices.open_many([an_opening(clock, number) for number in range(20)])
    sort = "due_at" if "due_at" in query else "opened_at"
    plan = database.notices.find(query, {"_id": 1}).sort(sort, 1).explain()["queryPlanner"]["winningPlan"]
    stages = json.dumps(plan, default=str)
    assert "IXSCAN" in stages
    assert "COLLSCAN" not in stages
    assert '"SORT"' not in stages
