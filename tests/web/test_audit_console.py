"""The compliance console in a real browser: search by keyboard, proofs, timelines, a report, a review, two languages."""

from __future__ import annotations

import base64
import json
import re
import zipfile
import zlib
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

from kindred.audit.v1.events_pb2 import LogChecked
from services.audit.checks.checking import last_check
from services.audit.officers_door import render_refusal, routes
from services.audit.offline import export as verifier
from services.audit.reports.detecting import Detector
from services.audit.web import pages, timeline
from services.audit.web.bar import understood
from services.audit.web.sessions import Sessions
from services.audit.web.words import WORDS
from tests.audit_facts import MOMENT, facts_of
from tests.audit_reading import ReadLog, a_read_log
from tests.integration.audit.test_audit_reports import AtClock, a_disclosure, a_read, who
from tests.signing_in import opened, settings_of, sign_ins, signed_in

expect.set_options(timeout=20_000)
CHROMIUM = Path("/usr/bin/chromium")
PAGES = ("/console", "/console?patient=peer_rosa", "/console/people?person=peer_rosa", "/console/users?user=nurse-1",
         "/console/reports", "/console/reports/who-saw-person?run=1&person=peer_rosa", "/console/reviews",
         "/console/log", "/console/look-up", "/console/people?person=peer_01a2036617be7ea996578c8cb2e6cb91",
         "/console/accounting?run=1&person=peer_rosa&document=part2-accounting")  # fmt: skip


@pytest.fixture(scope="module")
def log(mongo_uri, tmp_path_factory):
    """A day with reads, a broken glass and disclosures."""
    folder = tmp_path_factory.mktemp("console")
    with (
        sign_ins(folder / "keys", "/console") as people,
        a_read_log(mongo_uri, folder, AtClock(), **settings_of(people)) as log,
    ):
        log.people = people
        log.record([a_read(n * 20, f"nurse-{n % 3}", peer="rosa" if n % 4 else "ivan") for n in range(60)])
        log.record([a_read(1_300, "nurse-2", purpose="BTG"), a_disclosure(1_310, "sp-7")])
        log.record([a_read(1_320, "nurse-2", peer="01a2036617be7ea996578c8cb2e6cb91")])  # as long as ids are
        Detector(log.room).run_if_due("break-glass")
        yield log


@pytest.fixture(scope="module")
def address(log):
    """Where the console is."""
    with log.serving(routes(log.room), render_refusal=render_refusal) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    """One browser for this file."""
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, log: ReadLog, address):
    """Vera, signed in a moment ago."""
    context = browser.new_context(locale="en-US", base_url=address)
    opened(context, address, Sessions(log.room.database, log.room.clock), "kindred-console", log.officer())
    page = context.new_page()
    page.set_default_timeout(25_000)
    page.goto("/console")
    yield page
    context.close()


def test_an_officer_asks_finds_proves_and_takes_the_proof_with_the_keyboard_alone(page):
    """From the bar to a proven entry: type, Enter, and the first hit's own page."""
    page.focus("#q")
    page.keyboard.type("peer_rosa nurse-1 7days weather")
    page.keyboard.press("Enter")
    page.wait_for_url("**/console?q=*")
    expect(page.locator("[role=status]")).to_contain_text("weather")
    rows = page.locator("tbody tr")
    assert rows.count() == page.locator(".proven").count() > 5
    rows.nth(0).locator("a").nth(0).focus()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("data disclosed")
    expect(page.locator(".proven")).to_be_visible()
    with page.expect_download() as taken:
        page.click("text=Take the proof")
    proof = json.loads(Path(taken.value.path()).read_text())
    assert set(proof) == {"leaf", "index", "tree_size", "hashes", "checkpoint"}


def test_a_persons_timeline_has_a_lane_for_each_who_looked_and_says_it_in_words_too(page, log):
    """A picture and a table of the same entries."""
    page.goto("/console/people?person=peer_rosa")
    lanes = page.locator("svg.timeline text:not(.axis)").all_text_contents()
    assert set(lanes) == {"nurse-0", "nurse-1", "nurse-2"}
    assert page.locator("svg.timeline .done").count() == page.locator("tbody tr").count()


def test_a_review_is_judged_with_a_reason_and_leaves_the_queue(page):
    """Broken glass: open it, say why, and nothing waits any more."""
    page.goto("/console/reviews")
    page.click("text=Break-glass reads")
    page.select_option("#state", "explained")
    page.fill("#note", "She was unconscious; the charge nurse confirms it.")
    page.click("main button.main")
    expect(page.locator("main")).to_contain_text("the charge nurse confirms it")
    page.goto("/console/reviews")
    expect(page.locator("main")).to_contain_text("Nothing waits here.")


