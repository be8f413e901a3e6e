"""The FHIR server over real HTTP: create, read, search, update, patch and check, and how each says no."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest

from tests.bundles import a_bundle
from tests.integration.intake.fhir_client import Fhir, a_request, a_task, codes, places
from tests.integration.intake.intake_processes import Bus, Er, referral_of, until

REASONS = "https://kindred.example/fhir/CodeSystem/referral-reason"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"


@pytest.fixture(scope="module")
def fhir(er: Er) -> Fhir:
    """St Brigid's record system."""
    return Fhir(er)


def a_referral(fhir: Fhir, number: str) -> str:
    """The id of a referral that was just submitted."""
    return referral_of(fhir.er.post(a_bundle(number)))


@pytest.mark.parametrize(("name", "make"), [("ServiceRequest", a_request), ("Task", a_task)])
def test_one_resource_with_what_it_contains_becomes_a_referral(fhir: Fhir, bus: Bus, name: str, make: Any):
    """A ServiceRequest alone, or a Task in Gravity's manner, is created, located, and its retry is the same one."""
    made = make(f"one-{name}")
    answer = fhir.send("POST", name, made)
    assert answer.status_code == 201, answer.text
    shown = answer.json()
    assert answer.headers["location"].endswith(f"/fhir/{name}/{shown['id']}/_history/1")
    assert (answer.headers["etag"], shown["resourceType"]) == ('W/"1"', name)
    assert fhir.get(f"Task/{shown['id']}").json()["focus"]["reference"] == f"ServiceRequest/{shown['id']}"
    until("said", lambda: bus.said("referral.submitted.v1", referral_id=shown["id"]))
    again = fhir.send("POST", name, json.dumps(made, indent=1).encode())
    assert (again.status_code, again.json()["id"]) == (200, shown["id"])


def test_a_gravity_bundle_of_a_task_and_its_request_becomes_one_referral(fhir: Fhir):
    """Task and ServiceRequest in a transaction are told where each of them is."""
    made = a_bundle("gravity")
    task = a_task(
        "gravity", focus={"reference": "urn:uuid:service-request"}, requester={"display": "Dr Quill"}
    )
    task["for"] = {"reference": "urn:uuid:patient"}
    del task["contained"]
    made["entry"].append(
        {"fullUrl": "urn:uuid:task", "resource": task, "request": {"method": "POST", "url": "Task"}}
    )
    answer = fhir.send("POST", "", made)
    assert answer.status_code == 200, answer.text
    told = [entry["response"].get("location", "") for entry in answer.json()["entry"]]
    at = {place.split("/")[0]: place.split("/")[1] for place in told if place}
    assert at["Task"] == at["ServiceRequest"]
    numbers = fhir.get(f"Task/{at['Task']}").json()["identifier"]
    assert "TASK-gravity" in [one["value"] for one in numbers]


BSER = "http://hl7.org/fhir/us/bser/CodeSystem/TaskBusinessStatusCS"


@pytest.mark.parametrize(
    ("given", "code", "place"),
    [
        (
            {"businessStatus": {"coding": [{"system": BSER, "code": "7.0"}]}},
            "task-status-contradictory",
            "Task.businessStatus",
        ),
        ({"status": "completed"}, "task-not-requested", "Task.status"),
        (
            {"focus": {"reference": "#patient"}, "basedOn": [{"reference": "#order"}]},
            "task-focus",
            "Task.focus",
        ),
        ({"priority": "routine"}, "priority-contradictory", "Task.priority"),
        ({"for": {"identifier": {"value": "somebody-else"}}}, "task-for-other", "Task.for"),
    ],
)
def test_a_task_that_contradicts_itself_is_refused(fhir: Fhir, given: dict[str, Any], code: str, place: str):
    """DOMAIN 1: contradictory input is refused with an explanation, not guessed at."""
    answer = fhir.send("POST", "Task", a_task("contradictory", **given))
    assert (answer.status_code, codes(answer), places(answer)) == (400, [code], [place])


