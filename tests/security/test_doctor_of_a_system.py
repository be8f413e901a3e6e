"""`kindred doctor` on a whole running system: nothing is wrong with a fresh one, and what is spoiled is found."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from pymongo import MongoClient
from typer.testing import CliRunner

from cli.app import app
from cli.doctor import broker, database, examination
from cli.local import access, database_users, rights
from cli.local.ports import Ports
from tests.driving import Running


@pytest.fixture(scope="module")
def client(running: Running) -> Iterator[MongoClient[dict[str, Any]]]:
    """The owner's."""
    with MongoClient[dict[str, Any]](running.known.mongo_uri) as found:
        yield found


def codes(found: Any) -> list[str]:
    return [each.code for each in found]


def test_a_fresh_system_is_good(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 0 and an empty list, of the real broker, database, doors and files."""
    monkeypatch.setenv("KINDRED_VAR", str(running.place.var))

    def examined() -> list[dict[str, str]]:
        # A disk of the machine may be nearly full.
        told = json.loads(CliRunner().invoke(app, ["doctor", "--json"]).stdout)
        return [one for one in told if one["code"] != "disk-nearly-full"]

    # The last cosignature may be a moment late.
    deadline = time.monotonic() + 60
    while found := examined():
        assert time.monotonic() < deadline, found


# A user whose process does not run here: whoever's user is dropped under them must sign in anew.
IDLE = "audit-atna"


def test_a_user_that_may_more_or_is_gone_is_found_and_put_right(client: Any, running: Running) -> None:
    """A role too many, a right too many, somebody nobody knows, one that is missing; the set-up mends what is ours."""
    admin, known = client.admin, access.passwords(running.place.access)
    assert codes(database.users(client)) == []
    admin.command("grantRolesToUser", IDLE, roles=["readWriteAnyDatabase"])
    more = [{"resource": {"db": "kindred_audit", "collection": "entries"}, "actions": ["remove"]}]
    admin.command("grantPrivilegesToRole", IDLE, privileges=more)
    admin.command("createUser", "somebody", pwd="x", roles=[])
    try:
        found = [(each.code, each.where) for each in database.users(client)]
        assert found == [("user-unknown", "somebody"), *[("user-may-too-much", IDLE)] * 2]
    finally:
        admin.command("dropUser", "somebody")
        admin.command("dropUser", IDLE)
    assert codes(database.users(client)) == ["user-missing"]
    database_users.establish(client, known)
    assert codes(database.users(client)) == []


def test_an_index_and_a_view_that_are_gone_are_found(client: Any) -> None:
    """Named by database and collection."""
    assert codes(database.indexes(client)) == codes(database.counts(client)) == []
    client["kindred_matching"].drop_collection(f"{rights.COUNTS}programmes")
    client["kindred_intake"]["smart_assertions"].drop_index("forgotten")
    try:
        assert codes(database.counts(client)) == ["counts-missing"]
        assert codes(database.indexes(client)) == ["index-missing"]
    finally:
        client["kindred_intake"]["smart_assertions"].create_index(
            "gone_at", name="forgotten", expireAfterSeconds=0
        )
        pipeline = [{"$project": rights.COUNTS_SHOW}]
        name = f"{rights.COUNTS}programmes"
        client["kindred_matching"].command("create", name, viewOn="programmes", pipeline=pipeline)


def test_a_database_that_lets_anybody_in_is_found(mongo_uri: str, client: Any) -> None:
    """The test bed's own does; a guarded one does not."""
    assert codes(database.lets_nobody_in(mongo_uri.partition("//")[2].partition("/")[0])) == ["database-open"]
    host, port = client.primary
    assert codes(database.lets_nobody_in(f"{host}:{port}")) == []


def test_what_cannot_be_asked_is_a_finding(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database or a broker that does not answer is not taken for one that is well."""
    away = replace(running.known, mongo_uri="mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=100")
    told = list(examination._database(running.place, away, lambda _: None))
    assert codes(told) == ["database-unreachable"]
    monkeypatch.setattr(examination, "_ports", lambda _: Ports(1))
    monkeypatch.setattr(broker.rabbit, "NODE", "nobody@localhost")
    monkeypatch.delenv("AMQP_URI", raising=False)
    assert codes(examination._broker(running.place, away, lambda _: None)) == ["broker-unreachable"]
