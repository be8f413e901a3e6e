"""An ER's record system that speaks FHIR over HTTP: every method, with the headers of R4."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import Any

import httpx

from services.intake.r4 import validator
from tests.bundles import a_bundle
from tests.integration.intake.intake_processes import Er
from tests.unit.intake.intake_builders import resource

# One for all: making one costs more than many requests.
_CLIENT = httpx.Client(timeout=30)


@dataclass(frozen=True)
class Fhir:
    """One organization's client; `er` says who and why."""

    er: Er

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """The answer; a resource in it is valid R4.  Header names are written with underscores."""
        said = self.er.headers() | {"Content-Type": "application/fhir+json"}
        said |= {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        url = path if "://" in path else f"{self.er.base}/fhir/{path}"
        answer = _CLIENT.request(method, url, content=content, headers=said)
        if answer.content and answer.headers["content-type"].startswith("application/fhir+json"):
            assert validator.check(answer.json()) == [], answer.text
        return answer

    def get(self, path: str, **headers: str) -> httpx.Response:
        """GET below /fhir."""
        return self.send("GET", path, **headers)

    def ids(self, path: str, **headers: str) -> list[str]:
        """The ids a search finds on its first page."""
        answer = self.get(path, **headers)
        assert answer.status_code == 200, answer.text
        return [entry["resource"]["id"] for entry in answer.json().get("entry", [])]


def codes(answer: httpx.Response) -> list[str]:
    """The codes of an OperationOutcome's issues."""
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome", answer.text
    return [issue["details"]["coding"][0]["code"] for issue in outcome["issue"]]


def places(answer: httpx.Response) -> list[str]:
    """Where the issues are."""
    return [path for issue in answer.json()["issue"] for path in issue.get("expression", [])]


def a_request(number: int | str, **given: Any) -> dict[str, Any]:
    """A ServiceRequest that contains its Patient, Encounter, Consent and requester."""
    made = a_bundle(number)
    request = copy.deepcopy(resource(made, "ServiceRequest"))
    named = {
        "Patient": "patient",
        "Encounter": "encounter",
        "Consent": "consent",
        "Practitioner": "clinician",
    }
    contained = []
    for kind, name in named.items():
        one = copy.deepcopy(resource(made, kind))
        text = json.dumps(one).replace("urn:uuid:", "#")
        contained.append({**json.loads(text), "id": name})
    contained[1].pop("serviceProvider")
    text = json.dumps(request).replace("urn:uuid:", "#")
    request = json.loads(text)
    request["supportingInfo"] = [{"reference": "#consent"}]
    request["contained"] = contained
    request["identifier"] = [{"system": "urn:oid:2.999.7", "value": f"ORD-{number}"}]
    return request | given


def a_task(number: int | str, **given: Any) -> dict[str, Any]:
    """A Task in Gravity's manner that contains the ServiceRequest it asks to be fulfilled, and everything around it."""
    request = a_request(number)
    contained = request.pop("contained")
    request["id"] = "order"
    return {
        "resourceType": "Task",
        "contained": [request, *contained],
        "identifier": [{"system": "urn:oid:2.999.8", "value": f"TASK-{number}"}],
        "status": "requested",
        "intent": "order",
        "code": {
            "coding": [{"system": "http://hl7.org/fhir/CodeSystem/task-code", "code": "fulfill"}],
        },
        "focus": {"reference": "#order"},
        "for": {"reference": "#patient"},
        "authoredOn": "2026-11-21T10:00:00Z",
        "requester": {"reference": "#clinician"},
        "owner": {"display": "Kindred"},
    } | given