def test_a_task_that_comes_after_its_request_is_told_the_one_there_is(fhir: Fhir):
    """First the ServiceRequest, then a Task that asks for it: 200 and the Task that was made with it, or what differs."""
    referral_id = fhir.send("POST", "ServiceRequest", a_request("two-steps")).json()["id"]
    focus, sender = {"reference": f"ServiceRequest/{referral_id}"}, {"display": "Dr Quill"}
    asking = a_task("two-steps", focus=focus, requester=sender)
    del asking["contained"]
    asking["for"] = {"identifier": {"system": "urn:oid:2.999.1", "value": "MRN-two-steps"}}
    answer = fhir.send("POST", "Task", asking)
    assert (answer.status_code, answer.json().get("id")) == (200, referral_id), answer.text
    assert answer.headers["location"].endswith(f"/fhir/Task/{referral_id}/_history/1")
    asking["for"]["identifier"]["value"], asking["priority"] = "MRN-another", "routine"
    other = fhir.send("POST", "Task", asking)
    assert (other.status_code, codes(other)) == (400, ["task-for-other", "priority-contradictory"])
    asking["focus"]["reference"] = "ServiceRequest/ref-0192f3aa7b31"
    nobody = fhir.send("POST", "Task", asking)
    assert (nobody.status_code, codes(nobody)) == (400, ["service-request-missing"])


def test_a_patient_known_by_a_number_alone_is_enough(fhir: Fhir):
    """A logical reference to a Patient is a record number, for the request and its consent."""
    made = a_request("logical")
    who = {"type": "Patient", "identifier": {"system": "urn:oid:2.999.1", "value": "MRN-logical"}}
    made["contained"] = [one for one in made["contained"] if one["resourceType"] != "Patient"]
    made["subject"] = who
    for one in made["contained"]:
        one.update({key: who for key in ("patient", "subject") if key in one})
    answer = fhir.send("POST", "ServiceRequest", made)
    assert answer.status_code == 201, answer.text
    patient = answer.json()["contained"][0]
    assert patient["identifier"] == [{"system": "urn:oid:2.999.1", "value": "MRN-logical"}]


def test_what_is_read_can_be_sent_back_as_it_is(fhir: Fhir):
    """A ServiceRequest that was read and is sent back unchanged corrects nothing but the version."""
    referral_id = a_referral(fhir, "roundtrip")
    shown = fhir.get(f"ServiceRequest/{referral_id}").json()
    answer = fhir.send("PUT", f"ServiceRequest/{referral_id}", shown, If_Match='W/"1"')
    assert answer.status_code == 200, answer.text
    changed = answer.json()
    assert {key: value for key, value in changed.items() if key != "meta"} == {
        key: value for key, value in shown.items() if key != "meta"
    }


def test_a_correction_replaces_what_was_submitted(fhir: Fhir, bus: Bus):
    """A PUT of the request with the version that was read corrects it; an older version is 412; none is 400."""
    referral_id = a_referral(fhir, "corrected")
    shown = fhir.get(f"ServiceRequest/{referral_id}").json()
    shown["priority"] = "routine"
    shown["note"] = [{"text": "Speaks softly."}]
    path = f"ServiceRequest/{referral_id}"
    del shown["meta"]
    missing = fhir.send("PUT", path, shown)
    assert (missing.status_code, codes(missing)) == (400, ["if-match-missing"])
    answer = fhir.send("PUT", path, shown, If_Match='W/"1"')
    assert (answer.status_code, answer.headers["etag"]) == (200, 'W/"2"')
    assert (answer.json()["priority"], answer.json()["note"]) == ("routine", [{"text": "Speaks softly."}])
    until("revised", lambda: bus.said("referral.revised.v1", referral_id=referral_id))
    stale = fhir.send("PUT", path, shown, If_Match='W/"1"')
    assert (stale.status_code, codes(stale)) == (412, ["version-stale"])
    other = fhir.send("PUT", path, shown | {"id": "another"}, If_Match='W/"2"')
    assert (other.status_code, codes(other)) == (400, ["id-mismatch"])


