"""The review list in a real browser and by plain HTTP: two descriptions side by side, decided by a person, undone."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import replace
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

from chassis.errors import Kind, Refusal
from services.intake import handlers
from services.intake.domain import linkage
from services.intake.domain.person import RecordNumber
from services.intake.web.words import WORDS
from tests.desk_room import CAUSE, DeskRoom, a_desk, form_token
from tests.unit.intake.intake_builders import a_person

CHROMIUM = Path("/usr/bin/chromium")
HERE, ELSEWHERE = "er-st-brigid", "er-elsewhere"


@pytest.fixture(scope="module")
def running(mongo_uri, mongo_client, tmp_path_factory):
    """One running desk for this file."""
    name = f"kindred_test_{secrets.token_hex(6)}"
    with a_desk(mongo_uri, mongo_client[name], tmp_path_factory.mktemp("review")) as found:
        yield found
    mongo_client.drop_database(name)


@pytest.fixture
def desk(running: DeskRoom) -> DeskRoom:
    """The desk with nobody known."""
    for name in ("people", "links", "accesses"):
        running.room.database[name].delete_many({})
    return running


@pytest.fixture
def ines(desk: DeskRoom):
    """Ines, the coordinator, in a browser without scripts."""
    with desk.signed_in(actor="coordinator-ines", role="coordinator") as client:
        yield client


def known(desk: DeskRoom, source_id: str = HERE, **given) -> str:
    """Somebody this hospital speaks of."""
    person = replace(a_person(record_numbers=()), **given)
    return desk.room.people.known_as(person, "", source_id).peer_id


def a_pair(desk: DeskRoom, **given) -> str:
    """Wren, and somebody who may be Wren; returns the pair's id."""
    known(desk)
    known(desk, **({"given_name": "Wrenna", "home_zip": "12208"} | given))
    return desk.room.database.links.find_one()["_id"]


def merged(desk: DeskRoom) -> int:
    """How many pseudonyms lead to another."""
    return desk.room.database.people.count_documents({"merged_into": {"$exists": True}})


def test_both_identities_are_shown_with_their_differences_in_words(desk, ines):
    """Each field says the same, differs, or was said once; the list itself tells nothing about anybody."""
    pair_id = a_pair(desk)
    listed = ines.get("/desk/review").text
    assert pair_id in listed and "Wren" not in listed and "1988" not in listed
    shown = ines.get(f"/desk/review/{pair_id}").text
    rows = dict(re.findall(r'<tr class="([a-z-]+)">\s*<th scope="row">([^<]+)', shown.replace("\n", "")))
    assert {"same", "different", "one-side"} == set(rows)
    for words in ("≠ differs", "= same", "– only one says it", "Wrenna", "Quillfeather", "1988-04-01"):
        assert words in shown


def test_each_identity_is_in_the_trail_before_it_is_shown(desk, ines, monkeypatch):
    """Two reads, one of each person, for an operation; where they cannot be written, nothing is shown."""
    pair_id = a_pair(desk)
    ines.get(f"/desk/review/{pair_id}")
    reads = [one for one in desk.accesses("record.read.v1") if one.record_id == pair_id]
    assert len({one.provenance.peer_id for one in reads}) == 2
    assert {one.provenance.purpose_of_use for one in reads} == {"HOPERAT"}

    def fail(*_: object, **__: object) -> None:
        raise Refusal("store-unavailable", Kind.UNAVAILABLE)

    monkeypatch.setattr(desk.room.access.aggregates, "insert", fail)
    answer = ines.get(f"/desk/review/{pair_id}")
    assert answer.status_code == 503 and "Wren" not in answer.text


