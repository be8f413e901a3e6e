"""A Bundle becomes a Submission: plain R4 first, our extensions where it has none, every fault with its place."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.errors import Refusal
from services.intake import taxonomy
from services.intake.domain.submission import Preference, SourceContact, Strength, Urgency, faults_of
from services.intake.fhir import ordering, reading
from services.intake.fhir.extensions import BASE
from tests.unit.intake.intake_builders import SOURCE, bundle, placed, read, resource

KNOWN = taxonomy.load().codes


def told(made: Any) -> dict[str, str]:
    """Code -> place of every fault, wherever it is found."""
    try:
        submission = read(made)
    except Refusal as refusal:
        return {fault.code: fault.path for fault in refusal.faults}
    return {fault.code: fault.path for fault in faults_of(submission, datetime.now(UTC), KNOWN)}


def extended(**given: Any) -> dict[str, Any]:
    return {"url": BASE + given.pop("url"), **given}


def test_plain_r4_is_enough():
    """Name, numbers, language, visit, urgency, reasons and consent come from plain R4 elements."""
    submission = read(bundle())
    assert told(bundle()) == {}
    assert submission.person.family_name == "Marlowe77"
    assert (submission.visit.value, submission.urgency) == ("V-77", Urgency.IMMEDIATE)
    assert submission.languages == ("en",)
    assert {"overdose", "substance.opioids"} <= set(submission.experience_codes)
    assert [code.code for code in submission.codes] == ["F11.20", "T40.1X1A"]
    assert submission.source_id == SOURCE


def test_wishes_come_from_extensions():
    """Preferences with strength, modalities, exclusions, ZIP and payer are read from Kindred's extensions."""
    made = bundle()
    resource(made, "ServiceRequest")["extension"] = [
        {
            "url": BASE + "preference",
            "extension": [
                {"url": "attribute", "valueCode": "substance.opioids"},
                {"url": "strength", "valueCode": "must"},
            ],
        },
        extended(url="modality", valueCode="phone"),
        extended(url="excluded-specialist", valueString="spec-9"),
        extended(url="facility-zip", valueString="12208"),
        extended(url="payer", valueCode="medicaid"),
        extended(url="lived-experience", valueCode="overdose"),
    ]
    submission = read(made)
    assert told(made) == {}
    assert submission.preferences == (Preference("substance.opioids", Strength.MUST),)
    assert (submission.modalities, submission.excluded_specialist_ids) == (("phone",), ("spec-9",))
    assert (submission.facility_zip, submission.payer_code) == ("12208", "medicaid")


@pytest.mark.parametrize("strength", ["definitely", "", None])
def test_a_wish_that_cannot_be_read_refuses(strength: str | None):
    """P8: a preference with an unknown strength or attribute is told to the sender, never passed over."""
    made = bundle()
    parts = [{"url": "attribute", "valueCode": "substance.opioids"}]
    parts += [{"url": "strength", "valueString": strength}] if strength else []
    resource(made, "ServiceRequest")["extension"] = [{"url": BASE + "preference", "extension": parts}]
    assert told(made) == {"attribute-unknown": placed(made, "ServiceRequest.extension")}


def test_unmapped_codes_are_kept_and_block_nothing():
    """A code that means nothing to us stays with the referral."""
    made = bundle()
    resource(made, "Condition")["code"] = {"coding": [{"system": "urn:oid:2.999.7", "code": "LOCAL-1"}]}
    submission = read(made)
    assert told(made) == {}
    assert "LOCAL-1" in [code.code for code in submission.codes]


def test_another_country_and_another_coding_block_nothing():
    """A postal code that is no ZIP and a language that is no BCP 47 tag are passed over; the language is kept."""
    made = bundle()
    resource(made, "Organization")["address"] = [{"postalCode": "K1A 0B1"}]
    resource(made, "Patient")["communication"] = [
        {"language": {"coding": [{"system": "urn:x", "code": "ESP"}]}}
    ]
    submission = read(made)
    assert told(made) == {}
    assert (submission.facility_zip, submission.languages) == ("", ())
    assert "ESP" in [code.code for code in submission.codes]
    assert read(bundle()).facility_zip == "12208"


