"""Two pseudonyms that turn out to be one person: the silence that was asked for under one holds under the other."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chassis import settings as chassis_settings
from chassis.clock import SystemClock
from chassis.envelope import Cause
from chassis.identity import Caller
from services.notifications import handlers
from services.notifications.bootstrap import build_room, prepare
from services.notifications.domain.contacts import Card, Contact, peer_contact_id
from services.notifications.domain.intents import Happening
from services.notifications.settings import Settings
from tests.integration.notifications.driving_notices import notices
from tests.integration.notifications.posted_side import sms_account

CAUSE = Cause("cor_1", "")
WREN = Contact(language="en", time_zone="UTC", phone="+13125550181")


@pytest.fixture
def room(environ, posted_side):
    """Notifications with an SMS account, and nobody in it."""
    more = sms_account(posted_side.url, "https://notices.example.org")
    room = build_room(chassis_settings.read(Settings, environ | more))
    prepare(room)
    yield room
    room.sending.stop()


def said(room, peer_id, contact, ago=timedelta()):
    """The newest word about writing to somebody."""
    revision = int((SystemClock().now() - ago).timestamp() * 1000)
    card = Card(peer_contact_id(peer_id), peer_id, revision, contact)
    handlers.keep_of_referrals(room, [], [card])


def received(room, peer_id, number):
    """The person's request is here, and they may hear of it."""
    happening = Happening(
        event="referral.submitted.v1",
        happened_at=SystemClock().now(),
        referral_id=f"ref_{number}",
        recipient_id=peer_id,
        contact_id=peer_contact_id(peer_id),
    )
    handlers.tell_peers(room, [(happening, Cause("cor_1", f"evt_{number}"))])


def states(room):
    return {row["referral_id"]: (row["state"], row["reason_code"]) for row in notices(room)}


def join(room, *, is_joined=True, ago=timedelta()):
    at = SystemClock().now() - ago
    handlers.join(room, "peer_wren", "peer_robin", is_joined=is_joined, at=at)


SILENT = ("cancelled", "do-not-contact")


def test_a_no_of_either_silences_both_at_once_and_a_newer_yes_speaks_for_both(room):
    """What is queued is cancelled with the merge; undone, each is as before; a yes said later counts for both."""
    said(room, "peer_wren", WREN, timedelta(minutes=9))
    said(room, "peer_robin", Contact(), timedelta(minutes=8))
    received(room, "peer_wren", 1)
    assert states(room)["ref_1"] == ("due", "")
    join(room, ago=timedelta(minutes=2))
    assert states(room)["ref_1"] == SILENT
    received(room, "peer_wren", 2)
    assert "ref_2" not in states(room), "who may not be written to has no notice"
    join(room, is_joined=False, ago=timedelta(minutes=1))
    join(room, ago=timedelta(minutes=2))  # heard again, late: it undoes nothing
    received(room, "peer_wren", 3)
    assert states(room)["ref_3"] == ("due", "")
    join(room)
    assert states(room)["ref_3"] == SILENT
    said(room, "peer_robin", WREN, ago=timedelta(seconds=-1))
    received(room, "peer_wren", 4)
    received(room, "peer_robin", 5)
    assert [states(room)[one] for one in ("ref_4", "ref_5")] == [("due", ""), ("due", "")]
    assert room.people.around([row.notice for row in room.notices.held_of_recipient("peer_robin")]).reaches


def test_never_contact_me_said_under_one_pseudonym_holds_under_the_other(room):
    """Wishes too: do-not-contact of either cancels what waits for both, whichever came first."""
    for peer_id in ("peer_wren", "peer_robin"):
        said(room, peer_id, WREN, timedelta(minutes=9))
    received(room, "peer_robin", 1)
    join(room, ago=timedelta(minutes=1))
    assert states(room)["ref_1"] == ("due", "")
    caller = Caller("peer_wren", "recipient", "", "PATRQT")
    wanted = {"is_do_not_contact": True}
    handlers.change_contact(room, caller, "peer_wren", wanted, version=0, cause=CAUSE)
    assert states(room)["ref_1"] == SILENT
    received(room, "peer_robin", 2)
    held = room.notices.held_of_recipient("peer_robin")
    reach = room.people.around([one.notice for one in held]).reaches
    assert all(one.is_do_not_contact for one in reach.values())
    assert room.database.contacts.find_one({"_id": "peer-contact:peer_robin"})["is_reachable"], "untouched"
