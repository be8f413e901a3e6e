"""Matching's pages: a specialist's phone, a coordinator's board, the report; in two languages, with or without script."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from services.matching import handlers
from services.matching.web.words import PAGE_WORDS
from tests.matching_room import CAUSE, looked, said
from tests.work_room import (
    LEAD,
    PROGRAMME,
    a_team,
    a_wish,
    a_work_room,
    accepted,
    ask,
    hidden,
    met,
    post,
    send,
)

expect.set_options(timeout=20_000)
CHROMIUM = Path("/usr/bin/chromium")
# Referrals of the room below, and what each is for.
FOLLOWED, COMING, OFFERED, ALONE, CLAIMED = (
    "ref_foll0w",
    "ref_c0ming",
    "ref_0ffer1",
    "ref_al0ne1",
    "ref_cla1m1",
)
SPECIALIST_PAGES = (
    "/matching",
    "/matching/pool",
    "/matching/me",
    f"/matching/people/{FOLLOWED}",
    f"/matching/people/{COMING}",
)
LEAD_PAGES = (
    "/matching/board",
    f"/matching/board/referrals/{ALONE}",
    f"/matching/board/referrals/{COMING}",
    "/matching/board/backlog",
    "/matching/board/team",
    "/matching/board/team/rosa",
    "/matching/board/team/rosa/entry",
    "/matching/board/report",
)


@pytest.fixture(scope="module")
def work(mongo_uri, database_of_the_file, tmp_path_factory):
    """Rosa follows one, is expected by another, is asked for a third; nobody was found for two more."""
    with a_work_room(mongo_uri, database_of_the_file, tmp_path_factory.mktemp("work")) as work:
        a_team(work.room)
        work.clock.turn(-timedelta(days=2))
        ask(work.room, FOLLOWED)
        accepted(work.room, FOLLOWED, "rosa")
        met(work.room, FOLLOWED, "rosa")
        work.clock.turn(timedelta(days=2))
        ask(work.room, COMING)
        accepted(work.room, COMING, "rosa")
        ask(
            work.room,
            OFFERED,
            preferences=[a_wish("gender.woman")],
            languages=["es", "ase"],
            interpreter_agreed=True,
        )
        ask(work.room, ALONE, preferences=[a_wish("military.combat", "MUST"), a_wish("faith", "AVOID")])
        handlers.advance_due(work.room, CAUSE)
        yield work


@pytest.fixture(scope="module")
def browser():
    """One browser for this file."""
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def rosa(work):
    """Rosa's browser without scripts."""
    with work.signed_in("rosa") as client:
        yield client


@pytest.fixture(scope="module")
def lena(work):
    """Lena's, who coordinates."""
    with work.signed_in("lena", "coordinator") as client:
        yield client


def test_every_word_is_there_in_both_languages():
    """The pages have the same words in English and Spanish, with the same places to fill in."""
    english, spanish = PAGE_WORDS["en"], PAGE_WORDS["es"]
    assert english.keys() == spanish.keys()
    places = re.compile(r"{\w+}")
    assert [
        key for key in english if sorted(places.findall(english[key])) != sorted(places.findall(spanish[key]))
    ] == []


def test_a_page_asks_who_one_is_and_signing_out_ends_it(work):
    """Nobody sees a page without a session; who leads begins at the board; signing in and out are entries."""
    with work.visitor() as client:
        assert client.get("/matching/board").headers["location"] == "/matching/sign-in?next=/matching/board"
        rosa = {"person": "rosa", "role": "specialist", "programme": PROGRAMME}
        assert '0;url=/matching"' in work.people.walk(client, **rosa).text
        assert client.get("/matching").status_code == 200
        assert post(client, "/matching", "/matching/sign-out").status_code == 200
        assert client.get("/matching").status_code == 303
        lena = {"person": "lena", "role": "coordinator", "programme": PROGRAMME}
        assert '0;url=/matching/board"' in work.people.walk(client, **lena).text
    told = looked(work.room)
    assert told["session.began.v1", ""] >= 2 and told["session.ended.v1", ""] == 1