def test_a_transaction_can_correct(fhir: Fhir):
    """An entry with PUT of an id of ours, and the version that was read, corrects; a condition finds it too."""
    referral_id = fhir.send("POST", "ServiceRequest", a_request("transaction-put")).json()["id"]
    for number, url in enumerate(
        [f"ServiceRequest/{referral_id}", "ServiceRequest?identifier=urn:oid:2.999.7|ORD-transaction-put"], 1
    ):
        made = a_bundle("transaction-put")
        entry = next(one for one in made["entry"] if one["resource"]["resourceType"] == "ServiceRequest")
        entry["request"] = {"method": "PUT", "url": url, "ifMatch": f'W/"{number}"'}
        entry["resource"]["note"] = [{"text": f"Corrected {number} times."}]
        answer = fhir.send("POST", "", made)
        assert answer.status_code == 200, answer.text
        assert referral_of(answer) == referral_id
        shown = fhir.get(f"ServiceRequest/{referral_id}").json()
        assert shown["note"] == [{"text": f"Corrected {number} times."}]


def test_a_bundle_of_an_order_that_is_here_makes_no_second_one(fhir: Fhir):
    """ifNoneExist in a transaction finds the order that came alone; a BSeR message Bundle is read like a collection."""
    referral_id = fhir.send("POST", "ServiceRequest", a_request("unless")).json()["id"]
    made = a_bundle("unless-other")
    entry = next(one for one in made["entry"] if one["resource"]["resourceType"] == "ServiceRequest")
    entry["request"]["ifNoneExist"] = "identifier=urn:oid:2.999.7|ORD-unless"
    answer = fhir.send("POST", "", made)
    assert (answer.status_code, referral_of(answer)) == (200, referral_id)
    message = a_bundle("message", kind="collection") | {"type": "message"}
    header = {
        "resourceType": "MessageHeader",
        "eventUri": "http://hl7.org/fhir/us/bser/referral-request",
        "source": {"endpoint": "https://er.st-brigid.example"},
        "focus": [{"reference": "urn:uuid:service-request"}],
    }
    message["entry"].insert(0, {"fullUrl": "urn:uuid:header", "resource": header})
    told = fhir.send("POST", "", message)
    assert told.status_code == 200, told.text
    assert referral_of(told).startswith("ref-")


def _cancelled(task: dict[str, Any], code: str = "no-longer-needed") -> dict[str, Any]:
    reason = {"coding": [{"system": REASONS, "code": code}]}
    return task | {"status": "cancelled", "statusReason": reason}


def test_a_task_is_cancelled_by_its_update(fhir: Fhir, bus: Bus):
    """A read, a changed status with a reason, a PUT: the referral is asked to end, and says so."""
    referral_id = a_referral(fhir, "cancelled")
    task = fhir.get(f"Task/{referral_id}").json()
    bare = {key: value for key, value in task.items() if key != "meta"}
    path = f"Task/{referral_id}"
    reasonless = fhir.send("PUT", path, bare | {"status": "cancelled"}, If_Match='W/"1"')
    assert (reasonless.status_code, codes(reasonless)) == (400, ["reason-missing"])
    stale = fhir.send("PUT", path, _cancelled(bare), If_Match='W/"7"')
    assert (stale.status_code, codes(stale)) == (412, ["version-stale"])
    answer = fhir.send("PUT", path, _cancelled(task))  # meta.versionId says which version was seen
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert answer.json()["statusReason"]["coding"][0]["code"] == "no-longer-needed"
    until("stopped", lambda: bus.said("referral.stopped.v1", referral_id=referral_id))


def test_who_cancels_may_send_their_own_copy(fhir: Fhir):
    """A client that kept the Task it created ends it with that; a reason in its own words is one."""
    made = a_task("own-copy")
    referral_id = fhir.send("POST", "Task", made).json()["id"]
    own = made | {"id": referral_id, "status": "cancelled", "statusReason": {"text": "Went home."}}
    answer = fhir.send("PUT", f"Task/{referral_id}", own, If_Match='W/"1"')
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled"), answer.text
    assert answer.json()["statusReason"]["coding"][0]["code"] == "other"


def test_a_peer_who_declined_is_kept_apart(fhir: Fhir):
    """A reason of the peer's makes it declined by the peer, not cancelled by the source."""
    referral_id = a_referral(fhir, "declined")
    task = fhir.get(f"Task/{referral_id}").json()
    answer = fhir.send("PUT", f"Task/{referral_id}", _cancelled(task, "not-comfortable"))
    assert answer.json()["businessStatus"]["text"] == "declined-by-peer"


