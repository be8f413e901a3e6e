"""HL7 v2 messages on a real database: stored before acknowledged, answered the same again, nothing half stored."""

from __future__ import annotations

import pytest

from services.intake.bootstrap import Room, build_room, prepare
from services.intake.hl7v2 import handling
from services.intake.settings import Settings
from tests.unit.intake.hl7_builders import SOURCES, a_referral, fields


@pytest.fixture
def room(mongo_uri, database, clock, intake_keys) -> Room:
    settings = Settings(
        mongo_uri=mongo_uri,
        mongo_database=database.name,
        amqp_uri="amqp://nowhere",
        keys_dir=intake_keys,
        hl7_sources=SOURCES,
    )
    room = build_room(settings, clock)
    prepare(room)
    return room


def test_a_referral_is_stored_before_its_acknowledgement(room: Room):
    """REF^I12 is answered by RRI^I12 with AA, the sender's control id, their number and ours."""
    answer = handling.handle(room, a_referral())
    print(answer.decode().replace("\r", "\n"))
    stored = room.database.referrals.find_one()
    assert fields(answer, "MSA")[:3] == ["MSA", "AA", "MSG1"]
    assert fields(answer, "RF1")[11].split("^")[0] == stored["_id"]
    assert stored["status"] == "submitted"
