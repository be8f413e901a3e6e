"""A medical emergency at the desk (42 CFR 2.51): on record before anything is shown, in a browser and by plain HTTP."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from services.intake.domain.emergency import NATURES
from services.intake.web.words import WORDS
from tests.desk_room import DeskRoom, a_desk, post, refer

FACTS = {
    "recipient_id": "Dr. Okafor, ext. 4410",
    "recipient_affiliation": "Lakeside ICU",
    "nature_code": "overdose",
    "sure": "1",
}


@pytest.fixture(scope="module")
def desk(mongo_uri, database_of_the_file, tmp_path_factory):
    """One running desk for this file."""
    with a_desk(mongo_uri, database_of_the_file, tmp_path_factory.mktemp("emergency")) as found:
        yield found


@pytest.fixture(scope="module")
def nurse(desk: DeskRoom):
    """Ada, the nurse, in a browser without scripts."""
    with desk.signed_in() as client:
        yield client


@pytest.fixture(scope="module")
def page_of(nurse) -> str:
    """The page of somebody who was referred: Wren Quillfeather."""
    return f"/desk/referrals/{refer(nurse)}"


def declared(desk: DeskRoom) -> list:
    """What is on record."""
    return desk.accesses("emergency.declared.v1")


def test_the_form_tells_nothing_and_the_answer_comes_after_the_record(desk, nurse, page_of):
    """Before it is sent no name is shown; then name, birth date, bed; and the four facts, for treatment in emergency."""
    assert f"{page_of}/emergency" in nurse.get(page_of).text
    assert "Quillfeather" not in nurse.get(f"{page_of}/emergency").text
    before = len(declared(desk))
    answer = post(nurse, f"{page_of}/emergency", f"{page_of}/emergency", **FACTS)
    assert answer.status_code == 200 and "no-store" in answer.headers["cache-control"]
    for words in ("Wren Quillfeather", "1988-04-01", "ER, 12", "Dr. Okafor"):
        assert words in answer.text
    assert "15185550177" not in answer.text
    (said,) = declared(desk)[before:]
    assert (said.recipient_id, said.recipient_affiliation) == ("Dr. Okafor, ext. 4410", "Lakeside ICU")
    assert (said.discloser_id, said.nature_code) == ("nurse-ada", "overdose") and said.occurred_at.seconds
    assert said.provenance.purpose_of_use == "ETREAT" and said.provenance.peer_id.startswith("peer_")


@pytest.mark.parametrize(
    ("field", "text", "told"),
    [
        ("recipient_id", "  ", "missing"),
        ("recipient_id", "Dr. Okafor\n<b>", "recipient-malformed"),
        ("recipient_id", "mother of Wren QUILLFEATHER", "recipient-is-the-person"),
        ("recipient_affiliation", "x" * 81, "recipient-malformed"),
        ("nature_code", "busy day", "word-unknown"),
        ("sure", "", "sure-needed"),
    ],
)
def test_a_fault_shows_the_form_again_and_nothing_of_the_person(desk, nurse, page_of, field, text, told):
    """The fault stands at its field, what was typed is kept, nothing is told and nothing is on record."""
    before = len(declared(desk))
    answer = post(nurse, f"{page_of}/emergency", f"{page_of}/emergency", **(FACTS | {field: text}))
    assert answer.status_code == 422
    assert WORDS["en"][f"emergency_fault_{told}"].replace("'", "&#39;") in answer.text
    assert "1988" not in answer.text and "ER, 12" not in answer.text
    assert len(declared(desk)) == before


def test_a_coordinator_may_not_and_another_hospital_finds_nothing(desk, page_of):
    """Refused, in the trail, and nothing on record."""
    before = len(declared(desk))
    with desk.signed_in(actor="coordinator-ines", role="coordinator") as client:
        assert f"{page_of}/emergency" not in client.get(page_of).text
        assert client.get(f"{page_of}/emergency").status_code == 403
    with desk.signed_in(actor="nurse-far", org="er-elsewhere") as client:
        told = post(client, f"{page_of}/emergency", f"{page_of}/emergency", **FACTS)
        assert told.status_code == 404 and "Quillfeather" not in told.text
    assert len(declared(desk)) == before
    assert "role-not-allowed" in {one.reason_code for one in desk.accesses("access.denied.v1")}


def test_who_took_their_consent_back_is_told_to_nobody(desk, nurse):
    """The page says so in plain words; the refusal is in the trail."""
    page = f"/desk/referrals/{refer(nurse, family='Tamarisk', given='Odell', bed='14')}"
    post(nurse, page, f"{page}/revoke-consent", sure="1")
    assert f"{page}/emergency" not in nurse.get(page).text
    told = post(nurse, f"{page}/emergency", f"{page}/emergency", **FACTS)
    assert told.status_code == 409 and WORDS["en"]["told_emergency-dissent"] in told.text
    assert "Tamarisk" not in told.text
    assert "emergency-dissent" in {one.reason_code for one in desk.accesses("access.denied.v1")}


def test_every_kind_of_emergency_has_words_in_every_language():
    """A word of the proto that the page could not say would be an empty choice."""
    for words in WORDS.values():
        assert all(words[f"nature_{each}"] for each in NATURES)


@pytest.mark.parametrize(("language", "scheme"), [("en-US", "light"), ("es-US", "dark")])
def test_axe_finds_nothing_and_no_phone_scrolls_sideways(desk, page_of, language, scheme):
    """The form, the form with faults and what may be told, at a phone's width."""
    with sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=str(Path("/usr/bin/chromium")), args=["--no-sandbox", "--disable-gpu"]
        )
        phone = browser.new_context(
            viewport={"width": 390, "height": 844}, locale=language, color_scheme=scheme
        )
        page = phone.new_page()
        desk.open_window(phone, actor="nurse-axe")
        page.goto(f"{desk.address}{page_of}/emergency")
        for step in ("form", "faults", "told"):
            if step == "faults":
                page.click("main form button")
                page.wait_for_selector("#faults")
            if step == "told":
                page.fill("#recipient_id", "Dr. Okafor")
                page.fill("#recipient_affiliation", "Lakeside ICU")
                page.select_option("#nature_code", "overdose")
                page.check("#sure")
                page.click("main form button")
                page.wait_for_selector("dl")
            found = Axe().run(page)
            assert found.violations_count == 0, f"{step}\n{found.generate_report()}"
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, step
        assert re.search("Quillfeather", page.inner_text("main"))
        browser.close()
