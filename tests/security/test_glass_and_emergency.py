"""Breaking the glass and a medical emergency are two paths: each with its own words, its own record, never confused."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chassis import catalog, policy
from chassis.errors import Refusal
from chassis.identity import Caller
from chassis.settings import STEP_UP_MINUTES, ProcessSettings
from tests.bundles import a_bundle
from tests.security.test_hostile_input import ask
from tests.security.walk_rooms import HERE, Stage, over_grpc

GLASS, EMERGENCY, READ = "glass.broken.v1", "emergency.declared.v1", "record.read.v1"


def said(stage: Stage) -> Counter[str]:
    """How much of each kind intake's audit trail was told."""
    database = stage.sessions._sessions.database
    rows = (row for one in database["accesses"].find({}, {"outbox": 1}) for row in one.get("outbox", ()))
    return Counter(row["type"] for row in rows)


def last(stage: Stage, event_type: str) -> Any:
    """The newest event of the type."""
    database = stage.sessions._sessions.database
    rows = [
        row
        for one in database["accesses"].find({}, {"outbox": 1}).sort("_id", 1)
        for row in one.get("outbox", ())
        if row["type"] == event_type
    ]
    return catalog.message_class(event_type).FromString(rows[-1]["data"])


@pytest.fixture(scope="module")
def intake(stages: dict[str, Stage]) -> Stage:
    """The service that holds who people are, with a referral that nobody else touches."""
    stage = stages["intake"]
    body = json.dumps(a_bundle("glass-1")).encode()
    answer, _ = ask(stage, "POST", "/fhir", body=body, role="nurse", content_type="application/fhir+json")
    assert answer.status == 200, answer.body
    places = [one["response"].get("location", "") for one in json.loads(answer.body)["entry"]]
    referral_id = next(place for place in places if place).split("/")[1]
    return replace(stage, paths={"/": {"{id}": referral_id}}, fields={"referral_id": referral_id})


def test_the_glass_breaks_with_a_reason_and_says_so(intake: Stage):
    """A nurse who says why reads, and the trail holds that the glass was broken, by whom and why; no other event does."""
    path, before = f"/fhir/Task/{intake.paths['/']['{id}']}", said(intake)
    told = {"x_purpose_of_use": "BTG", "x_break_glass_reason": "care-now"}
    answer, headers = ask(intake, "GET", path, role="nurse", **told)
    assert answer.status == 200
    assert headers["break-glass"] == "on record; reviewed within a day"
    assert said(intake) - before == {GLASS: 1}
    broken = last(intake, GLASS)
    assert (broken.reason_code, broken.provenance.actor_id) == ("care-now", "a-nurse")
    assert broken.provenance.purpose_of_use == "BTG"


@pytest.mark.parametrize(
    ("role", "more", "code"),
    [
        ("nurse", {}, "justification-missing"),
        ("nurse", {"x_break_glass_reason": "curious"}, "justification-missing"),
        ("coordinator", {"x_break_glass_reason": "care-now"}, "role-not-allowed"),
        ("system", {"x_break_glass_reason": "care-now"}, "role-not-allowed"),
        ("compliance", {"x_break_glass_reason": "care-now"}, "role-not-allowed"),
    ],
)
def test_no_glass_breaks_without_who_and_why(intake: Stage, role: str, more: dict[str, str], code: str):
    """Who may not, or says no reason that is one, reads nothing: the refusal is on record and no glass is."""
    path, before = f"/fhir/Task/{intake.paths['/']['{id}']}", said(intake)
    answer, _ = ask(intake, "GET", path, role=role, x_purpose_of_use="BTG", **more)
    assert (answer.status, answer.code) == (403, code)
    assert said(intake) - before == {"access.denied.v1": 1}