@pytest.mark.parametrize(
    ("change", "status", "code", "place"),
    [
        ({"status": "completed"}, 422, "status-not-settable", "Task.status"),
        ({"owner": {"display": "me"}}, 422, "element-not-settable", "Task.owner"),
        ({"status": "never"}, 400, "code-not-in-value-set", "Task.status"),
        (
            _cancelled({"businessStatus": {"coding": [{"system": BSER, "code": "7.0"}]}}),
            400,
            "task-status-contradictory",
            "Task.businessStatus",
        ),
        (_cancelled({}, "because"), 400, "reason-unknown", "Task.statusReason"),
    ],
)
def test_what_a_source_may_not_set_is_refused(
    fhir: Fhir, change: dict[str, Any], status: int, code: str, place: str
):
    """How far a referral is, is not the source's to say; nothing is changed and nothing dropped silently."""
    referral_id = a_referral(fhir, f"not-settable-{code}")
    task = fhir.get(f"Task/{referral_id}").json()
    answer = fhir.send("PUT", f"Task/{referral_id}", task | change)
    assert (answer.status_code, codes(answer), places(answer)) == (status, [code], [place])
    assert fhir.get(f"Task/{referral_id}").headers["etag"] == 'W/"1"'


def test_a_departure_is_told_by_the_task(fhir: Fhir, bus: Bus):
    """The end of the restriction, then a changed input, are the time the peer leaves; the same again is no news."""
    referral_id = a_referral(fhir, "leaving")
    path = f"Task/{referral_id}"
    task = fhir.get(path).json()
    period = {"restriction": {"period": {"end": "2099-01-01T10:00:00Z"}}}
    answer = fhir.send("PUT", path, task | period)
    told = answer.json()["input"]
    assert told[0]["valueDateTime"] == "2099-01-01T10:00:00.000Z"
    told[0]["valueDateTime"] = "2099-01-01T09:00:00+00:00"
    later = fhir.send("PUT", path, answer.json() | {"input": told})
    assert (later.status_code, later.headers["etag"]) == (200, 'W/"3"')
    same = fhir.send("PUT", path, later.json())
    assert same.headers["etag"] == 'W/"3"'
    until("revised", lambda: len(bus.said("referral.revised.v1", referral_id=referral_id)) == 2)


def test_a_task_is_patched(fhir: Fhir):
    """A JSON Patch with If-Match cancels; a failed test is a conflict, another format is 415."""
    referral_id = a_referral(fhir, "patched")
    path, kind = f"Task/{referral_id}", {"Content_Type": "application/json-patch+json", "If_Match": 'W/"1"'}
    failed = fhir.send("PATCH", path, [{"op": "test", "path": "/status", "value": "draft"}], **kind)
    assert (failed.status_code, codes(failed)) == (409, ["patch-test-failed"])
    nowhere = fhir.send("PATCH", path, [{"op": "replace", "path": "/a/b", "value": 1}], **kind)
    assert (nowhere.status_code, places(nowhere)) == (400, ["patch[0]"])
    merge = fhir.send("PATCH", path, {"status": "cancelled"})
    assert (merge.status_code, codes(merge)) == (415, ["content-type-unsupported"])
    reason = {"coding": [{"system": REASONS, "code": "transferred"}]}
    steps = [
        {"op": "replace", "path": "/status", "value": "cancelled"},
        {"op": "add", "path": "/statusReason", "value": reason},
    ]
    answer = fhir.send("PATCH", path, steps, **kind)
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")


def test_an_error_is_withdrawn_and_stays_readable(fhir: Fhir):
    """entered-in-error, on the Task or the request, ends it; DELETE is refused and explained."""
    for number, name in enumerate(("Task", "ServiceRequest")):
        referral_id = a_referral(fhir, f"error-{number}")
        shown = fhir.get(f"{name}/{referral_id}").json()
        answer = fhir.send("PUT", f"{name}/{referral_id}", shown | {"status": "entered-in-error"})
        assert (answer.status_code, answer.json()["status"]) == (200, "entered-in-error")
        deleted = fhir.send("DELETE", f"{name}/{referral_id}")
        assert (deleted.status_code, codes(deleted)) == (405, ["no-such-method"])
        assert "entered-in-error" in deleted.text
        assert "GET" in deleted.headers["allow"] and "PUT" in deleted.headers["allow"]


