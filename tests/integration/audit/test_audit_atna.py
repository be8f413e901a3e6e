"""Syslog over TLS on a real socket: a node with a certificate is heard, each message is stored, and found in the log."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from threading import Thread

import pytest
from pymongo.errors import AutoReconnect

from chassis import catalog
from chassis.readiness import NotYet
from services.audit.atna.listening import Listener, tls_of
from services.audit.atna.receiving import receive
from services.audit.fhir import outside
from services.audit.officers_door import render_refusal, routes
from tests.atna_messages import HEADER, QUERIED, SHOWN, counted
from tests.atna_nodes import a_node, make_certificates
from tests.audit_facts import facts_of
from tests.audit_reading import ReadLog, a_read_log
from tests.integration.intake.intake_processes import until


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, our certificate and a node's, all of today."""
    folder = tmp_path_factory.mktemp("atna")
    make_certificates(folder)
    return folder


@pytest.fixture(scope="module")
def log(mongo_uri, tmp_path_factory) -> Iterator[ReadLog]:
    """An empty log."""
    with a_read_log(mongo_uri, tmp_path_factory.mktemp("atna-log")) as log:
        yield log


@pytest.fixture
def listening(certificates: Path, log: ReadLog) -> Iterator[Listener]:
    """The door, open."""
    context = tls_of(*(str(certificates / name) for name in ("us.pem", "us.key", "ca.pem")))
    troubles = [AutoReconnect("away")]

    def take(node, frame):
        if troubles:
            raise troubles.pop()
        return receive(log.room, node, frame)

    listener = Listener("127.0.0.1:0", context, take)
    thread = Thread(target=listener.run)
    thread.start()
    yield listener
    listener.stop()
    thread.join(20)
    assert not thread.is_alive()


def node(listener: Listener, certificates: Path, *, has_certificate: bool = True) -> ssl.SSLSocket:
    """A node's end of a connection."""
    return a_node(listener.port, certificates, has_certificate=has_certificate)


def received(log: ReadLog) -> list[tuple[str, list[str]]]:
    """(who sent it, its flags) of each stored message."""
    told = [one for kind, one in log.said() if kind == outside.EVENT_TYPE]
    return [(one.provenance.actor_id, list(one.flags)) for one in told]


def test_every_message_is_stored_and_flagged_once_and_a_database_that_is_away_loses_none(
    listening: Listener, certificates: Path, log: ReadLog
):
    """Two that conform, one that is no audit message, one sent twice; the first meets a database that is away."""
    with node(listening, certificates) as line:
        for part in (counted(HEADER + SHOWN), HEADER + QUERIED.replace(b"\n", b" ") + b"\n",
                     counted(b"<13>1 - h a - - - it rains"), counted(HEADER + SHOWN)):  # fmt: skip
            line.sendall(part)
        stored = until("all are stored", lambda: len(received(log)) == 3 and received(log))
    assert {sender for sender, _ in stored} == {"client:PACS1"}
    assert sorted(flags for _, flags in stored) == [
        ["outside", "no-profile", "atna"],
        ["outside", "no-profile", "atna", "no-time-zone"],
        ["outside", "not-json", "atna", "not-atna"],
    ]


def test_a_stored_message_is_an_entry_that_an_officer_finds_and_can_prove(log: ReadLog):
    """By person, user and study, with DICOM's own bytes inside."""
    facts = []
    for document in log.room.database["accesses"].find({"_id": {"$regex": "^rcv_"}}).sort("_id", 1):
        for row in document["outbox"]:
            message = catalog.message_class(row["type"]).FromString(row["data"])
            facts.append(outside.completed(facts_of(message), message, document["_id"], log.room.at_rest))
    assert len(facts) == 3
    log.record(facts)
    with (
        log.serving(routes(log.room), render_refusal=render_refusal) as address,
        log.client(address) as officer,
    ):
        for asked in (
            "patient=975cac30",
            "agent=dr-lund",
            "entity=2.999.77.1",
            "_tag=no-time-zone",
            "_tag=not-atna",
        ):
            found = officer.get(f"/fhir/AuditEvent?{asked}").json()
            hits = [one for one in found["entry"] if one["search"]["mode"] == "match"]
            assert len(hits) == 1 and hits[0]["search"]["extension"], asked
        shown = officer.get("/fhir/AuditEvent?agent=dr-lund").json()["entry"][0]["resource"]
        assert "urn:kindred:atna-message" in json.dumps(shown)


def test_who_shows_no_certificate_is_not_heard(listening: Listener, certificates: Path, log: ReadLog):
    """Node authentication (ITI-19): the handshake fails, and nothing is stored."""
    before = len(received(log))
    with (
        pytest.raises((ssl.SSLError, ConnectionError)),
        node(listening, certificates, has_certificate=False) as line,
    ):
        line.sendall(counted(HEADER + SHOWN.replace(b"dr-lund", b"nobody")))
        assert line.recv(1) == b"never"
    assert len(received(log)) == before


def test_a_listener_stands_beside_the_rooms_of_others(certificates: Path):
    """Readiness says whether anybody would be let in."""
    context = tls_of(*(str(certificates / name) for name in ("us.pem", "us.key", "ca.pem")))
    listener = Listener("127.0.0.1:0", context, partial(print))
    with pytest.raises(NotYet):
        listener.check()
    listener.stop()
    listener.run()
