"""P9: after a run with marked names and numbers, no mark is found where PHI must not be readable."""

from __future__ import annotations

import json
import re
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import kombu
import pytest

from cli.local import access, children, database_users
from services.intake.fhir.extensions import SAFE_CONTACT
from tests.bundles import a_bundle
from tests.driving import Er, Officer, Roster, Running, a_referral, a_specialist, roster_csv, until

# Strings that occur nowhere else; each stands for one kind of PHI.
MARKS = {
    "family name": "Quillfeather",
    "given name": "Zebulonia",
    "record number": "MRN77Q31X9",
    "phone": "5185550163",
    "birth date": "1971-02-28",
    "free text": "xylophonecat",
    "source mail": "marked-er-desk-91",
    "specialist mail": "marked-specialist-37",
    "visit number": "VQX-55-1177",
}
# A mail must name its receiver, and only there.
IN_MAILS = {"source mail", "specialist mail"}


@pytest.fixture(scope="module")
def tap(running: Running, roster: Roster) -> Iterator[list[bytes]]:
    """Everything that crosses the exchange, headers and bodies, as a broker's administrator would see it."""
    seen: list[bytes] = []
    stop = threading.Event()

    def listen() -> None:
        with kombu.Connection(running.known.amqp_uri) as connection:
            exchange = kombu.Exchange("kindred.events", "topic", durable=True, passive=True)
            queue = kombu.Queue("tap", exchange, "#", exclusive=True, auto_delete=True)

            def keep(message: kombu.Message) -> None:
                seen.append(
                    json.dumps([message.headers, message.properties], default=str).encode() + message.body
                )
                message.ack()

            with kombu.Consumer(connection, queue, on_message=keep, accept=None):
                ready.set()
                while not stop.is_set():
                    try:
                        connection.drain_events(timeout=0.2)
                    except TimeoutError:
                        continue

    ready = threading.Event()
    thread = threading.Thread(target=listen)
    thread.start()
    assert ready.wait(10)
    yield seen
    stop.set()
    thread.join(10)


@pytest.fixture(scope="module")
def run_with_marks(running: Running, er: Er, roster: Roster, officer: Officer, tap: list[bytes]) -> list[str]:
    """Marked people, good and bad input, by every door, to the end."""
    report = roster.load(
        roster_csv(
            [
                a_specialist(
                    "spec-marked",
                    email=f"{MARKS['specialist mail']}@harbor.example",
                    languages="es:native;en:fluent",
                )
            ]
        )
    )
    assert report.rows_stored == 1
    answer = er.post(_marked_bundle("one"))
    assert answer.status_code == 200, answer.text
    referral_ids = [re.search(r"Task/(ref-[0-9a-f]+)", answer.text)[1]]
    bad = _marked_bundle("two")
    bad["entry"][0]["resource"]["birthDate"] = MARKS["birth date"] + "T"
    bad["entry"][0]["resource"][MARKS["family name"]] = 1
    refused = er.post(bad)
    assert refused.status_code == 400
    er.post(json.dumps(_marked_bundle("three"))[:-40])
    request = a_referral("marked", note=MARKS["free text"], visit_number=MARKS["visit number"] + "-b")
    request.person.family_name, request.person.given_name = MARKS["family name"], MARKS["given name"] + "B"
    request.person.record_number, request.person.birth_date = (
        MARKS["record number"] + "B",
        MARKS["birth date"],
    )
    request.source_contact.email = MARKS["source mail"] + "@st-brigid.example"
    referral_ids.append(er.submit(request).referral_id)
    for referral_id in referral_ids:
        offers = until("offers", lambda r=referral_id: roster.open_offers(r))
        roster.accept(offers[0])
        er.task(referral_id)
        until("the last notice", lambda r=referral_id: _source_was_told(officer, r))
        until(
            "the read's entry",
            lambda r=referral_id: officer.entries(referral_id=r, event_type="record.read.v1"),
        )
    return referral_ids


def _source_was_told(officer: Officer, referral_id: str) -> bool:
    return any(n.intent == "help-assigned" and n.state == "sent" for n in officer.notices(referral_id))


def _marked_bundle(which: str) -> dict:
    bundle = a_bundle(which)
    by_type = {entry["resource"]["resourceType"]: entry["resource"] for entry in bundle["entry"]}
    patient = by_type["Patient"]
    patient["name"] = [{"family": MARKS["family name"], "given": [MARKS["given name"]]}]
    patient["identifier"][0]["value"] = MARKS["record number"]
    patient["telecom"] = [{"system": "phone", "value": "+1" + MARKS["phone"]}]
    patient["birthDate"] = MARKS["birth date"]
    # Somebody said that writing there is safe: so the number leaves intake, sealed.
    safe = [{"url": "may-leave-message", "valueBoolean": True}]
    patient["extension"] = [*patient.get("extension", []), {"url": SAFE_CONTACT, "extension": safe}]
    by_type["Practitioner"]["telecom"][0]["value"] = MARKS["source mail"] + "@st-brigid.example"
    by_type["ServiceRequest"]["note"] = [{"text": MARKS["free text"]}]
    by_type["Encounter"]["identifier"][0]["value"] = MARKS["visit number"]
    return bundle