def test_a_session_ends_when_nobody_is_there(work, rosa):
    """After half an hour without a click the page asks again; what it asks by itself keeps nothing alive."""
    with work.signed_in("otto") as client:
        assert client.get("/matching").status_code == 200
        work.clock.turn(timedelta(minutes=31))
        answer = client.get("/matching")
        work.clock.turn(-timedelta(minutes=31))
        assert answer.headers["location"].startswith("/matching/sign-in")


def test_a_form_of_another_session_changes_nothing(work, rosa):
    """Without this session's token a POST is refused and the refusal is on record, whatever else it says."""
    before, known = work.looked_at(), work.room.cases.case(COMING)
    for wrong in ({}, {"csrf": "x"}):
        answer = rosa.post(
            f"/matching/people/{COMING}/step", data={"step": "arrived", "key": "k" * 20, **wrong}
        )
        assert answer.status_code == 403 and "not opened in this session" in answer.text
    form = hidden(rosa.get(f"/matching/people/{COMING}").text, f"/matching/people/{COMING}/step")
    foreign = {"sec-fetch-site": "cross-site"}
    assert rosa.post(f"/matching/people/{COMING}/step", data=form, headers=foreign).status_code == 403
    assert work.room.cases.case(COMING) == known and work.looked_at() >= before + 3


def test_each_role_has_its_own_pages(work, rosa, lena):
    """A specialist may not open the board, who leads has no phone page, a nurse is not let in at all."""
    assert rosa.get("/matching/board").status_code == 403
    assert rosa.get(f"/matching/board/referrals/{ALONE}").status_code == 403
    assert lena.get("/matching").headers["location"] == "/matching/board"
    assert lena.get("/matching/me").status_code == 403
    with work.visitor() as client:
        assert work.people.walk(client, persona="nurse-ada").status_code == 403


def test_nobody_sees_what_is_anothers(work, lena):
    """Another specialist's case, another programme's people: not there, as what does not exist."""
    with work.signed_in("nia", programme="harlem-peers") as nia:
        assert (
            nia.get(f"/matching/people/{ALONE}").status_code == nia.get("/matching/people/ref_no").status_code
        )
        assert nia.get("/matching").status_code == 200
    for path in ("/matching/board/team/nia", "/matching/board/team/nia/entry", "/matching/board/team/nobody"):
        assert lena.get(path).status_code == 404


def test_a_look_that_cannot_be_written_down_shows_nothing(work, rosa, lena, monkeypatch):
    """Every page that tells of somebody is on record before it leaves; where that fails, so does the page."""
    shown = [
        (client, path) for client, paths in ((rosa, SPECIALIST_PAGES), (lena, LEAD_PAGES)) for path in paths
    ]
    shown = [
        (client, path) for client, path in shown if path != "/matching/board/backlog"
    ]  # a plan is asked for first
    before = work.looked_at()
    for client, path in shown:
        assert client.get(path).status_code == 200, path
        assert work.looked_at() > before, path
        before = work.looked_at()

    def unwritten(*_):
        raise Refusal("store-unavailable", Kind.UNAVAILABLE)

    monkeypatch.setattr(work.room.access, "_write", unwritten)
    assert {path: client.get(path).status_code for client, path in shown} == dict.fromkeys(
        (p for _, p in shown), 503
    )


def test_no_page_runs_what_is_not_its_own(rosa, lena):
    """Strict policy with a nonce of this answer, nothing inline, no third party, never kept."""
    for client, path in ((rosa, "/matching"), (lena, "/matching/board")):
        page = client.get(path)
        policy = page.headers["content-security-policy"]
        nonce = re.search(r"script-src 'nonce-([^']+)'", policy)[1]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        scripts = re.findall(r"<script[^>]*>", page.text)
        assert scripts and all(
            f'nonce="{nonce}"' in one and 'src="/matching/assets/' in one for one in scripts
        )
        assert " style=" not in page.text and " onclick=" not in page.text
        assert page.headers["cache-control"] == "no-store"
        assert nonce not in client.get(path).text


