"""What a peer hears: only where the newest word says that it is safe, never at night, never what is not true."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.envelope import Envelope
from chassis.sealing import PrivateSeal, PublicSeal, Unsealable
from kindred.bus.v1.bus_pb2 import Provenance
from kindred.intake.v1.events_pb2 import ReferralRevised, ReferralStatusChanged, ReferralSubmitted
from kindred.matching.v1.events_pb2 import CheckinDue
from services.notifications import codec
from services.notifications.domain.contacts import Contact
from services.notifications.domain.intents import (
    TABLE,
    Channel,
    Intent,
    Recipient,
    expires_at,
    notice_id,
    rule_for,
)
from services.notifications.domain.notices import Reason
from services.notifications.domain.reach import Go, Never, Wait, decide, reach_of
from services.notifications.domain.windows import Window
from services.notifications.domain.wishes import Wishes
from services.notifications.wording.letters import LANGUAGES, Letters
from tests.unit.notifications.notice_builders import NOW, a_notice

KEY = X25519PrivateKey.generate()
SEAL, PUBLIC = PrivateSeal("notifications", KEY), PublicSeal("notifications", KEY.public_key())
ABOUT = Provenance(peer_id="peer_1", organization_id="org_1", purpose_of_use="TREAT")
PEERS = [rule.intent for rule in TABLE if rule.recipient is Recipient.PEER]
PHONE = "+13125550123"
# 2 p.m. in Chicago, as NOW is.
CARD = Contact(language="en", time_zone="America/Chicago", phone=PHONE)


def heard(event_type="referral.submitted.v1", at=NOW):
    return Envelope("evt_1", event_type, "intake", at, "ref_1", 1, 1, "cor_1", "", "", b"")


def submitted(context="peer-contact:ref_1", kind=ReferralSubmitted, **said):
    event = kind(provenance=ABOUT, referral_id="ref_1", source_id="src_1")
    if said:
        event.sealed_peer_contact.CopyFrom(PUBLIC.seal(json.dumps(said).encode(), context))
    return event


def assigned(status="assigned", arrival=NOW + timedelta(minutes=20), modality="bedside", about=ABOUT):
    event = ReferralStatusChanged(
        provenance=about,
        referral_id="ref_1",
        status=status,
        previous_status="assigned" if status != "assigned" else "seeking",
        modality=modality,
    )
    if arrival:
        event.promised_arrival_at.FromDatetime(arrival)
    return codec.moved_for_peer(heard("referral.status-changed.v1"), event)


def a_peers_notice(intent, **changes):
    changes = {"recipient_id": "peer_1", "contact_id": "peer-contact:peer_1", **changes}
    return a_notice(intent, **changes)


@pytest.mark.parametrize("kind", [ReferralSubmitted, ReferralRevised])
def test_a_safe_contact_opens_into_the_peers_one_card(kind):
    """Number, language and zone come out; the card is the person's, not the referral's."""
    event = submitted(kind=kind, phone="(312) 555-0123", language="es", time_zone="America/Chicago")
    card = codec.peer_card(heard(), event, SEAL)
    assert (card.contact_id, card.person_id) == ("peer-contact:peer_1", "peer_1")
    assert (card.contact.phone, card.contact.language) == (PHONE, "es")
    assert card.organization_id == ""


@pytest.mark.parametrize("said", [{}, {"phone": "none"}, {"phone": "", "language": "es"}])
def test_what_is_no_number_is_an_empty_card(said):
    """Unset or unreadable is a no, and the card holds nothing at all."""
    assert codec.peer_card(heard(), submitted(**said), SEAL).contact == Contact()


def test_an_event_about_nobody_makes_no_card():
    """Without a pseudonym there is nobody to write to."""
    assert codec.peer_card(heard(), ReferralSubmitted(referral_id="ref_1"), SEAL) is None
    assert assigned(about=Provenance()).contact_id == ""


def test_a_contact_moved_to_another_referral_does_not_open():
    """A ciphertext is bound to its referral."""
    with pytest.raises(Unsealable):
        codec.peer_card(heard(), submitted("peer-contact:ref_2", phone=PHONE), SEAL)


@given(minutes=st.floats(-1, 60))
@settings(max_examples=40)
def test_the_newest_word_counts_and_a_no_outranks_a_yes_of_the_same_moment(minutes):
    """Whichever referral said it; within five seconds, which two clocks may differ, the no is the newer one."""
    later = NOW + timedelta(minutes=minutes)
    no = codec.peer_card(heard(), submitted(), SEAL)
    yes = codec.peer_card(heard(at=later), submitted(phone=PHONE), SEAL)
    assert (yes.revision > no.revision) == (later - NOW > timedelta(seconds=5))


@pytest.mark.parametrize(
    ("status", "arrival", "intent"),
    [
        ("assigned", NOW + timedelta(minutes=20), Intent.HELP_COMING),
        ("assigned", None, None),
        ("seeking", None, Intent.HELP_LATER),
        ("met", NOW, None),
        ("unfilled", None, None),
    ],
)
def test_a_peer_hears_of_a_promise_and_of_its_end_and_of_no_other_move(status, arrival, intent):
    """Without a time that somebody promised nothing is said."""
    happening = assigned(status, arrival)
    rule = rule_for(happening.event, happening.status)
    assert (rule and rule.intent) == intent


def test_the_specialist_and_the_peer_hear_of_a_checkin_each_in_their_own_words():
    """One event, two lines of the table, two people."""
    event = CheckinDue(provenance=ABOUT, referral_id="ref_1", specialist_id="sp_1", number=2)
    envelope = heard("checkin.due.v1")
    both = [codec.checkin_due(envelope, event), codec.checkin_for_peer(envelope, event)]
    rules = [rule_for(one.event, one.status) for one in both]
    assert [rule.intent for rule in rules] == [Intent.CHECKIN_DUE, Intent.CALL_COMING]
    assert [one.recipient_id for one in both] == ["sp_1", "peer_1"]


def test_a_promise_is_worthless_when_its_time_has_come():
    """Nobody hears at 14:11 that somebody comes at 14:10; another time is other news."""
    rule = rule_for("referral.status-changed.v1", "assigned-to-peer")
    first, later = assigned(), assigned(arrival=NOW + timedelta(minutes=50))
    assert expires_at(rule, first) == NOW + timedelta(minutes=20)
    assert notice_id(rule, first) != notice_id(rule, later)


@pytest.mark.parametrize("intent", PEERS)
def test_without_a_card_a_peer_is_never_written_to_and_nobody_calls_that_a_failure(intent):
    """Asked before every send: no card, an emptied card, an erased person, a stopped referral are all silence."""
    notice = a_peers_notice(intent)
    assert decide(notice, None, NOW, is_stopped=False) == Never(Reason.DO_NOT_CONTACT, is_failure=False)
    gone = reach_of(None, Wishes("peer_1", is_do_not_contact=True, is_erased=True))
    assert decide(notice, gone, NOW, is_stopped=False) == Never(Reason.DO_NOT_CONTACT, is_failure=False)
    stopped = decide(notice, reach_of(CARD, None), NOW, is_stopped=True)
    assert stopped == Never(Reason.REFERRAL_STOPPED, is_failure=False)


@pytest.mark.parametrize("intent", PEERS)
def test_with_a_card_a_peer_is_written_to_by_day_by_sms_alone(intent):
    """The one number that was called safe, and no other way."""
    assert decide(a_peers_notice(intent), reach_of(CARD, None), NOW, is_stopped=False) == Go(
        Channel.SMS, PHONE
    )
    mailed = reach_of(replace(CARD, phone="", address="wren@example.org"), None)
    assert isinstance(decide(a_peers_notice(intent), mailed, NOW, is_stopped=False), Never)


@given(minute=st.integers(0, 24 * 60 - 1), intent=st.sampled_from(PEERS))
@settings(max_examples=60)
def test_nobody_asked_the_peer_so_the_night_is_quiet(minute, intent):
    """From 9 p.m. to 8 a.m. on the person's own clock nothing goes out, however soon somebody comes."""
    midnight = datetime(2026, 5, 5, 5, 0, tzinfo=UTC)  # in Chicago
    now = midnight + timedelta(minutes=minute)
    notice = replace(a_peers_notice(intent), expires_at=now + timedelta(days=2))
    verdict = decide(notice, reach_of(CARD, None), now, is_stopped=False)
    is_day = 8 * 60 <= minute < 21 * 60
    morning = midnight + timedelta(hours=8, days=1 if minute >= 21 * 60 else 0)
    assert verdict == (Go(Channel.SMS, PHONE) if is_day else Wait(morning))