def test_a_conditional_create_makes_one(fhir: Fhir):
    """If-None-Exist with an order's number: the first is created, the next is told the first; several are 412."""
    condition = "identifier=urn:oid:2.999.7|ORD-once"
    first = fhir.send("POST", "ServiceRequest", a_request("once"), If_None_Exist=condition)
    other = a_request("once", note=[{"text": "Sent again with another note."}])
    again = fhir.send("POST", "ServiceRequest", other, If_None_Exist=condition)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]
    several = fhir.send("POST", "ServiceRequest", a_request("twice"), If_None_Exist="status=active,completed")
    assert (several.status_code, codes(several)) == (412, ["several-match"])
    unknown = fhir.send("POST", "ServiceRequest", a_request("twice"), If_None_Exist="name=x")
    assert (unknown.status_code, places(unknown)) == (400, ["http.name"])


def test_prefer_says_what_comes_back(fhir: Fhir):
    """minimal has no body, OperationOutcome is one, representation is the resource; without a purpose none is read."""
    for number, (wanted, kind) in enumerate(
        [("minimal", ""), ("OperationOutcome", "OperationOutcome"), ("representation", "Task")]
    ):
        answer = fhir.send("POST", "Task", a_task(f"prefer-{number}"), Prefer=f"return={wanted}")
        assert answer.status_code == 201
        assert (answer.json()["resourceType"] if answer.content else "") == kind
    purposeless = Fhir(replace(fhir.er, purpose="")).send("POST", "Task", a_task("prefer-none"))
    assert (purposeless.status_code, purposeless.content) == (201, b"")
    assert "/fhir/Task/ref-" in purposeless.headers["location"]


def test_formats_are_negotiated(fhir: Fhir):
    """JSON of R4 is spoken; anything else is 406 with an OperationOutcome; _pretty is for eyes."""
    assert fhir.get("metadata?_format=xml").status_code == 406
    assert codes(fhir.get("metadata?_format=application/fhir%2Bxml")) == ["format-unsupported"]
    assert fhir.get("metadata", Accept="application/fhir+xml").status_code == 406
    assert fhir.get("metadata", Accept="application/fhir+json; fhirVersion=5.0").status_code == 406
    for fine in ("application/json", "*/*", "text/html, application/fhir+json;q=0.5", ""):
        assert fhir.get("metadata", Accept=fine).status_code == 200, fine
    assert fhir.get("metadata?_format=json", Accept="text/xml").status_code == 200
    assert b"\n  " in fhir.get("metadata?_pretty=true").content


def test_a_version_is_read_and_a_known_one_is_not_sent_again(fhir: Fhir):
    """vread gives the current version and explains the others; If-None-Match answers 304."""
    referral_id = a_referral(fhir, "versions")
    for name in ("Task", "ServiceRequest", "Consent"):
        here = f"Consent/con{referral_id[3:]}" if name == "Consent" else f"{name}/{referral_id}"
        read = fhir.get(here)
        version = read.json()["meta"]["versionId"]
        assert (read.headers["etag"], "last-modified" in read.headers) == (f'W/"{version}"', True)
        assert fhir.get(f"{here}/_history/{version}").json() == read.json()
        older = fhir.get(f"{here}/_history/99")
        assert (older.status_code, codes(older)) == (404, ["history-not-kept"])
        assert fhir.get(here, If_None_Match=f'W/"{version}"').status_code == 304


