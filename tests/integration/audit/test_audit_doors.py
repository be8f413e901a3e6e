"""The two processes of audit as others see them: events in by the bus, answers out by gRPC."""

import json
import os
import shutil
from collections.abc import Iterator

import grpc
import pytest
from typer.testing import CliRunner

from chassis.grpc_client import channel
from chassis.identity import mint
from cli import verify
from cli.app import app
from kindred.audit.v1 import audit_pb2 as pb
from kindred.audit.v1.audit_pb2_grpc import AuditServiceStub
from tests.audit_builders import a_read, a_submission, an_envelope
from tests.integration.audit.processes import running, until

WAIT_S = 20


@pytest.fixture
def address(environ, broker, tmp_path) -> Iterator[str]:
    """A running api, which has no private key of the log's, and a worker; where to call."""
    public = shutil.copytree(environ["KINDRED_KEYS_DIR"], tmp_path / "public-keys")
    (public / "audit.signer.pem").unlink()
    with (
        running("worker", environ, tmp_path) as worker,
        running("api", environ, tmp_path, KINDRED_KEYS_DIR=str(public)) as api,
    ):
        worker.ready()
        yield f"127.0.0.1:{api.ready()['grpc_port']}"


@pytest.fixture
def call(address, keys_dir):
    """A stub for somebody with a role and a purpose."""
    opened = []

    def stub(role: str, purpose: str = "") -> AuditServiceStub:
        token = mint((keys_dir / "issuer.pem").read_bytes(), actor_id=f"{role}-1", role=role)
        opened.append(channel(address, token=token, purpose=purpose))
        return AuditServiceStub(opened[-1])

    yield stub
    for each in opened:
        each.close()


def _search(stub: AuditServiceStub, **wanted) -> pb.SearchEntriesResponse:
    return stub.SearchEntries(pb.SearchEntriesRequest(**wanted), timeout=WAIT_S)


def test_what_was_heard_is_found_and_proven(call, broker, log):
    """An event on the bus is an entry with who, what, why and trace, provable with nothing of ours."""
    broker.say([an_envelope(a_read(), producer_seq=1), an_envelope(a_submission(), producer_seq=2)])
    officer = call("compliance", "HCOMPL")
    until("both entries", lambda: log.size >= 2)
    assert {each.event_type for each in _search(officer, referral_id="ref_1").entries} >= {
        "record.read.v1",
        "referral.submitted.v1",
    }
    entry = next(
        each
        for each in _search(officer, peer_id="peer_rosa").entries
        if each.event_type == "record.read.v1" and each.actor_id == "nurse-17"
    )
    assert (entry.actor_role, entry.purpose_of_use, entry.outcome) == ("nurse", "TREAT", "success")
    assert entry.trace_id == "0af7651916cd43dd8448eb211c80319c"
    assert '"resourceType":"AuditEvent"' in entry.fhir_json

    signed = officer.GetCheckpoint(pb.GetCheckpointRequest(), timeout=WAIT_S)
    checkpoint = verify.open_checkpoint(signed.checkpoint, verify.read_key(signed.verifier_key))
    leaves = [
        leaf
        for part in officer.ReadLeaves(pb.ReadLeavesRequest(end=checkpoint.size), timeout=WAIT_S)
        for leaf in part.leaves
    ]
    verify.check_leaves(leaves, checkpoint, None)
    proof = officer.ProveInclusion(
        pb.ProveInclusionRequest(index=entry.index, tree_size=checkpoint.size), timeout=WAIT_S
    )
    verify.check_inclusion(entry.leaf, entry.index, checkpoint.size, list(proof.hashes), checkpoint.root)


def test_reading_the_log_becomes_an_entry_of_the_log(call, broker):
    """A search is found by the next search: who searched, with which criteria, for which purpose."""
    officer = call("compliance", "HCOMPL")
    broker.say([an_envelope(a_read(), producer_seq=1)])
    assert _search(officer, actor_id="nurse-17") is not None
    found = until(
        "the search itself",
        lambda: [
            each for each in _search(officer, actor_id="compliance-1").entries if each.producer == "audit"
        ],
    )
    assert found[0].event_type == "record.read.v1"
    assert found[0].purpose_of_use == "HCOMPL"
    assert "AuditEvent" in found[0].fhir_json