def test_where_the_requester_reads_mail():
    """The requester's e-mail, behind a PractitionerRole too, is where the source hears back."""
    made = bundle()
    made["entry"] += [
        {
            "fullUrl": "urn:uuid:role",
            "resource": {
                "resourceType": "PractitionerRole",
                "practitioner": {"reference": "urn:uuid:doctor"},
            },
            "request": {"method": "POST", "url": "PractitionerRole"},
        },
        {
            "fullUrl": "urn:uuid:doctor",
            "resource": {
                "resourceType": "Practitioner",
                "telecom": [{"system": "email", "value": "desk@st-brigid.example"}],
            },
            "request": {"method": "POST", "url": "Practitioner"},
        },
    ]
    resource(made, "ServiceRequest")["requester"] = {"reference": "urn:uuid:role"}
    assert read(made).source_contact == SourceContact("desk@st-brigid.example")


@pytest.mark.parametrize(
    ("name", "change", "code", "place"),
    [
        (
            "Patient",
            {"birthDate": "2999-01-01"},
            "birth-date-in-future",
            "Patient.birthDate",
        ),
        ("Patient", {"birthDate": "1988-02-30"}, "no-such-day", "Patient.birthDate"),
        ("Patient", {"gender": "m"}, "code-not-in-value-set", "Patient.gender"),
        ("Patient", {"deceasedBoolean": True}, "person-deceased", "Patient.deceased"),
        (
            "Patient",
            {"modifierExtension": [{"url": "urn:u", "valueCode": "x"}]},
            "modifier-unknown",
            "Patient.modifierExtension",
        ),
        (
            "ServiceRequest",
            {"subject": {"reference": "Patient/elsewhere"}},
            "subject-not-in-bundle",
            "ServiceRequest.subject",
        ),
        ("ServiceRequest", {"subject": None}, "not-an-object", "ServiceRequest.subject"),
        ("ServiceRequest", {"status": "draft"}, "request-not-active", "ServiceRequest.status"),
        ("ServiceRequest", {"intent": "plan"}, "request-not-an-order", "ServiceRequest.intent"),
        ("ServiceRequest", {"priority": "now"}, "code-not-in-value-set", "ServiceRequest.priority"),
        (
            "Encounter",
            {"period": {"start": "2999-01-01T00:00:00Z"}},
            "arrival-in-future",
            "Encounter.period.start",
        ),
        (
            "Encounter",
            {"period": {"start": "0001-01-01T00:00:00Z"}},
            "arrival-too-long-ago",
            "Encounter.period.start",
        ),
        ("Consent", {"status": "rejected"}, "consent-refused", "Consent.provision.type"),
        (
            "Consent",
            {"provision": {"type": "deny"}},
            "consent-refused",
            "Consent.provision.type",
        ),
        (
            "Consent",
            {"provision": {"type": "permit", "period": {"end": "2020-01-01"}}},
            "consent-expired",
            "Consent.provision.period.end",
        ),
        (
            "Consent",
            {"provision": {"type": "permit", "provision": [{"type": "deny"}]}},
            "consent-restricted",
            "Consent.provision.provision",
        ),
        ("Consent", {"status": "inactive"}, "consent-inactive", "Consent"),
        ("Consent", {"provision": {}}, "empty", "Consent.provision"),
        ("Consent", {"dateTime": "2999-01-01"}, "consent-dated-ahead", "Consent.dateTime"),
        ("Consent", {"patient": {"reference": "Patient/other"}}, "consent-missing", "Bundle.entry"),
    ],
)
def test_each_fault_is_told_with_its_place(name: str, change: dict[str, Any], code: str, place: str):
    """P11: bad input gets a stable code and the FHIRPath of what is wrong."""
    made = bundle()
    resource(made, name).update(change)
    assert told(made) == {code: placed(made, place)}


@pytest.mark.parametrize(
    ("name", "key", "code"),
    [
        ("ServiceRequest", "subject", "missing"),
        ("Consent", "dateTime", "consent-unsigned"),
        ("Consent", "patient", "ppc-2"),
        ("Consent", "provision", "consent-silent"),
    ],
)
def test_what_is_missing_is_told(name: str, key: str, code: str):
    """A missing must-have is named by its code."""
    made = bundle()
    del resource(made, name)[key]
    assert code in told(made)


