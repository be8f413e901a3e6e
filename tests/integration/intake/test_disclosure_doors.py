"""Disclosure and consent over real sockets: the assigned specialist is told, a Consent is updated and taken back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Any

import grpc
import pytest

from chassis import grpc_client, identity
from chassis.rich_status import refused
from kindred.intake.v1 import intake_pb2, intake_pb2_grpc
from kindred.matching.v1.events_pb2 import OfferAccepted
from services.intake.domain.disclosure import STATEMENT_1
from tests.bundles import a_bundle
from tests.integration.intake.fhir_client import Fhir, codes
from tests.integration.intake.intake_processes import Bus, Er, Process, referral_of, running, until


@pytest.fixture(scope="module", autouse=True)
def worker(
    intake_environ: dict[str, str], bus: Bus, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Process]:
    """The role that hears matching."""
    with running("worker", intake_environ, tmp_path_factory.mktemp("worker")) as process:
        process.ready()
        yield process


@pytest.fixture
def fhir(er: Er) -> Fhir:
    """St Brigid's record system."""
    return Fhir(er)


def resolve(api: Process, er: Er, referral_id: str, **given: str) -> Any:
    """ResolvePerson as Ruth of Harbor, or as somebody else."""
    who = {"actor_id": "spec-ruth", "role": "specialist", "organization_id": "harbor", "purpose": "TREAT"}
    who |= given
    purpose = who.pop("purpose")
    token = identity.mint(er.issuer_pem, **who)
    address = f"127.0.0.1:{api.ready()['grpc_port']}"
    with grpc_client.channel(address, token=token, purpose=purpose) as channel:
        request = intake_pb2.ResolvePersonRequest(referral_id=referral_id)
        return intake_pb2_grpc.IntakeServiceStub(channel).ResolvePerson(request, timeout=15)


def an_assigned(er: Er, bus: Bus, number: str, programme_id: str = "") -> str:
    """A referral that Ruth accepted, as far as intake has heard."""
    referral_id = referral_of(er.post(a_bundle(number)))
    who = {"specialist_id": "spec-ruth", "programme_id": programme_id}
    bus.say(OfferAccepted(referral_id=referral_id, offer_id=f"off-{number}", **who))
    until(
        "assigned",
        lambda: bus.said("referral.status-changed.v1", referral_id=referral_id, status="assigned"),
    )
    return referral_id


def test_the_assigned_specialist_is_told_over_grpc(api: Process, er: Er, bus: Bus):
    """Name, note and how to call, with the notice and the scope; the log gets the notice's hash, never the name."""
    referral_id = an_assigned(er, bus, "told-1")
    told = resolve(api, er, referral_id)
    assert (told.person.given_name, told.person.family_name) == ("Testperson", "Marlowetold-1")
    assert (told.person.record_number, told.person.birth_date) == ("", "")
    assert told.note == "Prefers to be called by the middle name."
    assert told.redisclosure_notice == STATEMENT_1.text
    assert (told.consent_id, told.consent_version, told.confidentiality) == ("con" + referral_id[3:], 1, "R")
    assert told.consent_scope.startswith("The person consented to")
    (made,) = until("the disclosure", lambda: bus.said("disclosure.made.v1", referral_id=referral_id))
    assert made.notice_sha256 == sha256(told.redisclosure_notice.encode()).digest()
    assert (made.recipient_id, made.provenance.purpose_of_use) == ("spec-ruth", "TREAT")
    assert b"Marlowe" not in made.SerializeToString()


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"role": "supervisor", "actor_id": "sup-1"}, "disclosure-not-for-role"),
        ({"purpose": "HRESCH"}, "purpose-not-allowed"),
        ({"purpose": ""}, "purpose-not-allowed"),
    ],
)
def test_whoever_else_asks_is_denied_once_on_record(
    api: Process, er: Er, bus: Bus, given: dict[str, str], code: str
):
    """The reason is told, and is in the trail exactly once, under the referral."""
    referral_id = an_assigned(er, bus, f"denied-{code}-{len(given)}-{given.get('purpose', 'x')}")
    with pytest.raises(grpc.RpcError) as error:
        resolve(api, er, referral_id, **given)
    refusal = refused(error.value)
    assert refusal is not None and refusal.code == code
    assert error.value.code() == grpc.StatusCode.PERMISSION_DENIED
    until("the denial", lambda: bus.said("access.denied.v1", record_id=referral_id, reason_code=code))
    referral_of(er.post(a_bundle(f"marker-{code}-{len(given)}-{given.get('purpose', 'x')}")))
    assert len(bus.said("access.denied.v1", record_id=referral_id, reason_code=code)) == 1
    assert not bus.said("access.denied.v1", record_id="", reason_code=code)
    assert not bus.said("disclosure.made.v1", referral_id=referral_id)