def test_a_yes_on_the_phone_is_one_tap_and_counts_once(work, rosa):
    """The page names what was released and nobody; the form as it stands is the yes; a second click changes nothing."""
    page = rosa.get("/matching").text
    assert "They hope for: Woman" in page and "HIV" not in page and f"peer_{OFFERED}" not in page
    offer = next(o for o in work.room.cases.case(OFFERED).open_offers if o.specialist_id == "rosa")
    action = f"/matching/offers/{offer.offer_id}/accept"
    chosen = {"modality": "bedside", "minutes": "20"}
    first, again = (send(rosa, page, action, chosen) for _ in range(2))
    assert first.status_code == again.status_code == 303
    assert first.headers["location"] == f"/matching/people/{OFFERED}?done=accepted"
    case = work.room.cases.case(OFFERED)
    assert case.assigned_specialist_id == "rosa"
    assert case.accepted_offer.promised_arrival_at == work.clock.now() + timedelta(minutes=20)
    assert "told what you promised" in rosa.get(first.headers["location"]).text


def test_the_way_the_meeting_and_a_contact_are_told_with_a_tap_each(work, rosa):
    """On the way, late, there; met; a check-in logged from the first page: each is on record once."""
    page = f"/matching/people/{OFFERED}"
    assert post(rosa, page, f"{page}/step", step="en-route").status_code == 303
    assert post(rosa, page, f"{page}/step", step="delayed", minutes="40").status_code == 303
    late = work.room.cases.case(OFFERED).accepted_offer
    assert late.step == "delayed" and late.promised_arrival_at == work.clock.now() + timedelta(minutes=40)
    assert post(rosa, page, f"{page}/step", step="arrived").status_code == 303
    assert post(rosa, page, f"{page}/handoff", outcome="met", modality="bedside").status_code == 303
    assert work.room.cases.case(OFFERED).is_handed_off
    answer = post(rosa, "/matching", f"/matching/people/{FOLLOWED}/checkin", outcome="reached")
    assert answer.headers["location"] == "/matching?done=checkin"
    assert [one.state for one in work.room.cases.case(FOLLOWED).checkins][:2] == ["recorded", "planned"]


def test_what_cannot_be_is_told_in_words_and_leads_back(rosa):
    """An unknown step is refused with a page in the reader's language and a way back to the form; nothing happened."""
    page = f"/matching/people/{COMING}"
    spanish = {"accept-language": "es"}
    form = hidden(rosa.get(page).text, f"{page}/step")
    answer = rosa.post(f"{page}/step", data={**form, "step": "teleported"}, headers=spanish)
    assert answer.status_code == 400 and 'lang="es"' in answer.text and f'href="{page}"' in answer.text
    answer = rosa.post(f"{page}/step", data={**form, "step": "delayed", "minutes": "²"}, headers=spanish)
    assert answer.status_code == 400 and "cuántos minutos" in answer.text


def test_a_specialist_changes_what_is_theirs(work, rosa):
    """Time off, on call, a limit, a language, rest: added and removed; what cannot be read is told and not stored."""
    assert post(rosa, "/matching/me", "/matching/me/rest", hours="8").status_code == 303
    assert "Resting until" in rosa.get("/matching/me").text
    assert post(rosa, "/matching/me", "/matching/me/rest", hours="0").status_code == 303
    page = rosa.get("/matching/me").text
    revision = re.search(r'name="revision" value="(\d+)"', page)[1]

    def change(**fields):
        shown = rosa.get("/matching/me").text
        revision = re.search(r'name="revision" value="(\d+)"', shown)[1]
        known = {**hidden(shown, "/matching/me/rest"), "revision": revision}
        return rosa.post("/matching/me/entry", data={**known, **fields})

    day = (work.clock.now() + timedelta(days=30)).date().isoformat()
    for fields in (
        {"column": "time_off", "first": day},
        {"column": "on_call", "weekday": "sun", "begins": "20:00", "ends": "06:00"},
        {"column": "limits", "kind": "urgency:routine", "until": day},
        {"column": "languages", "tag": "fr", "level": "working"},
        {"column": "attributes", "code": "faith.none", "use": "private", "agrees": "yes"},
    ):
        assert change(**fields).status_code == 303, fields
    found = work.room.roster.profile("rosa").specialist
    assert found.calendar.off and found.shifts.on_call and found.limits and found.languages["fr"] == 2
    assert "faith.none" in found.held - found.released
    wrong = change(column="time_off", first="bald")
    assert (
        wrong.status_code == 400
        and "Time off: write it as in the example" in wrong.text
        and "bald" not in wrong.text
    )
    removed = change(column="limits", action="remove", item=f"urgency:routine:{day}")
    assert removed.status_code == 303 and not work.room.roster.profile("rosa").specialist.limits
    assert change(column="shifts", weekday="sun").status_code == 400
    assert change(column="time_off", first=day, revision=revision).status_code == 409


