"""The answer page in a real browser and by plain HTTP: safe to look at, works once, tells nobody anything."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from chassis.http_server import build_app, serve
from chassis.sealing import PrivateSeal
from kindred.intake.v1 import events_pb2
from services.matching import handlers
from services.matching.web import answer_page
from tests.matching_room import CAUSE, a_room, a_row, a_submission, enroll, looked, said, submit

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture
def room(mongo_uri, database, clock, tmp_path):
    """A room with Rosa and Otto, and a referral offered to both."""
    with a_room(mongo_uri, database, clock, tmp_path / "keys") as built:
        attributes = "substance.opioids:released;gender.woman:released;hiv:private"
        enroll(built, [a_row("rosa", attributes=attributes, agrees_to_private_use="yes"), a_row("otto")])
        wishes = [events_pb2.Preference(code="gender.woman", strength=events_pb2.STRENGTH_STRONG)]
        submit(built, a_submission(preferences=wishes, languages=["es", "ase"], interpreter_agreed=True))
        yield built


@pytest.fixture
def address(room):
    """Where the page is served, by the door every service uses."""
    app = build_app(
        room.settings,
        routes=answer_page.routes(room),
        tokens=room.tokens,
        readiness={},
        render_refusal=answer_page.render_refusal,
        on_denied=lambda *_: None,
    )
    server = serve(app, "127.0.0.1:0")
    yield f"http://127.0.0.1:{server.port}"
    server.stop(grace_s=1)


@pytest.fixture
def links(room, address, tmp_path):
    """Each specialist's link, as notifications would unseal it."""
    private = PrivateSeal.from_dir(tmp_path / "keys", "notifications")

    def link(made):
        token = private.unseal(made.sealed_link_token, f"offer-link:{made.offer_id}").decode()
        return f"{address}/answer/{token}"

    return {made.specialist_id: link(made) for made in said(room, "offer.made.v1")}


@pytest.fixture(scope="module")
def browser():
    """Chromium, without a screen."""
    if not CHROMIUM.exists():
        pytest.skip(
            "chromium is not installed (apt-get install chromium): the pages cannot be tried in a browser"
        )
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield found
        found.close()


def _phone(browser, language="en-US"):
    return browser.new_context(viewport={"width": 375, "height": 740}, locale=language).new_page()


def _yes(link, **fields):
    return httpx.post(link, data={"answer": "accept", "minutes": "20", "modality": "phone", **fields})


def test_looking_changes_nothing_and_leaves_nothing_behind(room, links):
    """GET and HEAD, however often, answer no offer; the page is not kept, not referred from, and runs no script."""
    before = room.cases.case("ref_1")
    for _ in range(3):
        page = httpx.get(links["rosa"])
        assert httpx.head(links["rosa"]).status_code == 200
    assert room.cases.case("ref_1") == before
    assert page.headers["cache-control"] == "no-store" and page.headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in page.headers["content-security-policy"] and "<script" not in page.text


def test_each_look_is_on_record_before_the_page_leaves(room, links):
    """Shown or refused; where the look cannot be written down, the page says nothing of the person."""
    assert "opioid" in httpx.get(links["rosa"]).text
    assert looked(room) == {("record.read.v1", "peer_ref_1"): 1}
    room.database.command("collMod", "accesses", validator={"never": {"$exists": True}})
    unwritten = httpx.get(links["rosa"], timeout=60)
    assert unwritten.status_code >= 500 and "opioid" not in unwritten.text
    room.database.command("collMod", "accesses", validator={})
    assert _yes(links["otto"]).status_code == 200
    assert httpx.get(links["rosa"]).status_code == 404
    assert looked(room) == {("record.read.v1", "peer_ref_1"): 1, ("access.denied.v1", ""): 1}


def test_the_page_names_only_what_was_released_and_nobody(room, links):
    """The private attribute, the peer's id, the source and the specialist's id are not on it; released reasons are."""
    text = httpx.get(links["rosa"]).text
    assert "In common: Recovery from opioid use" in text and "They hope for: Woman" in text
    for secret in ("HIV", "peer_ref_1", "ref_1", "st-brigid", "rosa", "bronx"):
        assert secret not in text


def test_the_page_speaks_as_the_letter_that_led_there(links):
    """The language of the link goes before the browser's; one we do not have is none."""
    spanish = {"accept-language": "es"}
    told = [
        httpx.get(links["rosa"] + asked, headers=headers).headers["content-language"]
        for asked, headers in (("?lang=es", {}), ("?lang=en", spanish), ("?lang=xx", spanish), ("", {}))
    ]
    assert told == ["es", "en", "es", "en"]


def test_every_link_that_is_not_open_looks_the_same(room, links, address, clock):
    """A token nobody made, one that was answered and one whose time is over get the same page with the same status."""
    assert _yes(links["otto"]).status_code == 200
    strange = httpx.get(f"{address}/answer/{'x' * 43}")
    answered = httpx.get(links["otto"])
    withdrawn = httpx.get(links["rosa"])
    submit(room, a_submission("ref_2"))
    clock.turn(timedelta(hours=1))

    def seen(page):
        nonce = page.headers["content-security-policy"].split("nonce-")[1].split("'")[0]
        return page.status_code, page.text.replace(nonce, "")

    assert seen(strange) == seen(answered) == seen(withdrawn)
    assert strange.status_code == 404


def test_a_link_past_its_deadline_is_closed_even_before_the_timer_came(links, clock):
    """The token ends with the deadline, for looking and for answering."""
    clock.turn(timedelta(seconds=300))
    assert httpx.get(links["rosa"]).status_code == 404
    assert _yes(links["rosa"]).status_code == 404


