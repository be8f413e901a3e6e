"""BALP: IHE's own examples pass, what breaks them is named with its place, and every entry keeps what it claims."""

import copy
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audit.domain.classes import CLASSES
from services.audit.fhir import audit_event, profiles, read_body
from tests.audit_facts import facts_of, golden

BALP = Path(__file__).resolve().parents[4] / "shared" / "data" / "audit-vectors" / "ihe-balp" / "json"
PROFILE = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE."


def _examples() -> list[Path]:
    return sorted(BALP.glob("AuditEvent-*.json"))


@pytest.mark.needs_shared_data
def test_every_example_of_ihe_passes_every_profile_it_claims():
    """46 AuditEvents of IHE, 19 profiles: not one fault."""
    if not BALP.exists():
        pytest.skip("../shared/data/audit-vectors/ihe-balp is not beside this checkout")
    judged = {path.name: profiles.faults_of(json.loads(path.read_text())) for path in _examples()}
    assert len(judged) == 46 and not any(judged.values()), judged


@pytest.mark.needs_shared_data
def test_no_example_passes_a_profile_of_another_deed():
    """A read is no create, update, delete, query or disclosure: a judge that says yes to all is none."""
    if not BALP.exists():
        pytest.skip("../shared/data/audit-vectors/ihe-balp is not beside this checkout")
    read = json.loads((BALP / "AuditEvent-ex-auditBasicReadServer.json").read_text())
    for name in ("Create", "Update", "Delete", "Query", "PatientCreate", "PrivacyDisclosure.Source"):
        assert profiles.profile_faults(read, f"{PROFILE}BasicAudit.{name}")
    assert not profiles.profile_faults(read, f"{PROFILE}BasicAudit.PatientRead")


@pytest.mark.parametrize("event_type", sorted(CLASSES))
def test_every_event_type_keeps_the_profiles_it_claims(event_type):
    """What we write is R4, and BALP where it says so; a success about a person always says so."""
    document = json.loads(audit_event(facts_of(golden(event_type))))
    assert profiles.faults_of(document) == []
    is_rest = document["type"]["code"] == "rest" and document["subtype"][0]["code"] != "operation"
    if is_rest and document["outcome"] == "0" and read_body(json.dumps(document).encode()).peer_id:
        assert [url for url in profiles.claimed(document) if ".Patient" in url]


@pytest.mark.parametrize(
    ("event_type", "profile"),
    [
        ("consent.recorded.v1", "AuthZconsent"),
        ("disclosure.made.v1", "PrivacyDisclosure.Source"),
        ("emergency.declared.v1", "PrivacyDisclosure.Source"),
        ("referral.submitted.v1", "PrivacyDisclosure.Recipient"),
        ("record.read.v1", "PatientRead"),
        ("offer.made.v1", "PatientCreate"),
        ("offer.accepted.v1", "PatientUpdate"),
    ],
)
def test_consents_disclosures_and_deeds_claim_their_own_profile(event_type, profile):
    """Each kind of entry has the profile IHE made for it."""
    document = json.loads(audit_event(facts_of(golden(event_type))))
    assert document["meta"]["profile"] == [f"{PROFILE}BasicAudit.{profile}"]


@pytest.mark.parametrize(("is_permitted", "outcome"), [(True, "0"), (False, "8")])
def test_a_consent_decision_says_permit_or_deny_and_why(is_permitted, outcome):
    """A denied consent is a denial in the log, with its reason, and still an AuthZconsent."""
    message = golden("consent.recorded.v1")
    message.is_permitted, message.reason_code = is_permitted, "" if is_permitted else "expired"
    document = json.loads(audit_event(facts_of(message)))
    assert (document["outcome"], document.get("outcomeDesc", "")) == (outcome, message.reason_code)
    assert profiles.faults_of(document) == []


def test_an_emergency_keeps_the_four_facts_of_the_rule():
    """Recipient and affiliation, discloser, date and time, nature of the emergency: 42 CFR 2.51(c)."""
    body = read_body(audit_event(facts_of(golden("emergency.declared.v1"))))
    told = dict(body.particulars) | {"nature": body.reason}
    wanted = ("recipient_id", "recipient_affiliation", "discloser_id", "occurred_at", "nature")
    assert all(told.get(name) for name in wanted)


def test_a_read_behind_broken_glass_carries_the_override():
    """Purpose BTG adds DICOM's emergency override, so that other people's tools find it too."""
    message = golden("record.read.v1")
    message.provenance.purpose_of_use = "BTG"
    codes = [each["code"] for each in json.loads(audit_event(facts_of(message)))["subtype"]]
    assert "110127" in codes


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("AuditEvent.agent", lambda one: one.pop("agent")),
        ("AuditEvent.recorded", lambda one: one.update(recorded="yesterday")),
        ("AuditEvent.action", lambda one: one.update(action="X")),
        ("AuditEvent.weather", lambda one: one.update(weather="fine")),
        ("AuditEvent.agent.requestor", lambda one: one["agent"][0].pop("requestor")),
        ("AuditEvent.source.observer", lambda one: one["source"].pop("observer")),
        ("AuditEvent.agent", lambda one: one.update(agent={})),
        ("AuditEvent.agent.network:client", None),
        ("AuditEvent.entity:data", lambda one: one["entity"].pop(0)),
        ("AuditEvent.entity:patient", lambda one: one["entity"].pop(1)),
        ("AuditEvent.outcome", lambda one: one.update(outcome="4")),
    ],
)
def test_what_breaks_an_event_is_named_with_its_place(path, change):
    """Each mutant has a fault at the element that was changed."""
    document = json.loads(audit_event(facts_of(golden("record.read.v1"))))
    if change is None:
        path = "AuditEvent.agent.network"
        document["agent"][0].pop("network")
    else:
        change(document)
    assert path in {fault.path for fault in profiles.faults_of(document)}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from(["type", "subtype", "agent", "source", "entity", "meta", "outcome", "recorded"]), _JSON
)
def test_the_judge_never_falls_over_what_it_is_shown(name, value):
    """Any JSON in any element is judged, never an error."""
    document = copy.deepcopy(_READ)
    document[name] = value
    profiles.faults_of(document)
    for url in profiles.known_profiles()[:3]:
        assert isinstance(profiles.faults_of(document | {"meta": {"profile": [url]}}), list)


_READ = json.loads(audit_event(facts_of(golden("record.read.v1"))))