def test_all_faults_come_at_once():
    """Faults of structure are told together, and so are faults of sense."""
    made = bundle()
    resource(made, "Patient")["gender"] = "m"
    resource(made, "ServiceRequest")["priority"] = "now"
    with pytest.raises(Refusal) as structure:
        read(made)
    assert len(structure.value.faults) == 2
    made = bundle(consent=None)
    resource(made, "Patient")["birthDate"] = "2999-01-01"
    assert set(told(made)) == {"consent-missing", "birth-date-in-future"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "json-invalid"),
        (b"", "json-invalid"),
        (b'{"a": NaN}', "json-invalid"),
        (b'{"a": 1} x', "json-invalid"),
        (b'\xff\xfe{"a": 1}', "json-not-utf8"),
        (b'{"a": 1, "a": 2}', "json-key-doubled"),
        (b'{"a": 1e999}', "json-number-too-large"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "json-number-too-large"),
        (b"[" * 100_000, "too-deep"),
        (b'{"a":' * 100_000, "too-deep"),
        (b"[]", "bundle-wanted"),
        (b"null", "bundle-wanted"),
        (b'{"resourceType": "Patient"}', "bundle-wanted"),
        (b'{"resourceType": "Bundle", "type": "history"}', "bundle-type"),
        (b'{"resourceType": "Bundle", "type": "collection"}', "service-request-missing"),
        (b'{"resourceType": "Bundle", "_type": {"id": "a"}}', "empty"),
    ],
)
def test_bodies_made_to_hurt_are_clean_refusals(body: bytes, code: str):
    """No JSON is too broken or too deep for a refusal with a code."""
    assert set(told(body)) == {code}


@pytest.mark.parametrize(
    ("focus", "referral_id"),
    [
        ("ServiceRequest/ref-01a2", "ref-01a2"),
        ("https://kindred.example/fhir/ServiceRequest/ref-01a2/_history/3", "ref-01a2"),
        ("https://elsewhere.example/fhir/ServiceRequest/77", ""),
    ],
)
def test_a_task_without_its_request_asks_for_one_of_ours_or_for_none(focus: str, referral_id: str):
    """The request that a lone Task asks for is known by our ids alone; by itself such a Task is no referral."""
    task = {"resourceType": "Task", "status": "requested", "intent": "order", "focus": {"reference": focus}}
    parcel = reading.open_single(json.dumps(task).encode(), "Task")
    asked = ordering.asks_for_ours(parcel)
    assert (asked[1] if asked else "") == referral_id
    with pytest.raises(Refusal) as refused:
        reading.read(parcel, SOURCE, taxonomy.load())
    told = [(fault.path, fault.code) for fault in refused.value.faults]
    assert told == [("Task.focus", "service-request-missing")]


def test_a_request_that_forbids_is_no_order():
    """doNotPerform turns the meaning of the whole request round."""
    made = bundle()
    resource(made, "ServiceRequest")["doNotPerform"] = True
    assert set(told(made)) == {"request-not-an-order"}


def test_the_newest_consent_decides():
    """Of two consents the later one speaks, whichever stands first."""
    made = bundle()
    old = copy.deepcopy(resource(made, "Consent"))
    old["dateTime"], old["provision"] = "2020-01-01", {"type": "deny"}
    made["entry"].append(
        {"fullUrl": "urn:uuid:old", "resource": old, "request": {"method": "POST", "url": "Consent"}}
    )
    assert told(made) == {}
    old["dateTime"] = (datetime.now(UTC) - timedelta(minutes=1)).isoformat(timespec="seconds")
    assert "consent-refused" in told(made)


@pytest.mark.parametrize("signed", ["", "day"])
def test_a_refusal_that_may_be_the_newer_one_is_not_passed_over(signed: str):
    """P7: a refusal without a date, or of the same day, may be the last word."""
    made = bundle()
    refusal = copy.deepcopy(resource(made, "Consent")) | {"provision": {"type": "deny"}}
    refusal["dateTime"] = datetime.now(UTC).date().isoformat()
    if not signed:
        del refusal["dateTime"]
    made["entry"].append(
        {"fullUrl": "urn:uuid:no", "resource": refusal, "request": {"method": "POST", "url": "Consent"}}
    )
    assert "consent-refused" in told(made)
    refusal["status"] = "entered-in-error"
    assert told(made) == {}


