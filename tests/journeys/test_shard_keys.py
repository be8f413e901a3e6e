"""What a sharded database would be asked: the queries of a referral's life, as the database itself recorded them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kindred.intake.v1 import events_pb2
from tests.driving import SERVICES, Er, Officer, Roster, Running, a_referral, until

ROOT = Path(__file__).resolve().parents[2]
KEYS: dict[str, dict[str, Any]] = json.loads(
    (ROOT / "deploy" / "mongodb" / "shard_keys.json").read_text(encoding="utf-8")
)
REFERRALS = 3
PROFILE_BYTES = 32_000_000
# Asked by the clock, about once a second by one process of a service, however many referrals there are: what has news,
# what is due, what changed since the last look, what is given to whom. Each of them may ask every shard.
BY_THE_CLOCK = {"ringing", "due_at", "claim", "changed_at", "updated_at", "state", "status"}


@pytest.fixture(scope="module")
def asked(
    running: Running, er: Er, roster: Roster, officer: Officer
) -> list[tuple[str, str, dict[str, Any]]]:
    """Every command on a collection with a shard key, while referrals were submitted, offered, accepted and met."""
    for service in SERVICES:
        _record(running.database(service), KEYS[f"kindred_{service}"])
    try:
        for number in range(REFERRALS):
            request = a_referral(f"shard-{number}", urgency=events_pb2.URGENCY_URGENT)
            _carry(er, roster, officer, er.submit_until_told(request))
    finally:
        for service in SERVICES:
            running.database(service).command("profile", 0)
    found = []
    for service in SERVICES:
        for row in running.database(service)["system.profile"].find():
            found += [(row["ns"], row["op"], query) for query in _queries(row)]
    return found


def _record(database: Any, collections: dict[str, Any]) -> None:
    database.command("profile", 0)
    database.drop_collection("system.profile")
    database.create_collection("system.profile", capped=True, size=PROFILE_BYTES)
    names = [f"{database.name}.{name}" for name in collections]
    database.command("profile", 1, filter={"ns": {"$in": names}, "op": {"$ne": "insert"}})


def _carry(er: Er, roster: Roster, officer: Officer, referral_id: str) -> None:
    offer = until("an offer", lambda: roster.open_offers(referral_id), within_s=120)[0]
    roster.accept(offer)
    er.task(referral_id)
    roster.record_handoff(offer.specialist_id, referral_id)
    until("it is met", lambda: roster.case(referral_id).state == "followed", within_s=60)
    until("its notices", lambda: len(officer.notices(referral_id)) >= 4, within_s=60)
    until("its trail", lambda: len(officer.entries(referral_id=referral_id)) >= 4, within_s=60)


def _queries(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What the command asks by; nothing for the next piece of an answer that was begun before."""
    command = row.get("command", {})
    if row["op"] == "getmore" or "getMore" in command:
        return
    if "pipeline" in command:
        first = command["pipeline"][0] if command["pipeline"] else {}
        if "$changeStream" not in first:
            yield first.get("$match", {})
        return
    yield command.get("filter") or command.get("query") or command.get("q") or {}


def _names(query: dict[str, Any]) -> set[str]:
    """The fields that narrow a query down, those of every part that must hold included."""
    return set(query) | {name for part in query.get("$and", ()) for name in _names(part)}


def test_every_query_of_a_referrals_life_carries_its_shard_key(
    asked: list[tuple[str, str, dict[str, Any]]],
) -> None:
    """A query that one shard cannot answer is asked by the clock, or is one of those the file names with its reason."""
    assert len(asked) > 20 * REFERRALS, "nothing was recorded"
    strangers = set()
    for namespace, _, query in asked:
        database, _, collection = namespace.partition(".")
        told = KEYS[database][collection]
        known = {*told["key"], *told.get("asks_everybody", ()), *BY_THE_CLOCK}
        if not _names(query) & known:
            strangers.add((namespace, *sorted(_names(query))))
    assert not strangers, "\n".join(map(str, sorted(strangers)))


def test_what_holds_a_collection_back_is_there(running: Running) -> None:
    """A unique index that does not begin with the key keeps its collection on one shard; the file names each of them."""
    for database, collections in KEYS.items():
        for name, told in collections.items():
            indexes = running.database(database.removeprefix("kindred_"))[name].index_information()
            unique = {
                each for each, one in indexes.items()
                if one.get("unique") and one["key"][0][0] not in told["key"]
            }  # fmt: skip
            assert unique == set(told.get("held_back_by", ())), (database, name)