@pytest.mark.parametrize("given", [{"actor_id": "spec-omar"}, {"organization_id": "elsewhere"}])
def test_another_specialist_or_programme_finds_nobody_there(
    api: Process, er: Er, bus: Bus, given: dict[str, str]
):
    """An id that is somebody else's and one that is nobody's get the same answer; the trail knows the difference."""
    referral_id = an_assigned(er, bus, f"theirs-{next(iter(given))}", programme_id="harbor")
    answers = []
    for asked in (referral_id, "ref-01a2013374e67654908a797fe2d54b7d"):
        with pytest.raises(grpc.RpcError) as error:
            resolve(api, er, asked, **given)
        answers.append((error.value.code(), refused(error.value).code, error.value.details()))
    assert answers[0] == answers[1]
    assert answers[0][:2] == (grpc.StatusCode.NOT_FOUND, "referral-unknown")
    denial = {"record_id": referral_id, "reason_code": "not-your-assignment"}
    until("the denial", lambda: bus.said("access.denied.v1", **denial))
    assert not bus.said("disclosure.made.v1", referral_id=referral_id)
    assert resolve(api, er, referral_id).person.given_name == "Testperson"


def test_a_consent_that_is_sent_back_inactive_takes_it_back(api: Process, er: Er, bus: Bus, fhir: Fhir):
    """PUT with status inactive: revoked, stopped, shown as inactive, and nobody is told any more."""
    referral_id = an_assigned(er, bus, "inactive-1")
    path = f"Consent/con{referral_id[3:]}"
    shown = fhir.get(path)
    assert shown.json()["status"] == "active"
    answer = fhir.send("PUT", path, shown.json() | {"status": "inactive"}, If_Match=shown.headers["etag"])
    assert (answer.status_code, answer.json()["status"]) == (200, "inactive")
    until("revoked", lambda: bus.said("consent.revoked.v1", referral_id=referral_id))
    until("stopped", lambda: bus.said("referral.stopped.v1", referral_id=referral_id))
    with pytest.raises(grpc.RpcError) as error:
        resolve(api, er, referral_id)
    refusal = refused(error.value)
    assert refusal is not None and refusal.code == "consent-revoked"


def test_a_consent_that_says_no_is_the_version_that_counts(er: Er, bus: Bus, fhir: Fhir):
    """PUT with a denial: the next version is the no, and everything stops."""
    referral_id = referral_of(er.post(a_bundle("no-1")))
    path = f"Consent/con{referral_id[3:]}"
    shown = fhir.get(path)
    no = shown.json() | {"provision": {"type": "deny"}}
    answer = fhir.send("PUT", path, no, If_Match=shown.headers["etag"])
    assert (answer.status_code, answer.json()["status"]) == (200, "rejected")
    recorded = until(
        "recorded", lambda: bus.said("consent.recorded.v1", referral_id=referral_id, is_permitted=False)
    )
    assert [(one.consent_version, one.reason_code) for one in recorded] == [(2, "consent-refused")]
    assert fhir.get(f"Task/{referral_id}").json()["status"] == "cancelled"