@pytest.mark.parametrize("status", ["draft", "proposed", "entered-in-error"])
@pytest.mark.parametrize("said", ["permit", "deny"])
def test_what_was_never_in_force_outdates_nothing(status: str, said: str):
    """A newer draft, or one entered in error, leaves the signed consent as it was; alone it permits nothing."""
    made = bundle()
    draft = copy.deepcopy(resource(made, "Consent")) | {"status": status, "provision": {"type": said}}
    draft["dateTime"] = datetime.now(UTC).isoformat(timespec="seconds")
    made["entry"].append(
        {"fullUrl": "urn:uuid:draft", "resource": draft, "request": {"method": "POST", "url": "Consent"}}
    )
    assert told(made) == {}
    resource(made, "Consent").update(draft)
    assert set(told(made)) & {"consent-inactive", "consent-refused"}


@pytest.mark.parametrize(
    "narrowing",
    [
        {"purpose": [{"code": "HRESCH"}]},
        {"purpose": [{"code": "HMARKT"}, {"code": "HPAYMT"}]},
        {"class": [{"system": "http://hl7.org/fhir/resource-types", "code": "Immunization"}]},
        {"code": [{"coding": [{"system": "http://loinc.org", "code": "11111-1"}]}]},
        {"dataPeriod": {"start": "2010-01-01", "end": "2011-01-01"}},
    ],
)
def test_a_permission_for_something_else_permits_no_referral(narrowing: dict[str, Any]):
    """P7: research, marketing or a part of the record is not what was asked for."""
    made = bundle()
    resource(made, "Consent")["provision"].update(narrowing)
    assert told(made) == {"consent-restricted": placed(made, f"Consent.provision.{next(iter(narrowing))}")}


ELSEWHERE = {"role": {"text": "recipient"}, "reference": {"display": "Elm Street Clinic (fictional)"}}
SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
ACTION = "http://terminology.hl7.org/CodeSystem/consentaction"


@pytest.mark.parametrize(
    ("narrowing", "place"),
    [
        ({"provision": {"type": "permit", "actor": [ELSEWHERE]}}, "provision.actor"),
        (
            {"provision": {"type": "permit", "securityLabel": [{"code": "N"}]}},
            "provision.securityLabel",
        ),
        (
            {
                "provision": {
                    "type": "permit",
                    "action": [{"coding": [{"system": ACTION, "code": "correct"}]}],
                }
            },
            "provision.action",
        ),
        ({"provision": {"type": "permit", "action": [{"text": "disclose"}]}}, "provision.action"),
        (
            {"provision": {"type": "permit", "modifierExtension": [{"url": "urn:u", "valueCode": "not"}]}},
            "provision.modifierExtension",
        ),
        ({"verification": [{"verified": True}, {"verified": False}]}, "verification"),
        ({"scope": {"text": "privacy"}}, "scope"),
        ({"scope": {"coding": [{"system": SCOPE, "code": "research"}]}}, "scope"),
        ({"scope": {"coding": [{"system": SCOPE, "code": "adr"}]}}, "scope"),
        ({"scope": {"coding": [{"system": "urn:x", "code": "treatment"}]}}, "scope"),
    ],
)
def test_a_permission_narrowed_by_what_cannot_be_kept_permits_nothing(narrowing: dict[str, Any], place: str):
    """P7: to others, for other deeds, of some labels, never verified: the sender is told which element it was."""
    made = bundle()
    resource(made, "Consent").update(narrowing)
    assert told(made) == {"consent-restricted": placed(made, f"Consent.{place}")}


@pytest.mark.parametrize(
    "us", [{"display": "Kindred"}, {"identifier": {"system": "urn:x", "value": "Kindred"}}]
)
def test_a_permission_that_names_us_permits_the_referral(us: dict[str, Any]):
    """One actor that is us among several, a deed that is ours, a verified signature: nothing is narrowed."""
    made = bundle()
    resource(made, "Consent").update(verification=[{"verified": True}])
    resource(made, "Consent")["provision"].update(
        actor=[ELSEWHERE, {"role": {"text": "recipient"}, "reference": us}],
        action=[{"coding": [{"system": ACTION, "code": "disclose"}]}],
    )
    assert told(made) == {}


