"""What a consent decides, element by element of 42 CFR 2.31, and what it obliges to."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.intake.domain import asking, commands
from services.intake.domain import consent as consents
from services.intake.domain.consent import ELECTRONIC, TREATING_PROVIDERS, VERBAL, Consent
from services.intake.domain.events import ConsentRecorded, ConsentRevoked, ReferralStopped
from services.intake.domain.provisions import Actor, Coding, Provision
from services.intake.domain.submission import Code, faults_of
from services.intake.store.consent_documents import consent_of, document_of
from tests.unit.intake.intake_builders import NOW, a_consent, a_submission

KNOWN = frozenset({"substance.opioids", "hiv"})
US = Actor("IRCP", "us", ("Kindred",))
WHOLE: dict[str, Any] = {
    "discloser": "St. Brigid (fictional)",
    "scope": "full",
    "recipients": ("Kindred", TREATING_PROVIDERS),
    "intermediary": "Kindred",
    "purposes": ("TREAT", "HPAYMT", "HOPERAT"),
    "is_revocation_told": True,
    "signed_by": "peer",
    "signature_method": ELECTRONIC,
    "policies": ("42CFRPart2",),
    "expires_at": None,
}


def decided(given: Consent | None, **asked: Any) -> consents.Decision:
    """What is decided of a referral now."""
    ask = replace(asking.for_referral(a_submission(consent=given), ("Kindred",)), **asked)
    return consents.decide(given, ask, NOW)


def test_a_whole_consent_permits_and_says_what_to_do():
    """All elements of 2.31(a): permitted under its version, with the notice and the scope as obligations."""
    decision = decided(a_consent(**WHOLE, version=3))
    assert (decision.is_permitted, decision.reason_code, decision.consent_version) == (True, "permitted", 3)
    assert decision.purposes == ("TREAT", "COC", "ETREAT", "CAREMGT")
    assert decision.obligations == ("redisclosure-notice", "consent-scope")
    assert consents.missing(a_consent(**WHOLE)) == []


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"revoked_at": NOW}, "consent-revoked"),
        ({"is_known_false": True}, "consent-false"),
        ({"is_permitted": False}, "consent-refused"),
        ({"is_permitted": None}, "consent-silent"),
        ({"expires_at": NOW}, "consent-expired"),
        ({"signature_method": VERBAL}, "consent-not-written"),
        ({"signature_method": VERBAL, "policies": ()}, "consent-unwitnessed"),
        ({"signature_method": VERBAL, "policies": (), "witness": "R. Adeyemi, RN"}, "permitted"),
        ({"recipients": ("Elm Street Clinic",), "intermediary": ""}, "consent-restricted"),
        ({"recipients": (TREATING_PROVIDERS,), "intermediary": ""}, "permitted"),
        ({"purposes": ("HRESCH",)}, "consent-restricted"),
        ({"purposes": ("COC",)}, "permitted"),
    ],
)
def test_each_element_can_refuse(given: dict[str, Any], code: str):
    """2.31(c): expired, revoked, known to be false, or deficient on its face."""
    decision = decided(a_consent(**{**WHOLE, **given}))
    assert decision.reason_code == code
    assert decision.is_permitted is (code == "permitted")


@pytest.mark.parametrize(
    ("element", "without"),
    [
        ("discloser", {"discloser": ""}),
        ("scope", {"scope": ""}),
        ("recipient", {"recipients": (), "intermediary": ""}),
        ("purpose", {"purposes": ()}),
        ("revocation", {"is_revocation_told": None}),
        ("revocation", {"is_revocation_told": False}),
        ("expiry", {"purposes": ("TREAT",)}),
        ("signature", {"signed_by": "", "signature_method": ""}),
    ],
)
def test_an_element_that_is_asked_for_must_have_come(element: str, without: dict[str, Any]):
    """A setting asks of every document what a Part 2 programme must see; without it the paper may hold it."""
    lacking = a_consent(**{**WHOLE, **without})
    assert element in consents.missing(lacking)
    assert decided(lacking).is_permitted
    assert decided(lacking, required=(element,)).reasons == ((f"consent.{element}", "consent-incomplete"),)


def test_an_expiry_may_be_an_event():
    """2.31(a)(7): "end of the treatment" is an expiry; a single consent for all care needs none."""
    assert consents.missing(a_consent(**{**WHOLE, "purposes": ("TREAT",), "expiry_event": "none"})) == []


@pytest.mark.parametrize(
    ("labelled", "given", "code"),
    [
        (("R", "42CFRPart2", "NORDSCLCD"), {}, "permitted"),
        (("V",), {}, "label-very-restricted"),
        (("V",), {"recipients": ("Kindred",)}, "permitted"),
        (("V",), {"rule": Provision(is_permit=True, actors=(US,))}, "permitted"),
        (("NODSCLCD",), {}, "label-wants-recipient-named"),
        (("NODSCLCD",), {"intermediary": "Kindred"}, "permitted"),
        (("NOCOLLECT",), {"intermediary": "Kindred"}, "label-forbids"),
        (("HRESCH",), {}, "label-purpose-other"),
        (("TREAT", "HRESCH"), {}, "permitted"),
        (("HOPERAT",), {}, "permitted"),
        (("PATRPT", "no-such-label"), {}, "permitted"),
    ],
)
def test_labels_of_the_source_are_honored(labelled: tuple[str, ...], given: dict[str, Any], code: str):
    """V and a refrain from disclosure want us named; what nobody can promise here refuses."""
    made = a_submission(labels=labelled, consent=a_consent(**given))
    found = [fault.code for fault in faults_of(made, NOW, KNOWN)]
    assert found == ([] if code == "permitted" else [code])


def test_an_exception_counts_only_where_it_is_touched():
    """A consent without HIV is one for a referral that says nothing of HIV, and none for one that does."""
    without_hiv = a_consent(
        rule=Provision(
            is_permit=True,
            inner=(
                Provision(
                    is_permit=False,
                    labels=(Coding("http://terminology.hl7.org/CodeSystem/v3-ActCode", "HIV"),),
                ),
            ),
        )
    )
    assert faults_of(a_submission(consent=without_hiv), NOW, KNOWN) == []
    coded = (Code("http://hl7.org/fhir/sid/icd-10-cm", "B20"),)
    for touched in ({"codes": coded}, {"experience_codes": ("hiv",)}):
        found = faults_of(a_submission(consent=without_hiv, **touched), NOW, KNOWN)
        assert [(fault.path, fault.code) for fault in found] == [("consent.provision", "consent-restricted")]


def test_the_consent_ends_when_its_rules_say_so():
    """An exception that begins next week ends the permission next week, and the referral knows."""
    in_a_week, in_a_month = NOW + timedelta(days=7), NOW + timedelta(days=30)
    turning = a_consent(
        expires_at=in_a_month,
        rule=Provision(is_permit=True, inner=(Provision(is_permit=False, starts_at=in_a_week),)),
    )
    opened, events = commands.open_referral("ref-1", "peer_1", a_submission(consent=turning), NOW, NOW)
    assert opened.consent_expires_at == in_a_week
    assert {event.expires_at for event in events if isinstance(event, ConsentRecorded)} == {in_a_week}
    plain = a_consent(expires_at=in_a_month, rule=Provision(is_permit=True))
    opened, _ = commands.open_referral("ref-1", "peer_1", a_submission(consent=plain), NOW, NOW)
    assert opened.consent_expires_at == in_a_month


def test_a_newer_no_is_a_version_and_an_end():
    """The refusal is recorded as the next version, the yes is revoked, and everything stops."""
    opened, _ = commands.open_referral("ref-1", "peer_1", a_submission(), NOW, NOW)
    refusal = a_consent(is_permitted=False, version=2)
    moved, events = commands.refuse_consent(opened, "nurse", refusal, "consent-refused", NOW)
    assert (moved.state, moved.is_consent_revoked, moved.consent_version) == ("cancelled", True, 2)
    recorded, revoked, stopped = (
        next(event for event in events if isinstance(event, kind))
        for kind in (ConsentRecorded, ConsentRevoked, ReferralStopped)
    )
    assert (recorded.consent_version, recorded.is_permitted, recorded.reason_code) == (
        2,
        False,
        "consent-refused",
    )
    assert (revoked.consent_version, stopped.stop_code) == (1, "consent-revoked")
    assert commands.refuse_consent(moved, "nurse", refusal, "consent-refused", NOW) == (moved, [])


def test_a_consent_of_every_version_is_read_again():
    """P10: what is stored is what was said; a document from before the elements were kept reads as unsaid."""
    inner = Provision(is_permit=False, actors=(US,), codes=(Coding("urn:x", "1"),), ends_at=NOW)
    whole = a_consent(**WHOLE, rule=Provision(is_permit=True, purposes=("TREAT",), inner=(inner,)))
    assert consent_of(document_of(whole)) == whole
    assert consent_of(document_of(a_consent())) == a_consent()
    old = {
        "consent_id": "c1",
        "is_permitted": True,
        "signed_at": NOW,
        "starts_at": None,
        "expires_at": None,
        "deficiency": "",
        "version": 1,
        "deficient_in": "",
    }
    assert consent_of(old) == Consent("c1", True, NOW)


def test_a_consent_given_back_without_its_rules_replaces_nothing():
    """A door that carries no rules (gRPC, the desk) cannot widen a narrowed consent by sending it back."""
    narrowed = a_consent(**WHOLE, rule=Provision(is_permit=True, actors=(US,)), version=2)
    bare = a_consent(expires_at=None)
    assert consents.is_echo(bare, narrowed)
    assert consents.is_echo(replace(narrowed, version=1), narrowed)
    assert consents.is_echo(replace(narrowed, rule=None), narrowed)
    assert not consents.is_echo(replace(bare, consent_id="c2"), narrowed)
    assert not consents.is_echo(replace(bare, witness="R. Adeyemi, RN"), narrowed)
    assert not consents.is_echo(replace(narrowed, rule=Provision(is_permit=True)), narrowed)
