"""`kindred audit find | report | reviews | review | register` against the officer's real door."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from cli.app import app
from services.audit.officers_door import render_refusal, routes
from services.audit.reports.detecting import Detector
from services.audit.store.register import KINDS
from tests.audit_reading import a_read_log
from tests.integration.audit.test_audit_reports import AtClock, a_disclosure, a_read


@pytest.fixture(scope="module")
def told(mongo_uri, tmp_path_factory):
    """A log with its doors open, and what a command prints."""
    with a_read_log(mongo_uri, tmp_path_factory.mktemp("commands"), AtClock()) as log:
        log.record(
            [a_read(1, "nurse-1"), a_read(2, "nurse-2", purpose="BTG"), a_disclosure(3, "court-1", "HLEGAL")]
        )
        Detector(log.room).run_if_due("break-glass")
        with log.serving(routes(log.room), render_refusal=render_refusal) as address:
            environ = {"KINDRED_AUDIT_HTTP": address.removeprefix("http://"), "KINDRED_TOKEN": log.token()}

            def command(*words: str, exit_code: int = 0) -> str:
                done = CliRunner().invoke(app, ["audit", *words], env=environ)
                assert done.exit_code == exit_code, done.output
                return done.output

            yield command


def test_a_search_prints_the_hits_and_what_was_searched(told):
    """FHIR words in, lines out; --json is the Bundle with its proofs."""
    assert "nurse-1" in told("find", "patient=peer_rosa&agent=nurse-1")
    bundle = json.loads(told("find", "patient=peer_rosa", "--json"))
    assert len(bundle["entry"]) == 4 and bundle["entry"][0]["search"]["extension"]
    assert "weather: This parameter is not known" in told("find", "weather=fine", exit_code=1)
    first = told("find", "patient=peer_rosa&_count=1")
    following = first.partition("kindred audit find '")[2].partition("'")[0]
    assert "nurse" in told("find", following) and told("find", following) != first


def test_a_report_is_listed_run_and_written_to_a_file(told, tmp_path):
    """All names with their rules; rows; CSV and PDF as files."""
    assert "no-relationship" in json.dumps(json.loads(told("report", "--json")))
    found = json.loads(told("report", "accounting-of-disclosures", "-w", "person=peer_rosa", "--json"))
    assert len(found["rows"]) == 1
    for suffix, begins in (("csv", b"\xef\xbb\xbf"), ("pdf", b"%PDF-")):
        target = tmp_path / f"rosa.{suffix}"
        told("report", "who-saw-person", "-w", "person=peer_rosa", "--to", str(target))
        assert target.read_bytes().startswith(begins)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["rosa.csv", "rosa.pdf"]
    assert "--with" in told("report", "who-saw-person", exit_code=1)
    wrong = told("report", "who-saw-person", "-w", "person=peer_rosa", "--from", "nonsense", exit_code=1)
    assert "--from: Write 2026" in wrong and "--with" not in wrong
    unknown = told("report", "who-saw-person", "-w", "person=peer_rosa", "--to", "rosa.txt", exit_code=2)
    assert ".csv or .pdf" in unknown
    nothing = told("report", "who-saw-person", "-w", "person=peer_nobody")
    assert "nothing found" in nothing and "under the checkpoint of size" in nothing
    ever = told("report", "who-saw-person", "-w", "person=peer_rosa")
    assert "treatment (TREAT)" in ever and "everything the log holds" in ever
    assert "the last 30 days" in told("report", "what-user-saw", "-w", "user=nurse-1")


def test_a_report_that_cannot_be_kept_is_not_asked_for(told, tmp_path):
    """A folder that is not there: one sentence, exit code 2, and no entry that a file left; nor is a language guessed."""
    asked = ("report", "who-saw-person", "-w", "person=peer_kept")
    refused = told(*asked, "--to", str(tmp_path / "gone" / "rosa.csv"), exit_code=2)
    assert "cannot be written: No such file or directory." in " ".join(refused.split())
    assert json.loads(told(*asked, "--json"))["rows"] == []
    told(*asked, "--language", "fr", exit_code=2)


def test_a_state_that_no_review_has_is_refused(told):
    """ "Nothing found" would say that nothing waits."""
    assert "--state: One of: open" in told("reviews", "--state", "opne", exit_code=1)


def test_a_review_is_listed_and_judged(told):
    """The queue, a decision with its reason, and the queue without it."""
    (review,) = json.loads(told("reviews", "--json"))
    told("review", review["id"], "--state", "explained", "--note", "The charge nurse confirms it.")
    assert json.loads(told("reviews", "--json")) == []


def test_the_register_is_fed_from_a_csv(told, tmp_path):
    """Lines with a fault are named; good ones are there."""
    file = tmp_path / "kin.csv"
    file.write_text("kind,actor,person,at\nsame-surname,nurse-1,peer_rosa,\n")
    assert json.loads(told("register", str(file), "--json"))["new"] == 1
    file.write_text("kind,actor,person,at\nweather,nurse-1,peer_rosa,\n")
    assert "entries[0].kind" in told("register", str(file), exit_code=1)
    shown = told("register", "--help")
    assert all(kind in shown for kind in KINDS)