def test_of_two_consents_as_new_the_narrowed_one_speaks():
    """P7: a narrowed permission is stricter than one that is not."""
    made = bundle()
    narrow = copy.deepcopy(resource(made, "Consent"))
    narrow["provision"]["actor"] = [ELSEWHERE]
    made["entry"].append(
        {"fullUrl": "urn:uuid:two", "resource": narrow, "request": {"method": "POST", "url": "Consent"}}
    )
    assert set(told(made)) == {"consent-restricted"}


def test_a_permission_for_care_among_others_permits_the_referral():
    """The single consent for treatment, payment and operations (42 CFR 2.31) is one for treatment."""
    made = bundle()
    resource(made, "Consent")["provision"]["purpose"] = [{"code": "HPAYMT"}, {"code": "TREAT"}]
    assert told(made) == {}


@pytest.mark.parametrize(
    ("url", "value", "code"),
    [
        (
            "excluded-specialist",
            {"valueReference": {"reference": "Practitioner/spec-9"}},
            "specialist-id-unreadable",
        ),
        ("excluded-specialist", {"valueIdentifier": {"value": "spec-9"}}, "specialist-id-unreadable"),
        ("modality", {"valueCodeableConcept": {"text": "phone"}}, "modality-unknown"),
        ("lived-experience", {"valueCodeableConcept": {"text": "overdose"}}, "attribute-unknown"),
    ],
)
def test_what_keeps_somebody_safe_is_never_passed_over(url: str, value: dict[str, Any], code: str):
    """P8: an exclusion in a form that is not read refuses the submission, as does any other wish."""
    made = bundle()
    resource(made, "ServiceRequest")["extension"] = [extended(url=url, **value)]
    assert told(made) == {code: placed(made, "ServiceRequest.extension")}


@pytest.mark.parametrize(
    ("name", "one", "code"),
    [
        ("ServiceRequest", {"url": "payer", "valueInteger": 5}, "extension-unreadable"),
        ("ServiceRequest", {"url": "facility-zip", "valueInteger": 12208}, "extension-unreadable"),
        ("Encounter", {"url": "expected-departure", "valueString": "tonight"}, "extension-unreadable"),
        ("Encounter", {"url": "expected-departure", "valueDate": "2026-11-22"}, "extension-unreadable"),
        ("Patient", {"url": "interpreter-agreed", "valueString": "yes"}, "extension-unreadable"),
        ("ServiceRequest", {"url": "exclude-specialist", "valueString": "spec-9"}, "extension-unknown"),
        ("ServiceRequest", {"url": "Excluded-Specialist", "valueString": "spec-9"}, "extension-unknown"),
        ("Condition", {"url": "of-tomorrow", "valueBoolean": True}, "extension-unknown"),
        ("Patient", {"url": "excluded-specialist", "valueString": "spec-9"}, "extension-misplaced"),
        ("ServiceRequest", {"url": "expected-departure", "valueString": "x"}, "extension-misplaced"),
    ],
)
def test_what_was_said_to_us_is_never_dropped_without_a_word(name: str, one: dict[str, Any], code: str):
    """P11: an extension of ours that would be passed over refuses the submission, with its place."""
    made = bundle()
    resource(made, name)["extension"] = [{"url": "urn:of-others", "valueString": "x"}, extended(**one)]
    assert told(made) == {code: placed(made, f"{name}.extension[1]")}


def test_an_extension_of_ours_deep_in_a_resource_is_found():
    """In an element, a contained resource, beside a primitive, in another extension, with another scheme."""
    made = bundle()
    stray = extended(url="excluded-specialist", valueString="spec-9")
    request = resource(made, "ServiceRequest")
    request["code"]["extension"] = [stray]
    request["_status"] = {"extension": [stray]}
    request["contained"] = [{"resourceType": "Patient", "id": "p", "extension": [stray]}]
    request["performer"] = [{"reference": "#p"}]
    request["extension"] = [
        {"url": "urn:of-others", "extension": [stray]},
        {"url": BASE.replace("https", "http") + "excluded-specialist", "valueString": "spec-9"},
    ]
    with pytest.raises(Refusal) as refused:
        read(made)
    found = {(fault.path, fault.code) for fault in refused.value.faults}
    misplaced = ("code.extension[0]", "status.extension[0]", "contained[0].extension[0]")
    assert found == {
        *((placed(made, f"ServiceRequest.{place}"), "extension-misplaced") for place in misplaced),
        (placed(made, "ServiceRequest.extension[0].extension[0]"), "extension-misplaced"),
        (placed(made, "ServiceRequest.extension[1]"), "extension-unknown"),
    }


