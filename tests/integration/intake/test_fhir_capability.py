"""The CapabilityStatement against the routes and against a running server: all it promises, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from chassis import settings
from services.intake.fhir import limited, searching
from services.intake.fhir.server import routes
from services.intake.r4 import validator
from services.intake.settings import Settings
from tests.integration.intake.fhir_client import Fhir, codes
from tests.integration.intake.intake_processes import Er

# Interaction -> how it is asked for, in R4's own words (http.html); "{}" is where an id stands.
ASKED = {
    "read": ("GET", "/{}"),
    "vread": ("GET", "/{}/_history/1"),
    "update": ("PUT", "/{}"),
    "patch": ("PATCH", "/{}"),
    "delete": ("DELETE", "/{}"),
    "history-instance": ("GET", "/{}/_history"),
    "history-type": ("GET", "/_history"),
    "create": ("POST", ""),
    "search-type": ("GET", ""),
}
NOT_HERE = {"no-such-path", "no-such-method"}


@pytest.fixture(scope="module")
def fhir(er: Er) -> Fhir:
    """St Brigid's record system, which may also subscribe."""
    return Fhir(replace(er, role="system"))


@pytest.fixture(scope="module")
def statement(fhir: Fhir) -> dict[str, Any]:
    """What the server says of itself."""
    answer = fhir.get("metadata")
    assert (answer.status_code, validator.check(answer.json())) == (200, [])
    return answer.json()


def _is_here(fhir: Fhir, method: str, path: str) -> bool:
    """True where something answers, whatever it says."""
    body = b"{}" if method in ("POST", "PUT", "PATCH") else None
    answer = fhir.send(method, path, body)
    if path.endswith("/_history"):  # else taken for an id that nobody has
        return answer.status_code not in (404, 405)
    if answer.status_code in (404, 405):
        return not NOT_HERE & set(codes(answer))
    return True


def test_each_interaction_is_promised_where_it_answers_and_nowhere_else(
    fhir: Fhir, statement: dict[str, Any]
):
    """For every type and interaction of R4 the statement and the running server agree."""
    promised = {
        (one["type"], interaction["code"])
        for one in statement["rest"][0]["resource"]
        for interaction in one.get("interaction", [])
    }
    types = {one["type"] for one in statement["rest"][0]["resource"]} | {"Patient", "Encounter"}
    answering = {
        (name, code)
        for name in types
        for code, (method, path) in ASKED.items()
        if _is_here(fhir, method, name + path.format("ref-nobody"))
    }
    assert answering == promised
    assert [one["code"] for one in statement["rest"][0]["interaction"]] == ["transaction"]
    assert _is_here(fhir, "POST", "") and not _is_here(fhir, "GET", "_history")


def test_every_route_is_promised(statement: dict[str, Any]):
    """No path is served that the statement does not speak of."""
    resources = {one["type"]: one for one in statement["rest"][0]["resource"]}
    for route in routes(None):  # type: ignore[arg-type]
        name, _, rest = route.path.removeprefix("/fhir").lstrip("/").partition("/")
        if name in ("", "metadata"):
            continue
        if rest.startswith("$"):
            assert rest[1:] in [one["name"] for one in resources[name]["operation"]]
            continue
        shape = "/" + rest if rest else ""
        said = {one["code"] for one in resources[name]["interaction"]}
        if shape == "/_search":
            assert "search-type" in said
            continue
        shape = shape.replace("{id}", "{}").replace("{version}", "1")
        served = {
            code for code, asked in ASKED.items() if asked[1] == shape and asked[0] in (route.methods or ())
        }
        assert served and served <= said, route.path


def test_each_search_parameter_is_understood_and_no_other(fhir: Fhir, statement: dict[str, Any]):
    """A promised parameter is taken in strict handling; R4's others are refused there, and passed over else."""
    values = {"date": "2026-01-01", "token": "requested", "reference": "Patient/1"}
    exact = {
        "priority": "stat",
        "business-status": "2.0",
        "focus": "ServiceRequest/1",
        ("ServiceRequest", "status"): "active",
        ("Consent", "status"): "active",
    }
    sought = [one for one in statement["rest"][0]["resource"] if one["type"] in searching.PARAMETERS]
    assert {one["type"] for one in sought} == {"Task", "ServiceRequest", "Consent"}
    for one in sought:
        for parameter in one["searchParam"]:
            name = parameter["name"]
            value = exact.get((one["type"], name)) or exact.get(name) or values[parameter["type"]]
            answer = fhir.get(f"{one['type']}?{name}={value}", Prefer="handling=strict")
            assert answer.status_code == 200, (one["type"], name, answer.text)
        for stranger in ("code", "encounter", "performer", "_text", "_has:Task:x"):
            strict = fhir.get(f"{one['type']}?{stranger}=x", Prefer="handling=strict")
            assert (strict.status_code, codes(strict)) == (400, ["search-parameter-unknown"])
            lenient = fhir.get(f"{one['type']}?{stranger}=x&_summary=count")
            assert stranger not in json.dumps(lenient.json()["link"])


def test_the_limits_told_are_those_that_are_set(statement: dict[str, Any], intake_environ: dict[str, str]):
    """Each limit of the statement is the one this very process was started with."""
    assert intake_environ["KINDRED_MAX_BODY_BYTES"] == "200000"
    assert _limits(statement) == limited.most_of(settings.read(Settings, intake_environ))


def test_what_is_beyond_a_limit_is_refused(fhir: Fhir, statement: dict[str, Any]):
    """The told size of a body, of a page and of a search are the ones that count."""
    most = _limits(statement)
    assert fhir.send("POST", "", b"x" * (most["body-bytes"] + 1)).status_code == 413
    assert f"_count={most['search-page']}" in fhir.get("Task?_count=100000").text
    crowded = "&".join(["status=requested"] * (most["search-parameters"] + 1))
    assert codes(fhir.get(f"Task?{crowded}")) == ["search-too-long"]


def _limits(statement: dict[str, Any]) -> dict[str, int]:
    rows = [one["extension"] for one in statement["rest"][0]["extension"]]
    return {name["valueCode"]: most["valueInteger"] for name, most in rows}


def test_conditions_and_versions_are_as_promised(fhir: Fhir, statement: dict[str, Any]):
    """What is said of versions and conditions is what the tests of the doors prove."""
    for one in statement["rest"][0]["resource"]:
        if one["type"] in ("Task", "ServiceRequest"):
            assert one["versioning"] == "versioned-update"
            assert (one["conditionalCreate"], one["conditionalRead"], one["updateCreate"]) == (
                True,
                "not-match",
                False,
            )
    assert statement["format"] == ["application/fhir+json", "json"]
    assert statement["patchFormat"] == ["application/json-patch+json"]
    assert statement["fhirVersion"] == "4.0.1"


def test_it_says_how_systems_sign_in(fhir: Fhir, statement: dict[str, Any]):
    """The statement and SMART's discovery document name the same token endpoint."""
    security = statement["rest"][0]["security"]
    told = fhir.send("GET", ".well-known/smart-configuration").json()
    assert security["service"][0]["coding"][0]["code"] == "SMART-on-FHIR"
    assert security["extension"][0]["extension"] == [{"url": "token", "valueUri": told["token_endpoint"]}]
