"""Each thing the doctor knows is found where it is wrong, and nothing is found where all is well."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.doctor import broker, doors, files, findings, wrapping
from cli.doctor.findings import Finding
from cli.local import access, authority, keys, rabbit, rights

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys, portions and passwords as `kindred up` makes them."""
    folder = tmp_path_factory.mktemp("var")
    keys.create(folder / "keys")
    for holder in (*keys.SERVICES, *keys.KEEPERS):
        keys.portion(folder / "keys", holder, folder / "keys" / holder)
    access.create(folder / "access")
    for user in rights.users():
        if user.name != rights.PRUNER:
            to = folder / "access" / user.name
            access.hand_out(folder / "access", to, user, "mongodb://127.0.0.1:1/", "amqp://127.0.0.1:1/k")
    return folder


@pytest.fixture
def var(made: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    shutil.copytree(made, tmp_path / "var")
    return tmp_path / "var"


def codes(found: Iterable[Finding]) -> list[str]:
    return [each.code for each in found]


def of_files(var: Path, now: datetime | None = None) -> list[str]:
    """All that is found in keys and passwords."""
    found = [*files.private(var / "keys"), *files.private(var / "access"), *files.complete(var / "keys")]
    return codes([*found, *files.addresses(var / "access"), *files.certificates(var / "keys", now)])


def test_a_fresh_set_of_keys_is_good(var: Path) -> None:
    """Nothing is found where nothing is wrong."""
    assert of_files(var) == []


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda var: (var / "keys" / "intake.master.key").chmod(0o640), "key-readable-by-others"),
        (lambda var: (var / "access" / "audit-api").chmod(0o755), "key-readable-by-others"),
        (lambda var: (var / "keys" / "witness" / "witness.pem").unlink(), "key-missing"),
        (lambda var: (var / "access" / "intake-api" / access.MONGO).unlink(), "key-missing"),
        (lambda var: access.give(var / "keys" / "matching", "issuer.pem", "x"), "key-misplaced"),
        (lambda var: access.give(var / "access" / "intake-api", access.PRUNER, "x"), "key-misplaced"),
    ],
)
def test_a_spoiled_folder_is_noticed(var: Path, spoil: Callable[[Path], None], code: str) -> None:
    """Read by others, missing, or where it does not belong: each is named once, by its file."""
    spoil(var)
    assert of_files(var) == [code]