def test_a_misspelt_part_of_an_extension_is_found():
    """ "do-not-contct" is not "nobody asked"."""
    made = bundle()
    parts = [
        {"url": "may-leave-message", "valueBoolean": True},
        {"url": "do-not-contct", "valueBoolean": True},
    ]
    resource(made, "Patient")["extension"] = [{"url": BASE + "safe-contact", "extension": parts}]
    assert told(made) == {"extension-unknown": placed(made, "Patient.extension[0].extension[1]")}


def test_extensions_where_they_belong_are_taken():
    """The departure of a visit, an agreed interpreter and the language of a desk are read."""
    made = bundle()
    leaves = datetime.now(UTC) + timedelta(hours=2)
    departure = leaves.isoformat(timespec="seconds")
    resource(made, "Encounter")["extension"] = [extended(url="expected-departure", valueDateTime=departure)]
    resource(made, "Patient")["extension"] = [extended(url="interpreter-agreed", valueBoolean=True)]
    desk = resource(made, "Practitioner")["telecom"][0]
    desk["extension"] = [extended(url="contact-language", valueCode="es")]
    submission = read(made)
    assert told(made) == {}
    assert submission.expected_departure_at == leaves.replace(microsecond=0)
    assert (submission.interpreter_agreed, submission.source_contact.language) == (True, "es")


def test_an_unreadable_word_about_safe_contact_means_the_safer_answer():
    """ "Do not contact" sent as text is not taken for "nobody asked"."""
    made = bundle()
    parts = [
        {"url": "do-not-contact", "valueString": "true"},
        {"url": "may-leave-message", "valueString": "no"},
    ]
    resource(made, "Patient")["extension"] = [{"url": BASE + "safe-contact", "extension": parts}]
    safe = read(made).person.safe_contact
    assert (safe.do_not_contact, safe.may_leave_message) == (True, False)


def test_the_words_of_a_refusal_hold_no_value():
    """P8 of privacy: neither code, place nor sentence of a fault repeats what was sent."""
    made = bundle()
    patient = resource(made, "Patient")
    patient.update(
        birthDate="Zyxmark", gender="Zyxmark", Zyxmark="x", name=["Zyxmark"], identifier={"value": "Zyxmark"}
    )
    patient["Zyx mark"] = patient["managingOrganization"] = {"reference": "Zyxmark"}
    with pytest.raises(Refusal) as refused:
        read(made)
    assert len(refused.value.faults) >= 6
    assert "yxmark" not in repr(refused.value.faults) and "yx mark" not in repr(refused.value.faults)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
WORDS = st.sampled_from(
    [
        "",
        "active",
        "urn:uuid:patient",
        "Patient/1",
        "#",
        "2020",
        "2020-02-30",
        "\x00",
        "\ud800",
        "9999-12-31",
        "en",
    ]
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    for key, inner in items:
        found += _places(inner, (*path, key))
    return found


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_mutated_bundle_is_read_or_refused(data: st.DataObject):
    """Whatever is changed, removed, doubled or put beside in a Bundle, it is a submission or a refusal, never a crash."""
    made = bundle()
    for _ in range(data.draw(st.integers(1, 3))):
        *above, last = data.draw(st.sampled_from(_places(made)))
        home: Any = made
        for key in above:
            home = home[key]
        how = data.draw(st.sampled_from(["replace", "remove", "beside", "list", "word"]))
        if how == "remove":
            del home[last]
        elif how == "beside" and isinstance(last, str):
            home["_" + last] = data.draw(JSON | st.just({"id": "a"}) | st.just([{"id": "a"}]))
            if data.draw(st.booleans()):
                del home[last]
        elif how == "list":
            home[last] = [home[last]]
        else:
            home[last] = data.draw(WORDS if how == "word" else JSON)
    body = json.dumps(made).encode()
    try:
        submission = read(body)
    except Refusal as refusal:
        assert refusal.faults and all(fault.code and fault.path and fault.message for fault in refusal.faults)
    else:
        faults_of(submission, datetime.now(UTC), KNOWN)
