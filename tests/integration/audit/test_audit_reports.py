"""Reports, their files, the register, reviews and scheduled detections, over HTTP on a real log."""

import csv
import io
from datetime import timedelta

import pytest

from kindred.access.v1.events_pb2 import RecordRead
from kindred.bus.v1.bus_pb2 import Provenance
from kindred.intake.v1.events_pb2 import DisclosureMade, ReferralSubmitted
from services.audit.domain.review import STATES
from services.audit.officers_door import render_refusal, routes
from services.audit.reports import catalog
from services.audit.reports.detecting import Detector
from services.audit.reports.files import cell
from tests.audit_facts import MOMENT, facts_of
from tests.audit_reading import a_read_log


class AtClock:
    """A clock that stands a day after the events."""

    def __init__(self) -> None:
        self.moment = MOMENT + timedelta(days=1)

    def now(self):
        """The moment."""
        return self.moment


def who(
    actor: str, *, purpose: str = "TREAT", role: str = "nurse", org: str = "st-brigid", peer: str = "rosa"
):
    """Provenance of somebody's deed."""
    return Provenance(
        actor_id=actor, actor_role=role, organization_id=org, purpose_of_use=purpose, peer_id=f"peer_{peer}"
    )


def a_read(after_m: float, actor: str, **more):
    """A read of a referral."""
    message = RecordRead(
        provenance=who(actor, **more), record_type="Referral", record_id="ref_1", action="read"
    )
    return facts_of(message, after=timedelta(minutes=after_m))


def a_disclosure(after_m: float, recipient: str, purpose: str = "TREAT"):
    """Data go to somebody outside."""
    message = DisclosureMade(
        provenance=who("nurse-1", purpose=purpose),
        referral_id="ref_1",
        consent_id="con_1",
        consent_version=2,
        recipient_id=recipient,
        recipient_class="peer-support-specialist",
        confidentiality="R",
    )
    return facts_of(message, after=timedelta(minutes=after_m))


@pytest.fixture(scope="module")
def log(mongo_uri, tmp_path_factory):
    """A day of St. Brigid's: a submission, reads of several kinds, disclosures."""
    with a_read_log(mongo_uri, tmp_path_factory.mktemp("reports"), AtClock()) as log:
        sender = who("client:ehr", role="system", org="")
        submitted = ReferralSubmitted(provenance=sender, referral_id="ref_1", source_id="st-brigid")
        log.record([facts_of(submitted)])
        log.record([a_read(n, "nurse-1") for n in range(1, 6)])
        log.record([a_read(10, "nurse-9", org="lakeside"), a_read(11, "nurse-2", purpose="BTG")])
        log.record([a_disclosure(20 + n, "sp-7") for n in range(3)])
        log.record([a_disclosure(30, "court-1", "HLEGAL"), a_disclosure(31, "sp-8", "ETREAT")])
        log.record([a_read(40, "=cmd()|x", peer="ivan")])
        yield log


@pytest.fixture(scope="module")
def officer(log):
    """Vera, with the officer's doors open."""
    with (
        log.serving(routes(log.room), render_refusal=render_refusal) as address,
        log.client(address) as client,
    ):
        yield client


def test_every_report_tells_its_rule_in_both_languages_and_runs(officer):
    """24 reports; each runs with what it needs, and says range, checkpoint and rule."""
    for reader in catalog.READERS:
        listed = officer.get("/audit/reports", params={"language": reader}).json()["reports"]
        assert {each["name"] for each in listed} == set(catalog.REPORTS)
        assert all(len(each["rule"]) > 20 and each["title"] for each in listed)
    for name, report in catalog.REPORTS.items():
        needed = {each.name: "peer_rosa" for each in report.parameters if each.is_needed}
        answer = officer.get(f"/audit/reports/{name}", params=needed)
        assert answer.status_code == 200, (name, answer.text)
        assert answer.json()["checkpoint"] and answer.json()["from"] < answer.json()["until"]


@pytest.mark.parametrize(
    ("name", "given", "actors"),
    [
        ("who-saw-person", {"person": "peer_ivan"}, ["=cmd()|x"]),
        ("who-saw-person", {"person": "peer_nobody"}, []),
        ("what-user-saw", {"user": "nurse-9"}, ["nurse-9"]),
        ("no-relationship", {}, ["nurse-9", "=cmd()|x"]),
        ("break-glass", {}, ["nurse-2"]),
        ("emergency", {}, ["nurse-1"]),
        ("purpose-mismatch", {}, ["nurse-1"]),
    ],
)
def test_a_report_finds_what_its_rule_says(officer, name, given, actors):
    """The rows are the entries the rule points at, with who did it."""
    answer = officer.get(f"/audit/reports/{name}", params=given).json()
    assert [row["actor"] for row in answer["rows"]] == actors


