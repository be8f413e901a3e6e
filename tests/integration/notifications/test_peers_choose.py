"""A peer asks by text message how they are written to: the link comes to that phone alone, and only where it may."""

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
from tests.integration.notifications.driving_notices import an_offer, notices, settled, told
from tests.integration.notifications.posted_side import sms_account
from tests.integration.notifications.test_notices_to_peers import zone_where_it_is

CAUSE = Cause("cor_1", "")
PHONE, COLLEAGUE = "+13125550191", "+13125550192"
HELP_EN, HELP_ES = "A computer sends these messages", "Una computadora envía estos mensajes"
LINK = "https://notices.example.org/notices/mine/"


@pytest.fixture
def room(environ, posted_side):
    """Wren, to whom a text message went, and a specialist to whom one went too."""
    more = sms_account(posted_side.url, "https://notices.example.org")
    room = build_room(chassis_settings.read(Settings, environ | more))
    prepare(room)
    now = SystemClock().now()
    contact = Contact(language="es", time_zone=zone_where_it_is(13), phone=PHONE)
    revision = int(now.timestamp() * 1000)
    handlers.keep_of_referrals(room, [], [Card(peer_contact_id("peer_wren"), "peer_wren", revision, contact)])
    ines = Card("specialist-contact:sp_ines", "sp_ines", 1, Contact(phone=COLLEAGUE))
    handlers.keep_contacts(room, [ines])
    received = Happening(
        event="referral.submitted.v1",
        happened_at=now,
        referral_id="ref_1",
        recipient_id="peer_wren",
        contact_id=peer_contact_id("peer_wren"),
    )
    handlers.tell_peers(room, [(received, Cause("cor_1", "evt_1"))])
    handlers.tell(room, told(an_offer()))
    room.sending.start()
    settled(room, "sent", 2)
    yield room
    room.sending.stop()


def word_of(answer):
    return answer.partition(LINK)[2]


def test_the_link_comes_to_the_phone_that_asked_and_names_nobody(room):
    """In the language of the words; a new link ends the old one; the fourth within an hour is none."""
    first = word_of(handlers.heard_back(room, PHONE, "Preferencias"))
    answer = handlers.heard_back(room, PHONE, "PREFS")
    assert answer.startswith("Choose how this number writes to you.") and len(word_of(answer)) == 43
    assert "wren" not in answer and PHONE not in answer
    assert room.invitations.find(first) is None
    assert room.invitations.find(word_of(answer)).person_id == "peer_wren"
    stored = str(list(room.database.invitations.find()))
    assert word_of(answer) not in stored, "the database opens nothing"
    assert LINK in handlers.heard_back(room, PHONE, "prefs")
    assert handlers.heard_back(room, PHONE, "prefs").startswith(HELP_EN)
    rows = [row for notice in notices(room) for row in notice["outbox"]]
    assert [row["type"] for row in rows].count("notice.replied.v1") == 4


def test_whoever_may_not_be_written_to_there_hears_what_everybody_hears(room):
    """A colleague's phone, an unknown one, one that said STOP, and who asked for silence: no link, and no hint why."""
    assert handlers.heard_back(room, COLLEAGUE, "prefs").startswith(HELP_EN)
    assert handlers.heard_back(room, "+13125550199", "opciones").startswith(HELP_ES)
    caller, wanted = Caller("peer_wren", "recipient", "", "PATRQT"), {"is_do_not_contact": True}
    handlers.change_contact(room, caller, "peer_wren", wanted, version=0, cause=CAUSE)
    assert handlers.heard_back(room, PHONE, "prefs").startswith(HELP_EN)
    wanted = {"is_do_not_contact": False}
    handlers.change_contact(room, caller, "peer_wren", wanted, version=1, cause=CAUSE)
    handlers.heard_back(room, PHONE, "STOP")
    assert handlers.heard_back(room, PHONE, "prefs").startswith(HELP_EN)
    assert room.database.invitations.count_documents({}) == 0


def test_a_link_works_once_and_not_for_long_and_is_forgotten_with_its_person(room, monkeypatch):
    """What was said is kept before the link ends; an erased person has no link."""
    word, until = room.invitations.make("peer_wren", "es")
    invitation = handlers.invited(room, word)
    handlers.say_wishes(room, invitation, {"language": "pt"}, version=0, cause=CAUSE)
    assert room.wishes.load("peer_wren").wishes.language == "pt"
    assert room.invitations.find(word) is None
    word, until = room.invitations.make("peer_wren", "es")
    later = until + timedelta(seconds=1)
    monkeypatch.setattr(type(room.clock), "now", lambda _: later)
    assert room.invitations.find(word) is None
    monkeypatch.undo()
    assert room.invitations.find(word) is not None
    handlers.erase(room, Caller("officer", "compliance", "", "HCOMPL"), "peer_wren", CAUSE)
    assert room.invitations.find(word) is None