def test_the_board_shows_who_waits_and_answers_why_not_and_what_if(work, lena):
    """Unfilled first; the wish that keeps everybody out is named, what is to be avoided is not; nothing changes."""
    board = lena.get("/matching/board").text
    assert board.index("Nobody found (1)") < board.index("al0ne1") < board.index("Being asked")
    page = f"/matching/board/referrals/{ALONE}"
    shown = lena.get(page).text
    assert "Combat experience" in shown and "Faith" not in shown and "must be shared" in shown
    before = work.room.cases.case(ALONE)
    why = post(lena, page, f"{page}/why-not", specialist="otto").text
    assert "<strong>otto</strong>: kept out by" in why
    changed = post(lena, page, f"{page}/what-if", **{"drop_military.combat": "1"}).text
    assert "0 could be asked now; it would be" in changed and "would be 0." not in changed
    assert work.room.cases.case(ALONE) == before
    assert post(lena, page, f"{page}/why-not", specialist="nia").status_code == 404


def test_by_hand_needs_a_yes_and_never_breaks_a_rule(work, lena):
    """Without the specialist's agreement nothing is sent; a hard rule refuses the hand too, and says which."""
    page = f"/matching/board/referrals/{ALONE}"
    told = {"other": "otto", "modality": "bedside", "minutes": "20", "reason": "local-knowledge"}
    refused = post(lena, page, f"{page}/assign", **told)
    assert refused.status_code == 400 and "Ask the specialist first" in refused.text
    refused = post(lena, page, f"{page}/assign", **told, agreed="yes")
    assert refused.status_code == 409 and "do not share what must be shared" in refused.text
    ask(work.room, "ref_byhand")
    page = "/matching/board/referrals/ref_byhand"
    done = post(lena, page, f"{page}/assign", **told, agreed="yes")
    assert done.headers["location"] == "/matching/board?done=assigned"
    assert work.room.cases.case("ref_byhand").assigned_specialist_id == "otto"


def test_who_leads_writes_down_an_answer_that_came_by_phone(work, lena):
    """A yes or a no of somebody who was asked, once they said so; it is theirs, and the log names who wrote it."""
    for referral_id in ("ref_ph0nes", "ref_ph0neN"):
        ask(work.room, referral_id)
    page = "/matching/board/referrals/ref_ph0nes"
    offers = {one.specialist_id: one.offer_id for one in work.room.cases.case("ref_ph0nes").open_offers}
    yes = {"offer": offers["otto"], "says": "accepted", "modality": "bedside", "minutes": "20"}
    assert post(lena, page, f"{page}/answer", **yes).status_code == 400  # nobody said that otto agreed
    others = post(lena, page, f"{page}/answer", **yes | {"offer": offers["nia"]}, told="yes")
    assert others.status_code == 403
    form = hidden(lena.get(page).text, f"{page}/answer")
    for _ in range(2):
        done = lena.post(f"{page}/answer", data={**form, **yes, "told": "yes"})
        assert done.headers["location"] == f"{page}?done=assigned"
    assert work.room.cases.case("ref_ph0nes").assigned_specialist_id == "otto"
    [accepted_by] = [
        one.provenance for one in said(work.room, "offer.accepted.v1") if one.referral_id == "ref_ph0nes"
    ]
    assert (accepted_by.actor_id, accepted_by.actor_role) == ("lena", "coordinator")
    page = "/matching/board/referrals/ref_ph0neN"
    asked = next(o for o in work.room.cases.case("ref_ph0neN").open_offers if o.specialist_id == "otto")
    no = {"offer": asked.offer_id, "says": "declined", "reason": "busy", "told": "yes"}
    assert post(lena, page, f"{page}/answer", **no).headers["location"] == f"{page}?done=declined-for"
    assert work.room.cases.case("ref_ph0neN").offer(asked.offer_id).state == "declined"


