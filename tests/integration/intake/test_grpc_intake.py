"""IntakeService against a running api: everything that is said, every violation at once, pages, and commands."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from chassis import grpc_client
from chassis.errors import Kind, Refusal
from chassis.rich_status import refused
from kindred.intake.v1 import events_pb2, intake_pb2, intake_pb2_grpc
from services.intake.domain.listing import Criteria, Position
from services.intake.store.listing import Listing
from tests.integration.intake.intake_processes import Bus, Er, Process, until

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def stub(api: Process, er: Er) -> Iterator[Any]:
    """The gRPC door, as a nurse of St Brigid."""
    with _door(api, er) as channel:
        yield intake_pb2_grpc.IntakeServiceStub(channel)


def _door(api: Process, er: Er) -> grpc.Channel:
    return grpc_client.channel(f"127.0.0.1:{api.ready()['grpc_port']}", token=er.token, purpose=er.purpose)


def a_request(number: str, **given: Any) -> intake_pb2.SubmitReferralRequest:
    """A referral that is taken; `given` replaces fields."""
    request = intake_pb2.SubmitReferralRequest(
        idempotency_key=f"key-{number}",
        person=intake_pb2.Person(family_name="Featherstone", given_name="Ivo", birth_date="1990-09-09"),
        consent=intake_pb2.Consent(is_permitted=True),
        visit_number=f"V-{number}",
        urgency=events_pb2.URGENCY_URGENT,
    )
    request.person.record_number = f"MRN-{number}"
    request.consent.signed_at.FromDatetime(NOW - timedelta(minutes=5))
    for name, value in given.items():
        field = getattr(request, name)
        if isinstance(value, datetime):
            field.FromDatetime(value)
        elif hasattr(field, "CopyFrom"):
            field.CopyFrom(value)
        elif hasattr(field, "extend"):
            field.extend(value)
        else:
            setattr(request, name, value)
    return request


def _refused(call: Any, request: Any) -> Refusal:
    with pytest.raises(grpc.RpcError) as error:
        call(request)
    return refused(error.value)


def _ref(request_type: type, referral_id: str, **given: Any) -> Any:
    return request_type(referral_id=referral_id, **given)


def test_everything_that_was_said_is_read_again(stub: Any, bus: Bus):
    """What a submission says comes back as a correction would say it; clinical codes became lived experience."""
    said = a_request(
        "whole",
        preferences=[events_pb2.Preference(code="overdose", strength=events_pb2.STRENGTH_MUST)],
        languages=["es"],
        codes=[
            intake_pb2.ClinicalCode(system="http://hl7.org/fhir/sid/icd-10-cm", code="F10.20", display="x"),
            intake_pb2.ClinicalCode(system="urn:nobody-knows", code="K-1"),
        ],
        characteristics=[
            intake_pb2.Characteristic(topic="faith", answered=intake_pb2.ANSWERED_DECLINED),
            intake_pb2.Characteristic(
                topic="gender",
                answered=intake_pb2.ANSWERED_STATED,
                code="gender.woman",
                said_by="family",
                how="form",
            ),
        ],
        is_naloxone_given=False,
        referrer=intake_pb2.Referrer(name="Dr. Oyelaran", phone="+1 518 555 0107"),
        placer_identifiers=[intake_pb2.RecordNumber(system="urn:oid:2.999.5", value="ORD-7")],
        place="ED, bed 4",
        interpreter_needed=True,
        arrived_at=NOW - timedelta(minutes=30),
        expected_departure_at=NOW + timedelta(hours=2),
        note="Has a dog.\nTwo lines.",
    )
    said.person.safe_contact.may_leave_message = False
    said.person.safe_contact.who_else_answers = "a brother"
    said.person.other_record_numbers.add(system="urn:oid:2.999.1", value="77")
    told = stub.SubmitReferral(said)
    read = stub.GetReferral(_ref(intake_pb2.GetReferralRequest, told.referral_id))
    expected = intake_pb2.SubmitReferralRequest()
    expected.CopyFrom(said)
    expected.idempotency_key = ""
    expected.person.record_system = "source:er-st-brigid"
    expected.experience_codes.append("substance.alcohol")
    expected.payer_code = "unknown"
    for one in expected.characteristics[:1]:
        one.said_by, one.how = "peer", "asked"
    assert read.submission == expected
    assert (read.note, read.summary.version) == (said.note, 1)
    event = until("the event", lambda: bus.said("referral.submitted.v1", referral_id=told.referral_id))[0]
    assert list(event.experience_codes) == ["substance.alcohol"]


def test_every_violation_is_told_at_once_with_its_path(stub: Any, bus: Bus):
    """Lengths, counts, moments, enums and what the domain finds, in one BadRequest, and no value of them."""
    bad = a_request(
        "bad",
        preferences=[events_pb2.Preference(code="overdose")],
        facility_zip="1",
        place="x" * 501,
        modalities=["bedside"] * 11,
    )
    bad.characteristics.add(topic="fa\x00ith", answered=9, said_by="neighbor")  # type: ignore[arg-type]
    bad.urgency = 77  # type: ignore[assignment]
    bad.arrived_at.seconds = 10**15
    bad.ClearField("consent")
    told = _refused(stub.SubmitReferral, bad)
    assert (told.kind, told.code) == (Kind.INVALID, "submission-invalid")
    assert {(fault.path, fault.code) for fault in told.faults} == {
        ("urgency", "urgency-unknown"),
        ("preferences[0].strength", "missing"),
        ("facility_zip", "zip-unreadable"),
        ("arrived_at", "time-unreadable"),
        ("place", "too-long"),
        ("modalities", "too-many"),
        ("characteristics[0].topic", "control-character"),
        ("characteristics[0].topic", "attribute-unknown"),
        ("characteristics[0].answered", "answered-unknown"),
        ("characteristics[0].said_by", "word-unknown"),
        ("consent", "consent-missing"),
    }
    rejected = until("the rejection", lambda: bus.said("submission.rejected.v1", door="grpc"))[-1]
    assert "characteristics[0].topic" in rejected.paths


def test_a_referral_may_wait_for_its_consent_where_its_sender_says_so(stub: Any, bus: Bus):
    """Held as needs-information; a correction with the consent sends it on, the same correction again changes nothing."""
    held = a_request("held", may_wait_for_consent=True)
    held.ClearField("consent")
    told = stub.SubmitReferral(held)
    assert told.status == "needs-information"
    correction = a_request("held", idempotency_key="key-held-2")
    request = _ref(intake_pb2.CorrectReferralRequest, told.referral_id, submission=correction)
    summary = stub.CorrectReferral(request).summary
    assert (summary.status, summary.version) == ("submitted", 2)
    assert stub.CorrectReferral(request).summary == summary
    until("matching hears", lambda: bus.said("referral.submitted.v1", referral_id=told.referral_id))


def test_a_correction_names_faults_below_its_submission(stub: Any):
    """The path leads to the field in what was sent, of the rules and of the domain."""
    told = stub.SubmitReferral(a_request("corrected"))
    bad = a_request("corrected", idempotency_key="key-corrected-2", facility_zip="1")
    request = _ref(intake_pb2.CorrectReferralRequest, told.referral_id, submission=bad)
    assert [fault.path for fault in _refused(stub.CorrectReferral, request).faults] == [
        "submission.facility_zip"
    ]
    request.submission.place = "x" * 501
    request.referral_id = ""
    paths = [fault.path for fault in _refused(stub.CorrectReferral, request).faults]
    assert paths == ["referral_id", "submission.place", "submission.facility_zip"]


def test_a_stale_version_is_told_the_present_one(stub: Any):
    """A correction of what has changed meanwhile is a conflict."""
    told = stub.SubmitReferral(a_request("stale"))
    first = a_request("stale", idempotency_key="key-stale-2", place="bed 1")
    stub.CorrectReferral(_ref(intake_pb2.CorrectReferralRequest, told.referral_id, submission=first))
    late = a_request("stale", idempotency_key="key-stale-3", place="bed 2")
    request = _ref(intake_pb2.CorrectReferralRequest, told.referral_id, submission=late, expected_version=1)
    conflict = _refused(stub.CorrectReferral, request)
    assert (conflict.kind, conflict.code, conflict.facts["version"]) == (Kind.CONFLICT, "version-stale", "2")


def test_a_cancelled_referral_waits_for_matching_and_a_no_of_the_peer_does_not(stub: Any, bus: Bus):
    """The reason is mandatory; a second cancel is the first; the peer's own no is another state."""
    told = stub.SubmitReferral(a_request("cancel"))
    cancel = _ref(intake_pb2.CancelReferralRequest, told.referral_id)
    assert [fault.path for fault in _refused(stub.CancelReferral, cancel).faults] == ["reason_code"]
    cancel.reason_code = "admitted"
    summary = stub.CancelReferral(cancel).summary
    assert (summary.status, summary.reason_code) == ("cancel-requested", "admitted")
    assert stub.CancelReferral(cancel).summary == summary
    until("it is stopped", lambda: bus.said("referral.stopped.v1", referral_id=told.referral_id))
    other = stub.SubmitReferral(a_request("no"))
    no = _ref(intake_pb2.CancelReferralRequest, other.referral_id, reason_code="not-now", is_by_peer=True)
    assert stub.CancelReferral(no).summary.status == "declined-by-peer"


