"""Alarms of the audit log on a real system with a real Prometheus: each fires, and ends as the handbook advises."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kombu
import pytest

from chassis import topology
from cli.local import access, children
from cli.local.place import ROOT
from cli.local.readiness import wait_ready
from tests.atna_messages import HEADER, SHOWN, counted
from tests.atna_nodes import a_node, make_certificates
from tests.driving import until
from tests.faults import evidence
from tests.faults.ground import PATIENCE_S, Cell
from tests.faults.operator_at_work import kindred
from tests.system_watching import Watcher

pytestmark = pytest.mark.slow_faults
# Longer ago than the 36 hours of KindredAuditUnchecked.
AHEAD_S = "133200"


def rest(cell: Cell) -> None:
    """Whatever was said is in the log, and the log is cosigned."""

    def is_cosigned() -> bool:
        head = heads(cell)[-1]
        return bool(head["cosigned"]["size"] == head["size"])

    until("everything is heard", lambda: evidence.is_at_rest(cell.running), within_s=PATIENCE_S)
    until("it is cosigned", is_cosigned, within_s=PATIENCE_S)


def heads(cell: Cell) -> list[dict[str, Any]]:
    """The heads of the logs of every quarter, the newest last."""
    return list(cell.running.database("audit").heads.find().sort("_id", 1))


@pytest.mark.fault("F-10")
def test_a_gap_in_what_was_heard(cell: Cell, watcher: Watcher) -> None:
    """What was said while audit's queue had no binding never reached the log: KindredAuditEventsMissing; fsck names the
    producer and the numbers, and a replay brings them."""
    inbox = topology.inbox_name("audit")
    rest(cell)
    with kombu.Connection(cell.running.known.amqp_uri) as connection:
        channel = connection.channel()
        channel.queue_unbind(inbox, topology.EVENTS.name, "#")
        try:
            cell.broke("audit.inbox", "no binding")
            cell.clients.submit("unheard-by-audit")
            until("it is said", lambda: not evidence.unsaid(cell.running))
        finally:
            channel.queue_bind(inbox, topology.EVENTS.name, "#")
    cell.clients.submit("heard-by-audit")
    watcher.fires("KindredAuditEventsMissing", "intake")
    checked = kindred(cell.running, "audit", "fsck")
    assert checked.returncode == 1
    assert "intake" in checked.stdout
    assert kindred(cell.running, "replay", "all").returncode == 0
    watcher.ends("KindredAuditEventsMissing")
    cell.conclude()


@pytest.mark.fault("F-35")
def test_an_old_copy_of_the_logs_head(cell: Cell, watcher: Watcher) -> None:
    """Somebody put the log's head of yesterday back: the witness objects (KindredAuditContradicted), fsck says the same;
    with the head as it was nothing more is objected to."""
    collection = cell.running.database("audit").heads

    def put_back(documents: list[dict[str, Any]]) -> None:
        for document in documents:
            collection.replace_one({"_id": document["_id"]}, document)

    rest(cell)
    before = heads(cell)
    cell.clients.submit("a-later-entry")
    rest(cell)
    cell.kill("audit-worker")
    now = heads(cell)
    assert now[-1]["size"] > before[-1]["size"]
    put_back(before)
    cell.broke("audit's database", "the head of an older log")
    try:
        assert watcher.fires("KindredAuditContradicted")["labels"]["code"] == "rolled-back"
        checked = kindred(cell.running, "audit", "fsck")
    finally:
        put_back(now)
    assert checked.returncode == 1
    assert "witness" in checked.stdout + checked.stderr
    cell.ground.up()
    watcher.ends("KindredAuditContradicted")
    cell.conclude()


@pytest.mark.fault("F-30")
def test_checks_that_find_something_and_checks_that_nobody_makes(cell: Cell, watcher: Watcher) -> None:
    """A flipped bit in a stored entry: the check names it (KindredAuditCheckFailed) until it is mended and checked again.
    37 hours later, with no check by itself, KindredAuditUnchecked; a check ends that too.

    In this order: an entry of the later clock is the newest check for as long as the clocks differ.
    """
    entries = cell.running.database("audit").entries
    rest(cell)
    watcher.ends("KindredAuditCheckFailed")  # of what another test has found
    entry = entries.find_one(sort=[("_id", 1)])
    body = bytes(entry["body"])
    entries.update_one({"_id": entry["_id"]}, {"$set": {"body": bytes([body[0] ^ 1]) + body[1:]}})
    cell.broke("audit's database", "a bit of an entry")
    try:
        checked = kindred(cell.running, "audit", "fsck", "--json")
        watcher.fires("KindredAuditCheckFailed")
    finally:
        entries.update_one({"_id": entry["_id"]}, {"$set": {"body": body}})
    assert checked.returncode == 1
    assert "body-changed" in checked.stdout
    mended = kindred(cell.running, "audit", "fsck", "--json")
    assert mended.returncode == 0, mended.stdout
    watcher.ends("KindredAuditCheckFailed")
    rest(cell)
    cell.kill("audit-api")
    argv = (sys.executable, "-m", "tests.faults.clock_ahead", AHEAD_S, "services.audit", "api")
    cell.ground.begin("audit-api", argv, KINDRED_AUDIT_CHECK_EVERY_HOURS="0")
    cell.broke("audit-api", f"clock {AHEAD_S} s ahead")
    watcher.fires("KindredAuditUnchecked")
    asked = kindred(cell.running, "audit", "fsck")
    assert asked.returncode == 0, asked.stdout + asked.stderr
    watcher.ends("KindredAuditUnchecked")
    cell.conclude()


@pytest.mark.fault("F-20")
def test_messages_of_other_systems_wait_for_the_database(
    cell: Cell, watcher: Watcher, tmp_path: Path
) -> None:
    """With mongod dead a PACS's audit message is not dropped (KindredForeignAuditWaits) and what is due is not done
    (KindredTimersFail); when mongod is back the message is stored and the work is done."""
    stored = 'kindred_audit_atna_messages_total{end="stored"}'
    with atna_door(cell, watcher, tmp_path) as port, a_node(port, tmp_path) as line:
        line.sendall(counted(HEADER + SHOWN))
        watcher.until(lambda: watcher.values(stored) == {"audit-atna": 1.0}, "not stored")
        cell.kill("mongod")
        line.sendall(counted(HEADER + SHOWN.replace(b"dr-lund", b"dr-hale")))
        watcher.fires("KindredForeignAuditWaits", "waited")
        watcher.fires("KindredTimersFail", "matching")
        cell.ground.up()
        watcher.until(lambda: watcher.values(stored) == {"audit-atna": 2.0}, "not stored", PATIENCE_S)
        watcher.ends("KindredForeignAuditWaits")
        watcher.ends("KindredTimersFail")
    cell.conclude()


@contextmanager
def atna_door(cell: Cell, watcher: Watcher, folder: Path) -> Iterator[int]:
    """The role `atna` runs beside the others and is scraped; at this port nodes of our own authority are heard."""
    make_certificates(folder)
    place, worker = cell.running.place, cell.ground.part("audit-worker")
    own = place.access / "audit-atna"
    door, port = free_port(), free_port()
    environ = dict(worker.env) | {
        "KINDRED_MONGO_URI_FILE": str(own / access.MONGO),
        "KINDRED_AMQP_URI_FILE": str(own / access.AMQP),
        "KINDRED_HTTP_ADDRESS": f"127.0.0.1:{door}",
        "KINDRED_AUDIT_ATNA_ADDRESS": f"127.0.0.1:{port}",
        "KINDRED_AUDIT_ATNA_TLS_CERT": str(folder / "us.pem"),
        "KINDRED_AUDIT_ATNA_TLS_KEY": str(folder / "us.key"),
        "KINDRED_AUDIT_ATNA_TLS_CLIENT_CA": str(folder / "ca.pem"),
    }
    child = children.spawn(
        place.run, "audit-atna", (*worker.argv[:-1], "atna"), env=environ,
        log=place.log / "audit-atna.log", cwd=ROOT,
    )  # fmt: skip
    try:
        wait_ready(child, lambda: "" if is_open(port) else "not yet", PATIENCE_S)
        watcher.look_at("audit-atna", "audit", f"127.0.0.1:{door}")
        yield port
    finally:
        watcher.forget("audit-atna")
        children.stop(place.run, child, grace_s=15.0)


def free_port() -> int:
    """A port nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def is_open(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0