def test_a_report_runs_on_the_page_and_leaves_as_pdf(page, log):
    """The rows on the page, and a file whose leaving is an entry."""
    page.goto("/console/reports/part2-accounting")
    page.fill("#p-person", "peer_rosa")
    page.click("main button.main")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.fill("#name", "Rosa's disclosures")
    page.get_by_role("button", name="Keep", exact=True).click()
    page.get_by_role("link", name="Rosa's disclosures").click()
    expect(page.locator("h1")).to_contain_text("2.25")
    expect(page.locator("tbody tr")).to_have_count(1)
    with page.expect_download() as taken:
        page.click("text=PDF")
    assert Path(taken.value.path()).read_bytes().startswith(b"%PDF-")
    assert "record.exported.v1" in {kind for kind, _ in log.said()}


def text_of(pdf: bytes) -> str:
    """The words that reportlab set: its streams are Flate in ASCII85, its strings Latin-1 with octal escapes."""
    streams = re.findall(rb"stream\r?\n(.*?)~>endstream", pdf, re.DOTALL)
    pages = [zlib.decompress(base64.a85decode(one)).decode("latin-1") for one in streams]
    words = re.findall(r"\(((?:[^()\\]|\\.)*)\) Tj", " ".join(pages))
    plain = (re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), one) for one in words)
    return " ".join(" ".join(plain).replace("\\(", "(").replace("\\)", ")").split())


def test_what_a_person_asks_for_is_a_letter_in_their_language_with_its_proof(page, log, tmp_path):
    """Who and what, what it will say, the address the log cannot know, the paper, and the zip that proves it."""
    page.goto("/console/accounting")
    page.fill("#person", "peer_rosa")
    page.select_option("#document", "part2-accounting")
    page.click("text=Show")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.fill("#name", "Rosa Quillfeather")
    page.fill("[name=address_sp-7]", "Harbor Peers, 1 Pier Road, Albany")
    page.select_option("#reader", "es")
    page.check("[name=is_known]")
    with page.expect_download() as taken:
        page.click("text=Make the paper")
    (tmp_path / "letter.pdf").write_bytes(Path(taken.value.path()).read_bytes())
    text = text_of((tmp_path / "letter.pdf").read_bytes())
    assert "Preparado para Rosa Quillfeather" in text and "Harbor Peers, 1 Pier Road, Albany (sp-7)" in text
    with page.expect_download() as taken:
        page.click("text=Export with proof")
    (tmp_path / "proof.zip").write_bytes(Path(taken.value.path()).read_bytes())
    assert verifier.main([str(tmp_path / "proof.zip")]) == 0
    left = [one for kind, one in log.said() if kind == "record.exported.v1"]
    assert {one.format for one in left} >= {"pdf", "zip"} and "Quillfeather" not in str(log.said())


def test_a_search_leaves_with_one_click_as_a_file_that_proves_itself(page, tmp_path):
    """Every entry of the search, and nothing else."""
    page.goto("/console?patient=peer_ivan")
    shown = page.locator("tbody tr").count()
    with page.expect_download() as taken:
        page.click("text=Export with proof")
    (tmp_path / "proof.zip").write_bytes(Path(taken.value.path()).read_bytes())
    assert verifier.main([str(tmp_path / "proof.zip")]) == 0
    with zipfile.ZipFile(tmp_path / "proof.zip") as archive:
        assert len(archive.read("entries.ndjson").splitlines()) == shown


def test_health_says_who_checked_the_log_last_and_when_that_was_too_long_ago(page, log):
    """Never, then whole and by whom, then what is wrong; an old check is told to be old."""
    page.goto("/console/log")
    expect(page.locator("main")).to_contain_text("The whole log was never checked")
    checked = LogChecked(provenance=who("engineer-eli", role="engineer"), is_whole=True, entries=63)
    log.record([facts_of(checked, after=timedelta(hours=23))])
    page.reload()
    expect(page.locator("main")).to_contain_text("engineer-eli")
    expect(page.locator(".proven")).to_be_visible()
    broken = LogChecked(provenance=who("system:audit", role="system"), findings=2, codes=["root-mismatch"])
    log.record([facts_of(broken, after=timedelta(hours=23, minutes=1))])
    page.reload()
    expect(page.locator(".unproven")).to_contain_text("not whole")
    expect(page.locator("main")).to_contain_text("root-mismatch")
    assert not last_check(log.room).is_old(log.room.clock.now())
    assert last_check(log.room).is_old(log.room.clock.now() + timedelta(hours=36))


