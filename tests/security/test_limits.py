"""How much one organization may ask: at the doors of every service, with an answer that says when to come back."""

from __future__ import annotations

import json
from dataclasses import replace

import grpc
import pytest

from chassis import shares
from chassis.grpc_server import build_server
from chassis.http_server import build_app
from chassis.rich_status import refused
from kindred.intake.v1 import events_pb2, intake_pb2_grpc
from tests.bundles import a_bundle
from tests.driving import a_referral
from tests.security.test_hostile_input import ask
from tests.security.walk_rooms import HERE, Stage

SERVICES = ("intake", "matching", "notifications", "audit")


@pytest.mark.parametrize("service", SERVICES)
def test_a_flood_over_http_is_told_when_to_come_back(stages: dict[str, Stage], service: str):
    """429 with Retry-After for the organization that asks too often; another one, and who shows no token, is served."""
    stage = stages[service]
    app = build_app(
        replace(stage.settings, organization_per_s=2.0),
        routes=stage.doors.routes,
        tokens=stage.doors.http_tokens or stage.doors.tokens,
        readiness={},
        on_denied=stage.doors.on_denied,
    )
    slow = replace(stage, app=app)
    path = "/fhir/metadata" if service == "intake" else "/none"
    told = [ask(slow, "GET", path, role="engineer") for _ in range(8)]
    refusals = [(answer, headers) for answer, headers in told if answer.status == 429]
    assert 0 < len(refusals) < 8
    assert all(
        answer.code == "rate-exceeded" and int(headers["retry-after"]) >= 1 for answer, headers in refusals
    )
    other = stage.token(stage.caller("engineer", elsewhere=True))
    assert ask(slow, "GET", path, authorization=f"Bearer {other}")[0].status != 429
    assert ask(slow, "GET", path)[0].status != 429


@pytest.mark.parametrize("service", SERVICES)
def test_a_flood_over_grpc_is_told_when_to_come_back(stages: dict[str, Stage], service: str):
    """RESOURCE_EXHAUSTED with RetryInfo for the organization that asks too often; another one's call is served."""
    stage = stages[service]
    server = build_server(
        replace(stage.settings, organization_per_s=2.0, grpc_address=f"{HERE}:0"),
        services=stage.doors.grpc,
        tokens=stage.doors.tokens,
        on_denied=stage.doors.on_denied,
    )
    server.start()
    method = stage.methods()["OperationsService/ListParked"]
    try:
        with grpc.insecure_channel(f"{HERE}:{server.port}") as channel:
            path = f"/{method.containing_service.full_name}/{method.name}"
            call = channel.unary_unary(path)
            errors = []
            for _ in range(8):
                try:
                    call(b"", timeout=30, metadata=_as_engineer(stage))
                except grpc.RpcError as error:
                    errors.append(error)
            assert 0 < len(errors) < 8
            assert {error.code() for error in errors} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
            found = [refused(error) for error in errors]
            assert all(one and one.code == "rate-exceeded" and one.retry_after_s for one in found)
            call(b"", timeout=30, metadata=_as_engineer(stage, elsewhere=True))
    finally:
        server.stop(grace_s=0.2)


@pytest.fixture
def crowded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others wait at every door."""
    monkeypatch.setattr(shares.Shares, "is_crowded", property(lambda door: True))


def test_what_can_wait_gives_way_over_fhir(stages: dict[str, Stage], crowded: None):
    """At a crowded door a routine order is told to come back (429, gives-way); an immediate one is taken."""
    stage, told = stages["intake"], {}
    for priority in ("routine", "stat"):
        bundle = a_bundle(f"way-{priority}")
        for entry in bundle["entry"]:
            if entry["resource"]["resourceType"] == "ServiceRequest":
                entry["resource"]["priority"] = priority
        body = json.dumps(bundle).encode()
        told[priority] = ask(
            stage, "POST", "/fhir", body=body, role="nurse", content_type="application/fhir+json"
        )
    assert (told["routine"][0].status, told["routine"][0].code) == (429, "gives-way")
    assert int(told["routine"][1]["retry-after"]) >= 1
    assert told["stat"][0].status == 200


def test_what_can_wait_gives_way_over_grpc(stages: dict[str, Stage], crowded: None):
    """At a crowded door a routine submit is RESOURCE_EXHAUSTED with RetryInfo; urgent and immediate ones are taken."""
    stage = stages["intake"]
    token = stage.token(stage.caller("nurse"))
    sent = [("authorization", f"Bearer {token}"), ("x-purpose-of-use", "TREAT")]
    with grpc.insecure_channel(f"{HERE}:{stage.port}") as channel:
        stub = intake_pb2_grpc.IntakeServiceStub(channel)
        for urgency in (events_pb2.URGENCY_IMMEDIATE, events_pb2.URGENCY_URGENT):
            request = a_referral(f"way-{urgency}", urgency=urgency)
            assert stub.SubmitReferral(request, timeout=30, metadata=sent).referral_id
        with pytest.raises(grpc.RpcError) as error:
            routine = a_referral("way-routine", urgency=events_pb2.URGENCY_ROUTINE)
            stub.SubmitReferral(routine, timeout=30, metadata=sent)
    told = refused(error.value)
    assert told is not None
    assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (told.code, told.retry_after_s) == ("gives-way", 5)


def _as_engineer(stage: Stage, *, elsewhere: bool = False) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {stage.token(stage.caller('engineer', elsewhere=elsewhere))}")]
