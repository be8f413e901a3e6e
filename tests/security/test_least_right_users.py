"""Each process's own user tries what it must not, at the real broker and the real database, and is refused by them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import amqp
import pytest
from pymongo import MongoClient
from pymongo.errors import BulkWriteError, OperationFailure

from cli.local import access, children, rights
from tests.driving import Running

USERS = {user.name: user for user in rights.users()}
AT_THE_BROKER = [name for name, user in USERS.items() if user.broker]
UNAUTHORIZED = 13
SPOKEN = {service: f"{noun}.v1" for service, noun in zip(
    rights.SERVICES, ("referral.submitted", "offer.made", "notice.sent", "log.checked"), strict=True
)}  # fmt: skip


def address(running: Running, user: str, name: str) -> str:
    """The user's own address, as its process reads it."""
    folder, name = ("audit-api", access.PRUNER) if user == rights.PRUNER else (user, name)
    return (running.place.access / folder / name).read_text()


@pytest.fixture(scope="module")
def databases(running: Running) -> Iterator[dict[str, MongoClient[dict[str, Any]]]]:
    """A client as each user."""
    clients = {name: MongoClient[dict[str, Any]](address(running, name, access.MONGO)) for name in USERS}
    yield clients
    for client in clients.values():
        client.close()


def own(user: str) -> str:
    """The database of the user's service."""
    return rights.database_of(user.partition("-")[0])


def refused(attempt: Callable[[], Any]) -> bool:
    """True where the database says: not authorized; anything else it says is raised."""
    try:
        attempt()
    except BulkWriteError as bulk:
        raise AssertionError(bulk.details) from None
    except OperationFailure as refusal:
        assert refusal.code == UNAUTHORIZED, refusal
        return True
    return False


@pytest.mark.parametrize("user", USERS)
def test_no_user_reads_or_writes_another_services_database(databases: Any, user: str) -> None:
    """It reads its own; of all others it is refused every collection that holds anything about anybody."""
    client = databases[user]
    assert not refused(lambda: client[own(user)]["outbox"].find_one())
    foreign = {
        "kindred_intake": "referrals",
        "kindred_matching": "specialists",
        "kindred_notifications": "contacts",
    }
    foreign |= {"kindred_audit": "entries", "kindred_audit_keys": "data_keys", "admin": "system.users"}
    for database, collection in foreign.items():
        if database.startswith(own(user)):
            continue
        there = client[database][collection]
        assert refused(there.find_one), database
        assert refused(lambda there=there: there.insert_one({"_id": "forged"})), database
        assert refused(lambda there=there: there.delete_many({"_id": "nothing"})), database


@pytest.mark.parametrize("user", USERS)
def test_nobody_drops_expires_renames_or_makes_users(databases: Any, user: str) -> None:
    """Only the owner may, and no process holds the owner's password."""
    database = databases[user][own(user)]
    assert refused(lambda: database.command("drop", "accesses"))
    assert refused(lambda: database.command("dropDatabase"))
    assert refused(lambda: database.command("dropIndexes", "accesses", index="*"))
    assert refused(lambda: database.command("collMod", "accesses", expireAfterSeconds=1))
    there = f"{database.name}.accesses"
    assert refused(lambda: database.client.admin.command("renameCollection", there, to=f"{there}2"))
    assert refused(lambda: database.command("createUser", "me", pwd="me", roles=["readWrite"]))
    assert refused(lambda: database.client.admin.command("grantRolesToUser", user, roles=["root"]))
    assert refused(lambda: database.client.admin.command("shutdown"))


@pytest.mark.parametrize("user", ["audit-api", "audit-worker", "audit-atna"])
def test_the_log_is_not_changed_and_not_removed_from(databases: Any, user: str) -> None:
    """Neither by a request, nor by an index with an expiry; nor are keys of people destroyed."""
    database = databases[user]["kindred_audit"]
    for name in rights.LOG:
        assert not refused(database[name].find_one)
        assert refused(lambda name=name: database[name].delete_many({"_id": "nothing"})), name
        assert refused(lambda name=name: database[name].update_one({"_id": "nothing"}, {"$set": {"x": 1}})), (
            name
        )
    assert refused(lambda: database["entries"].create_index("at", expireAfterSeconds=1))
    keys = databases[user][rights.AUDIT_KEYS]["data_keys"]
    assert refused(lambda: keys.delete_many({"_id": "nothing"}))


def test_the_pruner_may_remove_what_is_due(databases: Any) -> None:
    """The refusals above are not the database's mood: one user is let through."""
    database = databases[rights.PRUNER]["kindred_audit"]
    assert not refused(lambda: database["entries"].delete_many({"_id": "nothing"}))