def test_the_accounting_lists_what_is_due_sums_up_repeats_and_counts_the_rest(officer):
    """164.528 leaves out treatment, 2.25 does not; three disclosures to one specialist are one line."""
    lines = officer.get("/audit/reports/accounting-of-disclosures", params={"person": "peer_rosa"}).json()
    assert [row["recipient"].partition(",")[0] for row in lines["rows"]] == ["court-1", "sp-8"]
    assert lines["excluded"] == 3
    part2 = officer.get("/audit/reports/part2-accounting", params={"person": "peer_rosa"}).json()["rows"]
    repeated = next(row for row in part2 if row["recipient"].startswith("sp-7"))
    assert (
        repeated["count"] == "3"
        and repeated["first"] < repeated["last"]
        and repeated["consent"] == "con_1 v2"
    )


def test_a_suspended_disclosure_is_held_back_from_every_paper(log, officer):
    """On a law-enforcement statement the line, and its very existence, is in no CSV and no PDF."""
    until = (log.room.clock.now() + timedelta(days=30)).isoformat()
    line = {"kind": "suspension", "actor": "court-1", "person": "peer_rosa", "at": until}
    assert officer.post("/audit/register", json={"entries": [line]}).json()["new"] == 1
    told = officer.get("/audit/reports/accounting-of-disclosures", params={"person": "peer_rosa"}).json()
    assert told["held_back"] == 1
    paper = officer.get(
        "/audit/reports/accounting-of-disclosures", params={"person": "peer_rosa", "format": "csv"}
    )
    assert "court-1" not in paper.text and "Held back" not in paper.text


def test_a_csv_runs_no_formula_and_reads_back_what_was_found(officer):
    """Cells that a spreadsheet would run begin with an apostrophe; everything else stands as it is."""
    answer = officer.get("/audit/reports/who-saw-person", params={"person": "peer_ivan", "format": "csv"})
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert rows[-1][2] == "'=cmd()|x"
    assert [cell(text) for text in ("+1", "-1", "@x", "\t=1", " =1", "a=1")] == [
        "'+1", "'-1", "'@x", "'\t=1", "' =1", "a=1",
    ]  # fmt: skip


def test_a_pdf_is_one_in_both_languages_and_its_fingerprint_is_in_the_log(log, officer):
    """What leaves as a file is an export entry with its SHA-256, durable before it leaves."""
    import hashlib

    for reader in catalog.READERS:
        given = {"person": "peer_rosa", "format": "pdf", "language": reader}
        answer = officer.get("/audit/reports/part2-accounting", params=given)
        assert answer.content.startswith(b"%PDF-") and answer.headers["content-type"] == "application/pdf"
        exported = [one for kind, one in log.said() if kind == "record.exported.v1"]
        assert hashlib.sha256(answer.content).digest() in {one.content_sha256 for one in exported}


@pytest.mark.parametrize(
    ("name", "given", "place"),
    [
        ("who-saw-person", {}, "person"),
        ("volume", {"times": "many"}, "times"),
        ("after-hours", {"zone": "Mars/Base"}, "zone"),
        ("break-glass", {"from": "soon"}, "from"),
        ("break-glass", {"from": "2027-01-01", "until": "2026-01-01"}, "from"),
        ("break-glass", {"weather": "fine"}, "weather"),
    ],
)
def test_a_parameter_at_fault_is_named(officer, name, given, place):
    """A clear fault at the parameter; a report of no name is not found."""
    answer = officer.get(f"/audit/reports/{name}", params=given)
    assert answer.status_code == 400 and answer.json()["faults"][0]["path"] == place
    assert officer.get("/audit/reports/weather").status_code == 404


def test_the_register_ties_people_and_a_report_finds_their_reads(officer):
    """A nurse with Rosa's surname reads Rosa's record; lines of an unknown kind are refused with their place."""
    lines = [
        {"kind": "same-surname", "actor": "nurse-1", "person": "peer_rosa"},
        {"kind": "vip", "person": "peer_ivan"},
    ]
    assert officer.post("/audit/register", json={"entries": lines}).json()["lines"] == 2
    assert officer.post("/audit/register", json={"entries": lines}).json()["new"] == 0
    rows = officer.get("/audit/reports/same-surname").json()["rows"]
    assert {row["actor"] for row in rows} == {"nurse-1"} and len(rows) == 10
    assert len(officer.get("/audit/reports/vip").json()["rows"]) == 1
    bad = officer.post("/audit/register", json={"entries": [{"kind": "weather"}]})
    assert bad.json()["faults"][0]["path"] == "entries[0].kind"