def test_what_is_worthless_by_morning_is_dropped_and_not_called_dead():
    """A promise for three in the morning is nobody's failure when the phone stays silent."""
    now = datetime(2026, 5, 5, 7, 30, tzinfo=UTC)
    notice = replace(a_peers_notice(Intent.HELP_COMING), expires_at=now + timedelta(minutes=30))
    verdict = decide(notice, reach_of(CARD, None), now, is_stopped=False)
    assert verdict == Never(Reason.NO_SAFE_TIME, is_failure=False)


def test_quiet_hours_of_their_own_take_the_place_of_the_night():
    """What a person said of their nights counts more than what we suppose."""
    wishes = Wishes("peer_1", quiet=(Window(13 * 60, 15 * 60),))
    verdict = decide(a_peers_notice(Intent.CALL_COMING, deadline_at=NOW + timedelta(hours=9)),
                     reach_of(CARD, wishes), NOW, is_stopped=False)  # fmt: skip
    assert verdict == Wait(NOW + timedelta(hours=1))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("intent", PEERS)
@pytest.mark.parametrize("modality", ["bedside", "phone", "video", ""])
def test_a_peers_message_has_no_link_no_reference_and_says_how_to_end_it(intent, language, modality):
    """Nothing to tap, nothing to look up, and STOP is the last line."""
    letter = Letters("https://answers.example.org").write(
        a_peers_notice(intent, modality=modality), replace(CARD, language=language), "tok"
    )
    assert "http" not in letter.text + letter.html.replace("https://", "") + letter.short
    assert "AA7B31" not in letter.text + letter.short
    assert len(letter.short.splitlines()) == 2
    assert ("STOP" in letter.short) or ("ALTO" in letter.short) or ("PARAR" in letter.short)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "Someone will be with you at about 2:20 PM CDT, Tuesday, May 5."),
        ("es", "Alguien va a estar con usted a esta hora, más o menos: 2:20 p.m. CDT, martes 5 de mayo."),
        ("pt", "Alguém vai estar com você mais ou menos neste horário: 14:20 CDT, terça-feira, 5 de maio."),
    ],
)
def test_the_time_is_what_was_promised_on_the_peers_own_clock(language, words):
    """The whole message is its first line."""
    letter = Letters("https://answers.example.org").write(
        a_peers_notice(Intent.HELP_COMING), replace(CARD, language=language)
    )
    assert letter.short.splitlines()[0] == words
