"""FHIR search of the log over HTTP: every parameter, paging that stands still, proofs, and what reading leaves behind."""

import base64
import hashlib
import json
from datetime import timedelta

import pytest

from kindred.access.v1.events_pb2 import AccessDenied, RecordRead
from kindred.bus.v1.bus_pb2 import Provenance
from services.audit.fhir import outside
from services.audit.search import index
from services.audit.search.bundle import render_refusal
from services.audit.search.door import routes
from services.audit.search.finding import covered
from services.audit.tlog.merkle import leaf_hash
from services.audit.tlog.proofs import verify_inclusion
from tests.audit_facts import GOLDEN, facts_of, golden
from tests.audit_reading import ReadLog, a_read_log

EXTENSION = "https://kindred.example/fhir/StructureDefinition/audit-"
# An AuditEvent as another hospital's system writes it, with what ours never has: names, addresses, a policy.
THEIRS = {
    "resourceType": "AuditEvent",
    "type": {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "110100"},
    "subtype": [{"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "110120"}],
    "action": "E",
    "recorded": "2026-11-20T08:00:00.500Z",
    "outcome": "12",
    "agent": [
        {
            "requestor": True,
            "who": {"reference": "Practitioner/p-7"},
            "altId": "jdoe7",
            "name": "Amélie Quillfeather",
            "role": [{"coding": [{"system": "urn:x", "code": "physician"}]}],
            "policy": ["http://example.org/policy/1"],
            "network": {"address": "10.0.7.1", "type": "2"},
        }
    ],
    "source": {"site": "Ward 4", "observer": {"reference": "Device/d-1"}},
    "entity": [
        {
            "what": {"reference": "http://ehr.example/fhir/Patient/pat-1/_history/2"},
            "type": {"system": "http://terminology.hl7.org/CodeSystem/audit-entity-type", "code": "1"},
            "role": {"system": "http://terminology.hl7.org/CodeSystem/object-role", "code": "1"},
            "name": "Chart of a person",
        }
    ],
}


def read_by(actor: str, peer: str, *, after_s: float = 0, action: str = "read", **who: str):
    """One read of somebody's referral."""
    given = {"actor_role": "nurse", "organization_id": "st-brigid", "purpose_of_use": "TREAT"} | who
    provenance = Provenance(actor_id=actor, peer_id=peer, **given)
    referral = f"ref_of_{peer}" if peer else ""
    message = RecordRead(
        provenance=provenance,
        record_type="Referral",
        record_id=referral if action == "read" else "",
        action=action,
        referral_id=referral,
    )
    return facts_of(message, after=timedelta(seconds=after_s))


def received(log: ReadLog, content: bytes):
    """Facts of what another system sent, as the worker makes them from the event."""
    from kindred.audit.v1.events_pb2 import EventReceived

    message = EventReceived(
        provenance=Provenance(actor_id="client:ehr", actor_role="system", organization_id="st-brigid"),
        sealed_content=log.room.at_rest.seal(content, "rcv_1"),
    )
    return outside.completed(facts_of(message), message, "rcv_1", log.room.at_rest)


@pytest.fixture(scope="module")
def log(mongo_uri, tmp_path_factory):
    """600 reads by three nurses of ten people, a denial, a consent, and an event of another system."""
    with a_read_log(mongo_uri, tmp_path_factory.mktemp("search")) as log:
        log.record([read_by(f"nurse-{n % 3}", f"peer_{n % 10}", after_s=n) for n in range(600)])
        denied = AccessDenied(record_type="Referral", record_id="ref_9", action="read", reason_code="no")
        denied.provenance.CopyFrom(Provenance(actor_id="nurse-0", actor_role="nurse"))
        log.record([facts_of(denied, after=timedelta(hours=1)), facts_of(golden("consent.recorded.v1"))])
        log.record([received(log, json.dumps(THEIRS).encode())])
        yield log


@pytest.fixture(scope="module")
def address(log):
    """Where the log answers."""
    with log.serving(routes(log.room), render_refusal=render_refusal) as address:
        yield address


@pytest.fixture
def officer(log, address):
    """Vera, the compliance officer."""
    with log.client(address) as client:
        yield client


def matches(answer) -> list[dict]:
    """The resources that were found."""
    assert answer.status_code == 200, answer.text
    return [each["resource"] for each in answer.json()["entry"] if each["search"]["mode"] == "match"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("patient=peer_3&agent=nurse-1", 20),
        ("patient=Patient/peer_3&_count=100", 60),
        ("patient:identifier=urn:kindred:peer|peer_3&_count=100", 60),
        ("patient=peer_nobody", 0),
        ("agent=nurse-0&outcome=8", 1),
        ("agent=nurse-0&outcome:not=0", 1),
        ("entity=ref_of_peer_4&_count=100", 60),
        ("subtype=urn:kindred:event-type|access.denied.v1", 1),
        ("event-type=access.denied.v1,consent.recorded.v1", 2),
        ("type=http://dicom.nema.org/resources/ontology/DCM|110113", 1),
        ("type=urn:wrong|110113", 0),
        ("type=110100&action=E", 1),
        ("altid=jdoe7", 1),
        ("address=10.0.7", 1),
        ("address:exact=10.0.7", 0),
        ("agent-name=amelie q", 1),
        ("agent-name:exact=Amélie Quillfeather", 1),
        ("agent-name:contains=feather&type=110100", 1),
        ("agent-role=physician", 1),
        ("agent=Practitioner/p-7", 1),
        ("agent=Device/p-7", 0),
        ("entity-name=chart", 1),
        ("entity-role=1&type=110100", 1),
        ("entity-type=1&type=110100", 1),
        ("policy=http://example.org/policy/1", 1),
        ("site=ward 4", 1),
        ("source=Device/d-1", 1),
        ("patient=Patient/pat-1", 1),
        ("entity=Patient/pat-1", 1),
        ("outcome=12", 1),
        ("date=2026-11-20", 1),
        ("date=2026-11-20T08:00:00.500Z", 1),
        ("date=lt2026-11-21&date=ge2026-11-20T08:00", 1),
        ("date=ne2026-11-21", 1),
        ("_lastUpdated=sa2026-11-21T22:59:59", 1),
        ("date=eb2026-11-20", 0),
        ("_id=rcv-1", 1),
        ("_tag=outside,unnumbered", 0),
        ("purpose=TREAT&patient=peer_1&agent=nurse-2", 20),
        ("site=kindred&agent=nurse-2&action=R&patient=peer_2", 20),
    ],
)
def test_each_parameter_finds_what_it_says_and_nothing_else(officer, query, found):
    """All 18 parameters of R4, with systems, modifiers and date prefixes; the count is exact."""
    answer = officer.get(f"/fhir/AuditEvent?{query}")
    assert len(matches(answer)) == found


@pytest.mark.parametrize("few", [1, 1_500])
def test_two_criteria_find_the_same_by_index_and_by_row(officer, monkeypatch, few):
    """Where the narrower has many entries their rows are compared, else the index is asked for both; pages go on."""
    monkeypatch.setattr(index, "_FEW", few)
    assert len(matches(officer.get("/fhir/AuditEvent?patient=peer_3&agent=nurse-1"))) == 20
    first = officer.get("/fhir/AuditEvent?patient=peer_3&agent=nurse-1&event-type=record.read.v1&_count=15")
    following = next(each["url"] for each in first.json()["link"] if each["relation"] == "next")
    assert len(matches(first)) + len(matches(officer.get(following))) == 20


def test_pages_stand_still_while_the_log_grows(log, officer):
    """Every entry is on exactly one page, newest first, also when entries come between two pages."""
    seen, answer = [], officer.get("/fhir/AuditEvent?agent=nurse-1&_count=70")
    while True:
        seen += matches(answer)
        link = [each["url"] for each in answer.json()["link"] if each["relation"] == "next"]
        if not link:
            break
        log.record([read_by("nurse-1", "peer_1", after_s=1_000 + len(seen))])
        answer = officer.get(link[0])
    times = [each["recorded"] for each in seen]
    assert len(seen) == len({each["id"] for each in seen}) == 200 and times == sorted(times, reverse=True)
    oldest = matches(officer.get("/fhir/AuditEvent?agent=nurse-1&_sort=date&_count=2"))
    assert [each["recorded"] for each in oldest] == sorted(times)[:2]


def test_every_hit_is_proven_under_the_checkpoint_of_the_answer(log, officer):
    """Leaf, index and audit path lead to the root of the head, whichever entry it is."""
    answer = officer.get("/fhir/AuditEvent?_count=500").json()
    signed = answer["meta"]["extension"][0]
    assert signed["url"] == f"{EXTENSION}checkpoint"
    size, root = int(signed["valueString"].split("\n")[1]), log.edge.root()
    proven = 0
    for entry in answer["entry"]:
        for proof in entry["search"].get("extension", ()):
            parts = proof["extension"]
            told = {each["url"]: each for each in parts}
            hashes = [base64.b64decode(each["valueBase64Binary"]) for each in parts if each["url"] == "hash"]
            leaf = base64.b64decode(told["leaf"]["valueBase64Binary"])
            verify_inclusion(told["index"]["valueInteger"], size, leaf_hash(leaf), hashes, root)
            proven += 1
    assert proven == 500


def test_nothing_found_says_what_was_searched_and_under_what(log, officer):
    """Range, size and checkpoint stand in the answer, so that an empty one is one too."""
    answer = officer.get("/fhir/AuditEvent?patient=peer_nobody&date=ge2026-11-01").json()
    said = answer["entry"][-1]["resource"]["issue"][0]["diagnostics"]
    assert (
        f"entries 0 to {log.edge.size - 1}" in said and "2026-11-01" in said and "Nothing was found" in said
    )


def test_a_count_is_asked_for_without_entries(officer):
    """_summary=count and _count=0 tell the total alone."""
    for query in ("_summary=count", "_count=0"):
        answer = officer.get(f"/fhir/AuditEvent?patient=peer_5&{query}").json()
        assert answer["total"] == 60 and len(answer["entry"]) == 1


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("weather=fine", "weather"),
        ("agent:above=x", "agent:above"),
        ("date=yesterday", "date"),
        ("date=2026-02-31", "date"),
        ("_count=many", "_count"),
        ("_sort=weather", "_sort"),
        ("_cursor=x", "_cursor"),
        ("agent-name=a", "agent-name"),
        ("date:missing=true", "date:missing"),
        ("outcome=99", "outcome"),
        ("outcome=8,99", "outcome"),
        ("action=X", "action"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(officer, query, place):
    """A search never drops a criterion silently; the fault names it and repeats no value."""
    answer = officer.get(f"/fhir/AuditEvent?{query}")
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["expression"] == [place]


def test_one_entry_is_read_with_its_proof_and_a_missing_one_is_not_found(officer):
    """GET by id shows the same resource as the search."""
    found = matches(officer.get("/fhir/AuditEvent?patient=peer_6&_count=1"))[0]
    shown = officer.get(f"/fhir/AuditEvent/{found['id']}").json()
    assert shown["meta"]["extension"][1]["url"] == f"{EXTENSION}proof"
    assert {**shown, "meta": None} == {**found, "meta": None}
    assert officer.get("/fhir/AuditEvent/evt-none").status_code == 404


def test_reading_the_log_is_logged_before_the_answer(log, officer, monkeypatch):
    """Each search is a read with its criteria's names and the person; where that cannot be written, nothing is shown."""
    from chassis.errors import Kind, Refusal

    before = len(log.said())
    officer.get("/fhir/AuditEvent?patient=peer_7&agent=nurse-1")
    kind, message = log.said()[before]
    assert (kind, message.action, message.provenance.peer_id) == ("record.read.v1", "search", "peer_7")
    assert list(message.criteria) == ["agent", "patient"] and "nurse-1" not in str(message.criteria)
    officer.get("/fhir/AuditEvent?patient=Patient/MRN-4711")
    assert "4711" not in str([one for _, one in log.said()])

    def fail(*_: object, **__: object) -> None:
        raise Refusal("store-unavailable", Kind.UNAVAILABLE)

    monkeypatch.setattr(log.room.access.aggregates, "insert", fail)
    answer = officer.get("/fhir/AuditEvent?patient=peer_7")
    assert answer.status_code == 503 and "nurse" not in answer.text


def test_only_a_compliance_officer_with_a_purpose_searches(log, address):
    """A nurse, and an officer without a purpose, are denied, and the denial is an entry."""
    for who in ({"role": "nurse", "purpose": "TREAT"}, {"purpose": ""}):
        with log.client(address, **who) as client:
            assert client.get("/fhir/AuditEvent?patient=peer_1").status_code == 403
    assert [kind for kind, _ in log.said()][-2:] == ["access.denied.v1"] * 2


@pytest.mark.parametrize(
    ("content", "flag"),
    [
        (json.dumps(THEIRS).encode(), "no-profile"),
        (json.dumps(THEIRS | {"weather": "fine"}).encode(), "not-r4"),
        (json.dumps({"resourceType": "Patient"}).encode(), "not-an-audit-event"),
        (b"\xff not json", "not-json"),
        (b"", "not-json"),
    ],
)
def test_an_event_from_outside_is_stored_and_flagged_never_refused(log, address, content, flag):
    """Whatever is sent is durable, sealed, and answered with its faults; sent twice it is one."""
    with log.client(address, "", role="system", actor="client:ehr", org="st-brigid") as client:
        answer = client.post("/fhir/AuditEvent", content=content)
        again = client.post("/fhir/AuditEvent", content=content)
    assert (answer.status_code, again.status_code) == (201, 200)
    assert answer.headers["location"] == again.headers["location"]
    digest = hashlib.sha256(content).digest()
    events = [one for kind, one in log.said() if kind == "event.received.v1" and one.content_sha256 == digest]
    assert len(events) == 1 and flag in events[0].flags
    assert b"Quillfeather" not in events[0].SerializeToString() and not events[0].provenance.peer_id


def test_an_event_from_outside_is_shown_as_it_was_sent(officer):
    """Under our id, with our flags, and otherwise word for word."""
    shown = matches(officer.get("/fhir/AuditEvent?altid=jdoe7"))[0]
    assert {name: shown[name] for name in THEIRS} == THEIRS and shown["id"] == "rcv-1"


def test_an_erased_person_is_found_by_nobody_and_their_entries_say_so(mongo_uri, tmp_path):
    """Without the key the person's marks cannot be made; a search for the user shows that something was there."""
    with a_read_log(mongo_uri, tmp_path) as log:
        log.record([read_by("nurse-9", "peer_gone"), read_by("nurse-9", "peer_here")])
        covered(log.room)
        log.room.keyring._collection.delete_one({"subject": log.room.keyring._find_mark("peer_gone")})
        with log.serving(routes(log.room)) as address, log.client(address) as officer:
            assert matches(officer.get("/fhir/AuditEvent?patient=peer_gone")) == []
            both = matches(officer.get("/fhir/AuditEvent?agent=nurse-9"))
        assert [tag["code"] for tag in both[1]["meta"].get("tag", ())] == ["erased"]
        assert "peer_gone" not in json.dumps(both) and len(both) == 2
        assert log.room.finds.check(0, 2) == []


def test_a_changed_removed_or_added_index_row_is_named(mongo_uri, tmp_path):
    """The search index is compared with the log in both directions; built again it is whole."""
    with a_read_log(mongo_uri, tmp_path) as log:
        log.record([read_by(f"nurse-{n}", "peer_1", after_s=n) for n in range(6)])
        finds = log.room.finds
        covered(log.room)
        assert finds.check(0, 6) == []
        finds.finds.delete_one({"_id": 1})
        finds.finds.update_one({"_id": 2}, {"$set": {"a": "somebody-else"}})
        finds.finds.update_one({"_id": 3}, {"$pop": {"k": 1}})
        assert finds.check(0, 6) == [
            ("search-row-missing", 1),
            ("search-row-changed", 2),
            ("search-row-changed", 3),
        ]
        finds.forget()
        covered(log.room)
        assert finds.check(0, 6) == []


def test_the_index_holds_nothing_readable_about_anybody(log):
    """No person, record, address or name of another system stands in the index."""
    covered(log.room)
    text = b"".join(bytes(str(each), "utf-8") for each in log.room.finds.finds.find())
    for word in (b"peer_", b"ref_of", b"Quillfeather", b"10.0.7", b"jdoe7", b"pat-1", b"Chart"):
        assert word not in text


def test_every_event_type_can_be_indexed_and_found_by_its_type(mongo_uri, tmp_path):
    """Whatever any service can say is found under its own subtype."""
    types = sorted(path.stem for path in GOLDEN.glob("*.json"))
    with a_read_log(mongo_uri, tmp_path) as log:
        log.record([facts_of(golden(each)) for each in types])
        with log.serving(routes(log.room)) as address, log.client(address) as officer:
            for each in types:
                count = officer.get(f"/fhir/AuditEvent?event-type={each}&_count=0").json()["total"]
                assert count == 1, each