@pytest.mark.parametrize(
    ("role", "purpose", "code"),
    [
        ("nurse", "TREAT", "role-not-allowed"),
        ("engineer", "HCOMPL", "role-not-allowed"),
        ("compliance", "", "purpose-not-allowed"),
        ("compliance", "TREAT", "purpose-not-allowed"),
    ],
)
def test_a_refused_search_is_denied_and_is_an_entry(call, role, purpose, code):
    """Who may not search is refused, and the officer finds the attempt."""
    with pytest.raises(grpc.RpcError) as refused:
        _search(call(role, purpose))
    assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED
    officer = call("compliance", "PATRQT")
    found = until(
        "the denial", lambda: _search(officer, event_type="access.denied.v1", actor_id=f"{role}-1").entries
    )
    assert found[0].outcome == "refused" and code in found[0].fhir_json


def test_leaves_and_checks_are_for_those_who_verify(call):
    """A nurse may have checkpoint and proofs, which say nothing about anybody, but neither leaves nor a check."""
    nurse = call("nurse")
    assert nurse.GetCheckpoint(pb.GetCheckpointRequest(), timeout=WAIT_S).checkpoint
    for refused_call in (
        lambda: list(nurse.ReadLeaves(pb.ReadLeavesRequest(), timeout=WAIT_S)),
        lambda: nurse.CheckLog(pb.CheckLogRequest(), timeout=WAIT_S),
    ):
        with pytest.raises(grpc.RpcError) as refused:
            refused_call()
        assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED


def test_bad_requests_are_named(call, broker):
    """A bad page token, limit or index is INVALID_ARGUMENT."""
    officer = call("compliance", "HCOMPL")
    for bad in (
        lambda: _search(officer, page_token="nonsense"),
        lambda: _search(officer, limit=-1),
        lambda: officer.ProveInclusion(pb.ProveInclusionRequest(index=10**6), timeout=WAIT_S),
        lambda: officer.ProveConsistency(pb.ProveConsistencyRequest(old_size=0), timeout=WAIT_S),
    ):
        with pytest.raises(grpc.RpcError) as refused:
            bad()
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_the_command_fetches_pages_until_its_limit(address, environ, broker, log, monkeypatch, tmp_path):
    """`kindred audit search` shows as many entries as asked for, though one message holds a few, each once."""
    envelopes = [an_envelope(content=os.urandom(60_000), producer_seq=each) for each in range(1, 26)]
    broker.say(envelopes)
    until("the entries", lambda: log.size >= 25)
    monkeypatch.setenv("KINDRED_AUDIT_GRPC", address)
    monkeypatch.setenv("KINDRED_KEYS_DIR", environ["KINDRED_KEYS_DIR"])
    monkeypatch.setenv("KINDRED_VAR", str(tmp_path))  # no certificates of a system that was started here

    def shown(limit: int) -> list[str]:
        asked = ["audit", "search", "--type", "weather.changed.v9", "--limit", str(limit), "--json"]
        result = CliRunner().invoke(app, asked)
        assert result.exit_code == 0, result.output
        told = json.loads(result.stdout)
        assert told["searched"]["from"] is None and f"\n{told['searched']['size']}\n" in told["checkpoint"]
        return [entry["event_id"] for entry in told["entries"]]

    assert len(shown(20)) == len(set(shown(20))) == 20
    assert sorted(shown(5_000_000_000)) == sorted(each.id for each in envelopes)


def test_a_check_over_the_api_finds_an_edit_made_beside_it(call, broker, log):
    """The officer's check says nothing of a whole log and names an entry that was changed behind its back."""
    broker.say([an_envelope(a_read(), producer_seq=each) for each in range(1, 21)])
    until("the entries", lambda: log.size >= 20)
    officer = call("compliance", "HCOMPL")
    report = officer.CheckLog(pb.CheckLogRequest(), timeout=WAIT_S)
    assert not report.findings and report.entries_checked == report.tree_size
    assert any(each.producer == "intake" and each.highest_seq == 20 for each in report.producers)
    log.room.store.entries.update_one({"_id": 7}, {"$set": {"body": b"something else"}})
    findings = officer.CheckLog(pb.CheckLogRequest(), timeout=WAIT_S).findings
    assert [(each.code, each.index) for each in findings] == [("body-changed", 7)]