def test_what_is_valid_is_said_and_nothing_is_stored(fhir: Fhir, intake_database: Any):
    """$validate answers 200 with every fault or none, for a bare resource or Parameters, and keeps nothing."""
    before = intake_database.referrals.count_documents({})
    for name, made in (
        ("ServiceRequest", a_request("validate")),
        ("Task", a_task("validate")),
        ("Bundle", a_bundle("validate")),
    ):
        path = f"{name}/$validate"
        fine = fhir.send("POST", path, made)
        assert (fine.status_code, fine.json()["issue"][0]["severity"]) == (200, "information")
        wrapped = {
            "resourceType": "Parameters",
            "parameter": [{"name": "resource", "resource": made}, {"name": "mode", "valueCode": "create"}],
        }
        assert fhir.send("POST", path, wrapped).json()["issue"][0]["severity"] == "information"
        wrong = fhir.send("POST", path, made | {"Zyx": 1, "status": 7})
        assert (wrong.status_code, wrong.json()["issue"][0]["severity"]) == (200, "error")
    bad = a_request("validate", priority="soon", status="draft", intent="plan")
    told = fhir.send("POST", "ServiceRequest/$validate", bad)
    assert places(told) == ["ServiceRequest.priority"]
    bad["priority"] = "stat"
    told = fhir.send("POST", "ServiceRequest/$validate", bad)
    assert set(places(told)) == {"ServiceRequest.status", "ServiceRequest.intent"}
    assert fhir.send("POST", "ServiceRequest/$validate?mode=delete", bad).json()["issue"][0]["code"] == (
        "not-supported"
    )
    assert fhir.send("POST", "Task/$validate?mode=x", bad).status_code == 400
    assert fhir.send("POST", "Bundle/$validate", b"{").status_code == 400
    assert intake_database.referrals.count_documents({}) == before


def test_every_fault_of_a_request_is_in_one_outcome(fhir: Fhir):
    """Several faults, in the request and in what it contains, are told together with their places."""
    made = copy.deepcopy(a_request("faults", priority="soon"))
    made["contained"][0]["birthDate"] = "31/12/1999"
    made["contained"][1]["status"] = "here"
    answer = fhir.send("POST", "ServiceRequest", made)
    assert answer.status_code == 400
    assert set(places(answer)) == {
        "ServiceRequest.priority",
        "ServiceRequest.contained[0].birthDate",
        "ServiceRequest.contained[1].status",
    }


@pytest.mark.parametrize("name", ["Task", "ServiceRequest", "Consent"])
def test_nobody_else_reads_or_finds_anything(fhir: Fhir, name: str):
    """Another organization's client is refused each read, and its searches are empty."""
    referral_id = a_referral(fhir, f"mine-{name}")
    here = f"con{referral_id[3:]}" if name == "Consent" else referral_id
    other = Fhir(replace(fhir.er, organization_id="er-elsewhere"))
    assert here in fhir.ids(f"{name}?_id={here}")
    assert other.get(f"{name}/{here}").status_code == 404
    assert other.ids(f"{name}?_id={here}") == []
    assert Fhir(replace(fhir.er, purpose="")).get(f"{name}?_id={here}").status_code == 403
    assert httpx.get(f"{fhir.er.base}/fhir/{name}").status_code == 401
    changed = other.send("PUT", f"Task/{referral_id}", {"resourceType": "Task"})
    assert changed.status_code in (400, 403)


def test_who_breaks_the_glass_says_why_and_the_trail_is_loud(fhir: Fhir, bus: Bus):
    """Purpose BTG reads one record of one's own hospital, with a reason; another's stays behind the peer's consent."""
    made = a_referral(fhir, "glass")
    why = {"X_Purpose_Of_Use": "BTG", "X_Break_Glass_Reason": "care-now"}
    assert fhir.get(f"ServiceRequest/{made}", **why).status_code == 200
    until("said", lambda: bus.said("glass.broken.v1", referral_id=made, reason_code="care-now"))
    assert not bus.said("record.read.v1", referral_id=made)
    for reason in ("", "curious"):
        refused = fhir.get(f"Task/{made}", **why | {"X_Break_Glass_Reason": reason})
        assert (refused.status_code, codes(refused)) == (403, ["justification-missing"])
    until("denied", lambda: bus.said("access.denied.v1", reason_code="justification-missing"))
    engine = Fhir(replace(fhir.er, role="system")).get(f"Task/{made}", **why)
    assert (engine.status_code, codes(engine)) == (403, ["role-not-allowed"])
    listed = fhir.get("Task", **why)
    assert (listed.status_code, codes(listed)) == (403, ["purpose-not-allowed"])
    other = Fhir(replace(fhir.er, organization_id="er-harbor")).get(f"Task/{made}", **why)
    assert (other.status_code, codes(other)) == (404, ["referral-unknown"])


