"""Capacity over FHIR, through the door every service uses: counts as R4 resources, refusals as OperationOutcomes."""

from __future__ import annotations

import httpx
import pytest
from fhir.resources.R4B import get_fhir_model_class

from chassis import identity
from chassis.http_server import build_app, serve
from services.matching import capacity_fhir
from services.matching.web import answer_page
from tests.matching_room import a_row, enroll

URL = "/fhir/HealthcareService"
PLACE = "coverage-area.address-postalcode"
STATUS = "SDOHCC-ExtensionHealthcareServiceCapacityStatus"


@pytest.fixture
def ask(room, tmp_path):
    """Asks as somebody; (status, resource)."""
    served = capacity_fhir.refusals(answer_page.render_refusal)
    app = build_app(
        room.settings,
        routes=capacity_fhir.routes(room),
        tokens=room.tokens,
        readiness={},
        render_refusal=served,
        on_denied=lambda *_: None,
    )
    server = serve(app, "127.0.0.1:0")
    issuer = (tmp_path / "keys" / "issuer.pem").read_bytes()

    def asked(role="nurse", path=URL, **parameters):
        who = {"actor_id": "nurse-17", "role": role, "organization_id": "st-brigid", "minutes": 10}
        token = identity.mint(issuer, **who) if role else ""
        headers = {"authorization": f"Bearer {token}"} if role else {}
        told = {name.replace("_", "-"): value for name, value in parameters.items()}
        found = httpx.get(
            f"http://127.0.0.1:{server.port}{path}", params={PLACE: "10451"} | told, headers=headers
        )
        assert found.headers["content-type"].startswith("application/fhir+json")
        return found.status_code, found.json()

    yield asked
    server.stop(grace_s=1)


def _statuses(bundle):
    """Way -> (Gravity's code, our counts)."""
    found = {}
    for entry in bundle["entry"]:
        status, *counts = entry["resource"]["extension"]
        assert status["url"].endswith(STATUS)
        code = status["extension"][0]["valueCodeableConcept"]["coding"][0]["code"]
        numbers = [one["extension"][0]["valueUnsignedInt"] for one in counts]
        found[entry["resource"]["id"].removeprefix("peer-support-")] = (code, numbers)
    return found


def test_an_er_hears_who_could_come_and_never_who(room, ask):
    """Counts by way and minutes with Gravity's status, valid R4, no id, no attribute; nobody free is a waiting list."""
    enroll(room, [a_row("rosa"), a_row("sol", modalities="phone"), a_row("far", zip="14203")])
    status, bundle = ask()
    assert status == 200
    get_fhir_model_class("Bundle").model_validate(bundle)
    assert _statuses(bundle) == {
        "bedside": ("capacity", [1, 1, 1, 1]),
        "phone": ("capacity", [3]),
        "video": ("capacity", [2]),
    }
    assert not any(name in str(bundle) for name in ("rosa", "sol", "bronx-peers", "overdose"))
    status, bundle = ask(communication="vi", priority="routine")
    assert {code for code, _ in _statuses(bundle).values()} == {"waitlist"}
    assert _statuses(ask(communication="vi", interpreter_agreed="true")[1])["phone"] == ("capacity", [3])
    assert _statuses(ask(minutes_until_departure="30")[1])["bedside"] == ("capacity", [1, 1])


@pytest.mark.parametrize(
    ("parameters", "status", "code", "path"),
    [
        ({"role": ""}, 401, "token-missing", None),
        ({"role": "engineer"}, 403, "role-not-allowed", None),
        ({"priority": "soon"}, 400, "unknown", "priority"),
        ({"attribute": "hiv"}, 400, "parameter-unknown", "attribute"),
        ({"minutes_until_departure": "9999"}, 400, "out-of-range", "minutes-until-departure"),
        ({"minutes_until_departure": "-1"}, 400, "out-of-range", "minutes-until-departure"),
        ({"interpreter_agreed": "1"}, 400, "not-a-boolean", "interpreter-agreed"),
        ({PLACE: "00000"}, 400, "unknown", PLACE),
    ],
)
def test_what_cannot_be_answered_names_its_parameter(ask, parameters, status, code, path):
    """An attribute cannot be asked for: counts would tell what somebody keeps to themselves."""
    told, outcome = ask(**parameters)
    get_fhir_model_class("OperationOutcome").model_validate(outcome)
    [issue] = outcome["issue"]
    assert (told, issue["details"]["coding"][0]["code"]) == (status, code)
    assert issue.get("expression") == ([path] if path else None)


def test_the_statement_says_exactly_what_the_search_takes(ask):
    """Open to everybody, valid R4; each parameter it names is taken, and one it does not name is refused."""
    status, found = ask(role="", path="/fhir/metadata")
    assert status == 200
    get_fhir_model_class("CapabilityStatement").model_validate(found)
    [resource] = found["rest"][0]["resource"]
    assert resource["type"] == "HealthcareService" and resource["interaction"] == [{"code": "search-type"}]
    values = {"priority": "asap", "communication": "en", "interpreter-agreed": "true", "age-band": "adult"}
    values |= {"payer": "medicaid", "minutes-until-departure": "40", PLACE: "10451"}
    assert {one["name"] for one in resource["searchParam"]} == values.keys()
    assert ask(**values)[0] == 200
    assert ask(name="peer-support-phone")[0] == 400
