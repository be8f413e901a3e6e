"""Field encryption on a real mongod: unreadable in the database, readable with the person's key, gone with it."""

from __future__ import annotations

import secrets
import threading

import pytest
from bson import encode

from chassis.vault import Unreadable, Vault

MARKED = "Quillfeather"


@pytest.fixture
def master_key():
    return secrets.token_bytes(96)


@pytest.fixture
def vault(mongo_client, database, master_key):
    vault = Vault(mongo_client, database.name, master_key)
    vault.ensure_indexes()
    return vault


def test_sealed_values_come_back_and_show_nothing(vault, database):
    """What is sealed opens as it was, and its stored bytes do not hold it (P9)."""
    sealed = vault.seal("peer_1", {"family": MARKED})
    database.people.insert_one({"_id": 1, "sealed": sealed})
    raw = encode(database.people.find_one())
    assert MARKED.encode() not in raw
    assert vault.open(database.people.find_one()["sealed"]) == {"family": MARKED}


def test_erasing_a_person_makes_their_data_unreadable(vault, mongo_client, database, master_key):
    """Without the person's key nothing of theirs opens; others are untouched."""
    gone, kept = vault.seal("peer_1", {"a": 1}), vault.seal("peer_2", {"b": 2})
    assert vault.erase("peer_1")
    fresh = Vault(mongo_client, database.name, master_key)
    with pytest.raises(Unreadable):
        fresh.open(gone)
    assert fresh.open(kept) == {"b": 2}


def test_a_person_has_one_key_however_many_writers(vault, database):
    """Sixteen writers that seal for a new person at once share one key."""
    sealed: list[object] = []
    writers = [
        threading.Thread(target=lambda n=n: sealed.append(vault.seal("peer_1", {"n": n}))) for n in range(16)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(sealed) == 16
    assert database.data_keys.count_documents({}) == 1
    assert {vault.open(one)["n"] for one in sealed} == set(range(16))


def test_another_master_key_opens_nothing(vault, mongo_client, database):
    """A copied database is useless without the master key."""
    sealed = vault.seal("peer_1", {"a": 1})
    thief = Vault(mongo_client, database.name, secrets.token_bytes(96))
    with pytest.raises(Unreadable):
        thief.open(sealed)


def test_a_new_key_is_used_without_asking_for_it(vault, mongo_client, database, master_key, monkeypatch):
    """Sealing for somebody new stores one key and reads none; once destroyed it is not handed out from memory."""
    asked = []
    real = vault._fresh._keys
    monkeypatch.setattr(vault._fresh, "_keys", Watched(real, asked))
    sealed = vault.seal("peer_new", {"family": MARKED}, is_first=True)
    assert asked == []
    assert vault.open(sealed) == {"family": MARKED}
    assert Vault(mongo_client, database.name, master_key).open(sealed) == {"family": MARKED}
    key_id = vault._make("peer_gone")
    assert vault.erase("peer_gone")
    assert list(vault._fresh.find({"$or": [{"_id": {"$in": [key_id]}}]})) == []
    assert len(asked) == 1


def test_few_keys_are_remembered_at_once_and_everything_opens(
    vault, mongo_client, database, master_key, monkeypatch
):
    """However many new people come at once, the library that looks through all its keys holds few; none is lost."""
    monkeypatch.setattr("chassis.vault._MOST_HANDED", 3)
    sealed: dict[int, list[object]] = {}

    def write(writer: int) -> None:
        for number in range(writer * 10, writer * 10 + 10):
            person = f"peer_{number}"
            sealed[number] = [
                vault.seal(person, {"n": number}, is_first=True),
                vault.seal(person, {"n": number}),
            ]
            assert vault.open(sealed[number][0]) == {"n": number}

    first = vault._encryption
    writers = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    assert vault._encryption is not first
    assert len(sealed) == database.data_keys.count_documents({}) == 40
    fresh = Vault(mongo_client, database.name, master_key)
    assert all(
        one.open(two) == {"n": number}
        for one in (vault, fresh)
        for number, both in sealed.items()
        for two in both
    )
    assert vault._fresh.handed <= 3 + 4
    assert vault.erase("peer_1")
    with pytest.raises(Unreadable):
        Vault(mongo_client, database.name, master_key).open(sealed[1][0])


class Watched:
    """The real key collection; what is asked of it is noted."""

    def __init__(self, keys, asked):
        self._keys, self._asked = keys, asked

    def find(self, wanted):
        self._asked.append(wanted)
        return self._keys.find(wanted)