def test_a_search_finds_by_each_parameter(fhir: Fhir):
    """Every criterion finds what has it and not what lacks it; together they all hold."""
    made = a_request("sought")
    referral_id = fhir.send("POST", "ServiceRequest", made).json()["id"]
    task = fhir.get(f"Task/{referral_id}").json()
    peer = task["for"]["identifier"]["value"]
    order, person = quote("urn:oid:2.999.7|ORD-sought"), quote("urn:oid:2.999.1|MRN-sought")
    filler = quote(f"https://kindred.example/fhir/identifier/referral|{referral_id}")
    when = quote(task["authoredOn"])
    found = (
        f"_id={referral_id}",
        f"_id=ref-0,{referral_id}",
        f"identifier={order}",
        "identifier=ORD-sought",
        f"identifier={filler}",
        f"patient:identifier={person}",
        f"patient.identifier={person}",
        f"patient={peer}",
        f"subject=Patient/{peer}",
        f"identifier={order}&status=requested,accepted",
        f"identifier={order}&requester=Organization/er-st-brigid",
        f"identifier={order}&owner=Organization/kindred",
        f"identifier={order}&authored-on={when}",
        f"identifier={order}&authored-on=ge2026-01-01&_lastUpdated=le2999",
        f"identifier={order}&authored-on=ap{when}",
        f"identifier={order}&priority=stat",
        f"identifier={order}&business-status=2.0",
        f"focus=ServiceRequest/{referral_id}",
    )
    for query in found:
        assert fhir.ids(f"Task?{query}") == [referral_id], query
    missed = (
        "_id=ref-0",
        "identifier=urn:x|1",
        "identifier=|ORD-sought",
        "patient:identifier=urn:oid:2.999.1|MRN-nobody",
        f"identifier={order}&status=cancelled",
        f"identifier={order}&requester=Organization/er-elsewhere",
        f"identifier={order}&owner=Practitioner/s1",
        f"identifier={order}&authored-on=lt2026-01-01",
        f"identifier={order}&authored-on=ne{when}",
        f"identifier={order}&_id=ref-0",
        f"identifier={order}&priority=asap",
    )
    for query in missed:
        assert fhir.ids(f"Task?{query}") == [], query
    assert fhir.ids(f"ServiceRequest?identifier={order}&status=active") == [referral_id]
    assert fhir.ids(f"Consent?patient={peer}&status=active") == ["con" + referral_id[3:]]


def test_a_posted_search_is_the_same_and_no_link_names_anybody(fhir: Fhir, bus: Bus):
    """POST _search finds the same; its links hold marks instead of numbers, and lead to the same."""
    referral_id = a_referral(fhir, "posted")
    form = urlencode({"patient:identifier": "urn:oid:2.999.1|MRN-posted", "Zyx-unknown": "x", "_count": "5"})
    kind = "application/x-www-form-urlencoded"
    answer = fhir.send("POST", "Task/_search", form.encode(), Content_Type=kind)
    bundle = answer.json()
    assert [entry["resource"]["id"] for entry in bundle["entry"]] == [referral_id]
    assert (bundle["total"], bundle["entry"][0]["search"]["mode"]) == (1, "match")
    self_link = bundle["link"][0]["url"]
    assert "MRN" not in answer.text.split('"entry"')[0] and "Zyx" not in self_link
    assert fhir.ids(self_link) == [referral_id]
    reads = until("read", lambda: bus.said("record.read.v1", referral_id=referral_id, action="search"))
    assert list(reads[0].criteria) == ["patient"]
    strict = fhir.send("POST", "Task/_search", form.encode(), Content_Type=kind, Prefer="handling=strict")
    assert (strict.status_code, codes(strict)) == (400, ["search-parameter-unknown"])