def _found_in(data: bytes) -> set[str]:
    lowered = data.lower()
    return {kind for kind, mark in MARKS.items() if mark.lower().encode() in lowered}


def _files(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path, path.read_bytes()


def test_the_scan_can_see(run_with_marks: list[str], running: Running):
    """The control: the same search finds every mark in what was sent, and a peer's number really left intake."""
    sent = json.dumps(_marked_bundle("one")) + "".join(MARKS.values())
    assert _found_in(sent.encode()) == set(MARKS)
    cards = running.database("notifications").contacts
    until(
        "the peer's card",
        lambda: cards.count_documents({"_id": {"$regex": "^peer-contact:"}, "is_reachable": True}),
    )


def test_the_bus_carries_no_phi(run_with_marks: list[str], tap: list[bytes]):
    """No mark in any header or body on the bus."""
    assert len(tap) > 10
    assert {kind for message in tap for kind in _found_in(message)} == set()


def test_logs_and_spans_carry_no_phi(run_with_marks: list[str], running: Running):
    """No mark in any log, also after bad input; none in the spans."""
    assert (running.place.var / "spans.jsonl").stat().st_size > 0
    found = {(path.name, kind) for path, data in _files(running.place.log) for kind in _found_in(data)}
    found |= {("spans", kind) for kind in _found_in((running.place.var / "spans.jsonl").read_bytes())}
    assert found == set()


def test_mails_carry_no_phi(run_with_marks: list[str], running: Running):
    """A mail holds its receiver's address and nothing else that is marked."""
    assert {kind for mail in running.mails() for kind in _found_in(mail)} <= IN_MAILS
    for mail in running.mails():
        body = mail.partition(b"\r\n\r\n")[2] or mail.partition(b"\n\n")[2]
        assert _found_in(body) == set()


def test_documents_carry_no_readable_phi(run_with_marks: list[str], running: Running):
    """No mark in any document of any of the four databases, read raw."""
    address = urlsplit(running.known.mongo_uri).netloc.rpartition("@")[2]
    found = set()
    # As the replica set itself: the oplog holds every write, and no user may read all of it.
    with database_users.as_the_set(address, access.key_file(running.place.access)) as client:
        for name in client.list_database_names():
            for collection in client[name].list_collection_names(filter={"type": "collection"}):
                for raw in client[name].get_collection(collection).find_raw_batches():
                    found |= {(name, collection, kind) for kind in _found_in(bytes(raw))}
    assert found == set()


def test_database_and_broker_files_carry_no_readable_phi(run_with_marks: list[str], running: Running):
    """No mark in the files of mongod, journal included, nor of RabbitMQ."""
    running.database("intake").client.admin.command("fsync")
    files = [*_files(running.place.var / "mongo"), *_files(running.place.var / "rabbit")]
    assert sum(len(data) for _, data in files) > 1_000_000
    assert {(path.name, kind) for path, data in files for kind in _found_in(data)} == set()


def test_refusals_name_the_field_and_not_the_value(run_with_marks: list[str], er: Er):
    """P11: an OperationOutcome tells where and what kind, and repeats nothing that was sent."""
    bad = _marked_bundle("four")
    bad["entry"][0]["resource"]["birthDate"] = MARKS["birth date"] + "T"
    answer = er.post(bad)
    assert answer.status_code == 400
    assert "birthDate" in answer.text
    assert _found_in(answer.content) == set()


def test_no_process_of_a_service_leaves_a_core_file(run_with_marks: list[str], running: Running):
    """The kernel's own word of each process that holds PHI or keys: no core file, and nobody can allow one again."""
    seen = []
    for name in children.recorded(running.place.run):
        child = children.recall(running.place.run, name)
        if child is None or not name.startswith(("intake", "matching", "notifications", "audit")):
            continue
        limits = Path(f"/proc/{child.pid}/limits").read_text(encoding="ascii")
        assert re.search(r"Max core file size +0 +0 ", limits), name
        seen.append(name)
    assert {"intake-api", "intake-worker", "notifications-worker", "audit-api", "audit-signer"} <= set(seen)


_DIES = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
from chassis import core_files
held = bytes(byte ^ 32 for byte in b"%s")
if sys.argv[1] != "as it comes":
    core_files.forbid(is_production=sys.argv[1] == "production")
os.abort()
"""


@pytest.mark.parametrize("how", ["as it comes", "development", "production"])
def test_what_a_dying_process_held_is_in_no_core_file(how: str, tmp_path: Path):
    """Killed in the middle with a mark in memory: without the rule its core file has the mark, with it there is none."""
    pattern = Path("/proc/sys/kernel/core_pattern").read_text(encoding="ascii").strip()
    allowed = resource.getrlimit(resource.RLIMIT_CORE)[1]
    if how == "as it comes" and (pattern != "core" or allowed != resource.RLIM_INFINITY):
        pytest.skip(
            f"this machine writes no core file beside a process (core_pattern {pattern[:20]}, limit {allowed})"
        )
    hidden = "".join(chr(ord(one) ^ 32) for one in MARKS["free text"])
    done = subprocess.run(
        [sys.executable, "-c", _DIES % hidden, how],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGABRT, done.stderr
    cores = list(tmp_path.glob("core*"))
    if how == "as it comes":
        assert cores and "free text" in _found_in(cores[0].read_bytes())
    else:
        assert cores == []
