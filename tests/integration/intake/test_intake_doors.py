"""Intake's doors over real sockets: Bundles, Tasks, gRPC, every bad input, and a database that goes away."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import httpx
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from chassis import grpc_client
from kindred.intake.v1 import events_pb2, intake_pb2, intake_pb2_grpc
from services.intake.r4 import validator
from tests.bundles import a_bundle
from tests.integration.intake.intake_processes import Bus, Cable, Er, Process, referral_of, running, until
from tests.unit.intake.intake_builders import placed, resource


def test_a_bundle_becomes_a_task(er: Er, bus: Bus):
    """P2: a transaction is stored, told with its Task, and said on the bus."""
    made = a_bundle("door-1")
    answer = er.post(made)
    referral_id = referral_of(answer)
    assert answer.headers["content-type"] == "application/fhir+json"
    assert validator.check(answer.json()) == []
    event = until("the event", lambda: bus.said("referral.submitted.v1", referral_id=referral_id))[0]
    assert (event.source_id, event.urgency) == ("er-st-brigid", events_pb2.URGENCY_IMMEDIATE)
    assert "overdose" in event.experience_codes


def test_a_task_is_read_and_the_read_is_known(er: Er, bus: Bus):
    """The source reads its Task with version and ETag; the read is on its way to the audit log."""
    referral_id = referral_of(er.post(a_bundle("door-2")))
    answer = er.get(f"Task/{referral_id}")
    task = answer.json()
    assert validator.check(task) == []
    assert (task["status"], task["id"], answer.headers["etag"]) == ("requested", referral_id, 'W/"1"')
    assert answer.headers["cache-control"] == "no-store"
    read = until("the read", lambda: bus.said("record.read.v1", referral_id=referral_id))[0]
    assert (read.provenance.actor_id, read.provenance.purpose_of_use) == ("nurse-ada", "TREAT")
    assert read.provenance.peer_id.startswith("peer_")


def test_a_collection_tells_its_task_too(er: Er):
    """A collection Bundle is taken like a transaction."""
    answer = er.post(a_bundle("door-3", kind="collection"), content_type="application/json; charset=utf-8")
    assert referral_of(answer).startswith("ref-")
    assert validator.check(answer.json()) == []


def test_the_same_bundle_again_is_the_same_referral(er: Er, bus: Bus):
    """A retry, and a colleague's second submission, are told the first id and said as repeats."""
    made = a_bundle("door-4")
    first = referral_of(er.post(made))
    assert referral_of(er.post(made)) == first
    resent = copy.deepcopy(made)
    resent["timestamp"] = "2026-01-01T00:00:00Z"
    again = replace(er, actor_id="nurse-bo").post(resent)
    assert referral_of(again) == first
    assert "200 OK" in [one["response"]["status"] for one in again.json()["entry"]]
    until("two repeats", lambda: len(bus.said("submission.repeated.v1", referral_id=first)) == 2)


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"purpose": ""}, 403, "purpose-not-allowed"),
        ({"purpose": "HRESCH"}, 403, "purpose-not-allowed"),
        ({"role": "specialist"}, 403, "role-not-allowed"),
        ({"organization_id": ""}, 403, "organization-missing"),
    ],
)
def test_who_may_not_read_is_refused_and_known(
    er: Er, bus: Bus, change: dict[str, str], status: int, code: str
):
    """Without purpose, role or being the source there is no Task, and the denial is audited once."""
    referral_id = referral_of(er.post(a_bundle(f"door-5-{code}-{len(change)}")))
    before = len(bus.said("access.denied.v1", reason_code=code))
    answer = replace(er, **change).get(f"Task/{referral_id}")
    assert (answer.status_code, _codes(answer)) == (status, [code])
    assert referral_id not in answer.text
    until("the denial", lambda: len(bus.said("access.denied.v1", reason_code=code)) == before + 1)


def test_another_hospitals_referral_is_not_there(er: Er, bus: Bus):
    """Read, updated or searched by another hospital, an id that is here answers as one that is not; the trail knows."""
    referral_id = referral_of(er.post(a_bundle("door-6")))
    nobodys = "ref-01a2013374e67654908a797fe2d54b7d"
    stranger = replace(er, organization_id="er-elsewhere")
    for name in ("Task", "ServiceRequest", "Consent"):
        known, unknown = (
            one.replace("ref", "con") if name == "Consent" else one for one in (referral_id, nobodys)
        )
        here, nowhere = stranger.get(f"{name}/{known}"), stranger.get(f"{name}/{unknown}")
        assert (here.status_code, here.text) == (404, nowhere.text)
    denials = until("the denials", lambda: bus.said("access.denied.v1", record_id=referral_id))
    assert {(one.record_type, one.reason_code) for one in denials} == {("Referral", "not-your-referral")}


