"""A referral's consent as R4 shows it, and read back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.intake.domain import asking, commands
from services.intake.domain import consent as consents
from services.intake.domain.consent import Consent
from services.intake.fhir import consents as codec
from services.intake.r4 import validator
from services.intake.store.documents import Kept
from tests.unit.intake.intake_builders import NOW, a_consent, a_submission, bundle, read, resource

NESTED = {
    "type": "permit",
    "actor": [{"role": {"text": "recipient"}, "reference": {"display": "Kindred"}}],
    "action": [
        {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentaction", "code": "disclose"}]}
    ],
    "purpose": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "TREAT"}],
    "period": {"end": "2999-01-01"},
    "provision": [
        {
            "type": "deny",
            "period": {"start": "2998-01-01"},
            "securityLabel": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "HIV"}],
            "class": [{"system": "http://hl7.org/fhir/resource-types", "code": "Immunization"}],
            "code": [{"coding": [{"system": "http://loinc.org", "code": "34133-9"}]}],
            "dataPeriod": {"start": "2010-01-01", "end": "2011-01-01"},
            "data": [{"meaning": "instance", "reference": {"reference": "Task/example3"}}],
        }
    ],
}


def shown(consent: Consent | None, *earlier: Consent, **given: Any) -> dict[str, Any] | None:
    """What GET /fhir/Consent shows of a referral under this consent."""
    submission = a_submission(consent=consent, may_wait_for_consent=True)
    referral, _ = commands.open_referral("ref-1", "peer_1", submission, NOW, NOW)
    return codec.of(replace(referral, **given), Kept(submission, earlier=earlier))


@pytest.mark.parametrize(
    "consent",
    [
        a_consent(),
        a_consent(is_permitted=False, version=2),
        a_consent(
            purposes=("TREAT",),
            recipients=("Kindred",),
            intermediary="Kindred",
            discloser="St. Brigid (fictional)",
            signed_by="A. Mother",
            signature_method="written",
            witness="R. Adeyemi, RN",
            is_revocation_told=True,
            expiry_event="none",
            expires_at=None,
            policies=("42CFRPart2",),
        ),
        replace(read(bundle()).consent, version=3),  # type: ignore[type-var]
    ],
)
def test_a_consent_is_shown_as_valid_r4(consent: Consent):
    """HL7's own definitions find nothing wrong; the policy, who agreed and who discloses are named."""
    made = shown(consent)
    assert made is not None
    assert validator.check(made) == []
    assert made["id"] == "con-1"
    assert {"url": "version", "valueInteger": consent.version} in made["extension"][0]["extension"]
    assert made["policy"] == [{"uri": "https://www.ecfr.gov/current/title-42/chapter-I/subchapter-A/part-2"}]
    assert made["meta"]["security"][0]["code"] == "R"
    assert made["performer"] and made["organization"][0]["identifier"]["value"] == "er-st-brigid"


@pytest.mark.parametrize(
    ("consent", "given", "status"),
    [
        (a_consent(), {}, "active"),
        (a_consent(), {"is_consent_revoked": True}, "inactive"),
        (a_consent(), {"reason_code": "consent-expired"}, "inactive"),
        (a_consent(revoked_at=NOW), {}, "inactive"),
        (a_consent(is_permitted=False), {"is_consent_revoked": True}, "rejected"),
    ],
)
def test_its_status_says_whether_it_is_in_force(consent: Consent, given: dict[str, Any], status: str):
    """Revoked and ended are inactive; a no is rejected."""
    made = shown(consent, **given)
    assert made is not None and made["status"] == status


def test_the_newest_version_is_shown_and_none_is_none():
    """Earlier versions are kept, the one that counts is shown."""
    made = shown(a_consent(version=2, consent_id="c2"), a_consent())
    assert made is not None
    assert [one["value"] for one in made["identifier"]] == ["con-1", "c2"]
    assert shown(None) is None


def test_rules_that_came_go_out_and_mean_the_same():
    """Every condition of every rule survives the way in and out: the shown document decides as the sent one did."""
    made = bundle()
    resource(made, "Consent")["provision"] = NESTED
    came = read(made).consent
    assert came is not None and came.rule is not None
    out = shown(came)
    assert out is not None
    assert validator.check(out) == []
    back = codec.read_one(out, ("Kindred",))
    submission = a_submission()
    ask = asking.for_referral(submission, ("Kindred",))
    for moment in (NOW, NOW + timedelta(days=40)):
        first, second = consents.decide(came, ask, moment), consents.decide(back, ask, moment)
        assert (first.is_permitted, first.reasons) == (second.is_permitted, second.reasons)
    assert back.rule is not None
    assert [len(list(one.rule.every())) for one in (came, back) if one.rule] == [2, 2]
    (inner,) = back.rule.inner
    kept = came.rule.inner[0]
    assert (inner.is_permit, inner.labels, inner.classes, inner.codes) == (
        False,
        kept.labels,
        kept.classes,
        kept.codes,
    )
    assert (inner.starts_at, inner.data_from) == (kept.starts_at, kept.data_from)


def test_elements_without_a_place_in_r4_come_in_an_extension():
    """Revocation told, expiry event, how it was signed and the witness: said once, read back the same."""
    made = bundle()
    resource(made, "Consent")["extension"] = [
        {
            "url": "https://kindred.example/fhir/StructureDefinition/consent-elements",
            "extension": [
                {"url": "revocation-told", "valueBoolean": True},
                {"url": "expiry-event", "valueString": "end of treatment"},
                {"url": "signature-method", "valueCode": "electronic"},
                {"url": "witness", "valueString": "R. Adeyemi, RN"},
            ],
        }
    ]
    came = read(made).consent
    assert came is not None
    told = (came.is_revocation_told, came.expiry_event, came.signature_method, came.witness)
    assert told == (True, "end of treatment", "electronic", "R. Adeyemi, RN")
    out = shown(came)
    assert out is not None
    back = codec.read_one(out, ("Kindred",))
    assert (back.is_revocation_told, back.expiry_event, back.signature_method, back.witness) == told