def test_broken_glass_is_reviewed_within_a_day_by_somebody_else(log, officer):
    """The detection raises one review, however often it runs; it is due in 24 h, overdue after, judged with a reason."""
    detector, clock = Detector(log.room), log.room.clock
    assert detector.run_if_due("break-glass") == 1
    clock.moment += timedelta(minutes=2)
    assert detector.run_if_due("break-glass") == 0
    (review,) = [
        each for each in officer.get("/audit/reviews").json()["reviews"] if each["rule"] == "break-glass"
    ]
    assert (
        review["about"] == "nurse-2" and review["due_at"][:13] == "2026-11-23T22" and not review["is_overdue"]
    )
    clock.moment += timedelta(hours=25)
    assert officer.get("/audit/reviews").json()["reviews"][0]["is_overdue"]
    path = f"/audit/reviews/{review['id']}"
    assert officer.post(path, json={"state": "explained"}).json()["code"] == "review-note-missing"
    assert officer.post(path, json={"state": "fine", "note": "x"}).status_code == 400
    done = officer.post(path, json={"state": "explained", "note": "Rosa was unconscious."}).json()
    assert (done["state"], done["reviewer"], done["is_overdue"]) == ("explained", "officer-vera", False)
    assert officer.get("/audit/reviews").json()["reviews"] == []
    stored = log.room.database["reviews"].find_one({"_id": review["id"]})
    assert "unconscious" not in str(stored) and {row["type"] for row in stored["outbox"]} == {
        "review.opened.v1",
        "review.decided.v1",
    }


def test_nobody_judges_what_they_did_themselves(log):
    """The person a review is about is turned away, whichever state they ask for."""
    from chassis.envelope import Cause
    from chassis.errors import Refusal
    from chassis.identity import Caller

    caller, cause = Caller("nurse-2", "compliance", "kindred", "HCOMPL"), Cause("req_1")
    log.room.reviews.raise_one("exports", "x", actor="nurse-2", numbers=[1], caller=caller, cause=cause)
    review = next(each for each in log.room.reviews.queue("") if each.rule == "exports")
    for state in STATES:
        with pytest.raises(Refusal, match="own-review"):
            log.room.reviews.decide(review.review_id, state, "It was me.", caller, cause)


def test_a_saved_question_is_its_owners_and_sealed(log, officer):
    """Kept under a name, told to its owner, unreadable in the database."""
    asked = {"name": "Rosa", "kind": "search", "parameters": [["patient", "peer_rosa"]]}
    assert officer.post("/audit/saved", json=asked).status_code == 201
    assert officer.post("/audit/saved", json=asked).status_code == 201
    (saved,) = officer.get("/audit/saved").json()["saved"]
    assert saved["parameters"] == [["patient", "peer_rosa"]]
    assert "peer_rosa" not in str(log.room.database["saved_searches"].find_one())
    assert log.room.saved.of("somebody-else") == []


def test_reading_a_report_is_an_entry_about_the_person(log, officer):
    """Its name, the person and the names of its parameters."""
    officer.get("/audit/reports/who-saw-person", params={"person": "peer_rosa"})
    found = [
        one for kind, one in log.said() if kind == "record.read.v1" and one.record_id == "who-saw-person"
    ]
    assert found[-1].provenance.peer_id == "peer_rosa" and "person" in found[-1].criteria


def test_a_token_that_was_handed_out_is_an_entry_before_its_first_use(log):
    """Whoever holds a token may say so with it, and nobody without one; the token itself is nowhere."""
    with log.serving(routes(log.room), render_refusal=render_refusal) as address:
        with log.client(address, purpose="", role="nurse", actor="nurse-9") as nurse:
            assert nurse.post("/audit/tokens", json={}).status_code == 201
            token = nurse.headers["authorization"].removeprefix("Bearer ")
        with log.client(address) as nobody:
            nobody.headers["authorization"] = "Bearer none"
            assert nobody.post("/audit/tokens", json={}).status_code == 401
    (issued,) = [one for kind, one in log.said() if kind == "token.issued.v1"]
    assert (issued.client_id, list(issued.scopes)) == ("nurse-9", ["role:nurse"])
    assert issued.expires_at.seconds and token not in str(log.said())