def test_the_board_lists_areas_and_names_hospitals(work, lena):
    """Around which hospitals how many wait, as a list and a sketch of our own; an area opens its referrals alone."""
    ask(work.room, "ref_buffal0", source_id="lakelight", facility_zip="14203")
    board = lena.get("/matching/board").text
    assert "Buffalo, NY (142)" in board and "Bronx, NY (104)" in board and '<svg class="sketch"' in board
    assert "Lakelight General" in board and ">lakelight<" not in board and "st-brigid" in board
    assert "Lakelight General" in lena.get("/matching/board/report").text
    there = lena.get("/matching/board?area=NY-142").text
    member = lena.get(
        "/matching/board/team/rosa"
    ).text  # lena is on no roster: her programme's clock, not UTC
    there_at = work.room.cases.case(COMING).accepted_offer.promised_arrival_at.astimezone(
        ZoneInfo("America/New_York")
    )
    assert f"{there_at:%-I:%M}" in member
    assert "buffal0" in there and "c0ming" not in there and "Only around Buffalo, NY (142)." in there
    assert (
        "Solo alrededor de" in lena.get("/matching/board?area=NY-142", headers={"accept-language": "es"}).text
    )


def test_a_programme_nobody_knows_has_no_board(work):
    """Who only says that they lead a programme sees nothing of who waits; the refusal says what to do."""
    with work.signed_in("eve", "coordinator", programme="nowhere") as eve:
        for path in ("/matching/board", "/matching/board/team", "/matching/board/report"):
            answer = eve.get(path)
            assert answer.status_code == 403 and "not on the roster" in answer.text
    with pytest.raises(Refusal, match="programme-unknown"):
        handlers.pool(work.room, 10, Caller("eve", "coordinator", "nowhere", "COC"), CAUSE)


def test_the_pool_says_that_others_wait_elsewhere(work, rosa, monkeypatch):
    """What another process ranks is counted on the page: an empty pool is never passed off as the whole one."""
    assert "wait in another region" not in rosa.get("/matching/pool").text
    monkeypatch.setattr(work.room.roster_watch, "regions", frozenset({"NJ"}))
    assert re.search(r"[1-9]\d* more wait in another region", rosa.get("/matching/pool").text)


def test_a_backlog_is_looked_at_and_then_goes_out_as_a_whole(work, lena, rosa):
    """A plan names who would be asked and who is left over; applied once it is offers."""
    ask(work.room, CLAIMED, preferences=[a_wish("gender.man", "MUST")])
    plan = post(lena, "/matching/board/backlog", "/matching/board/backlog/preview").text
    assert "Left over" in plan and "al0ne1" in plan
    assert rosa.get("/matching/pool").text.count("<article") == 0
    handlers.keep_apart(
        work.room, "otto", "ref_byhand", LEAD, CAUSE
    )  # the roster changed: a plan may be stale now
    if "/matching/board/backlog/apply" in plan:
        assert send(lena, plan, "/matching/board/backlog/apply", {}).status_code in (303, 409)