def test_a_departure_and_a_revocation_are_passed_on(stub: Any, bus: Bus):
    """The new time is told to matching; the revocation closes the referral and is said."""
    told = stub.SubmitReferral(a_request("leaving", arrived_at=NOW - timedelta(hours=1)))
    request = _ref(intake_pb2.ReportDepartureRequest, told.referral_id)
    assert [fault.path for fault in _refused(stub.ReportDeparture, request).faults] == ["leaves_at"]
    request.leaves_at.FromDatetime(NOW - timedelta(hours=2))
    assert _refused(stub.ReportDeparture, request).code == "departure-before-arrival"
    request.leaves_at.FromDatetime(NOW + timedelta(minutes=20))
    assert stub.ReportDeparture(request).summary.expected_departure_at == request.leaves_at
    until("it is revised", lambda: bus.said("referral.revised.v1", referral_id=told.referral_id))
    revoke = _ref(intake_pb2.RevokeConsentRequest, told.referral_id)
    assert stub.RevokeConsent(revoke).summary.status == "cancelled"
    assert stub.RevokeConsent(revoke).summary.reason_code == "consent-revoked"
    until("it is said", lambda: bus.said("consent.revoked.v1", referral_id=told.referral_id))


@pytest.mark.parametrize(
    ("method", "request_type"),
    [
        ("GetReferral", intake_pb2.GetReferralRequest),
        ("CancelReferral", intake_pb2.CancelReferralRequest),
        ("CorrectReferral", intake_pb2.CorrectReferralRequest),
        ("ReportDeparture", intake_pb2.ReportDepartureRequest),
        ("RevokeConsent", intake_pb2.RevokeConsentRequest),
    ],
)
def test_nobody_touches_another_sources_referral(
    api: Process, er: Er, stub: Any, bus: Bus, method: str, request_type: type
):
    """As if it were not there, and the denial is audited with the referral's id."""
    told = stub.SubmitReferral(a_request(f"theirs-{method}"))
    request = _ref(request_type, told.referral_id)
    for name, value in {"reason_code": "other", "submission": a_request("x")}.items():
        if name in request.DESCRIPTOR.fields_by_name:
            getattr(request, name).CopyFrom(value) if name == "submission" else setattr(request, name, value)
    if "leaves_at" in request.DESCRIPTOR.fields_by_name:
        request.leaves_at.FromDatetime(NOW)
    stranger = Er(er.base, er.issuer_pem, organization_id="er-elsewhere")
    with _door(api, stranger) as channel:
        other = intake_pb2_grpc.IntakeServiceStub(channel)
        assert _refused(getattr(other, method), request).code == "referral-unknown"
    until("the denial", lambda: bus.said("access.denied.v1", record_id=told.referral_id))


