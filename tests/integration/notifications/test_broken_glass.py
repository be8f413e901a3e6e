"""Broken glass, and what a detection found, is told to who leads and who reviews, and to nobody else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from bson import encode

from chassis import settings as chassis_settings
from chassis.clock import SystemClock
from chassis.envelope import Cause, Envelope
from chassis.errors import Refusal
from chassis.identity import Caller
from kindred.audit.v1.events_pb2 import ReviewOpened
from kindred.notifications.v1 import notifications_pb2 as pb
from services.notifications import codec, handlers
from services.notifications.bootstrap import build_room, prepare
from services.notifications.domain.contacts import Contact
from services.notifications.domain.intents import Channel, Happening
from services.notifications.domain.overseers import EVERYBODY_ELSE, Overseer, Part
from services.notifications.settings import Settings
from tests.integration.notifications.driving_notices import notices, settled, until

OFFICER = Caller("officer-1", "compliance", "harbor", "HCOMPL")
CAUSE = Cause("cor_1", "")
LENA, OTIS = Overseer("lena", Part.SUPERVISOR), Overseer("otis", Part.COMPLIANCE)


@pytest.fixture
def room(environ):
    """Notifications, with a supervisor for one hospital and an officer for all."""
    room = build_room(chassis_settings.read(Settings, environ))
    prepare(room)
    name(room, "harbor", {LENA: Contact("lena.quillfeather@example.org", "pt", "America/Chicago")})
    name(room, EVERYBODY_ELSE, {OTIS: Contact("otis.quillfeather@example.org")})
    yield room
    room.sending.stop()


def name(room, organization_id, named):
    return handlers.name_overseers(room, OFFICER, organization_id, named, CAUSE)


def broken(who="nurse-17", organization_id="harbor", referral_id="ref_0aa7b31"):
    now = SystemClock().now()
    return Happening(
        event="glass.broken.v1",
        happened_at=now,
        referral_id=referral_id,
        recipient_id=who,
        contact_id="",
        matter=f"{who}/{now:%Y-%m-%d}",
        deadline_at=now + timedelta(hours=24),
        organization_id=organization_id,
    )


def tell(room, *happenings):
    handlers.tell_of_broken_glass(room, [(one, CAUSE) for one in happenings])


def test_both_hear_once_in_their_language_also_of_a_referral_that_was_stopped(room, far_side):
    """Revoking a consent hides no break: each has one letter for a person, a record and a day."""
    handlers.stop(room, "ref_0aa7b31", "consent-revoked")
    tell(room, broken(), broken())
    tell(room, broken())
    room.sending.start()
    settled(room, "sent", 2)
    letters = {taken.recipient.partition(".")[0]: taken.message for taken in far_side.taken}
    assert letters.keys() == {"lena", "otis"}
    assert letters["lena"]["Subject"] == "Por favor, veja hoje o pedido AA7B31"
    assert "Please decide by" in letters["otis"].get_body(("plain",)).get_content()
    assert len(far_side.taken) == 2


def test_nobody_is_told_of_themselves_and_a_gap_is_said(room):
    """Who leads and breaks the glass is not asked to look at it; where nobody is left, a dead notice says so."""
    tell(room, broken(who="lena"))
    [dead] = notices(room, "dead")
    assert (dead["recipient_id"], dead["intent"], dead["reason_code"]) == (
        "unnamed",
        "glass-broken",
        "no-address",
    )
    assert [row["type"] for row in dead["outbox"]] == ["notice.failed.v1"]
    assert [row["recipient_id"] for row in notices(room, "due")] == ["otis"]


def test_a_new_list_takes_the_place_of_the_old_and_shows_no_address(room):
    """Whoever is named no more is told no more; lists show ways, never addresses; every change is said."""
    mona = Overseer("mona", Part.SUPERVISOR)
    name(room, "harbor", {mona: Contact(phone="+13125550123")})
    [shown] = handlers.list_overseers(room, OFFICER, "harbor", CAUSE)
    assert (shown.overseer, shown.channels) == (mona, (Channel.SMS,))
    tell(room, broken())
    assert {row["recipient_id"] for row in notices(room)} == {"mona", "otis"}
    stored = b"".join(
        encode(row) for name in room.database.list_collection_names() for row in room.database[name].find()
    )
    assert b"quillfeather" not in stored
    assert b"+13125550123" not in stored
    assert room.database.contacts.find_one({"person_id": "lena"})["sealed"] == b""
    rows = [row["type"] for row in room.database.overseers.find_one({"_id": "overseers_harbor"})["outbox"]]
    assert rows == ["contact.changed.v1"] * 3


def test_an_erased_overseer_is_written_to_no_more(room, far_side):
    """Erasing takes the address away; what would have gone there is dead and said, and the other still hears."""
    handlers.erase(room, OFFICER, "lena", CAUSE)
    tell(room, broken())
    room.sending.start()
    settled(room, "sent")
    until("said", lambda: notices(room, "dead"))
    assert [taken.recipient for taken in far_side.taken] == ["otis.quillfeather@example.org"]


def a_case(rule="no-relationship", number=1):
    event = ReviewOpened(review_id=f"rev_{number}", rule=rule)
    event.due_at.FromDatetime(SystemClock().now() + timedelta(days=7))
    envelope = Envelope(
        f"evt_{number}", "review.opened.v1", "audit", SystemClock().now(), "rev", 1, 1, "cor", "", "", b""
    )
    return codec.review_opened(envelope, event)


def test_compliance_hears_of_what_a_detection_found_once_for_a_rule_and_a_day(room, far_side):
    """A hundred cases of one rule are one letter that names nobody; of broken glass the other letter tells already."""
    assert a_case("break-glass") is None
    cases = [a_case(number=number) for number in range(100)] + [a_case("emergency", 100)]
    handlers.tell_of_cases(room, [(case, CAUSE) for case in cases])
    room.sending.start()
    settled(room, "sent", 2)
    assert {taken.recipient for taken in far_side.taken} == {"otis.quillfeather@example.org"}
    assert {taken.message["Subject"] for taken in far_side.taken} == {"Please look at your list of reviews"}
    name(room, EVERYBODY_ELSE, {})
    handlers.tell_of_cases(room, [(a_case("vip", 101), CAUSE)])
    [dead] = notices(room, "dead")
    assert (dead["recipient_id"], dead["intent"]) == ("unnamed", "case-to-review")


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"person_id": "lena@example.org", "part": "supervisor", "email": "a@example.org"}, "person_id"),
        ({"person_id": "lena", "part": "boss", "email": "a@example.org"}, "part"),
        ({"person_id": "lena", "part": "supervisor", "email": "nowhere"}, "email"),
        ({"person_id": "lena", "part": "supervisor"}, "email"),
        ({"person_id": "lena", "part": "supervisor", "phone": "call me"}, "phone"),
        (
            {"person_id": "lena", "part": "supervisor", "phone": "3125550123", "time_zone": "Moon"},
            "time_zone",
        ),
    ],
)
def test_a_wrong_row_is_named_by_its_field(row, field):
    """Nothing is named where one row is wrong, and the answer says which field of which row."""
    request = pb.NameOverseersRequest(organization_id="harbor", overseers=[pb.Overseer(**row)])
    with pytest.raises(Refusal) as refused:
        codec.overseers_from_proto(request)
    assert [fault.path for fault in refused.value.faults] == [f"overseers[0].{field}"]
