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
from kindred.matching.v1.events_pb2 import (
    ArrivalOverdue,
    AssignmentChosen,
    CaseMoved,
    CertificationExpiring,
    OfferMade,
    ReferralEscalated,
    SpecialistEnrolled,
)
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


@pytest.mark.parametrize(
    ("reason_code", "intent"),
    [("not-heard-of", "arrival-unheard"), ("leaves-before-arrival", "arrival-too-late")],
)
def test_a_supervisor_hears_of_an_arrival_that_is_overdue(reason_code, intent):
    """Whichever way a promise fails its supervisor is the one who hears, or nobody, which is said as a dead notice."""
    event = ArrivalOverdue(referral_id="ref_1", supervisor_id="sv_1", reason_code=reason_code)
    happening = codec.arrival_overdue(an_envelope("arrival.overdue.v1"), event)
    assert rule_for(happening.event, happening.status).intent == intent
    assert (happening.recipient_id, happening.contact_id) == ("sv_1", "specialist-contact:sv_1")
    nobody = codec.arrival_overdue(an_envelope("arrival.overdue.v1"), ArrivalOverdue(reason_code=reason_code))
    assert (nobody.recipient_id, nobody.contact_id) == ("unnamed", "")


@pytest.mark.parametrize(("how", "is_told"), [("by-hand", True), ("claim", False)])
def test_only_who_was_chosen_by_hand_hears_of_it(how, is_told):
    """Who claimed a request from the pool knows; who was given one by a supervisor has to hear."""
    event = AssignmentChosen(referral_id="ref_1", specialist_id="sp_1", how=how)
    happening = codec.assignment_chosen(an_envelope("assignment.chosen.v1"), event)
    assert (rule_for(happening.event, happening.status) is not None) == is_told


def test_whoever_carried_a_moved_case_hears_and_nobody_where_nobody_did():
    """The one before hears that it is over for them; a case that nobody carried is news to nobody."""
    envelope = an_envelope("case.moved.v1")
    moved = codec.case_moved(envelope, CaseMoved(from_specialist_id="sp_1", specialist_id="sp_2"))
    assert (moved.recipient_id, rule_for(moved.event).intent) == ("sp_1", "request-taken-over")
    assert codec.case_moved(envelope, CaseMoved(specialist_id="sp_2")) is None


@pytest.mark.parametrize(
    ("days_left", "supervisor_id", "intents"),
    [
        (30, "sv_1", ["certificate-ending", "team-certificate-ending"]),
        (0, "sv_1", ["certificate-ended", "team-certificate-ended"]),
        (7, "", ["certificate-ending"]),
    ],
)
def test_the_end_of_a_certificate_is_told_to_its_holder_and_their_supervisor(
    days_left, supervisor_id, intents
):
    """Each step is one notice to each of them; without a supervisor in the roster only the holder hears."""
    event = CertificationExpiring(
        specialist_id="sp_1",
        supervisor_id=supervisor_id,
        state="IL",
        valid_until="2026-06-04",
        days_left=days_left,
    )
    told = codec.certification_expiring(an_envelope("certification.expiring.v1"), event)
    assert [rule_for(one.event, one.status).intent for one in told] == intents
    assert {one.last_day for one in told} == {"2026-06-04"}