@pytest.fixture(scope="module")
def desk(api: Process, er: Er) -> Iterator[Any]:
    """The same door for another hospital, whose referrals are looked at page by page."""
    with _door(api, Er(er.base, er.issuer_pem, organization_id="er-pages")) as channel:
        yield intake_pb2_grpc.IntakeServiceStub(channel)


@pytest.fixture(scope="module")
def ids(desk: Any) -> list[str]:
    """Seven referrals, oldest first; the third is immediate."""
    made = [a_request(f"page-{number}") for number in range(7)]
    made[2].urgency = events_pb2.URGENCY_IMMEDIATE
    return [desk.SubmitReferral(one).referral_id for one in made]


def test_pages_cover_everything_once_whatever_comes_meanwhile(desk: Any, ids: list[str]):
    """A referral submitted between two pages moves nothing: no row is doubled or lost."""
    request = intake_pb2.ListReferralsRequest(limit=3)
    seen = []
    for number in range(3):
        page = desk.ListReferrals(request)
        seen += [one.referral_id for one in page.referrals]
        desk.SubmitReferral(a_request(f"page-late-{number}"))
        request.page_token = page.next_page_token
    assert request.page_token == ""
    assert seen == ids[::-1]


def test_filters_narrow(desk: Any, ids: list[str]):
    """By urgency, by state, by the moment of submission."""
    immediate = intake_pb2.ListReferralsRequest(urgency=events_pb2.URGENCY_IMMEDIATE)
    assert [one.referral_id for one in desk.ListReferrals(immediate).referrals] == [ids[2]]
    desk.RevokeConsent(intake_pb2.RevokeConsentRequest(referral_id=ids[4]))
    cancelled = intake_pb2.ListReferralsRequest(status="cancelled")
    (found,) = desk.ListReferrals(cancelled).referrals
    assert found.referral_id == ids[4]
    early = intake_pb2.ListReferralsRequest(
        submitted_from=found.submitted_at, submitted_before=found.submitted_at
    )
    assert _refused(desk.ListReferrals, early).faults[0].code == "range-empty"
    early.submitted_from.seconds -= 3_600
    before = [one.referral_id for one in desk.ListReferrals(early).referrals]
    assert before == ids[3::-1]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"page_token": "ZZZ"}, "page-token-unreadable"),
        ({"page_token": "bm90IG91cnM"}, "page-token-unreadable"),
        ({"limit": 1_001}, "out-of-range"),
        ({"limit": -1}, "out-of-range"),
        ({"status": "lost"}, "state-unknown"),
        ({"urgency": 9}, "urgency-unknown"),
    ],
)
def test_criteria_that_mean_nothing_are_refused(desk: Any, given: dict[str, Any], code: str):
    """Each with its field."""
    told = _refused(desk.ListReferrals, intake_pb2.ListReferralsRequest(**given))
    assert [(fault.path, fault.code) for fault in told.faults] == [(next(iter(given)), code)]


