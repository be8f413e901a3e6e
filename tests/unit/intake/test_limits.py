"""What a submission may hold, at its edges: as much as a long life has, and nothing that holds others up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kindred.intake.v1 import intake_pb2
from services.intake import taxonomy
from services.intake.codec.rules import rule_of
from services.intake.domain import limits
from services.intake.domain.person import Person, RecordNumber
from services.intake.domain.submission import Answered, Characteristic, Code, Submission, faults_of
from services.intake.hl7v2 import message
from services.intake.hl7v2.faults import Unacceptable
from tests.unit.intake.hl7_builders import CON, NOW, PID, RF1, msh
from tests.unit.intake.intake_builders import a_consent, a_submission, bundle, read, resource

NUMBERS = tuple(RecordNumber("urn:oid:2.999.1", str(number)) for number in range(limits.MOST_NUMBERS + 1))
CODES = tuple(
    Code("http://hl7.org/fhir/sid/icd-10-cm", f"Z{number}") for number in range(limits.MOST_CODES + 1)
)


def changed(**given: Any) -> Submission:
    """A submission with this instead; what is of the person is theirs."""
    made = a_submission()
    of_person = {name: given.pop(name) for name in list(given) if name in Person.__dataclass_fields__}
    return replace(made, person=replace(made.person, **of_person), **given)


def found(submission: Submission) -> list[tuple[str, str]]:
    """Places and codes of what is wrong with it."""
    faults = faults_of(submission, NOW, taxonomy.load().codes)
    return [(fault.path, fault.code) for fault in faults]


def test_what_is_kept_of_too_much_is_within_the_limits():
    """Whoever says no is looked for by what fits; the no itself, its day and the first numbers stay."""
    consent = replace(a_consent(is_permitted=False), witness="W" * 5_000, recipients=("R",) * 300)
    crowded = changed(
        record_numbers=NUMBERS,
        family_name="A" * 301,
        phones=("1" * 201, "+15185550177"),
        former_names=("B",) * 60,
        visit=RecordNumber("x", "9" * 300),
        consent=consent,
    )
    kept = limits.kept_within(crowded)
    assert limits.faults_of(kept) == []
    assert kept.person.record_numbers == NUMBERS[:-1] and kept.person.phones == ("+15185550177",)
    assert kept.consent is not None
    assert (kept.consent.is_permitted, kept.consent.signed_at) == (False, consent.signed_at)
    assert limits.kept_within(a_submission()) == a_submission()


@pytest.mark.parametrize(
    ("most", "more", "fault"),
    [
        (
            {"record_numbers": NUMBERS[:-1]},
            {"record_numbers": NUMBERS},
            ("person.record_numbers", "too-many"),
        ),
        ({"codes": CODES[:-1]}, {"codes": CODES}, ("codes", "too-many")),
        ({"family_name": "A" * 300}, {"family_name": "A" * 301}, ("person.family_name", "too-long")),
        ({"given_name": "A" * 300}, {"given_name": "A " * 200_000}, ("person.given_name", "too-long")),
        ({"phones": ("1" * 200,)}, {"phones": ("1" * 201,)}, ("person.phones", "too-long")),
        ({"note": "x" * 100_000}, {"note": "x" * 100_001}, ("note", "too-long")),
        ({"place": "x" * 2_000}, {"place": "x" * 2_001}, ("place", "too-long")),
        ({"labels": ("R",) * 200}, {"labels": ("R",) * 201}, ("labels", "too-many")),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_the_last_that_fits_and_the_first_that_does_not(
    most: dict[str, Any], more: dict[str, Any], fault: tuple[str, str]
):
    """At the limit it is taken, one beyond it is refused, with the field and nothing else."""
    assert not {"too-many", "too-long"} & {code for _, code in found(changed(**most))}
    assert found(changed(**more)) == [fault]


def test_what_the_door_of_protos_lets_in_fits():
    """No gRPC request that its rules let pass is too long for the domain."""
    person, number, request = (
        {field.name: rule_of(field) for field in message.DESCRIPTOR.fields}
        for message in (intake_pb2.Person, intake_pb2.RecordNumber, intake_pb2.SubmitReferralRequest)
    )
    assert person["family_name"].most_chars <= limits.NAME
    assert person["phones"].most_chars <= limits.PHONE
    assert number["value"].most_chars <= limits.NUMBER
    assert number["system"].most_chars <= limits.SYSTEM
    assert request["note"].most_chars <= limits.NOTE
    assert max(request[name].most for name in ("codes", "preferences")) <= limits.MOST_LISTED


@pytest.mark.parametrize(
    ("topic", "answered", "code", "faults"),
    [
        ("faith", Answered.STATED, "faith.jewish", []),
        ("faith", Answered.DECLINED, "", []),
        ("weather", Answered.DECLINED, "", [("characteristics[0].topic", "attribute-unknown")]),
        ("gender", Answered.STATED, "faith.jewish", [("characteristics[0].code", "attribute-unknown")]),
        ("faith", Answered.STATED, "faith.unheard-of", [("characteristics[0].code", "attribute-unknown")]),
        ("faith", Answered.DECLINED, "faith.jewish", [("characteristics[0].code", "attribute-not-stated")]),
    ],
)
def test_a_characteristic_belongs_to_its_topic(
    topic: str, answered: Answered, code: str, faults: list[tuple[str, str]]
):
    """Through whichever door: a topic of the taxonomy, an attribute below it, and only of what was stated."""
    assert found(changed(characteristics=(Characteristic(topic, answered, code),))) == faults


@pytest.mark.parametrize(("count", "is_weighed"), [(100, True), (101, False)])
def test_a_consent_of_so_many_rules_is_not_weighed(count: int, is_weighed: bool):
    """A hundred rules are read; one with more permits nothing."""
    made = bundle()
    rules = [{"type": "permit"} for _ in range(count - 1)]
    resource(made, "Consent")["provision"] = {"type": "permit", "provision": rules}
    consent = read(made).consent
    assert consent is not None and consent.rule is not None
    assert len(list(consent.rule.every())) == (count if is_weighed else 1)
    assert (consent.rule.unread == ()) is is_weighed


@pytest.mark.parametrize(
    ("status", "is_a_fact"),
    [
        ("confirmed", True),
        ("", True),
        ("unconfirmed", False),
        ("provisional", False),
        ("differential", False),
        ("refuted", False),
        ("entered-in-error", False),
    ],
)
def test_only_a_confirmed_condition_is_lived_experience(status: str, is_a_fact: bool):
    """What somebody only considers, or ruled out, is nobody's experience, and reaches no specialist."""
    made = bundle()
    condition: dict[str, Any] = {
        "resourceType": "Condition",
        "subject": resource(made, "ServiceRequest")["subject"],
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "F10.20"}]},
    }
    if status:
        system = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
        condition["verificationStatus"] = {"coding": [{"system": system, "code": status}]}
    before = read(made)
    request = {"method": "POST", "url": "Condition"}
    made["entry"].append({"fullUrl": "urn:uuid:7c6f0a52-2a55-4a7c-9a31-000000000099", "resource": condition})
    made["entry"][-1]["request"] = request
    said = read(made)
    assert ("substance.alcohol" in said.experience_codes) is is_a_fact
    assert (len(said.codes) - len(before.codes) == 1) is is_a_fact


@pytest.mark.parametrize(
    ("body", "is_taken"),
    [
        ("\rNTE|1" * 4_000, True),
        ("\rNTE" * 5_000, False),
        ("\rNTE|1|" + "~" * 19_000, True),
        ("\rNTE|1|" + "~" * 21_000, False),
    ],
)
def test_a_message_of_so_many_parts_is_refused_before_it_is_read(body: str, is_taken: bool):
    """A megabyte of empty segments or repetitions keeps nobody's core busy."""
    raw = ("\r".join([msh(), RF1, PID, CON]) + body).encode()
    if is_taken:
        assert message.parse(raw).segments[0].name == "MSH"
        return
    with pytest.raises(Unacceptable) as refused:
        message.parse(raw)
    assert refused.value.code == "too-many"