def test_a_nurse_and_another_hospital_see_no_pair(desk):
    """The list is for coordinators and clinicians of a hospital that knows both."""
    pair_id = a_pair(desk)
    known(desk, ELSEWHERE)
    with desk.signed_in() as nurse:
        assert nurse.get("/desk/review").status_code == 403
        assert nurse.get(f"/desk/review/{pair_id}").status_code == 403
        assert "/desk/review" not in nurse.get("/desk").text
    with desk.signed_in(actor="coordinator-otto", role="coordinator", org=ELSEWHERE) as stranger:
        assert pair_id not in stranger.get("/desk/review").text
        answer = stranger.get(f"/desk/review/{pair_id}")
        assert answer.status_code == 404 and "Wren" not in answer.text
        for action in ("same", "apart", "later", "undo"):
            token = form_token(stranger.get("/desk/review").text)
            data = {"csrf": token, "reason": "twins"}
            assert stranger.post(f"/desk/review/{pair_id}/{action}", data=data).status_code == 404
    assert (merged(desk), desk.room.links.load(pair_id).state) == (0, "open")


def test_what_one_hospital_said_is_not_shown_to_another_that_knows_both(desk):
    """Two hospitals know both people: each sees its own words, never the other's phone or number."""
    known(desk, ELSEWHERE, phones=("+15185550166",))
    known(desk, ELSEWHERE, given_name="Wrenna", phones=("+15185550166",))
    known(desk)
    known(desk, given_name="Wrenna")
    pair_id = desk.room.database.links.find_one({"reviewers": HERE})["_id"]
    with desk.signed_in(actor="clinician-ida", role="clinician") as client:
        shown = client.get(f"/desk/review/{pair_id}").text
    assert "5550177" in shown and "5550166" not in shown


def test_whatever_was_joined_lately_is_found_again_and_undone(desk, ines):
    """By a merge message or by somebody at the desk: the last one first, told apart, for who knows both, until undone."""
    numbers = [RecordNumber("urn:oid:2.999.1", f"MRN-{letter}") for letter in "ABCD"]
    names = ("Quillfeather", "Larkspur", "Osprey", "Thistle")
    for number, name in zip(numbers, names, strict=True):
        known(desk, family_name=name, record_numbers=(number,))
    system = desk.caller("hl7v2:er-st-brigid", "system")
    for kept, gone in (numbers[:2], numbers[2:]):
        assert handlers.merge_people(desk.room, system, kept, gone, cause=CAUSE).is_new
    by_hand = desk.room.links.joined(HERE, 9)[1]
    desk.room.database.links.update_one({"_id": by_hand.pair_id}, {"$set": {"reason_code": "reviewed"}})
    listed = ines.get("/desk/review").text
    joined = re.findall(r'href="/desk/review/(pair-[0-9a-f]+)">[^<]*, ([^<]+)</a></li>', listed)
    assert [words for _, words in joined] == ["by your record system", "by somebody at the desk"]
    assert not any(name in listed for name in names)
    shown = ines.get(f"/desk/review/{joined[0][0]}").text
    assert 'id="undo"' in shown
    cells = re.findall(r"<td>([^<]*)</td>", shown.split("Family name")[1].split("</tr>")[0])
    assert sorted(cells) == ["Osprey", "Thistle"]  # each as before: a wrong join can be seen
    assert "≠ differs" in shown.split("Family name")[1].split("</tr>")[0]
    with desk.signed_in(actor="coordinator-otto", role="coordinator", org=ELSEWHERE) as stranger:
        assert "pair-" not in stranger.get("/desk/review").text
    answer = ines.post(f"/desk/review/{joined[0][0]}/undo", data={"csrf": form_token(shown)})
    assert answer.status_code == 303 and merged(desk) == 1
    assert joined[0][0] not in ines.get("/desk/review").text
    plan = (
        desk.room.database.links.find({"reviewers": HERE, "state": "same"}).sort("decided_at", -1).explain()
    )
    assert "joined_lately" in str(plan["queryPlanner"]["winningPlan"])