def test_a_token_belongs_to_its_search(desk: Any, ids: list[str]):
    """With other criteria it is refused instead of skipping rows silently."""
    token = desk.ListReferrals(intake_pb2.ListReferralsRequest(limit=2)).next_page_token
    other = intake_pb2.ListReferralsRequest(limit=2, status="submitted", page_token=token)
    assert _refused(desk.ListReferrals, other).code == "page-token-of-another-search"


def test_a_page_is_read_by_its_index(mongo_client: Any, intake_database: Any, stub: Any):
    """Whatever is asked for, MongoDB neither scans nor sorts, and looks at no document it does not show."""
    stub.ListReferrals(intake_pb2.ListReferralsRequest())
    listing = Listing(intake_database)
    behind = Position(datetime.now(UTC), "ref-z")
    for criteria in (
        Criteria(),
        Criteria(status="submitted"),
        Criteria(urgency="immediate", after=behind),
        Criteria(status="cancelled", urgency="urgent", submitted_from=NOW, after=behind),
    ):
        plan = listing.cursor("er-pages", criteria, 3).explain()
        stats = plan["executionStats"]
        assert stats["totalDocsExamined"] <= max(3, stats["nReturned"] + 1), criteria
        assert not {"SORT", "COLLSCAN"} & set(_stages(plan["queryPlanner"]["winningPlan"])), criteria


def _stages(plan: dict[str, Any]) -> Iterator[str]:
    yield plan["stage"]
    for inner in [plan["inputStage"]] if "inputStage" in plan else plan.get("inputStages", []):
        yield from _stages(inner)


def test_unmapped_codes_are_counted_without_anybody(api: Process, er: Er, stub: Any):
    """Five referrals make a code worth telling; rarer ones and other systems are numbers; a name is never a code."""
    icd, other = "http://hl7.org/fhir/sid/icd-10-cm", "urn:oid:2.999.7"
    for number in range(5):
        codes = [
            intake_pb2.ClinicalCode(system=icd, code="E11.9"),
            intake_pb2.ClinicalCode(system=icd, code="F10.20"),
            intake_pb2.ClinicalCode(system=icd, code=f"J45.9{number}"),
            intake_pb2.ClinicalCode(system=icd, code="Featherstone"),
            intake_pb2.ClinicalCode(system=other, code="MRN-unmapped"),
        ]
        request = a_request(f"unmapped-{number}", codes=codes)
        stub.SubmitReferral(request)
        stub.SubmitReferral(request)
    engineer = Er(er.base, er.issuer_pem, role="engineer", organization_id="")
    with _door(api, engineer) as channel:
        ask = intake_pb2_grpc.IntakeServiceStub(channel).ListUnmappedCodes
        wanted = intake_pb2.ListUnmappedCodesRequest()
        told = until("all were counted", lambda: _if(ask(wanted), lambda one: one.of_other_systems >= 5))
    assert [(one.system, one.code, one.referrals) for one in told.codes] == [(icd, "E11.9", 5)]
    assert told.rare_codes >= 5
    assert told.taxonomy_version.startswith("1.")
    assert _refused(stub.ListUnmappedCodes, wanted).code == "role-not-allowed"


def _if(answer: Any, is_wanted: Any) -> Any:
    return answer if is_wanted(answer) else None
