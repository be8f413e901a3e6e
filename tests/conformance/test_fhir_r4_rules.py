"""The R4 validator rule by rule, on resources written here: what the standard allows and what it forbids."""

from __future__ import annotations

import copy
import sys
from typing import Any

import pytest

from chassis.errors import Refusal
from services.intake.fhir import body
from services.intake.r4 import messages, validator
from tests.conformance.hostile import mutating

Resource = dict[str, Any]
PERSON: Resource = {"resourceType": "Patient", "id": "p"}
CODED: Resource = {"coding": [{"system": "http://loinc.org", "code": "1-8"}]}
DIV = '<div xmlns="http://www.w3.org/1999/xhtml">{}</div>'
SCOPE: Resource = {
    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]
}
ABSENT: Resource = {
    "extension": [
        {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
    ]
}


def patient(**given: Any) -> Resource:
    return {"resourceType": "Patient", **given}


def order(**given: Any) -> Resource:
    made = {"resourceType": "ServiceRequest", "status": "active", "intent": "order"}
    return made | {"subject": {"reference": "Patient/p"}} | given


def observation(**given: Any) -> Resource:
    return {"resourceType": "Observation", "status": "final", "code": CODED} | given


def consent(**given: Any) -> Resource:
    made = {"resourceType": "Consent", "status": "active", "scope": SCOPE, "category": [CODED]}
    return made | {"policyRule": CODED, "patient": {"reference": "Patient/p"}} | given


def bundle(kind: str, *entries: Resource, **given: Any) -> Resource:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)} | given


def posted(resource: Resource, **given: Any) -> Resource:
    request = {"method": "POST", "url": resource["resourceType"]}
    return {"resource": resource, "request": request} | given


def narrated(inner: str) -> Resource:
    return patient(text={"status": "generated", "div": DIV.format(inner)})


COMPOSITION: Resource = {
    "resourceType": "Composition", "status": "final", "type": CODED, "date": "2026", "title": "Referral",
    "author": [{"display": "St. Brigid"}],
}  # fmt: skip
HEADER: Resource = {
    "resourceType": "MessageHeader", "eventUri": "urn:event", "source": {"endpoint": "urn:source"},
}  # fmt: skip
SIGNED: Resource = {"identifier": {"system": "urn:s", "value": "1"}, "timestamp": "2026-11-21T10:00:00Z"}