def test_nothing_is_decided_without_the_forms_token_or_a_reason(desk, ines):
    """A forged form changes nothing, and neither does "not the same" without a reason."""
    pair_id = a_pair(desk)
    for action in ("same", "apart", "later", "undo"):
        assert ines.post(f"/desk/review/{pair_id}/{action}", data={"reason": "twins"}).status_code == 403
    token = form_token(ines.get("/desk/review").text)
    assert ines.post(f"/desk/review/{pair_id}/apart", data={"csrf": token}).status_code == 400
    assert ines.post(f"/desk/review/{pair_id}/undo", data={"csrf": token}).status_code == 409
    assert (merged(desk), desk.room.links.load(pair_id).state) == (0, "open")


def test_not_the_same_leaves_the_list_and_later_stays(desk, ines):
    """Decided pairs are gone from the list, and a second decision of the same kind is no error."""
    pair_id = a_pair(desk)
    token = form_token(ines.get("/desk/review").text)
    later = ines.post(f"/desk/review/{pair_id}/later", data={"csrf": token})
    assert later.headers["location"] == "/desk/review?told=later"
    assert "Set aside" in ines.get("/desk/review").text
    for _ in range(2):
        data = {"csrf": token, "reason": "twins"}
        assert ines.post(f"/desk/review/{pair_id}/apart", data=data).status_code == 303
    assert pair_id not in ines.get("/desk/review").text
    assert (merged(desk), desk.room.links.load(pair_id).reason_code) == (0, "twins")


def test_what_was_typed_is_text(desk, ines):
    """A name with markup in it is shown as it was written."""
    pair_id = a_pair(desk, given_name="Wrenna <script>alert(1)</script>")
    shown = ines.get(f"/desk/review/{pair_id}").text
    assert "&lt;script&gt;" in shown and "<script>alert" not in shown


def test_every_reason_why_a_pair_waits_has_words(desk):
    """No caveat of the comparison is shown as a code, in any language."""
    folder = Path(linkage.__file__).parents[1] / "web" / "wording"
    wordings = [json.loads((folder / f"{reader}.review.json").read_text("utf-8")) for reader in ("en", "es")]
    assert wordings[0].keys() == wordings[1].keys()
    for reader in ("en", "es"):
        assert all(f"caveat_{code}" in WORDS[reader] for code in (*linkage.CAVEATS, "several-fit"))


@pytest.fixture(scope="module")
def browser():
    """Chromium, without a screen."""
    if not CHROMIUM.exists():
        pytest.skip("chromium is not installed (apt-get install chromium): no page can be tried in a browser")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield found
        found.close()


def tab_to(page, selector: str) -> None:
    """Only the Tab key, until the element has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("one => document.activeElement === document.querySelector(one)", selector):
            return
    raise AssertionError(f"{selector} cannot be reached with Tab")


@pytest.mark.parametrize(("language", "width"), [("en-US", 1100), ("es-MX", 375)])
def test_a_pair_is_joined_and_undone_with_the_keyboard_alone(desk, browser, language: str, width: int):
    """List, pair, "same person", undo: no mouse, no complaint of axe, in English and in Spanish on a phone."""
    pair_id = a_pair(desk)
    context = browser.new_context(viewport={"width": width, "height": 800}, locale=language)
    page = context.new_page()
    page.set_default_timeout(15_000)
    desk.open_window(context, actor="coordinator-ines", role="coordinator")
    page.goto(f"{desk.address}/desk")
    tab_to(page, "nav a[href='/desk/review']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/desk/review")
    assert Axe().run(page).response["violations"] == []
    tab_to(page, f"a[href='/desk/review/{pair_id}']")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/{pair_id}")
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    tab_to(page, "#same")
    page.keyboard.press("Enter")
    expect(page.locator("#undo")).to_be_visible()
    assert merged(desk) == 1
    assert Axe().run(page).response["violations"] == []
    tab_to(page, "#undo")
    page.keyboard.press("Enter")
    page.wait_for_url("**/desk/review?told=undone")
    assert merged(desk) == 0
    context.close()