def test_the_glass_breaks_at_no_door_that_does_not_say_so(intake: Stage):
    """With purpose BTG nothing is searched, sent, changed or disclosed: only one record is read."""
    breakable = {door for door, rows in policy.ours().table.rows.items() for row in rows if row.is_for("BTG")}
    assert breakable == {
        "IntakeService/GetReferral",
        "IntakeService/ResolvePerson",
        *(
            f"GET /fhir/{name}/{{id}}{more}"
            for name in ("Task", "ServiceRequest", "Consent")
            for more in ("", "/_history/{version}")
        ),
    }
    answer, _ = ask(
        intake, "GET", "/fhir/Task", role="nurse", x_purpose_of_use="BTG", x_break_glass_reason="care-now"
    )
    assert (answer.status, answer.code) == (403, "purpose-not-allowed")


def test_one_number_says_how_long_a_proof_is_good():
    """The setting that exports ask by is the one the glass is broken by: a longer one holds for both, at every door."""
    longer = replace(usual := settings_of(), step_up_minutes=20.0)
    assert usual.step_up[0].total_seconds() == 60 * STEP_UP_MINUTES
    nurse = Caller("one", "nurse", "er", "BTG", authenticated_at=time.time() - 60 * STEP_UP_MINUTES - 1)
    with pytest.raises(Refusal, match="step-up-needed"):
        policy.ours(usual.step_up).insist("GET /fhir/Task/{id}", nurse)
    policy.ours(longer.step_up).insist("GET /fhir/Task/{id}", nurse)


def settings_of() -> ProcessSettings:
    """A process with the usual settings."""
    return ProcessSettings(mongo_uri="x", mongo_database="x", amqp_uri="x", keys_dir=Path("x"))


def test_who_breaks_the_glass_proves_anew_who_they_are():
    """Who signed in longer ago proves who they are once more before they break the glass; for reading they need not."""
    long_ago = time.time() - 60 * STEP_UP_MINUTES - 1
    for purpose, at, code in (
        ("BTG", long_ago, "step-up-needed"),
        ("BTG", time.time(), ""),
        ("TREAT", long_ago, ""),
    ):
        nurse = Caller("one", "nurse", "er", purpose, authenticated_at=at)
        try:
            policy.ours().insist("GET /fhir/Task/{id}", nurse)
            told = ""
        except Refusal as refusal:
            told = refusal.code
        assert told == code


def test_an_emergency_breaks_no_glass_and_a_glass_is_no_emergency(intake: Stage):
    """42 CFR 2.51 asks for its four facts and its own purpose, and is its own event; BTG does not open that door."""
    import grpc

    door = "EmergencyService/DiscloseInEmergency"
    method = intake.methods()[door]
    with grpc.insecure_channel(f"{HERE}:{intake.port}") as channel:
        before = said(intake)
        nurse = intake.caller("nurse", purpose="ETREAT")
        assert over_grpc(intake, channel, door, method, nurse).code == "ok"
        assert said(intake) - before == {EMERGENCY: 1}
        for purpose, code in (("BTG", "purpose-not-allowed"), ("TREAT", "purpose-not-allowed")):
            who = intake.caller("nurse", purpose=purpose)
            assert over_grpc(intake, channel, door, method, who).code == code
        declared = last(intake, EMERGENCY)
        assert declared.discloser_id == "a-nurse" and declared.recipient_id and declared.nature_code
        assert said(intake) - before == {EMERGENCY: 1, "access.denied.v1": 2}


def test_another_hospitals_glass_does_not_break(intake: Stage):
    """Break-glass overrides a policy and never a consent: another hospital's referral is answered as none."""
    path = f"/fhir/Task/{intake.paths['/']['{id}']}"
    token = intake.token(intake.caller("nurse", elsewhere=True))
    told = {"x_purpose_of_use": "BTG", "x_break_glass_reason": "care-now", "authorization": f"Bearer {token}"}
    answer, _ = ask(intake, "GET", path, **told)
    assert (answer.status, answer.code) == (404, "referral-unknown")
