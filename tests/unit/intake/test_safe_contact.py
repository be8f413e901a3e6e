"""Who may be written to: only where somebody said so, in every combination of what can be said and left unsaid."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.identity import Caller
from chassis.sealing import PrivateSeal, PublicSeal, Unsealable
from services.intake.codec.events import Speller
from services.intake.domain import events
from services.intake.domain.person import SafeContact
from tests.unit.intake.intake_builders import NOW, a_person, a_submission

KEY = X25519PrivateKey.generate()
OPENER = PrivateSeal("notifications", KEY)
SPELLER = Speller(PublicSeal("notifications", KEY.public_key()), "America/Denver")
NURSE = Caller("nurse-ada", "nurse", "er-1", "TREAT")
PHONE = "+15185550177"
YES = SafeContact(may_leave_message=True)
SAID = st.sampled_from([True, False, None])
SAFE = st.builds(SafeContact, SAID, SAID, st.sampled_from(["", " ", "her brother", "nobody"]))
PHONES = st.lists(st.sampled_from([PHONE, "+15185550178", "(518) 555-0177"]), max_size=3).map(tuple)


def told(safe=YES, phones=(PHONE,), is_revised=False, **given_):
    """The event of a referral whose peer is reached so."""
    submission = a_submission(person=a_person(safe_contact=safe, phones=phones), **given_)
    about = {"submission": submission, "age_band": "adult", "arrived_at": NOW}
    if is_revised:
        event = events.ReferralRevised("peer-1", "ref-1", revision=2, reason_code="corrected", **about)
    else:
        event = events.ReferralSubmitted("peer-1", "ref-1", **about)
    return SPELLER.message(event, NURSE)


def opened(message):
    return json.loads(OPENER.unseal(message.sealed_peer_contact, "peer-contact:ref-1"))


@settings(max_examples=150)
@given(safe=SAFE, phones=PHONES, is_revised=st.booleans())
def test_a_number_leaves_intake_only_where_somebody_said_that_writing_is_safe(safe, phones, is_revised):
    """Asked and answered yes, nobody said "do not contact", nobody else answers, one number: else nothing leaves."""
    message = told(safe, phones, is_revised)
    is_yes = safe.may_leave_message is True and safe.do_not_contact in (None, False)
    is_safe = is_yes and safe.who_else_answers.strip() == "" and len(set(phones)) == 1
    assert message.HasField("sealed_peer_contact") == is_safe
    assert not is_safe or opened(message)["phone"] == phones[0]
    assert b"555" not in message.SerializeToString()


def test_what_is_sealed_is_a_number_a_language_and_a_zone():
    """No name, no birth date, no record number goes along."""
    contact = replace(a_submission().source_contact, time_zone="America/Chicago")
    found = opened(told(source_contact=contact))
    assert found == {"phone": PHONE, "language": "es", "time_zone": "America/Chicago"}


@pytest.mark.parametrize("zone", ["", "UTC"])
def test_a_sender_without_a_zone_of_its_own_is_where_our_hospitals_are(zone):
    """Night is night where the person is, so a zone that nobody named is not read as UTC."""
    contact = replace(a_submission().source_contact, time_zone=zone)
    assert opened(told(source_contact=contact))["time_zone"] == "America/Denver"


def test_a_contact_opens_only_for_its_own_referral():
    """A ciphertext copied under another referral does not open."""
    with pytest.raises(Unsealable):
        OPENER.unseal(told().sealed_peer_contact, "peer-contact:ref-2")