def test_the_same_click_twice_gets_the_same_answer_and_the_second_specialist_is_thanked(room, links):
    """A double post accepts once; whoever comes second gets the closed page and nothing changes."""
    first, again, late = _yes(links["rosa"]), _yes(links["rosa"]), _yes(links["otto"])
    assert first.status_code == again.status_code == 200 and late.status_code == 404
    case = room.cases.case("ref_1")
    assert case.assigned_specialist_id == "rosa" and len(said(room, "offer.accepted.v1")) == 1
    promised = (
        case.offers[0].promised_arrival_at
        if case.offers[0].specialist_id == "rosa"
        else case.offers[1].promised_arrival_at
    )
    assert promised == room.clock.now() + timedelta(minutes=20)


@pytest.mark.parametrize(
    "fields",
    [
        {"minutes": "soon"},
        {"minutes": "601"},
        {"minutes": "-5"},
        {"minutes": "²"},
        {"modality": ""},
        {"answer": "maybe"},
    ],
)
def test_what_cannot_be_understood_is_asked_again(room, links, fields):
    """A form that says nothing usable gets 400 and a way back; nothing is stored."""
    page = _yes(links["rosa"], **fields)
    assert page.status_code == 400 and 'href=""' in page.text
    assert room.cases.case("ref_1").state == "seeking"


def test_a_decline_by_link_sends_the_next_wave(room, links):
    """Both say no: no deadline is waited for."""
    for name in ("rosa", "otto"):
        page = httpx.post(
            links[name], data={"answer": "decline", "reason": "busy"}, headers={"accept-language": "es"}
        )
        assert page.status_code == 200 and "Gracias por avisarnos" in page.text
    assert handlers.advance_due(room, CAUSE) == 1
    assert room.cases.case("ref_1").state == "unfilled"


@pytest.mark.parametrize(
    ("sent", "language"),
    [
        ("es-MX,es;q=0.9", "es"),
        ("fr,es;q=0.5,en;q=0.4", "es"),
        ("fr", "en"),
        ("", "en"),
        ("es;q=0,en", "en"),
        ("*;q=x", "en"),
        ("ES-mx", "es"),
        ("FR, ES;q=0.5", "es"),
    ],
)
def test_the_page_speaks_the_language_that_was_asked_for(links, sent, language):
    """Accept-Language decides by weight; English where there is nothing we speak."""
    page = httpx.get(links["rosa"], headers={"accept-language": sent})
    assert page.headers["content-language"] == language and f'<html lang="{language}">' in page.text


def test_it_can_be_accepted_with_the_keyboard_alone(browser, room, links):
    """Tab, arrow and Enter are enough, on a phone-sized page that does not scroll sideways."""
    page = _phone(browser)
    page.goto(links["rosa"])
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "modality"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "minutes"
    page.keyboard.press("Control+A")
    page.keyboard.type("35")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=status]")
    assert "Thank you" in page.inner_text("h1")
    case = room.cases.case("ref_1")
    offer = next(o for o in case.offers if o.specialist_id == "rosa")
    assert offer.modality == "phone" and offer.promised_arrival_at == room.clock.now() + timedelta(minutes=35)


def test_a_screen_reader_finds_every_field_by_name_in_spanish(browser, links):
    """Language, headings, groups and labels are there; every control is large enough for a thumb."""
    page = _phone(browser, "es-MX")
    page.goto(links["rosa"])
    assert page.get_attribute("html", "lang") == "es"
    assert page.get_by_role("heading", level=1).count() == 1
    assert page.get_by_role("radio", name="Llamo por teléfono").count() == 1
    assert page.get_by_role("spinbutton", name="¿En cuántos minutos?").count() == 1
    assert page.get_by_role("group", name="¿Por qué? (elija una opción)").count() == 1
    heights = page.eval_on_selector_all(
        "button, .choice, input[type=number]", "all => all.map(e => e.offsetHeight)"
    )
    assert min(heights) >= 44


def test_the_browser_asks_nobody_else(browser, links):
    """The page loads without any other request than itself, and its own policy blocks nothing of it."""
    page = _phone(browser)
    asked, complaints = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(links["rosa"])
    assert [url for url in asked if not url.endswith("favicon.ico")] == [links["rosa"]]
    assert not [text for text in complaints if "Content Security Policy" in text and "favicon" not in text]
    assert page.evaluate("parseFloat(getComputedStyle(document.querySelector('.yes')).minHeight)") >= 44


@pytest.mark.parametrize("language", ["en-US", "es-US"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_against_any_state_of_the_page(browser, room, links, address, language, scheme):
    """No WCAG violation known to axe-core, on the open, the thanked and the closed page."""
    page = browser.new_context(
        viewport={"width": 375, "height": 740}, locale=language, color_scheme=scheme
    ).new_page()
    page.goto(links["rosa"])
    assert Axe().run(page).violations_count == 0, Axe().run(page).generate_report()
    page.click("button[value=accept]")
    assert Axe().run(page).violations_count == 0, Axe().run(page).generate_report()
    page.goto(f"{address}/answer/{'x' * 43}")
    assert Axe().run(page).violations_count == 0, Axe().run(page).generate_report()


def test_axe_can_find_something(browser):
    """The control: an image without a text is a violation."""
    page = _phone(browser)
    page.set_content("<html lang=en><title>t</title><main><h1>t</h1><img src='data:,'></main></html>")
    assert Axe().run(page).violations_count > 0
