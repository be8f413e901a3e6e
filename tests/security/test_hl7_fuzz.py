"""Spoiled HL7 messages against the real handling: it never raises, and nothing is ever stored half."""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from chassis.clock import TurnedClock
from cli.local import keys
from services.intake.bootstrap import Room, build_room, prepare
from services.intake.hl7v2 import handling, message
from services.intake.hl7v2.message import Message
from services.intake.settings import Settings
from tests.security.spoiled_hl7 import a_message
from tests.unit.intake.hl7_builders import NOW, SOURCES, a_referral

SHORT, LONG = 400, 20_000
SEED = int(os.environ.get("KINDRED_FUZZ_SEED", "1"))
THREADS = 6


@pytest.fixture
def room(mongo_uri: str, mongo_client: Any, tmp_path: Path) -> Iterator[Room]:
    name = f"kindred_fuzz_{secrets.token_hex(4)}"
    settings = Settings(
        mongo_uri=mongo_uri,
        mongo_database=name,
        amqp_uri="amqp://nowhere",
        keys_dir=keys.create(tmp_path / "keys"),
        hl7_sources=SOURCES,
        hl7_always_acknowledge=True,
    )
    room = build_room(settings, TurnedClock(NOW))
    prepare(room)
    yield room
    mongo_client.drop_database(name)


def answers_to(room: Room, count: int) -> list[Message]:
    """What each of the messages was told, several sent at once."""
    with ThreadPoolExecutor(THREADS) as pool:
        told = pool.map(lambda number: handling.handle(room, a_message(SEED, number)), range(count))
        return [message.parse(answer) for answer in told]


def check(room: Room, count: int) -> None:
    told = answers_to(room, count)
    codes = Counter(one.text("MSA", 1) for one in told)
    errors = Counter(one.text("ERR", 5) for one in told)
    assert sum(codes.values()) == count and set(codes) <= {"AA", "AE", "AR"}
    assert errors["internal-error"] == 0
    assert min(codes.values()) > count / 50, codes  # it fuzzes what matters: some of each
    stored = list(room.database.referrals.find({}, {"_id": 1}))
    named = {one.text("RF1", 11) for one in told} - {""}
    assert named == {document["_id"] for document in stored}
    for document in stored:
        kept = room.referrals.open(room.referrals.load(document["_id"]))
        assert kept.submission.source_id == "er-st-brigid"
    audited = room.database.rejections.count_documents({}) + room.database.accesses.count_documents({})
    assert audited >= codes["AE"] + codes["AR"]
    assert message.parse(handling.handle(room, a_referral(control_id="LAST"))).text("MSA", 1) == "AA"


def test_spoiled_messages_harm_nothing(room: Room):
    """Every one of them is answered; who was told an id finds a whole referral; every refusal is in the audit trail."""
    check(room, SHORT)


@pytest.mark.slow_faults
@pytest.mark.timeout(1800)
def test_twenty_thousand_spoiled_messages_harm_nothing(room: Room):
    """The same for 20,000 of them (KINDRED_FUZZ_SEED for others)."""
    check(room, LONG)