def test_a_key_of_another_owner_is_noticed(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever owns a file can read it, whatever its mode says."""
    mine = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: mine + 1)
    assert set(codes(files.private(var / "keys"))) == {"key-of-another-owner"}


def test_certificates_that_end_are_noticed_in_time(var: Path) -> None:
    """A month before, afterwards, and the authority itself."""
    now = datetime.now(UTC)
    folder = var / "keys"
    leaf_ends, ends = timedelta(days=397), timedelta(days=3_650)
    assert set(codes(files.certificates(folder, now + leaf_ends - timedelta(days=20)))) == {
        "certificate-ends-soon"
    }
    assert set(codes(files.certificates(folder, now + leaf_ends + timedelta(days=1)))) == {
        "certificate-ended"
    }
    late = codes(files.certificates(folder, now + ends - timedelta(days=100)))
    assert late[0] == "authority-ends-soon"
    assert codes(files.certificates(folder, now + ends + timedelta(days=1)))[0] == "authority-ended"
    authority.follow(folder, keys.HOLDERS)
    assert "authority-ends-soon" not in codes(files.certificates(folder, now + ends - timedelta(days=100)))


def test_a_certificate_of_a_strange_authority_is_noticed(var: Path, tmp_path: Path) -> None:
    """It would let nobody in, or somebody who should not be."""
    (tmp_path / "other").mkdir()
    authority.create(tmp_path / "other", ("intake",))
    shutil.copy(tmp_path / "other" / "tls.intake.pem", var / "keys" / "intake" / "tls.intake.pem")
    assert of_files(var) == ["certificate-not-ours"]


@pytest.mark.parametrize(
    ("free", "expected"), [(100, ["disk-full"]), (1_000_000_000, ["disk-nearly-full"]), (50_000_000_000, [])]
)
def test_a_full_disk_is_noticed_before_it_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, expected: list[str]
) -> None:
    """A warning while there is time, a fault when there is none."""
    told = SimpleNamespace(total=100_000_000_000, used=0, free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: told)
    assert codes(files.disk(tmp_path)) == expected


def test_what_can_be_reached_from_elsewhere_is_noticed() -> None:
    """In clear, or at all where nobody needs it; loopback and TLS are good."""
    named = {"mongod": 1, "intake (HTTP)": 2, "intake (gRPC)": 3, "audit (HTTP)": 4}
    heard = {
        ("0.0.0.0", 1),
        ("::ffff:10.0.0.1", 2),
        ("10.0.0.1", 3),
        ("127.0.0.1", 4),
        ("::1", 4),
        ("0.0.0.0", 9),
    }
    found = codes(doors.open_doors(named, heard, lambda _, port: port == 3))
    assert found == ["open-to-everybody", "open-in-clear"]


def test_the_machine_tells_who_listens() -> None:
    """The kernel's own table is read: a listener of ours is in it, with its address."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as here, socket.create_server(("", 0)) as open_one:
        told = doors.listening()
        assert ("127.0.0.1", here.getsockname()[1]) in told
        assert ("0.0.0.0", open_one.getsockname()[1]) in told


@pytest.mark.parametrize(
    ("env", "code"),
    [
        ({"KINDRED_MONGO_ALLOW_PLAIN": "1"}, "plain-allowed"),
        ({"KINDRED_FAILPOINTS": "relay.x=exit"}, "failpoints-on"),
        ({"KINDRED_LOG_LEVEL": "debug"}, "logs-too-much"),
        ({"KINDRED_MODE": "development", "KINDRED_HTTP_ADDRESS": "0.0.0.0:80"}, "development-in-the-open"),
        ({"KINDRED_MODE": "development", "KINDRED_HTTP_ADDRESS": "127.0.0.1:80"}, ""),
        ({"KINDRED_HTTP_ALLOW_PLAIN": "0", "KINDRED_LOG_LEVEL": "info"}, ""),
    ],
)
def test_weak_settings_are_noticed(env: dict[str, str], code: str) -> None:
    """Each by its name, without its value."""
    assert codes(doors.settings("intake-api", env)) == ([code] if code else [])


def test_a_key_service_that_cannot_be_used_is_noticed(tmp_path: Path) -> None:
    """Also where only its file is wrong; what a real one answers is shown in tests/store/test_wrapping_keys.py."""
    (tmp_path / "intake.master.key").write_bytes(bytes(96))
    assert list(wrapping.services(SimpleNamespace(), tmp_path)) == []
    (tmp_path / "intake.provider.json").write_text("{")
    (found,) = wrapping.services(SimpleNamespace(), tmp_path)
    assert (found.code, found.where) == ("key-service-refuses", "intake.provider.json")


@pytest.mark.parametrize(
    ("env", "is_found"),
    [
        ({"KINDRED_MODE": "development"}, True),
        ({"KINDRED_MODE": "production"}, False),
        ({"KINDRED_HTTP_ADDRESS": "127.0.0.1:1"}, True),  # nobody said so, and so it is
        ({"KINDRED_HTTP_ADDRESS": "0.0.0.0:1", "KINDRED_HTTP_TLS_CERT": "c"}, False),
        ({}, False),  # the witness, say
    ],
)
def test_who_examines_for_production_is_told_of_development(env: dict[str, str], is_found: bool) -> None:
    """`KINDRED_MODE=production kindred doctor` names each process that is not in it; without, nobody is named."""
    found = ["development-for-production"] if is_found else []
    assert codes(doors.settings("intake-api", env, "production")) == found
    assert codes(doors.settings("intake-api", env)) == []


def test_who_is_not_ready_is_noticed() -> None:
    """The signer and the witness by names of their own: the log is not vouched for without them."""
    states = {"intake-api": "ready", "matching-worker": "not ready: broker"}
    states |= {"audit-signer": "not running", "audit-witness": "not running"}
    assert codes(doors.ready(states)) == ["process-not-ready", "signer-away", "witness-away"]


def test_a_clock_that_differs_is_noticed() -> None:
    """Either way; a second is nothing."""
    assert codes(doors.clock("mongod", AT + timedelta(seconds=30), AT)) == ["clock-differs"]
    assert codes(doors.clock("mongod", AT - timedelta(seconds=30), AT)) == ["clock-differs"]
    assert codes(doors.clock("mongod", AT + timedelta(seconds=1), AT)) == []


@pytest.mark.parametrize(("lag", "age", "count"), [(0.5, 3.0, 0), (60.0, 3.0, 1), (60.0, 900.0, 2)])
def test_a_witness_that_does_not_sign_is_noticed(lag: float, age: float, count: int) -> None:
    """From the two figures that audit's api shows."""
    told = (
        f"# HELP x\nkindred_audit_lag_seconds {lag}\n"
        f'kindred_audit_checkpoint_age_seconds{{log="newest"}} {age}\nother 1.0\n'
    )
    assert codes(doors.log_lag(told)) == ["witness-not-signing"] * count


@pytest.mark.parametrize(("beyond", "found"), [(0.0, []), (42.0, ["log-set-back"])])
def test_a_log_that_was_set_back_under_its_signer_is_noticed(beyond: float, found: list[str]) -> None:
    """The signer refuses to sign a smaller log, so nothing more is logged."""
    assert codes(doors.log_lag(f"kindred_audit_signed_beyond_entries {beyond}\n")) == found


@pytest.fixture(scope="module")
def defined(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The definitions as the set-up writes them, which is what a good broker tells."""
    path = tmp_path_factory.mktemp("broker") / "definitions.json"
    rabbit.write_definitions(path, "x", passwords={user.name: "x" for user in rights.users()})
    return json.loads(path.read_text())


def of_broker(found: Any) -> list[str]:
    wanted = json.loads(rabbit.DEFINITIONS.read_text())
    return codes([*broker.queues(found, wanted), *broker.policies(found, wanted), *broker.users(found)])


def _spoiled(part: str, **change: Any) -> Callable[[Any], None]:
    return lambda found: found[part][-1].update(change)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda found: found["queues"].pop(), "queue-missing"),
        (_spoiled("queues", arguments={}), "queue-not-durable-quorum"),
        (lambda found: found["bindings"].pop(), "binding-missing"),
        (lambda found: found["policies"].pop(), "policy-differs"),
        (_spoiled("policies", definition={"overflow": "drop-head"}), "policy-differs"),
        (lambda found: found["users"].pop(), "user-missing"),
        (lambda found: found["users"].append({"name": "guest", "tags": []}), "user-unknown"),
        (_spoiled("users", tags=["administrator"]), "user-may-too-much"),
        (_spoiled("permissions", write=".*"), "user-may-too-much"),
        (_spoiled("topic_permissions", write=".*"), "user-may-too-much"),
        (lambda found: found["topic_permissions"].clear(), "user-may-too-much"),
    ],
)
def test_a_broker_that_is_not_as_defined_is_noticed(
    defined: Any, spoil: Callable[[Any], None], code: str
) -> None:
    """Queues, bindings, policies, users, their rights."""
    assert of_broker(defined) == []
    found = copy.deepcopy(defined)
    spoil(found)
    assert set(of_broker(found)) == {code}


def test_the_exit_code_says_how_bad_it_is() -> None:
    """0 good, 3 warnings only, 1 as soon as there is one fault."""
    warning, fault = Finding("logs-too-much", "x", ""), Finding("failpoints-on", "x", "")
    assert [findings.exit_code(found) for found in ([], [warning], [warning, fault])] == [0, 3, 1]


def test_every_finding_is_in_the_handbook_and_has_been_made_to_fire() -> None:
    """A code without a line of docs/operations.md, or without a test that sets it off, is no help to anybody."""
    handbook = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    fired = Path(__file__).read_text(encoding="utf-8")
    fired += (ROOT / "tests/security/test_doctor_of_a_system.py").read_text(encoding="utf-8")
    for code in findings.KNOWN:
        assert f"`{code}`" in handbook, code
        assert re.search(rf'"{code}"', fired), code