def test_an_entry_is_edited_and_a_rest_is_given_by_who_leads(work, lena):
    """Columns are stored, faults stand at their column with what was typed, private attributes are never shown."""
    page = "/matching/board/team/rosa/entry"
    shown = lena.get(page).text
    assert "hiv" not in shown and "*:private" in shown
    typed = dict(re.findall(r'name="([a-z_]+)" value="([^"]*)" autocomplete', shown))
    wrong = send(lena, shown, page, {**typed, "radius_miles": "far"})
    assert wrong.status_code == 400 and 'aria-invalid="true"' in wrong.text and 'value="far"' in wrong.text
    assert send(lena, shown, page, {**typed, "radius_miles": "45"}).status_code == 303
    assert work.room.roster.profile("rosa").specialist.radius_miles == 45
    assert "hiv" in work.room.roster.profile("rosa").specialist.held
    assert (
        post(lena, "/matching/board/team/rosa", "/matching/board/team/rosa/rest", hours="8").status_code
        == 303
    )
    assert "Resting until" in lena.get("/matching/board/team").text


def test_the_report_withholds_few_and_its_file_says_the_same(work, lena):
    """With a handful of referrals no count from 1 to 10 is on the page or in the file; no figure opens them."""
    page = lena.get("/matching/board/report")
    cells = re.findall(r'<td class="number">(?:<[^>]+>)?(\d+)', page.text)
    assert not any(0 < int(cell) < 11 for cell in cells)
    file = lena.get("/matching/board/report/file.csv")
    assert file.headers["content-type"].startswith("text/csv") and "\r\nall,all,<11" in file.text
    opened = lena.get("/matching/board/report/referrals?dimension=all&group=all&figure=referrals").text
    assert "withheld" in opened and "<tbody" not in opened


def test_a_stream_tells_a_page_what_is_new_and_when_the_session_is_over(work, rosa):
    """A mark that is not the page's brings it again; nobody signed in brings the end."""
    with rosa.stream("GET", "/matching/live?mark=old") as stream:
        told = next(line for line in stream.iter_lines() if line.startswith("event:"))
    assert told == "event: shown"
    with work.visitor() as client:
        assert "event: ended" in client.get("/matching/live?mark=old").text


BOTH = [("rosa", "specialist", SPECIALIST_PAGES), ("lena", "coordinator", LEAD_PAGES)]


@pytest.mark.parametrize(("who", "role", "paths"), BOTH)
def test_axe_finds_nothing_and_no_page_scrolls_sideways(work, browser, who, role, paths):
    """Each page in Spanish on a phone in the dark: no violation known to axe, nothing wider than the screen."""
    context = browser.new_context(viewport={"width": 375, "height": 740}, locale="es-US", color_scheme="dark")
    page, complaints = context.new_page(), []
    page.on("console", lambda message: complaints.append(message.text))
    work.open_window(context, who, role)
    for path in paths:
        page.goto(work.address + path)
        assert page.get_attribute("html", "lang") == "es"
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
        found = Axe().run(page)
        assert found.violations_count == 0, (path, found.generate_report())
    assert not [text for text in complaints if "favicon" not in text]
    context.close()


def test_an_open_page_follows_and_the_keyboard_is_enough(work, browser):
    """A new offer comes to Nia's open page by itself, and she accepts it with the keyboard alone."""
    context = browser.new_context(viewport={"width": 375, "height": 740}, locale="en-US")
    page = context.new_page()
    work.open_window(context, "nia", programme="harlem-peers")
    page.goto(f"{work.address}/matching")
    expect(page.locator("h1")).to_have_text("My day")
    expect(page.locator("#live-state")).to_have_text("This page follows by itself")
    ask(work.room, "ref_new0ne")
    button = page.locator("button.wide").last
    expect(button).to_be_visible()
    count = page.locator("article").count()
    button.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/matching/people/**")
    expect(page.locator("[role=status]").first).to_contain_text("Thank you")
    assert count >= 1
    context.close()


def test_the_page_behind_a_link_is_as_it_was(work):
    """The answer page needs no session and has no script; what is not open there looks as ever."""
    closed = httpx.get(f"{work.address}/answer/{'x' * 43}")
    assert (
        closed.status_code == 404 and "This link is not open" in closed.text and "<script" not in closed.text
    )