def test_audit_sees_of_the_others_what_counts_events_and_no_more(databases: Any, running: Running) -> None:
    """The views hold a number and ids; every document that counts events is in one of them."""
    for service, collections in rights.AGGREGATES.items():
        database = running.database(service)
        for name in database.list_collection_names(filter={"type": "collection"}):
            if name not in collections and not name.startswith("system."):
                assert database[name].find_one({"event_seq": {"$gt": 0}}, {"_id": 1}) is None, name
        seen = databases["audit-api"][rights.database_of(service)]
        for name in collections:
            shown = seen[rights.COUNTS + name].find_one() or {}
            assert set(shown) <= {"_id", "event_seq", "outbox"}


@contextmanager
def a_channel(running: Running, user: str) -> Iterator[amqp.Channel]:
    parts = urlsplit(address(running, user, access.AMQP))
    connection = amqp.Connection(
        f"{parts.hostname}:{parts.port}",
        userid=parts.username,
        password=parts.password,
        virtual_host=parts.path[1:],
        connect_timeout=5,
        read_timeout=10,
    )
    connection.connect()
    try:
        yield connection.channel()
    finally:
        connection.collect()


def is_refused(running: Running, user: str, attempt: Callable[[amqp.Channel], Any]) -> bool:
    """True where the broker closes the channel with ACCESS_REFUSED."""
    with a_channel(running, user) as channel:
        try:
            attempt(channel)
            channel.queue_declare("intake.inbox", passive=True)  # an answer: what was sent before was taken
        except amqp.AccessRefused:
            return True
    return False


def publishing(exchange: str, key: str) -> Callable[[amqp.Channel], Any]:
    """Sends something that says it is that event; nobody hears it if the broker does its work."""
    return lambda channel: channel.basic_publish(amqp.Message(b"forged"), exchange, key)


@pytest.mark.parametrize("user", AT_THE_BROKER)
def test_nobody_publishes_what_another_says(running: Running, user: str) -> None:
    """Neither under another's event name, nor past the exchange into a queue, nor into another's second chance."""
    service, _, role = user.partition("-")
    for speaker, event in SPOKEN.items():
        if (speaker, "api") != (service, role):
            assert is_refused(running, user, publishing(rights.EVENTS, event)), event
            assert is_refused(running, user, publishing(f"{speaker}.again", f"{speaker}.inbox")), speaker
    assert is_refused(running, user, publishing(rights.EVENTS, "no.such-event.v1"))
    assert is_refused(running, user, publishing("", f"{service}.inbox"))
    assert is_refused(running, user, publishing("kindred.dead", f"{service}.dead"))


@pytest.mark.parametrize("user", AT_THE_BROKER)
def test_nobody_reads_or_changes_anothers_queue(running: Running, user: str) -> None:
    """Nor declares, binds, empties or deletes anything; a worker reads its own two queues."""
    service, _, role = user.partition("-")
    for owner in rights.SERVICES:
        for queue in (f"{owner}.inbox", f"{owner}.dead"):
            if (owner, "worker") != (service, role):
                assert is_refused(running, user, lambda channel, queue=queue: channel.basic_get(queue)), queue
    assert is_refused(running, user, lambda channel: channel.queue_declare("mine"))
    assert is_refused(running, user, lambda channel: channel.queue_bind("audit.inbox", rights.EVENTS, "#"))
    assert is_refused(running, user, lambda channel: channel.queue_delete(f"{service}.inbox"))
    assert is_refused(running, user, lambda channel: channel.exchange_delete(rights.EVENTS))
    if role == "worker":
        dead = f"{service}.dead"
        assert not is_refused(
            running, user, lambda channel: channel.basic_consume(dead, callback=lambda _: None)
        )


def test_whoever_has_no_password_is_not_let_in(running: Running) -> None:
    """mongod and the broker answer nobody without a user, also on this machine."""
    bare = urlsplit(running.known.mongo_uri)
    with MongoClient(f"mongodb://{bare.netloc.rpartition('@')[2]}/") as client:
        assert refused(lambda: client["kindred_intake"]["referrals"].find_one())
    parts = urlsplit(running.known.amqp_uri)
    guest = amqp.Connection(
        f"{parts.hostname}:{parts.port}",
        userid="guest",
        password="guest",
        virtual_host="kindred",
        connect_timeout=5,
    )
    with pytest.raises(amqp.AccessRefused):
        guest.connect()
    guest.collect()


def test_no_password_is_in_a_log_a_command_or_an_environment(running: Running) -> None:
    """Whoever lists processes or reads logs learns none; the files are their owner's alone."""
    secrets = [text.encode() for text in access.passwords(running.place.access).values()]
    secrets.append(access.key_file(running.place.access).read_bytes())
    for name in children.recorded(running.place.run):
        child = children.recall(running.place.run, name)
        if child is None:
            continue
        seen = b"".join(Path(f"/proc/{child.pid}/{part}").read_bytes() for part in ("cmdline", "environ"))
        assert not any(secret in seen for secret in secrets), name
    for log in running.place.log.glob("*.log"):
        text = log.read_bytes()
        assert not any(secret in text for secret in secrets), log.name
    for path in running.place.access.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
        assert path.stat().st_uid == os.getuid()
