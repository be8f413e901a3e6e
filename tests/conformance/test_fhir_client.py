"""An unmodified standard client, fhirpy, against a running intake: submit, poll, find, correct and cancel."""

from __future__ import annotations

import pytest
from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import (
    ForbiddenError,
    MultipleResourcesFound,
    OperationOutcome,
    ResourceNotFound,
)

from tests.bundles import a_bundle
from tests.integration.intake.conftest import (  # noqa: F401  the running intake of the integration tests
    api,
    bus,
    er,
    intake_database,
    intake_environ,
    intake_keys,
)
from tests.integration.intake.fhir_client import a_request, a_task
from tests.integration.intake.intake_processes import Er, until

REASONS = "https://kindred.example/fhir/CodeSystem/referral-reason"


@pytest.fixture(scope="module")
def client(er: Er) -> SyncFHIRClient:  # noqa: F811
    """What a hospital writes: an address, a token, and why it asks."""
    return SyncFHIRClient(
        f"{er.base}/fhir",
        authorization=f"Bearer {er.token}",
        extra_headers={"X-Purpose-Of-Use": "TREAT"},
    )


def test_a_client_submits_polls_and_cancels(client: SyncFHIRClient):
    """A ServiceRequest is saved, its Task polled and found, and the Task that was read is saved as cancelled."""
    request = client.resource(**_typed(a_request("fhirpy-1")))
    request.save()
    assert request.id.startswith("ref-")
    task = client.resources("Task").search(focus=f"ServiceRequest/{request.id}").first()
    assert (task.id, task["status"]) == (request.id, "requested")
    assert task["focus"].to_resource()["status"] == "active"
    polled = until(
        "polled",
        lambda: client.reference("Task", task.id).to_resource().get_by_path(["businessStatus", "text"]),
    )
    assert polled == "submitted"
    task["status"] = "cancelled"
    task["statusReason"] = {"coding": [{"system": REASONS, "code": "no-longer-needed"}]}
    task.save()
    assert (task["status"], task["meta"]["versionId"]) == ("cancelled", "2")
    task.refresh()
    assert client.reference("ServiceRequest", request.id).to_resource()["status"] == "revoked"


def test_a_client_submits_a_transaction_and_a_task(client: SyncFHIRClient):
    """A transaction by execute, and a Task in Gravity's manner by create, are referrals too."""
    answer = client.execute("", data=a_bundle("fhirpy-2"))
    places = [entry["response"].get("location", "") for entry in answer["entry"]]
    referral_id = next(place for place in places if place).split("/")[1]
    assert client.get("Task", referral_id)["status"] == "requested"
    task = client.resource(**_typed(a_task("fhirpy-3")))
    assert task.is_valid()
    task.create()
    assert task["identifier"][1]["value"] == "ORD-fhirpy-3"


def test_a_client_pages_and_corrects(client: SyncFHIRClient):
    """fetch_all follows the links; a request that was read and changed is saved; a stale one is refused."""
    for number in range(3):
        client.resource(**_typed(a_request(f"fhirpy-page-{number}"))).save()
    found = client.resources("ServiceRequest").limit(2).sort("-authored").fetch_all()
    assert len({one.id for one in found}) == len(found) >= 3
    stale, fresh = found[0], client.reference("ServiceRequest", found[0].id).to_resource()
    fresh["note"] = [{"text": "Speaks softly."}]
    fresh.save()
    assert fresh["meta"]["versionId"] == "2"
    with pytest.raises(MultipleResourcesFound):  # fhirpy's only name for 412
        stale.save()


def test_a_client_is_told_what_is_wrong(client: SyncFHIRClient, er: Er):  # noqa: F811
    """Faults arrive as the client's own OperationOutcome; strangers and unknown ids as its own errors."""
    with pytest.raises(OperationOutcome) as refused:
        client.resource(**_typed(a_request("fhirpy-4", priority="soon"))).save()
    assert refused.value.resource["issue"][0]["expression"] == ["ServiceRequest.priority"]
    with pytest.raises(ResourceNotFound):
        client.get("Task", "ref-nobody")
    purposeless = SyncFHIRClient(f"{er.base}/fhir", authorization=f"Bearer {er.token}")
    with pytest.raises(ForbiddenError):
        purposeless.resources("Task").fetch()
    with pytest.raises(OperationOutcome) as deleted:
        client.delete("Task", "ref-nobody")
    assert "entered-in-error" in str(deleted.value)


def _typed(made: dict) -> dict:
    return {"resource_type": made["resourceType"], **{k: v for k, v in made.items() if k != "resourceType"}}