def test_a_new_version_of_a_consent_goes_on(er: Er, bus: Bus, fhir: Fhir):
    """PUT with a shorter period is version 2; the same again, unchanged or stale, is not version 3."""
    referral_id = referral_of(er.post(a_bundle("version-2")))
    path = f"Consent/con{referral_id[3:]}"
    shown = fhir.get(path)
    unchanged = fhir.send("PUT", path, shown.json(), If_Match=shown.headers["etag"])
    assert (unchanged.status_code, unchanged.headers["etag"]) == (200, shown.headers["etag"])
    shorter = shown.json() | {"provision": {"type": "permit", "period": {"end": "2999-01-01"}}}
    answer = fhir.send("PUT", path, shorter, If_Match=shown.headers["etag"])
    assert answer.status_code == 200, answer.text
    parts = answer.json()["extension"][0]["extension"]
    assert {"url": "version", "valueInteger": 2} in parts
    assert fhir.send("PUT", path, shorter, If_Match=shown.headers["etag"]).status_code == 412
    until("version 2", lambda: bus.said("consent.recorded.v1", referral_id=referral_id, consent_version=2))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"provision": {"type": "permit", "period": {"end": "2020-01-01"}}}, "over"),
        (
            {
                "provision": {
                    "type": "permit",
                    "actor": [{"role": {"text": "x"}, "reference": {"display": "Elm St"}}],
                }
            },
            "narrow",
        ),
    ],
)
def test_a_document_that_permits_nothing_any_more_stops_the_referral(
    er: Er, bus: Bus, fhir: Fhir, change: dict[str, Any], name: str
):
    """To end a consent by its period, or to narrow it to others, is to take it back (P7)."""
    referral_id = referral_of(er.post(a_bundle(f"useless-{name}")))
    path = f"Consent/con{referral_id[3:]}"
    shown = fhir.get(path)
    answer = fhir.send("PUT", path, shown.json() | change, If_Match=shown.headers["etag"])
    assert answer.status_code == 200, answer.text
    assert fhir.get(path).json()["status"] == "inactive"
    until("stopped", lambda: bus.said("referral.stopped.v1", referral_id=referral_id))


def test_an_older_document_changes_nothing(er: Er, fhir: Fhir):
    """A consent that was signed before the one that is here is refused, and widens nothing."""
    referral_id = referral_of(er.post(a_bundle("older-1")))
    path = f"Consent/con{referral_id[3:]}"
    shown = fhir.get(path)
    older = shown.json() | {"dateTime": "2020-01-01T10:00:00Z", "provision": {"type": "permit"}}
    answer = fhir.send("PUT", path, older, If_Match=shown.headers["etag"])
    assert (answer.status_code, codes(answer)) == (400, ["consent-older"])
    assert fhir.get(path).json()["status"] == "active"


def test_a_bundle_that_says_no_ends_what_the_yes_began(er: Er, bus: Bus, fhir: Fhir):
    """A newer refusal of the same person is refused as a referral, and stops the one that is open."""
    made = a_bundle("twice-1")
    referral_id = referral_of(er.post(made))
    refusal = next(one for one in made["entry"] if one["resource"]["resourceType"] == "Consent")
    refusal["resource"]["provision"] = {"type": "deny"}
    answer = er.post(made)
    assert (answer.status_code, codes(answer)) == (400, ["consent-refused"])
    until("stopped", lambda: bus.said("referral.stopped.v1", referral_id=referral_id))
    assert fhir.get(f"Task/{referral_id}").json()["status"] == "cancelled"


def test_what_is_shown_carries_its_labels(er: Er, fhir: Fhir):
    """Task, ServiceRequest, Consent and the searchset have R, 42CFRPart2 and NORDSCLCD."""
    referral_id = referral_of(er.post(a_bundle("labels-1")))
    for path in (
        f"Task/{referral_id}",
        f"ServiceRequest/{referral_id}",
        f"Consent/con{referral_id[3:]}",
        f"Task?_id={referral_id}",
    ):
        found = [one["code"] for one in fhir.get(path).json()["meta"]["security"]]
        assert found[0] == "R" and {"42CFRPart2", "NORDSCLCD", "SUD"} <= set(found), path


def test_another_organization_changes_nothing(er: Er, fhir: Fhir):
    """Only the source updates its consent."""
    referral_id = referral_of(er.post(a_bundle("foreign-1")))
    path = f"Consent/con{referral_id[3:]}"
    shown = fhir.get(path)
    stranger = Fhir(replace(er, organization_id="er-elsewhere"))
    answer = stranger.send("PUT", path, shown.json() | {"status": "inactive"}, If_Match=shown.headers["etag"])
    assert (answer.status_code, codes(answer)) == (404, ["referral-unknown"])
    assert fhir.get(path).json()["status"] == "active"
