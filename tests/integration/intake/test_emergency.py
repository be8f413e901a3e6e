"""42 CFR 2.51 over a real socket: the four facts are on record before anything is told; a dissent stands."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from chassis import grpc_client, identity
from chassis.rich_status import refused
from kindred.intake.v1 import emergency_pb2, emergency_pb2_grpc, intake_pb2, intake_pb2_grpc
from tests.bundles import a_bundle
from tests.integration.intake.intake_processes import Bus, Er, Process, referral_of, until

FACTS = {"recipient_id": "dr-okafor", "recipient_affiliation": "Lakeside ICU", "nature_code": "overdose"}


def disclose(api: Process, er: Er, referral_id: str, purpose: str = "ETREAT", **given: str) -> Any:
    """DiscloseInEmergency as Ada, the source's nurse, or as somebody else."""
    facts = FACTS | {name: value for name, value in given.items() if name in FACTS}
    who = {"actor_id": "nurse-ada", "role": "nurse", "organization_id": "er-st-brigid"}
    who |= {name: value for name, value in given.items() if name in who}
    token = identity.mint(er.issuer_pem, **who)
    with grpc_client.channel(
        f"127.0.0.1:{api.ready()['grpc_port']}", token=token, purpose=purpose
    ) as channel:
        request = emergency_pb2.DiscloseInEmergencyRequest(referral_id=referral_id, **facts)
        return emergency_pb2_grpc.EmergencyServiceStub(channel).DiscloseInEmergency(request, timeout=15)


@pytest.fixture(scope="module")
def referral_id(er: Er) -> str:
    """Somebody who was referred."""
    return referral_of(er.post(a_bundle("-emergency")))


def test_who_they_are_is_told_after_the_four_facts_are_on_record(api, er, bus: Bus, referral_id):
    """Recipient and affiliation, discloser, date and time, nature: 2.51(c)."""
    told = disclose(api, er, referral_id)
    assert told.person.family_name == "Marlowe-emergency"
    (said,) = until("on record", lambda: bus.said("emergency.declared.v1", referral_id=referral_id))
    assert (said.recipient_id, said.recipient_affiliation) == ("dr-okafor", "Lakeside ICU")
    assert (said.discloser_id, said.nature_code) == ("nurse-ada", "overdose") and said.occurred_at.seconds
    assert said.provenance.peer_id.startswith("peer_") and said.provenance.purpose_of_use == "ETREAT"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"purpose": "TREAT"}, "purpose-not-allowed"),
        ({"role": "specialist"}, "role-not-allowed"),
        ({"organization_id": "er-lakeside"}, "referral-unknown"),
        ({"recipient_affiliation": ""}, "missing"),
        ({"nature_code": "busy day"}, "word-unknown"),
    ],
)
def test_without_right_or_fact_nothing_is_told(api, er, bus: Bus, referral_id, given, code):
    """Another role, purpose or hospital, a fact that is missing or none: refused, with its code."""
    before = len(bus.said("emergency.declared.v1", referral_id=referral_id))
    with pytest.raises(grpc.RpcError) as failed:
        disclose(api, er, referral_id, **given)
    assert refused(failed.value).code == code
    assert len(bus.said("emergency.declared.v1", referral_id=referral_id)) == before


def test_an_emergency_is_no_override_of_a_dissent(api, er, bus: Bus):
    """Who took their consent back is told to nobody, and that somebody tried is in the trail."""
    referral_id = referral_of(er.post(a_bundle("-dissent")))
    token = identity.mint(er.issuer_pem, actor_id="nurse-ada", role="nurse", organization_id="er-st-brigid")
    address = f"127.0.0.1:{api.ready()['grpc_port']}"
    with grpc_client.channel(address, token=token, purpose="TREAT") as channel:
        asked = intake_pb2.RevokeConsentRequest(referral_id=referral_id)
        intake_pb2_grpc.IntakeServiceStub(channel).RevokeConsent(asked, timeout=15)
    with pytest.raises(grpc.RpcError) as failed:
        disclose(api, er, referral_id)
    assert refused(failed.value).code == "emergency-dissent"
    until("denied", lambda: bus.said("access.denied.v1", reason_code="emergency-dissent"))
