"""Matching as its own two processes on the real broker and the real mongod: referral in, offers out, one accepted."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import httpx
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from kombu import Connection, Producer

from chassis import catalog, grpc_client, identity, topology
from chassis.envelope import Envelope, to_amqp
from chassis.hearing import ears_of
from chassis.ids import new_id
from chassis.sealing import PrivateSeal
from cli.local import keys
from kindred.matching.v1 import matching_pb2 as pb
from kindred.matching.v1 import matching_pb2_grpc, roster_pb2, roster_pb2_grpc
from services.matching.worker import Worker
from tests.matching_room import a_row, a_submission

ROOT = Path(__file__).resolve().parents[3]


def until(what, ask, within_s=60.0):
    """The first truthy answer; fails, naming what was waited for, when there is none in time."""
    deadline = time.monotonic() + within_s
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"not within {within_s:.0f} s: {what}; last answer: {answer!r}"
        time.sleep(0.05)
    return answer


class Bus:
    """What others say to matching, and what it says, on the virtual host of these tests; the inbox starts empty."""

    def __init__(self, uri):
        self.connection = Connection(uri)
        self.channel = self.connection.default_channel
        topology.declare_service(self.channel, "matching", ears_of(Worker).binding_keys())
        self.channel.queue_purge(topology.inbox_name("matching"))
        self.tap = self.channel.queue_declare(exclusive=True).queue
        for event_type in ("offer.*.v1", "specialist.*.v1", "referral.escalated.v1", "access.denied.v1"):
            self.channel.queue_bind(self.tap, topology.EVENTS.name, event_type)
        self.said = []

    def submit(self, message):
        """The referral is on the bus as intake's relay would publish it."""
        envelope = Envelope(
            new_id("evt"),
            "referral.submitted.v1",
            "intake",
            datetime.now(UTC),
            message.referral_id,
            1,
            1,
            f"cor_{message.referral_id}",
            "",
            "",
            message.SerializeToString(),
        )
        properties, headers = to_amqp(envelope)
        producer = Producer(self.connection, exchange=topology.EVENTS, routing_key=envelope.type)
        producer.publish(envelope.data, headers=headers, **properties)
        return envelope

    def heard(self, event_type, count=1):
        """Those of the events of this type that came so far, once there are enough."""
        while (row := self.channel.basic_get(self.tap, no_ack=True)) is not None:
            kind = row.headers["cloudEvents:type"]
            self.said.append((kind, row.headers, catalog.message_class(kind).FromString(row.body)))
        found = [(headers, message) for kind, headers, message in self.said if kind == event_type]
        return found if len(found) >= count else None


@contextmanager
def process(role, environ, folder):
    """One role as a process, and the ports it told; stopped in the end, by force if it must be."""
    log = folder / f"{role}-{secrets.token_hex(4)}.log"
    path = f"{ROOT}{os.pathsep}{ROOT / 'gen'}"
    with log.open("wb") as out:
        popen = subprocess.Popen(
            [sys.executable, "-m", "services.matching", role],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": path, **environ},
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )

    def ready():
        assert popen.poll() is None, log.read_text()[-3000:]
        rows = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
        return next((row for row in rows if row["event"] == "ready"), None)

    try:
        yield popen, until(f"{role} ready", ready)
    finally:
        if popen.poll() is None:
            popen.send_signal(signal.SIGTERM)
            try:
                popen.wait(30)
            except subprocess.TimeoutExpired:
                popen.kill()
                popen.wait(10)


# What the hosts owe is proven for both in tests/integration/chassis; the whole service runs under the second one too in
# `make faults`.
@pytest.fixture(params=["nameko", pytest.param("threads", marks=pytest.mark.slow_faults)])
def system(request, database, mongo_uri, amqp_uri, tmp_path):
    """api and worker of matching, under either worker host."""
    environ = {
        "KINDRED_MONGO_URI": mongo_uri,
        "KINDRED_MONGO_DATABASE": database.name,
        "KINDRED_AMQP_URI": amqp_uri,
        "KINDRED_KEYS_DIR": str(keys.create(tmp_path / "keys")),
        "KINDRED_WORKER_HOST": request.param,
        "KINDRED_WAVE_SECONDS": "2,60",
        "KINDRED_WAVE_SIZES": "2,2",
    }
    with ExitStack() as stack:
        bus = Bus(amqp_uri)
        stack.callback(bus.connection.release)
        _, api = stack.enter_context(process("api", environ, tmp_path))
        stack.enter_context(process("worker", environ, tmp_path))
        issuer = (tmp_path / "keys" / "issuer.pem").read_bytes()

        def stub(role, actor_id, organization_id="bronx-peers", of=matching_pb2_grpc.MatchingServiceStub):
            token = identity.mint(issuer, actor_id=actor_id, role=role, organization_id=organization_id)
            address = f"127.0.0.1:{api['grpc_port']}"
            channel = stack.enter_context(grpc_client.channel(address, token=token, purpose="TREAT"))
            return of(channel)

        yield bus, stub, api, tmp_path


def _import(stub, rows):
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    parts = [lines[start : start + 700] for start in range(0, len(lines), 700)]
    requests = (pb.ImportRosterRequest(chunk=part, format="jsonl") for part in parts)
    return list(stub.ImportRoster(requests, timeout=30))[-1]