def test_pages_are_stable(er: Er):
    """Pages follow their links to every match once, also while more are submitted; the total counts them all."""
    fhir = Fhir(replace(er, organization_id="er-pages"))
    ids = {a_referral(fhir, f"page-{number}") for number in range(5)}
    for sort in ("-authored-on", "authored-on", "-_lastUpdated", "_lastUpdated"):
        url, seen = f"Task?_count=2&_sort={sort}&authored-on=le{quote('2999-01-01')}", []
        bundle = fhir.get(url).json()
        assert bundle["total"] >= 5
        while bundle:
            seen += [entry["resource"]["id"] for entry in bundle["entry"]]
            links = {link["relation"]: link["url"] for link in bundle["link"]}
            bundle = fhir.get(links["next"]).json() if "next" in links else None
        assert len(seen) == len(set(seen)) and ids <= set(seen), sort
        assert seen == sorted(seen, reverse=sort.startswith("-"))
    counted = fhir.get("Task?_summary=count").json()
    assert (counted["total"], counted.get("entry")) == (5, None)
    assert "total" not in fhir.get("Task?_total=none").json()


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("status=open", "search-value-unreadable"),
        ("status:not=requested", "search-modifier-unsupported"),
        ("_lastUpdated=yesterday", "search-value-unreadable"),
        ("authored-on=2026-02-31", "search-value-unreadable"),
        ("_count=many", "search-value-unreadable"),
        ("_sort=name", "search-value-unreadable"),
        ("_cursor=Zyx", "search-value-unreadable"),
        ("_cursor=OTk5OTk5OTk5OTk5OTk5LnJlZi0x", "search-value-unreadable"),
        ("business-status=9", "search-value-unreadable"),
        ("focus=Patient/1", "search-value-unreadable"),
    ],
)
def test_a_search_that_means_nothing_is_refused(fhir: Fhir, query: str, code: str):
    """A value or modifier nobody understands is 400 with the parameter's name, never an empty answer or an error."""
    answer = fhir.get(f"Task?{query}")
    assert (answer.status_code, codes(answer)) == (400, [code])


def test_behind_glass_nobody_finds_by_whom_nor_compares_with_guesses(fhir: Fhir, bus: Bus):
    """A colleague's number finds a very restricted referral for its record system and for no person; no test tells."""
    made = a_request("behind-glass", meta={"security": [{"system": CONFIDENTIALITY, "code": "V"}]})
    consent = next(one for one in made["contained"] if one["resourceType"] == "Consent")
    who = {
        "coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]
    }
    consent["provision"]["actor"] = [{"role": who, "reference": {"display": "Kindred"}}]
    system = Fhir(replace(fhir.er, role="system"))
    sent = system.send("POST", "ServiceRequest", made)
    assert sent.status_code == 201, sent.text
    here, number = sent.json()["id"], quote("urn:oid:2.999.1|MRN-behind-glass")
    task = system.get(f"Task/{here}")
    peer = quote("|".join(task.json()["for"]["identifier"][one] for one in ("system", "value")))
    order = quote("urn:oid:2.999.7|ORD-behind-glass")
    for query in (f"patient.identifier={number}", f"patient:identifier={peer}", f"identifier={order}"):
        assert system.ids(f"ServiceRequest?{query}") == [here], query
        for counted in ("", "&_summary=count", "&_count=1"):
            found = fhir.get(f"ServiceRequest?{query}{counted}").json()
            assert (found["total"], found.get("entry", [])) == (0, []), (query, counted)
            assert {link["relation"] for link in found["link"]} == {"self", "first"}
    assert fhir.get(f"ServiceRequest?_id={here}").json()["total"] == 1, "what is on the worklist is counted"
    tagged = {"If_Match": task.headers["etag"]}
    step = [{"op": "test", "path": "/status", "value": "draft"}]
    guess = a_task("guess", id=here, focus={"reference": f"ServiceRequest/{here}"}) | {"contained": []}
    del guess["contained"]
    guess["for"] = {"identifier": {"system": "urn:oid:2.999.1", "value": "MRN-behind-glass"}}
    guess["requester"] = {"display": "Somebody"}
    tried = [
        fhir.send("PATCH", f"Task/{here}", step, Content_Type="application/json-patch+json", **tagged),
        fhir.send("PUT", f"Task/{here}", task.json(), **tagged),
        fhir.send("PUT", f"ServiceRequest/{here}", sent.json(), If_Match=sent.headers["etag"]),
        fhir.send("POST", "Task", {name: value for name, value in guess.items() if name != "id"}),
    ]
    assert [(one.status_code, codes(one)) for one in tried] == [(403, ["glass-needed"])] * len(tried)
    until("denied", lambda: bus.said("access.denied.v1", record_id=here, reason_code="glass-needed"))
    elsewhere = system.send(
        "PATCH", f"Task/{here}", step, Content_Type="application/json-patch+json", **tagged
    )
    assert codes(elsewhere) == ["patch-test-failed"], "the record system keeps its own glass"
