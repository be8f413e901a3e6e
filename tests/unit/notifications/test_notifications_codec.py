"""Events in, domain out: secrets open only with their own context, and bad addresses become none."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from chassis.envelope import Envelope
from chassis.sealing import PrivateSeal, PublicSeal, Unsealable
from kindred.bus.v1.bus_pb2 import Provenance
from kindred.intake.v1.events_pb2 import ReferralStatusChanged, ReferralSubmitted
from kindred.matching.v1.events_pb2 import OfferMade, ReferralEscalated, SpecialistEnrolled
from services.notifications import codec
from services.notifications.domain.events import NoticeFailed, NoticeSent
from services.notifications.domain.intents import rule_for
from services.notifications.domain.notices import Attempt, Outcome
from tests.unit.notifications.notice_builders import NOW, a_notice

KEY = X25519PrivateKey.generate()
SEAL = PrivateSeal("notifications", KEY)
PUBLIC = PublicSeal("notifications", KEY.public_key())
ABOUT = Provenance(peer_id="peer_1", organization_id="org_1", purpose_of_use="TREAT")


def sealed(context, **said):
    return PUBLIC.seal(json.dumps(said).encode(), context)


def an_envelope(event_type="offer.made.v1"):
    return Envelope("evt_1", event_type, "matching", NOW, "off_1", 1, 1, "cor_1", "", "", b"")


def enrolled(context="specialist-contact:sp_1", **said):
    contact = sealed(context, **said)
    return SpecialistEnrolled(specialist_id="sp_1", revision=3, sealed_contact=contact)


def test_a_specialists_contact_opens_into_a_card():
    """Address, language and zone come out as they were sealed."""
    event = enrolled(email="ines@example.org", language="es", time_zone="America/Chicago")
    card = codec.enrolled_card(event, SEAL)
    assert (card.contact_id, card.person_id, card.revision) == ("specialist-contact:sp_1", "sp_1", 3)
    assert (card.contact.address, card.contact.language, card.contact.time_zone) == (
        "ines@example.org",
        "es",
        "America/Chicago",
    )
    assert "ines@example.org" not in repr(card)


def test_a_contact_sealed_for_somebody_else_does_not_open():
    """A secret moved under another id is refused: its context is part of the seal."""
    with pytest.raises(Unsealable):
        codec.enrolled_card(enrolled("specialist-contact:sp_2", email="ines@example.org"), SEAL)


@pytest.mark.parametrize("address", ["", "nobody", "a@b.org\nBcc: c@d.org", "two@words@x.org", "Ána@x.org"])
def test_an_address_that_is_none_is_no_address(address):
    """What no mail server would take is kept as "no address", so that notices to it say so."""
    assert codec.enrolled_card(enrolled(email=address), SEAL).contact.address == ""


def test_an_unknown_zone_is_utc():
    """A zone nobody knows becomes UTC, which the letters then name."""
    assert (
        codec.enrolled_card(enrolled(email="a@b.org", time_zone="Mars/Olympus"), SEAL).contact.time_zone
        == "UTC"
    )


def test_a_source_without_callback_has_a_card_without_address():
    """A referral without a callback still has a card, so that its notices do not wait for one."""
    card = codec.source_card(ReferralSubmitted(referral_id="ref_1", source_id="src_1"), SEAL)
    assert (card.contact_id, card.contact.address) == ("source-contact:ref_1", "")


def test_an_offer_becomes_a_happening_with_its_link():
    """The link's token opens, and does not show in the happening's text form."""
    event = OfferMade(provenance=ABOUT, offer_id="off_1", referral_id="ref_1", specialist_id="sp_1")
    event.sealed_link_token.CopyFrom(PUBLIC.seal(b"tok-1", "offer-link:off_1"))
    event.deadline_at.FromDatetime(datetime(2026, 5, 5, 19, 5, tzinfo=UTC))
    happening = codec.offer_made(an_envelope(), event, SEAL)
    assert (happening.link_token, happening.peer_id) == ("tok-1", "peer_1")
    assert happening.deadline_at == datetime(2026, 5, 5, 19, 5, tzinfo=UTC)
    assert "tok-1" not in repr(happening)


def test_a_status_without_a_promise_has_no_arrival():
    """An unset arrival is None, never 1970."""
    event = ReferralStatusChanged(referral_id="ref_1", source_id="src_1", status="assigned")
    happening = codec.status_changed(an_envelope("referral.status-changed.v1"), event)
    assert happening.promised_arrival_at is None
    assert rule_for(happening.event, happening.status).recipient == "source"


@pytest.mark.parametrize(("is_exhausted", "hears"), [(True, True), (False, False)])
def test_only_an_exhausted_ladder_needs_the_supervisor(is_exhausted, hears):
    """The next wave is no news to a supervisor; the end of the ladder is."""
    event = ReferralEscalated(referral_id="ref_1", is_exhausted=is_exhausted, supervisor_id="sp_9")
    happening = codec.escalated(an_envelope("referral.escalated.v1"), event)
    assert (rule_for(happening.event, happening.status) is not None) == hears


def test_what_is_said_names_the_notice_and_marks_a_possible_repeat():
    """notice.sent carries the attempt and its mark; notice.failed the reason; both the peer's pseudonym."""
    notice = a_notice()
    attempt = Attempt(2, NOW, Outcome.ACCEPTED, is_possible_repeat=True)
    sent = codec.event_to_proto(NoticeSent(notice, attempt))
    assert (sent.attempt, sent.is_possible_repeat, sent.provenance.peer_id) == (2, True, "peer_0192f3aa7b33")
    failed = codec.event_to_proto(NoticeFailed(notice))
    assert (failed.notice_id, failed.intent) == (notice.notice_id, "offer-made")


def test_the_list_shows_no_address_and_no_link():
    """What the API returns holds attempts and states, nothing to reach anybody by."""
    listed = codec.notices_to_proto([a_notice()])
    assert listed.notices[0].state == "due"
    assert "contact" not in str(listed)