ALLOWED: dict[str, Resource] = {
    "nothing but its type": patient(),
    "a birth date in a leap year": patient(birthDate="2024-02-29"),
    "a year": patient(birthDate="1974"),
    "a leap second": patient(deceasedDateTime="2016-12-31T23:59:60Z"),
    "a value that is absent, and why": patient(_birthDate=ABSENT),
    "a required value that is absent, and why": order() | {"_status": ABSENT, "status": "active"},
    "an array with a gap": patient(name=[{"given": ["Ada", None], "_given": [None, ABSENT]}]),
    "an id beside a value": patient(birthDate="1974", _birthDate={"id": "b"}),
    "an extension in an extension, with a relative url": patient(
        extension=[{"url": "http://x.example/race", "extension": [{"url": "text", "valueString": "x"}]}]
    ),
    "an absent value of an extension": patient(extension=[{"url": "http://x.example/e", "_valueString": ABSENT}]),
    "formatted narrative": narrated('<p style="x">Ada&nbsp;<b>M</b></p><table><tr><td colspan="2"/></tr></table>'),
    "narrative of a picture": narrated('<img src="#i" alt="x"/>'),
    "a logical reference": order(subject={"identifier": {"system": "urn:s", "value": "1"}, "display": "Ada"}),
    "a reference to another server": order(subject={"reference": "https://ehr.example/fhir/Patient/1"}),
    "a reference to a version": order(subject={"reference": "Patient/1/_history/2", "type": "Patient"}),
    "a reference that is no RESTful one": order(subject={"reference": "http://ehr.example/person?no=1"}),
    "a urn outside a Bundle": order(subject={"reference": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"}),
    "a contained patient": order(contained=[PERSON], subject={"reference": "#p"}),
    "a contained resource that refers to its container": patient(
        contained=[{"resourceType": "Provenance", "id": "x", "target": [{"reference": "#"}],
                    "recorded": "2026-11-21T10:00:00Z", "agent": [{"who": {"display": "Ada"}}]}]
    ),
    "a contained resource that another contained one needs": order(
        contained=[patient(id="q", managingOrganization={"reference": "#o"}),
                   {"resourceType": "Organization", "id": "o", "name": "St. Brigid"}],
        subject={"reference": "#q"},
    ),
    "an unknown code where the binding is extensible": patient(maritalStatus={"text": "it is complicated"}),
    "any unit": observation(valueQuantity={"value": -0.5, "unit": "furlong"}),
    "a value that is missing": observation(dataAbsentReason=CODED),
    "a collection": bundle("collection", {"resource": patient()}, {"resource": observation()}),
    "a transaction with a conditional reference": bundle(
        "transaction", posted(order(subject={"reference": "Patient?identifier=urn:s|1"}))
    ),
    "a transaction that refers within": bundle(
        "transaction",
        posted(patient(), fullUrl="urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"),
        posted(order(subject={"reference": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"})),
    ),
    "a delete without a resource": bundle("batch", {"request": {"method": "DELETE", "url": "Patient/1"}}),
    "a document": bundle("document", {"fullUrl": "urn:c", "resource": COMPOSITION}, **SIGNED),
    "a message that brings a document": bundle(
        "message",
        {"fullUrl": "urn:h", "resource": HEADER},
        {"fullUrl": "urn:d", "resource": bundle(
            "document",
            {"fullUrl": "urn:c", "resource": COMPOSITION | {"subject": {"reference": "urn:uuid:inner"}}},
            {"fullUrl": "urn:uuid:inner", "resource": patient()},
            **SIGNED,
        )},
    ),
    "a searchset": bundle(
        "searchset",
        {"fullUrl": "http://x.example/Patient/p", "resource": PERSON, "search": {"mode": "match"}},
        total=1, link=[{"relation": "self", "url": "http://x.example/Patient?_id=p"}],
    ),
    "a result that refers to what is not in it": bundle(
        "searchset", {"resource": order(subject={"reference": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"})}
    ),
    "two versions in a history": bundle(
        "history",
        *({"fullUrl": "http://x.example/Patient/p", "resource": PERSON | {"meta": {"versionId": version}},
           "request": {"method": "PUT", "url": "Patient/p"}, "response": {"status": "200"}}
          for version in ("1", "2")),
    ),
    "parameters in parameters": {
        "resourceType": "Parameters",
        "parameter": [{"name": "a", "part": [{"name": "b", "valueBoolean": False}]}, {"name": "c", "resource": PERSON}],
    },
    "answers in answers": {
        "resourceType": "QuestionnaireResponse", "status": "completed",
        "item": [{"linkId": "1", "answer": [{"valueBoolean": True, "item": [{"linkId": "1.1", "text": "x"}]}]}],
    },
    "a list of flags": {"resourceType": "List", "status": "current", "mode": "working", "entry": [
        {"item": {"reference": "Flag/1"}, "date": "2026"}]},
    "a signature": consent(sourceAttachment={"contentType": "text/plain", "data": "QWRh\nTQ=="}),
    "a number with an exponent": observation(valueQuantity={"value": 1e-3}),
}  # fmt: skip

# (resource, code, FHIRPath)
FORBIDDEN: dict[str, tuple[Resource, str, str]] = {
    "no such type": ({"resourceType": "Pacient"}, "resource-type-unknown", "Resource.resourceType"),
    "no type": ({"id": "x"}, "resource-type-unknown", "Resource.resourceType"),
    "DSTU2's comments": (patient(fhir_comments=["x"]), "unknown-element", "Patient"),
    "no leap year": (patient(birthDate="2023-02-29"), "no-such-day", "Patient.birthDate"),
    "no year": (patient(birthDate="0000"), "bad-format", "Patient.birthDate"),
    "a time in a date": (patient(birthDate="2000-01-01T00:00:00Z"), "bad-format", "Patient.birthDate"),
    "no zone": (patient(deceasedDateTime="2020-01-01T10:00:00"), "bad-format", "Patient.deceased.ofType(dateTime)"),
    "no seconds": (patient(deceasedDateTime="2020-01-01T10:00Z"), "bad-format", "Patient.deceased.ofType(dateTime)"),
    "an instant of a day": (patient(meta={"lastUpdated": "2020-01-01"}), "bad-format", "Patient.meta.lastUpdated"),
    "hour 24": (patient(deceasedDateTime="2020-01-01T24:00:00Z"), "bad-format", "Patient.deceased.ofType(dateTime)"),
    "white space alone": (patient(name=[{"family": " \t"}]), "blank", "Patient.name[0].family"),
    "no characters": (patient(name=[{"family": ""}]), "blank", "Patient.name[0].family"),
    "a control character": (patient(name=[{"family": "a\x00"}]), "bad-format", "Patient.name[0].family"),
    "half a character": (patient(name=[{"family": "a\ud800"}]), "bad-format", "Patient.name[0].family"),
    "a code that ends in space": (patient(language="en "), "bad-format", "Patient.language"),
    "an id with a slash": (patient(id="a/b"), "bad-format", "Patient.id"),
    "a uri with a space": (patient(implicitRules="a b"), "bad-format", "Patient.implicitRules"),
    "an oid in words": (patient(extension=[{"url": "urn:u", "valueOid": "urn:oid:3.x"}]), "bad-format",
                        "Patient.extension[0].value.ofType(oid)"),
    "a short uuid": (patient(extension=[{"url": "urn:u", "valueUuid": "urn:uuid:1"}]), "bad-format",
                     "Patient.extension[0].value.ofType(uuid)"),
    "bad base64": (patient(photo=[{"contentType": "a/b", "data": "Q=Q="}]), "bad-format", "Patient.photo[0].data"),
    "three of four": (patient(photo=[{"contentType": "a/b", "data": "QWR"}]), "bad-format", "Patient.photo[0].data"),
    "a fraction of a whole number": (patient(multipleBirthInteger=1.5), "wrong-json-type",
                                     "Patient.multipleBirth.ofType(integer)"),
    "too large for an integer": (patient(multipleBirthInteger=2**31), "bad-format",
                                 "Patient.multipleBirth.ofType(integer)"),
    "a decimal in quotes": (observation(valueQuantity={"value": "1"}), "wrong-json-type",
                            "Observation.value.ofType(Quantity).value"),
    "a boolean as a number": (patient(active=1), "wrong-json-type", "Patient.active"),
    "null": (patient(active=None), "wrong-json-type", "Patient.active"),
    "null in an array": (patient(name=[None]), "not-an-object", "Patient.name[0]"),
    "an empty array": (patient(name=[]), "empty", "Patient.name"),
    "an empty object": (patient(name=[{}]), "empty", "Patient.name[0]"),
    "an element of an id alone": (patient(name=[{"id": "n"}]), "empty", "Patient.name[0]"),
    "an id beside no value": (patient(_birthDate={"id": "n"}), "empty", "Patient.birthDate"),
    "nothing beside nothing": (patient(name=[{"given": [None], "_given": [None]}]), "wrong-json-type",
                               "Patient.name[0].given[0]"),
    "two types of one element": (patient(deceasedBoolean=True, deceasedDateTime="2020"), "choice-doubled",
                                 "Patient.deceased"),
    "a type the choice has not": (patient(deceasedString="x"), "unknown-element", "Patient.deceasedString"),
    "a required element of a backbone": (patient(communication=[{"preferred": True}]), "missing",
                                         "Patient.communication[0].language"),
    "two where one may be": (order(subject=[{"reference": "Patient/p"}]), "is-a-list", "ServiceRequest.subject"),
    "a required code": (order(intent="wish"), "code-not-in-value-set", "ServiceRequest.intent"),
    "a code of another case": (order(status="Active"), "code-not-in-value-set", "ServiceRequest.status"),
    "a coding of another system": (
        {"resourceType": "Condition", "subject": {"reference": "Patient/p"},
         "clinicalStatus": {"coding": [{"system": "urn:mine", "code": "active"}]}},
        "code-not-in-value-set", "Condition.clinicalStatus"),
    "a reference to another type": (order(subject={"reference": "Coverage/1"}), "reference-wrong-type",
                                    "ServiceRequest.subject.reference"),
    "a reference of a contradicted type": (order(subject={"reference": "Patient/1", "type": "Group"}),
                                           "reference-wrong-type", "ServiceRequest.subject.reference"),
    "a logical reference of another type": (order(subject={"type": "Coverage", "display": "x"}),
                                            "reference-wrong-type", "ServiceRequest.subject"),
    "a reference to what is not contained": (order(subject={"reference": "#q"}), "reference-unresolved",
                                             "ServiceRequest.subject.reference"),
    "a reference to a container that is none": (order(subject={"reference": "#"}), "reference-unresolved",
                                                "ServiceRequest.subject.reference"),
    "a reference to no type": (order(subject={"reference": "Pacient/1"}), "reference-malformed",
                               "ServiceRequest.subject.reference"),
    "an extension with both": (patient(extension=[{"url": "urn:u", "valueCode": "x", "extension": [
        {"url": "urn:u", "valueCode": "x"}]}]), "extension-value", "Patient.extension[0]"),
    "an extension without a url": (patient(extension=[{"valueCode": "x"}]), "missing", "Patient.extension[0].url"),
    "an extension with a relative url": (patient(extension=[{"url": "mine", "valueCode": "x"}]), "extension-url",
                                         "Patient.extension[0].url"),
    "contained in contained": (
        order(contained=[PERSON | {"contained": [{"resourceType": "Organization", "id": "o", "name": "x"}],
                                   "managingOrganization": {"reference": "#o"}}], subject={"reference": "#p"}),
        "dom-2", "ServiceRequest.contained[0].contained"),
    "contained and not needed": (order(contained=[PERSON]), "dom-3", "ServiceRequest.contained[0]"),
    "contained without an id": (order(contained=[patient()]), "id-missing", "ServiceRequest.contained[0]"),
    "contained with a version": (
        order(contained=[PERSON | {"meta": {"versionId": "1"}}], subject={"reference": "#p"}),
        "dom-4", "ServiceRequest.contained[0].meta.versionId"),
    "contained with a label": (
        order(contained=[PERSON | {"meta": {"security": [{"code": "R"}]}}], subject={"reference": "#p"}),
        "dom-5", "ServiceRequest.contained[0].meta.security"),
    "contained twice": (order(contained=[PERSON, PERSON], subject={"reference": "#p"}), "id-doubled",
                        "ServiceRequest.contained[1].id"),
    "narrative with a script": (narrated("x<script>1</script>"), "txt-1", "Patient.text.div"),
    "narrative that acts": (narrated('<p onclick="x()">x</p>'), "txt-1", "Patient.text.div"),
    "narrative of nothing": (narrated("<p> </p>"), "txt-2", "Patient.text.div"),
    "narrative that is no XML": (narrated("<p>"), "bad-format", "Patient.text.div"),
    "narrative without its name space": (patient(text={"status": "empty", "div": "<div>x</div>"}), "bad-format",
                                         "Patient.text.div"),
    "narrative with entities of its own": (
        patient(text={"status": "empty", "div": '<!DOCTYPE d [<!ENTITY a "b">]>' + DIV.format("&a;")}),
        "bad-format", "Patient.text.div"),
    "a contact of nobody": (patient(contact=[{"gender": "male"}]), "pat-1", "Patient.contact[0]"),
    "details of no order": (order(orderDetail=[CODED]), "prr-1", "ServiceRequest"),
    "a consent without a policy": (
        {key: value for key, value in consent().items() if key != "policyRule"}, "ppc-1", "Consent"),
    "a consent of nobody": ({key: value for key, value in consent().items() if key != "patient"}, "ppc-2", "Consent"),
    "a task changed before it was written": (
        {"resourceType": "Task", "status": "requested", "intent": "order", "authoredOn": "2026-11-21T10:00:00Z",
         "lastModified": "2026-11-20T10:00:00Z"}, "inv-1", "Task"),
    "a visit that ends before it begins": (
        {"resourceType": "Encounter", "status": "finished", "class": {"code": "EMER"},
         "period": {"start": "2026-11-21T10:00:00Z", "end": "2026-11-21T10:00:00+01:00"}},
        "period-reversed", "Encounter.period"),
    "content of no kind": (patient(photo=[{"data": "QWRh"}]), "att-1", "Patient.photo[0]"),
    "a number of no system": (patient(telecom=[{"value": "1"}]), "cpt-2", "Patient.telecom[0]"),
    "an organization of no name": ({"resourceType": "Organization", "active": True}, "org-1", "Organization"),
    "an organization's home": ({"resourceType": "Organization", "name": "x", "telecom": [{"use": "home"}]}, "org-3",
                               "Organization.telecom[0]"),
    "a code of no system": (observation(valueQuantity={"value": 1, "code": "mg"}), "qty-3",
                            "Observation.value.ofType(Quantity)"),
    "more than a range": (observation(referenceRange=[{"low": {"value": 1, "comparator": "<"}}]), "sqty-1",
                          "Observation.referenceRange[0].low"),
    "a range upside down": (observation(valueRange={"low": {"value": 2}, "high": {"value": 1}}), "rng-2",
                            "Observation.value.ofType(Range)"),
    "present and absent": (observation(valueString="x", dataAbsentReason=CODED), "obs-6", "Observation"),
    "the same value twice": (observation(valueString="x", component=[{"code": CODED, "valueString": "x"}]), "obs-7",
                             "Observation"),
    "a transaction of no request": (bundle("transaction", {"resource": patient()}), "bdl-3",
                                    "Bundle.entry[0].request"),
    "a request in a collection": (bundle("collection", posted(patient())), "bdl-3", "Bundle.entry[0].request"),
    "an answer in a collection": (bundle("collection", {"resource": patient(), "response": {"status": "200"}}),
                                  "bdl-4", "Bundle.entry[0].response"),
    "an entry of nothing": (bundle("collection", {"fullUrl": "urn:x"}), "bdl-5", "Bundle.entry[0]"),
    "a total of a collection": (bundle("collection", {"resource": patient()}, total=1), "bdl-1", "Bundle"),
    "a score in a collection": (bundle("collection", {"resource": patient(), "search": {"score": 1}}), "bdl-2",
                                "Bundle"),
    "the same fullUrl": (bundle("collection", *({"fullUrl": "urn:x", "resource": patient()},) * 2),
                         "full-url-doubled", "Bundle.entry[1].fullUrl"),
    "a fullUrl of a version": (
        bundle("collection", {"fullUrl": "http://x.example/Patient/p/_history/1", "resource": patient()}),
        "bdl-8", "Bundle.entry[0]"),
    "a fullUrl of another": (bundle("collection", {"fullUrl": "http://x.example/Patient/q", "resource": PERSON}),
                             "full-url-disagrees", "Bundle.entry[0].fullUrl"),
    "a document of no number": (bundle("document", {"resource": COMPOSITION}, timestamp=SIGNED["timestamp"]),
                                "bdl-9", "Bundle"),
    "a document of no date": (bundle("document", {"resource": COMPOSITION}, identifier=SIGNED["identifier"]),
                              "bdl-10", "Bundle"),
    "a document of no composition": (bundle("document", {"resource": patient()}, **SIGNED), "bdl-11",
                                     "Bundle.entry[0].resource"),
    "a message of no header": (bundle("message", {"resource": patient()}), "bdl-12", "Bundle.entry[0].resource"),
    "a urn that is not there": (
        bundle("collection", {"resource": order(subject={"reference": "urn:uuid:nobody"})}),
        "reference-unresolved", "Bundle.entry[0].resource.subject.reference"),
    "a parameter of two values": (
        {"resourceType": "Parameters", "parameter": [{"name": "a", "valueCode": "b", "resource": PERSON}]}, "inv-1",
        "Parameters.parameter[0]"),
}  # fmt: skip


@pytest.mark.parametrize("what", ALLOWED)
def test_what_r4_allows_has_no_fault(what: str):
    """The standard allows it, so no sender hears of it."""
    assert validator.check(ALLOWED[what]) == []


@pytest.mark.parametrize("what", FORBIDDEN)
def test_what_r4_forbids_is_told_with_its_place(what: str):
    """The fault that was put in is told with its code and its FHIRPath, and its issue type is known."""
    resource, code, path = FORBIDDEN[what]
    faults = validator.check(resource)
    assert (code, path) in [(fault.code, fault.path) for fault in faults]
    assert len(faults) == 1 or what in ("contained in contained", "nothing beside nothing")
    assert messages.issue_type(code)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b'{"resourceType":"Patient","id":"a","id":"b"}', "json-key-doubled"),
        (b'{"resourceType":"Observation","valueInteger":NaN}', "json-invalid"),
        (b'{"resourceType":"Observation","valueInteger":-Infinity}', "json-invalid"),
        (b'{"resourceType":"Observation","valueInteger":1e999}', "json-number-too-large"),
        (b'{"resourceType":"Patient","id":"\xff"}', "json-not-utf8"),
        ('{"resourceType":"Patient"}'.encode("utf-16"), "json-not-utf8"),
        (b'{"resourceType":"Patient"', "json-invalid"),
        (b'{"resourceType":"Patient"} {}', "json-invalid"),
        (b"[" * 200_000, "too-deep"),
        (b"", "json-invalid"),
    ],
)
def test_what_is_no_json_is_told_before_anything_is_read(sent: bytes, code: str):
    """P11: bytes that are not one JSON value get a code of their own."""
    with pytest.raises(Refusal) as refused:
        body.parse(sent)
    assert [fault.code for fault in refused.value.faults] == [code]


def test_a_byte_order_mark_is_passed_over():
    """Some systems on Windows send one; RFC 8259 lets a reader ignore it."""
    assert body.parse(b"\xef\xbb\xbf" + b'{"resourceType":"Patient"}') == patient()


def test_faults_are_bounded_and_the_rest_is_said():
    """A body of nothing but faults is answered by 100 of them and one line that there are more."""
    faults = validator.check(patient(name=[{}] * 5_000))
    assert len(faults) == validator.MAX_FAULTS + 1
    assert faults[-1].code == "too-many-faults"


@pytest.mark.parametrize(
    "junk", [None, [], {}, [[]], {"a": 1}, "", " ", 0, 1.5, True, ["x"], [{}], mutating.deep(900)]
)
def test_no_junk_in_any_place_is_more_than_a_fault(junk: Any):
    """Whatever stands where something else belongs, the validator tells faults and raises nothing."""
    for what, resource in ALLOWED.items():
        for at in mutating.places(resource):
            made = copy.deepcopy(resource)
            home: Any = made
            for key in at[:-1]:
                home = home[key]
            home[at[-1]] = junk
            assert isinstance(validator.check(made), list), (what, at)


def test_nesting_ends_somewhere():
    """Extensions in extensions, forty deep and more, are refused and break nothing."""
    inner: Resource = {"url": "urn:u", "valueCode": "x"}
    for _ in range(200):
        inner = {"url": "urn:u", "extension": [inner]}
    assert "too-deep" in {fault.code for fault in validator.check(patient(extension=[inner]))}


def _grown(times: int) -> list[Resource]:
    codings = [{"system": "urn:s", "code": str(number)} for number in range(times)]
    return [
        observation(code={"coding": codings}, valueString="x", component=[
            {"code": {"coding": [one]}, "valueString": "x"} for one in codings[1:]]),
        order(contained=[PERSON | {"id": f"p{number}"} for number in range(times)]),
        bundle("collection", *({"fullUrl": f"urn:u:{number}", "resource": PERSON} for number in range(times))),
        {"resourceType": "Questionnaire", "status": "draft", "item": [
            {"linkId": str(number), "type": "group", "item": [{"linkId": f"{number}.1", "type": "display"}]}
            for number in range(times)]},
        patient(name=[{"given": [None] * times, "_given": [ABSENT] * times}]),
        narrated("<p>" * times + "x" + "</p>" * times),
        bundle("collection", *({"fullUrl": f"urn:u:{number}", "resource": bundle("collection", {"resource": PERSON})}
                               for number in range(times))),
    ]  # fmt: skip


def test_no_resource_takes_quadratic_work():
    """Ten times as much of anything is about ten times as much work, counted in calls, far from a hundred times."""
    for small, large in zip(_grown(30), _grown(300), strict=True):
        assert _calls(large) < 15 * _calls(small), large["resourceType"]


def _calls(resource: Resource) -> int:
    count = 0

    def counted(*_: object) -> None:
        nonlocal count
        count += 1

    validator.check(resource)  # the first of its kind is spelled out
    sys.setprofile(counted)
    try:
        validator.check(resource)
    finally:
        sys.setprofile(None)
    return count