def _acceptance(offer_id, key="one"):
    promised = Timestamp()
    promised.FromDatetime(datetime.now(UTC) + timedelta(minutes=20))
    return pb.AcceptOfferRequest(
        offer_id=offer_id, idempotency_key=key, promised_arrival_at=promised, modality="phone"
    )


def test_a_referral_travels_from_the_bus_to_one_acceptance(system):
    """Roster in, referral heard, two offers out, silence, a wider wave, one wins, the loser hears it, a page opens."""
    bus, stub, api, folder = system
    coordinator = stub("coordinator", "ines")
    rows = [a_row(f"s{n}") for n in range(4)]
    final = _import(coordinator, [*rows, a_row("broken", zip="00000", capacity="many")])
    assert (final.is_final, final.rows_read, final.rows_stored) == (True, 5, 4)
    assert {(f.line, f.column, f.code) for f in final.faults} == {
        (5, "zip", "unknown-zip"),
        (5, "capacity", "not-a-count"),
    }
    assert len(until("enrolled", lambda: bus.heard("specialist.enrolled.v1", 4))) == 4

    sent = bus.submit(a_submission("ref_1"))
    first = until("first wave", lambda: bus.heard("offer.made.v1", 2))
    assert [m.specialist_id for _, m in first] == ["s0", "s1"]
    assert {h["cloudEvents:causationid"] for h, _ in first} == {sent.id}
    assert {h["cloudEvents:correlationid"] for h, _ in first} == {"cor_ref_1"}
    second = until("second wave", lambda: bus.heard("offer.made.v1", 4))[2:]
    assert [m.specialist_id for _, m in second] == ["s2", "s3"] and {m.wave for _, m in second} == {2}
    assert len(until("expired", lambda: bus.heard("offer.expired.v1", 2))) == 2
    assert until("escalated", lambda: bus.heard("referral.escalated.v1"))[0][1].is_exhausted is False

    winner, loser = second[0][1], second[1][1]
    seal = PrivateSeal.from_dir(folder / "keys", "notifications")
    token = seal.unseal(loser.sealed_link_token, f"offer-link:{loser.offer_id}").decode()
    link = f"http://127.0.0.1:{api['http_port']}/answer/{token}"
    assert httpx.get(link).status_code == 200

    yes = _acceptance(winner.offer_id)
    answer = stub("specialist", "s2").AcceptOffer(yes, timeout=5)
    assert answer.referral_id == "ref_1"
    assert stub("specialist", "s2").AcceptOffer(yes, timeout=5) == answer
    with pytest.raises(grpc.RpcError) as lost:
        stub("specialist", "s3").AcceptOffer(_acceptance(loser.offer_id), timeout=5)
    assert lost.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert httpx.get(link).status_code == 404
    until("accepted", lambda: bus.heard("offer.accepted.v1"))
    [(_, withdrawn)] = until("withdrawn", lambda: bus.heard("offer.withdrawn.v1"))
    assert withdrawn.specialist_id == "s3"

    case = coordinator.GetCase(pb.GetCaseRequest(referral_id="ref_1"), timeout=5)
    assert (case.state, case.wave, case.assigned_specialist_id) == ("assigned", 2, "s2")
    for offer in case.offers:
        assert offer.explanation.score_milli == sum(t.points_milli for t in offer.explanation.terms) > 0
        assert all(term.text for term in offer.explanation.terms)
    [own] = stub("specialist", "s2").ListOffers(pb.ListOffersRequest(), timeout=5).offers
    assert own.state == "accepted"

    roster = stub("coordinator", "ines", of=roster_pb2_grpc.RosterServiceStub)
    why = roster.WhyNot(roster_pb2.WhyNotRequest(referral_id="ref_1", specialist_id="s0"), timeout=10)
    assert (why.place, why.offer_state, list(why.rules)) == (1, "expired", [])
    parts = roster.ExportRoster(roster_pb2.ExportRosterRequest(format="fhir"), timeout=10)
    assert b"".join(part.chunk for part in parts).count(b'"PractitionerRole"') == 4

    with pytest.raises(grpc.RpcError) as refused:
        stub("specialist", "s2").GetCase(pb.GetCaseRequest(referral_id="ref_nothing"), timeout=5)
    assert refused.value.code() == grpc.StatusCode.NOT_FOUND
    with pytest.raises(grpc.RpcError) as refused:
        stub("nurse", "n").ListOffers(pb.ListOffersRequest(), timeout=5)
    assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED
    denied = (
        "role-not-allowed",
        lambda: [e for _, e in bus.heard("access.denied.v1") if e.reason_code == "role-not-allowed"],
    )
    assert until(*denied)


def test_a_header_that_is_not_ours_stops_the_import_with_every_fault_named(system):
    """A misspelled column is never silently ignored."""
    _, stub, _, _ = system
    requests = [pb.ImportRosterRequest(chunk=b"specialist_id,rool\nx,y\n", format="csv")]
    with pytest.raises(grpc.RpcError) as refused:
        list(stub("coordinator", "ines").ImportRoster(iter(requests), timeout=10))
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