def test_no_page_has_an_accessibility_fault_in_either_language_or_width(page, tmp_path):
    """axe finds nothing, on a desk's screen and on a phone's; no page scrolls sideways."""
    for reader, width in (("en", 1280), ("es", 390)):
        page.set_viewport_size({"width": width, "height": 900})
        if reader == "es":
            page.click("button[lang=es]")
        for path in PAGES:
            page.goto(path)
            found = Axe().run(page)
            assert found.violations_count == 0, (path, reader, found.generate_report())
            wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
            assert not wide, (path, width)
            page.screenshot(path=tmp_path / f"{reader}{PAGES.index(path)}.png", full_page=True)


def test_a_nurse_is_not_let_in_and_an_officers_sign_in_is_an_entry(log, address):
    """The console is for compliance; who came in, and who did not, is in the log."""
    with httpx.Client(base_url=address) as client:
        told = log.people.walk(client, persona="nurse-ada")
        assert told.status_code == 403 and "This is not for you" in told.text
        assert client.get("/console/people").headers["location"] == "/console/sign-in?next=/console/people"
        way = "?next=//evil.example"
        assert '0;url=/console"' in log.people.walk(client, again=way, persona="officer-vera").text
        assert client.get("/console").status_code == 200
    began = [one for kind, one in log.said() if kind == "session.began.v1"]
    assert "officer-vera" in {one.provenance.actor_id for one in began}
    denied = [one.reason_code for kind, one in log.said() if kind == "access.denied.v1"]
    assert "role-not-allowed" in denied


def test_an_entry_is_found_by_its_number_too_and_a_number_that_is_not_there_yet_says_so(log, address):
    """Papers name an entry by its number; that it was not reached is said with how far the log goes."""
    with httpx.Client(base_url=address) as client:
        signed_in(client, Sessions(log.room.database, log.room.clock), "kindred-console", log.officer())
        found = client.get("/console/entries/3", follow_redirects=True)
        assert found.status_code == 200 and "<dt>" in found.text and "/entries/3" not in str(found.url)
        beyond = client.get("/console/entries/999999")
        assert beyond.status_code == 404 and "There is no entry of this number yet" in beyond.text
        assert f"0–{log.room.finds.reached() - 1}" in beyond.text
        client.headers["accept-language"] = "es"
        assert "Todavía no hay" in client.get("/console/entries/999999").text
        assert "Esa anotación no existe" in client.get("/console/entries/evt-none").text


def test_a_form_of_another_session_is_refused_and_a_session_ends_by_itself(log, address):
    """No token, no change; after a quarter of an hour of nothing the chair is empty."""
    with httpx.Client(base_url=address) as client:
        signed_in(client, Sessions(log.room.database, log.room.clock), "kindred-console", log.officer())
        assert client.post("/console/sign-out", data={"csrf": "x"}).status_code == 403
        assert client.get("/console").status_code == 200
        log.room.clock.moment += timedelta(minutes=16)
        assert client.get("/console").status_code == 303


def test_both_languages_have_every_word():
    """No page falls back to a key."""
    assert set(WORDS["en"]) == set(WORDS["es"])
    assert all(text.strip() for words in WORDS.values() for text in words.values())
    assert pages.HOME == "/console"


@pytest.mark.parametrize(
    ("line", "parameters", "unknown"),
    [
        ("who saw peer_1 today", [("patient", "peer_1"), ("date", "2026-11-21")], ()),
        ("nurse-17 denied btg", [("agent", "nurse-17"), ("outcome", "8"), ("purpose", "BTG")], ()),
        ("client:ehr 2026-11..2026-12", [("agent", "client:ehr"), ("date", "ge2026-11"), ("date", "le2026-12")], ()),
        ("ref_9 reads ayer", [("entity", "ref_9"), ("event-type", "record.read.v1"), ("date", "2026-11-20")], ()),
        ("7días divulgaciones", [("date", "ge2026-11-14"), ("event-type", "disclosure.made.v1")], ()),
        ("evt_0a", [("_id", "evt-0a")], ()),
        ("ref-0192f3 glass", [("entity", "ref-0192f3"), ("purpose", "BTG")], ()),
        ("Rosa Quillfeather", [], ("Rosa", "Quillfeather")),
        ("", [], ()),
    ],
)  # fmt: skip
def test_the_bar_says_how_it_understood_a_line_and_what_it_did_not(line, parameters, unknown):
    """Ids, users, days and purposes become parameters; a name is told back, never searched for."""
    found = understood(line, MOMENT)
    assert (list(found.parameters), found.unknown) == (parameters, unknown)


def test_a_timeline_draws_any_number_of_lanes_and_never_markup():
    """Names are text; beyond the limit the rest shares one lane; nothing is drawn of nothing."""
    marks = [timeline.Mark(MOMENT, f"<b>{n}</b>", '"><script>', n % 2 == 0) for n in range(40)]
    picture = timeline.drawn(marks, '"x"', "others")
    assert "<b>" not in picture and "<script" not in picture and picture.count('class="lane"') == 24
    assert timeline.drawn([], "x", "others") == ""