def test_nobody_is_nobody(er: Er):
    """Without a token nothing is taken and nothing is told; the capabilities are open."""
    assert httpx.post(f"{er.base}/fhir", content=b"{}").status_code == 401
    assert httpx.get(f"{er.base}/fhir/Task/ref-1").status_code == 401
    assert httpx.get(f"{er.base}/fhir/metadata").status_code == 200


def _without(made: dict[str, Any], name: str, key: str) -> dict[str, Any]:
    del resource(made, name)[key]
    return made


def _with(made: dict[str, Any], name: str, **given: Any) -> dict[str, Any]:
    resource(made, name).update(given)
    return made


BAD = {
    "invalid JSON": (lambda: b'{"resourceType": "Bundle", ', 400, "json-invalid", "Bundle"),
    "not UTF-8": (lambda: b"\xff", 400, "json-not-utf8", "Bundle"),
    "a depth bomb": (lambda: b"[" * 90_000, 400, "too-deep", "Bundle"),
    "doubled keys": (lambda: b'{"a": 1, "a": 1}', 400, "json-key-doubled", "Bundle"),
    "NaN": (lambda: b'{"a": NaN}', 400, "json-invalid", "Bundle"),
    "a huge number": (lambda: b'{"a": ' + b"9" * 6_000 + b"}", 400, "json-number-too-large", "Bundle"),
    "wrong resource": (lambda: {"resourceType": "Patient"}, 400, "bundle-wanted", "Resource"),
    "missing subject": (
        lambda: _without(a_bundle("bad"), "ServiceRequest", "subject"), 400, "missing", "ServiceRequest.subject"
    ),
    "missing consent": (lambda: a_bundle("bad", consent=None), 400, "consent-missing", "Bundle.entry"),
    "refused consent": (
        lambda: _with(a_bundle("bad"), "Consent", provision={"type": "deny"}),
        400, "consent-refused", "Consent.provision.type",
    ),
    "unknown code": (
        lambda: _with(a_bundle("bad"), "ServiceRequest", priority="very"),
        400, "code-not-in-value-set", "ServiceRequest.priority",
    ),
    "future birth date": (
        lambda: _with(a_bundle("bad"), "Patient", birthDate="2999-01-01"),
        400, "birth-date-in-future", "Patient.birthDate",
    ),
    "oversized body": (lambda: b"x" * 200_001, 413, "body-too-large", None),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_told_and_leaves_only_its_audit_entry(er: Er, bus: Bus, intake_database: Any, name: str):
    """P11: a code and a place for the sender, one event for the audit, and nothing else stored."""
    make, status, code, place = BAD[name]
    kept = ("referrals", "people", "data_keys")
    before = {kind: intake_database[kind].count_documents({}) for kind in kept}
    answered = len(_rejected(bus, code))
    sent = make()
    answer = er.post(sent)
    assert (answer.status_code, _codes(answer)) == (status, [code])
    told = answer.json()["issue"][0].get("expression")
    assert told == ([placed(sent, place) if "." in place else place] if place else None)
    assert validator.check(answer.json()) == []
    until("the rejection's event", lambda: len(_rejected(bus, code)) == answered + 1)
    assert {kind: intake_database[kind].count_documents({}) for kind in kept} == before
    last = _rejected(bus, code)[-1]
    assert (last.door, last.source_id) == ("fhir", "er-st-brigid")


def _rejected(bus: Bus, code: str) -> list[Any]:
    return [event for event in bus.said("submission.rejected.v1") if code in event.reason_codes]


def _codes(answer: httpx.Response) -> list[str]:
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome"
    assert all(issue["severity"] == "error" for issue in outcome["issue"])
    return [issue["details"]["coding"][0]["code"] for issue in outcome["issue"]]


def test_only_json_is_taken(er: Er):
    """XML is refused by its content type."""
    answer = er.post(b"<Bundle/>", content_type="application/fhir+xml")
    assert (answer.status_code, _codes(answer)) == (415, ["content-type-unsupported"])


@pytest.fixture
def stub(api: Process, er: Er) -> Any:
    """The gRPC door, as the same nurse."""
    address = f"127.0.0.1:{api.ready()['grpc_port']}"
    with grpc_client.channel(address, token=er.token, purpose="TREAT") as channel:
        yield intake_pb2_grpc.IntakeServiceStub(channel)


def _request(number: str, **given: Any) -> intake_pb2.SubmitReferralRequest:
    request = intake_pb2.SubmitReferralRequest(
        idempotency_key=f"key-{number}",
        person=intake_pb2.Person(
            family_name="Featherstone",
            given_name="Ivo",
            birth_date="1990-09-09",
            record_number=f"MRN-{number}",
        ),
        consent=intake_pb2.Consent(is_permitted=True),
        urgency=events_pb2.URGENCY_URGENT,
        experience_codes=["substance.alcohol"],
        preferences=[events_pb2.Preference(code="overdose", strength=events_pb2.STRENGTH_SOME)],
        note="Has a dog.",
        **given,
    )
    request.consent.signed_at.FromDatetime(datetime.now(UTC) - timedelta(minutes=1))
    return request


def test_grpc_has_the_same_domain(stub: Any, bus: Bus):
    """Submit, repeat, read and list speak of the same referral."""
    request = _request("g1")
    told, again = stub.SubmitReferral(request), stub.SubmitReferral(request)
    assert (told.status, told.was_known) == ("submitted", False)
    assert (again.referral_id, again.was_known) == (told.referral_id, True)
    read = stub.GetReferral(intake_pb2.GetReferralRequest(referral_id=told.referral_id))
    assert (read.person.family_name, read.note) == ("Featherstone", "Has a dog.")
    assert read.summary.urgency == events_pb2.URGENCY_URGENT
    listed = stub.ListReferrals(intake_pb2.ListReferralsRequest(limit=500)).referrals
    assert told.referral_id in [one.referral_id for one in listed]
    until("the read", lambda: bus.said("record.read.v1", record_id=told.referral_id, record_type="Referral"))


def test_grpc_faults_name_the_field(stub: Any, bus: Bus):
    """A refused request carries every fault's field, and its rejection is audited."""
    request = _request("g2", facility_zip="1")
    request.ClearField("consent")
    with pytest.raises(grpc.RpcError) as refused:
        stub.SubmitReferral(request)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    status = rpc_status.from_call(refused.value)
    bad = error_details_pb2.BadRequest()
    assert any(detail.Is(bad.DESCRIPTOR) and detail.Unpack(bad) for detail in status.details)
    assert {one.field for one in bad.field_violations} == {"consent", "facility_zip"}
    until("the rejection", lambda: bus.said("submission.rejected.v1", door="grpc"))


def test_an_urgency_of_a_newer_sender_is_refused_not_taken_for_routine(stub: Any):
    """To guess low would let somebody wait for two days; who says nothing says routine."""
    request = _request("g-urgency")
    request.urgency = 77  # type: ignore[assignment]
    with pytest.raises(grpc.RpcError) as refused:
        stub.SubmitReferral(request)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    request.urgency = events_pb2.URGENCY_UNSPECIFIED
    assert stub.SubmitReferral(request).referral_id


def test_a_key_with_another_content_is_a_conflict(stub: Any):
    """The same idempotency key for another person is refused."""
    stub.SubmitReferral(_request("g3"))
    other = _request("g4")
    other.idempotency_key = "key-g3"
    with pytest.raises(grpc.RpcError) as refused:
        stub.SubmitReferral(other)
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION


def test_a_database_that_is_away_is_told_as_that(
    mongo_uri: str, intake_environ: dict[str, str], er: Er, tmp_path: Path
):
    """F-20: without the database a submit and a read answer 503 with Retry-After; with it they work again."""
    far = urlsplit(mongo_uri)
    cable = Cable(far.hostname or "127.0.0.1", far.port or 27017)
    uri = f"mongodb://127.0.0.1:{cable.port}/?directConnection=true"
    with running("api", {**intake_environ, "KINDRED_MONGO_URI": uri}, tmp_path) as process:
        here = replace(er, base=f"http://127.0.0.1:{process.ready()['http_port']}")
        referral_id = referral_of(here.post(a_bundle("door-cable")))
        cable.cut()
        for answer in (
            here.post(a_bundle("door-cable-2")),
            here.get(f"Task/{referral_id}"),
            here.post(b"{"),  # a rejection that cannot be audited is not told either
        ):
            assert (answer.status_code, _codes(answer)) == (503, ["store-unavailable"])
            assert int(answer.headers["retry-after"]) >= 1
        cable.mend()
        until("it works again", lambda: here.post(a_bundle("door-cable-2")).status_code == 200)
        assert here.get(f"Task/{referral_id}").status_code == 200


def test_no_log_line_holds_what_was_sent(er: Er, api: Process):
    """P9: names, numbers and free text never reach the log, whatever happens to a Bundle."""
    made = a_bundle("zyxlog")
    er.post(made)
    er.post(_with(copy.deepcopy(made), "Patient", birthDate="Zyxbirth", Zyxkey="Zyxvalue"))
    er.post(json.dumps(made).encode()[:-30])
    text = api.log.read_text()
    assert [
        word for word in ("zyxlog", "Zyx", "Marlowe", "Testperson", "MRN-", "middle name") if word in text
    ] == []
