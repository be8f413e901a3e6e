"""The ER desk in a real browser and by plain HTTP: nothing typed is lost, nothing is done twice, nobody sees too much."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

from services.intake import handlers
from services.intake.domain.receipts import Step, Word
from services.intake.domain.referral import Assignment
from services.intake.domain.states import State
from services.intake.handlers import Accepted, Receipt, Told
from tests.desk_room import CAUSE, WREN, DeskRoom, a_desk, fill, form_token, hidden, post, refer

CHROMIUM = Path("/usr/bin/chromium")
# Only what is wrong is worked out; what is right would take ten times as long.
AXE = {"resultTypes": ["violations"]}
SAID = {"about_gender": "declined", "about_said_by": "peer", "about_how": "asked"}
PHONE = {"width": 375, "height": 740}


@pytest.fixture(scope="module")
def desk(mongo_uri, mongo_client, tmp_path_factory):
    """One running desk for this file; every test refers people of its own."""
    name = f"kindred_test_{secrets.token_hex(6)}"
    with a_desk(mongo_uri, mongo_client[name], tmp_path_factory.mktemp("desk")) as found:
        yield found
    mongo_client.drop_database(name)


@pytest.fixture
def nurse(desk: DeskRoom):
    """Ada, in a browser without scripts."""
    with desk.signed_in() as client:
        yield client


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


@pytest.fixture
def window(browser):
    """A browser window; what it complains about is a failure."""
    context = browser.new_context(viewport={"width": 1100, "height": 800}, locale="en-US")
    complaints: list[str] = []
    context.on("console", lambda message: complaints.append(message.text))
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    yield context
    context.close()
    assert not [
        text for text in complaints if "Content Security Policy" in text or "Error" in text.split(":")[0]
    ]


def sign_in(desk: DeskRoom, context, **who):
    """A page of this person, on the worklist."""
    page = context.new_page()
    page.set_default_timeout(15_000)
    desk.open_window(context, **who)
    page.goto(f"{desk.address}/desk")
    return page


def somebody(name: str, **changed: str) -> dict[str, str]:
    """Somebody else than Wren: another record number and name."""
    return {"given": name, "family": "Fennimore", "record_number": f"MRN-{secrets.token_hex(4)}", **changed}


def seek(desk: DeskRoom, referral_id: str) -> None:
    """Matching says that offers are out."""
    told = Told(referral_id=referral_id, said_at=desk.clock.now(), cause=CAUSE)
    handlers.seek(desk.room, [told])


def assign(desk: DeskRoom, referral_id: str, minutes: int, modality: str = "bedside") -> None:
    """Matching says that somebody promised to be there in so many minutes."""
    promise = Assignment(
        f"off-{referral_id}", desk.clock.now() + timedelta(minutes=minutes), modality, "sp-1"
    )
    handlers.assign(
        desk.room,
        [Accepted(referral_id=referral_id, said_at=desk.clock.now(), cause=CAUSE, assignment=promise)],
    )


def note(desk: DeskRoom, referral_id: str, notice_id: str, intent: str, *said: str, reason: str = "") -> None:
    """Notifications says these steps of an e-mail, the last one for that reason."""
    now = desk.clock.now()
    words = [
        Word(Step(step), now, number, "email", 1, reason if number == len(said) else "")
        for number, step in enumerate(said, start=1)
    ]
    handlers.keep_receipts(
        desk.room,
        [
            Receipt(referral_id=referral_id, notice_id=notice_id, intent=intent, word=word, cause=CAUSE)
            for word in words
        ],
    )


def note_all(desk: DeskRoom, referral_id: str) -> None:
    """Two specialists have a message, one has none; the unit has one and could not be told another."""
    note(desk, referral_id, "ntc-1", "offer-made", "sent", "delivered")
    note(desk, referral_id, "ntc-2", "offer-made", "sent")
    note(desk, referral_id, "ntc-3", "offer-made", "sent", "bounced", reason="no-mailbox")
    note(desk, referral_id, "ntc-4", "help-assigned", "sent", "delivered")
    note(desk, referral_id, "ntc-5", "person-not-met", "sent", "bounced", reason="no-mailbox")
    note(desk, referral_id, "ntc-5", "person-not-met", "sent", "bounced", "failed", reason="bounced")
    note(desk, referral_id, "ntc-6", "supervisor-needed", "failed", reason="do-not-contact")


def state_of(desk: DeskRoom, referral_id: str) -> State:
    """Where it stands in the store."""
    return desk.room.referrals.load(referral_id).referral.state


def count(desk: DeskRoom) -> int:
    """How many referrals are stored."""
    return desk.room.database["referrals"].count_documents({})


def tab_to(page, selector: str, at_most: int = 90) -> None:
    """Only the Tab key, until the element has the focus."""
    wanted = page.locator(selector).element_handle()
    for _ in range(at_most):
        if page.evaluate("one => document.activeElement === one", wanted):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} cannot be reached with Tab")


def test_a_referral_is_made_watched_and_cancelled_with_the_keyboard_alone(desk, window):
    """Signed in, fill, send, see it move to seeking by itself, cancel: no mouse is needed."""
    page = sign_in(desk, window)
    tab_to(page, "nav a[href='/desk/new']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/desk/new")
    tab_to(page, "#urgency")
    page.keyboard.press("Space")
    for field, text in (("family", "Larkspur"), ("given", "Odalys"), ("birth", "02/28/1979"), ("bed", "3")):
        tab_to(page, f"#{field}")
        page.keyboard.type(text)
    tab_to(page, "#leaves_time")
    page.keyboard.type("2355")
    tab_to(page, "#reason_overdose")
    page.keyboard.press("Space")
    tab_to(page, "#language")
    page.keyboard.type("span")
    tab_to(page, "#consent")
    page.keyboard.press("Space")
    tab_to(page, "#consent_signature")
    page.keyboard.press("Space")
    tab_to(page, "#consent_witness")
    page.keyboard.type("Ada Lark, RN")
    tab_to(page, "#send")
    page.keyboard.press("Enter")
    page.wait_for_url("**/desk/referrals/*")
    expect(page.locator("h1")).to_contain_text("Odalys Larkspur")
    expect(page.locator("#live-state")).to_contain_text("Live")
    referral_id = page.url.split("/")[-1].split("?")[0]
    seek(desk, referral_id)
    expect(page.locator("#live .state")).to_have_text("Looking for somebody")
    expect(page.locator("#news")).to_contain_text("Looking for somebody")
    tab_to(page, "details:has(#cancel-reason) > summary")
    page.keyboard.press("Enter")
    tab_to(page, "#cancel-reason")
    page.keyboard.type("adm")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**?told=cancelled")
    held = desk.room.referrals.load(referral_id).referral
    assert held.state is State.CANCEL_REQUESTED and held.reason_code == "admitted"
    said = desk.room.referrals.open(desk.room.referrals.load(referral_id)).submission
    assert said.languages == ("es",) and said.person.birth_date == "1979-02-28" and said.door == "desk"


def test_a_session_that_ends_while_somebody_types_loses_nothing(desk, window):
    """The page says so, keeps everything, and goes on by itself once the same person signs in in another window."""
    page = sign_in(desk, window, actor="nurse-otto")
    page.goto(f"{desk.address}/desk/new")
    page.check("#urgency")
    page.fill("#family", "Brambleworth")
    expect(page.locator("#save-state")).to_contain_text("Saved at")
    desk.clock.ahead += timedelta(minutes=16)
    page.fill("#given", "Tuesday")
    expect(page.locator("#connection")).to_contain_text("Everything you typed is still here")
    page.fill("#birth", "1990")
    page.select_option("#language", "und")
    page.check("input[name=consent][value=later]")
    sign_in(desk, window, actor="nurse-otto").close()
    expect(page.locator("#connection")).to_be_hidden()
    page.click("#send")
    page.wait_for_url("**/desk/referrals/*")
    expect(page.locator("h1")).to_contain_text("Tuesday Brambleworth")
    expect(page.locator("#live .state")).to_contain_text("consent is missing")


def test_a_form_sent_after_the_session_ended_is_there_after_signing_in(desk):
    """Also without scripts: the form that was posted comes back whole to who typed it, and to nobody else."""
    with desk.signed_in(actor="nurse-ines") as ines:
        typed = fill(ines, **somebody("Marigold"), note="Likes the window.")
        before = count(desk)
        desk.clock.ahead += timedelta(minutes=16)
        answer = ines.post("/desk/new", data=typed)
        assert answer.status_code == 303 and answer.headers["location"].startswith("/desk/sign-in?next=")
        page = ines.get(answer.headers["location"])
        assert "Everything you typed is kept" in page.text and count(desk) == before
        there = f"/desk/drafts/{typed['key']}"
        assert f"/desk/sign-in/start?next={there}" in page.text
        who = {"person": "nurse-ines", "role": "nurse", "organization": "er-st-brigid"}
        answer = desk.people.walk(ines, again=f"?next={there}", **who)
        assert answer.status_code == 200 and f'0;url={there}"' in answer.text
        page = ines.get(there).text
        assert "Marigold" in page and "Likes the window." in page and count(desk) == before
        again = typed | {"csrf": form_token(page)}
        assert ines.post("/desk/new", data=again).status_code == 303
        assert count(desk) == before + 1
        assert ines.get(there).headers["location"].endswith("/correct?told=form_sent_before")
    with desk.signed_in(actor="nurse-other") as other:
        assert other.get(there).status_code == 404


def test_a_connection_that_drops_while_somebody_types_loses_nothing(desk, window):
    """The page says so, keeps the form, sends it by itself when the connection is back, and once."""
    page = sign_in(desk, window, actor="nurse-sol")
    page.goto(f"{desk.address}/desk/new")
    before = count(desk)
    page.check("#urgency")
    page.fill("#record_number", "MRN-dropped")
    page.select_option("#language", "en")
    page.check("input[name=consent][value=later]")
    expect(page.locator("#save-state")).to_contain_text("Saved at")
    window.set_offline(True)
    page.fill("#note", "Asks for tea.")
    expect(page.locator("#connection")).to_contain_text("No connection")
    page.click("#send")
    page.click("#send", force=True)
    assert page.input_value("#note") == "Asks for tea." and page.url.startswith(
        f"{desk.address}/desk/drafts/"
    )
    window.set_offline(False)
    page.wait_for_url("**/desk/referrals/*")
    assert count(desk) == before + 1
    assert page.get_by_text("Asks for tea.").count() == 1
    assert page.evaluate("localStorage.length + sessionStorage.length") == 0


def test_a_page_that_is_loaded_again_has_everything_that_was_typed(desk, window):
    """Reloading, and the other language, keep the form; the address says nothing of what is in it."""
    page = sign_in(desk, window, actor="nurse-juno")
    page.goto(f"{desk.address}/desk/new")
    page.fill("#family", "Thistledown")
    page.check("#reason_overdose")
    expect(page.locator("#save-state")).to_contain_text("Saved at")
    assert "Thistledown" not in page.url
    page.reload()
    assert page.input_value("#family") == "Thistledown"
    page.fill("#bed", "9")
    page.get_by_role("button", name="Español").click()
    expect(page.locator("h1")).to_have_text("Nueva derivación")
    assert page.input_value("#bed") == "9" and page.is_checked("#reason_overdose")
    page.goto(f"{desk.address}/desk")
    page.get_by_role("link", name="Una derivación que empezó").click()
    page.get_by_role("button", name="Descartar esto").click()
    page.wait_for_url("**/desk")
    assert page.get_by_role("link", name="Una derivación que empezó").count() == 0


def test_a_double_click_is_one_referral(desk, nurse):
    """The same form at the same moment, and again later, is answered with the same referral."""
    typed = fill(nurse, **somebody("Clover"))
    before = count(desk)
    cookies = dict(nurse.cookies)

    def send(_: int) -> str:
        with desk.visitor() as client:
            client.cookies.update(cookies)
            return client.post("/desk/new", data=typed).headers["location"].split("?")[0]

    with ThreadPoolExecutor(4) as pool:
        told = set(pool.map(send, range(4)))
    told.add(send(5))
    assert len(told) == 1 and count(desk) == before + 1


def test_going_back_to_a_sent_form_and_changing_it_makes_a_correction(desk, nurse):
    """The Back button: nothing typed is lost, nothing is sent twice, and the change reaches the referral."""
    typed, before = fill(nurse, **somebody("Tansy")), count(desk)
    path = nurse.post("/desk/new", data=typed).headers["location"].split("?")[0]
    back = nurse.get(
        f"/desk/drafts/{typed['key']}", follow_redirects=True
    )  # where a browser with scripts goes back to
    assert back.url.path == f"{path}/correct" and "sent before" in back.text and "Tansy" in back.text
    answer = nurse.post("/desk/new", data=typed | {"bed": "9", "note": "Likes tea."})
    assert answer.status_code == 409 and "sent before" in answer.text and "Likes tea." in answer.text
    assert f'action="{path}/correct"' in answer.text
    again = typed | {"bed": "9", "note": "Likes tea.", "consent": "keep"}
    again |= {name: hidden(answer.text, name) for name in ("csrf", "key", "revision")}
    assert nurse.post(f"{path}/correct", data=again).headers["location"] == f"{path}?told=corrected"
    assert "Likes tea." in nurse.get(path).text and count(desk) == before + 1


def test_two_forms_that_were_not_sent_can_be_told_apart(desk):
    """The list shows unit, bed and initials of each, and no name."""
    with desk.signed_in(actor="nurse-ivo") as ivo:
        for bed, given in (("3", "Sage"), ("4", "Rue")):
            typed = {"given": given, "family": "Fennimore", "unit": "ED", "bed": bed}
            assert ivo.post("/desk/drafts", data=fill(ivo) | typed).status_code == 204
        for page in ("/desk", "/desk/new"):
            text = ivo.get(page).text
            assert "ED 3, S. F." in text and "ED 4, R. F." in text and "Fennimore" not in text


@pytest.mark.parametrize(
    ("action", "fields", "said"),
    [
        ("cancel", {"reason": "admitted"}, "Cancelled."),
        ("peer-said-no", {"reason": "not-now"}, "Their no is stored."),
        ("leaving", {"leaves_time": "23:59"}, "The time they leave is stored."),
        ("revoke-consent", {"sure": "1"}, "The consent is taken back."),
        ("entered-in-error", {"sure": "1"}, "Marked as entered in error."),
    ],
)
def test_the_page_says_what_was_done(desk, nurse, action: str, fields: dict[str, str], said: str):
    """After each command the banner names it."""
    path = f"/desk/referrals/{refer(nurse, **somebody('Basil'))}"
    answer = post(nurse, "/desk", f"{path}/{action}", **fields)
    assert answer.status_code == 303 and said in nurse.get(answer.headers["location"]).text


def test_a_form_of_another_session_or_site_changes_nothing(desk, nurse):
    """Without the token, with another session's, or from another site: refused; a typed form is shown again."""
    referral_id = refer(nurse, **somebody("Sorrel"))
    path, before = f"/desk/referrals/{referral_id}/cancel", count(desk)
    good = form_token(nurse.get("/desk").text)
    with desk.signed_in(actor="nurse-otto") as otto:
        others = form_token(otto.get("/desk").text)
    for sent in ({}, {"csrf": ""}, {"csrf": "x"}, {"csrf": others}):
        assert nurse.post(path, data=sent | {"reason": "admitted"}).status_code == 403
    elsewhere = {"sec-fetch-site": "cross-site"}
    assert nurse.post(path, data={"csrf": good, "reason": "admitted"}, headers=elsewhere).status_code == 403
    with desk.visitor() as stranger:
        assert stranger.post(path, data={"csrf": good, "reason": "admitted"}).status_code == 403
    assert state_of(desk, referral_id) is State.SUBMITTED
    typed = fill(nurse, **somebody("Sorrel")) | {"csrf": others}
    answer = nurse.post("/desk/new", data=typed)
    assert answer.status_code == 409 and "Sorrel" in answer.text and count(desk) == before


def test_another_hospitals_referral_is_refused_and_the_trail_knows(desk, nurse):
    """Not its page, sheet, form, commands nor its live stream; each denial is in the trail with the referral's id."""
    referral_id = refer(nurse, **somebody("Yarrow"))
    with desk.signed_in(actor="nurse-far", org="er-lakelight") as far:
        path = f"/desk/referrals/{referral_id}"
        for shown in (path, f"{path}/print", f"{path}/correct"):
            answer = far.get(shown)
            assert answer.status_code == 404 and "Yarrow" not in answer.text
        assert post(far, "/desk", f"{path}/cancel", reason="other").status_code == 404
        assert far.get(f"{path}/live").status_code == 404
        assert "Yarrow" not in far.get("/desk").text and "Y. F." not in far.get("/desk").text
    denied = [one for one in desk.accesses("access.denied.v1") if one.record_id == referral_id]
    assert len(denied) == 5 and {one.provenance.organization_id for one in denied} == {"er-lakelight"}
    assert state_of(desk, referral_id) is State.SUBMITTED


def test_who_is_no_ed_staff_is_refused_and_audited(desk):
    """A specialist, a nurse without a hospital and a return that nobody began open no session."""
    nurse = {"person": "nurse-jo", "role": "nurse"}
    for who, code in (
        ({"person": "sp-1", "role": "specialist", "programme": "lantern-road"}, "role-not-allowed"),
        (nurse, "organization-missing"),
    ):
        with desk.visitor() as client:
            assert desk.people.walk(client, **who).status_code == 403
            assert desk.accesses("access.denied.v1")[-1].reason_code == code
            assert client.get("/desk").status_code == 303
    with desk.visitor() as client:
        answer = client.get("/desk/sign-in/done", params={"code": "x", "state": "forged"})
        assert answer.status_code == 401 and "sign-in-lost" in answer.text and "forged" not in answer.text
        assert desk.accesses("access.denied.v1")[-1].reason_code == "sign-in-lost"
        assert client.get("/desk").status_code == 303


def test_the_sessions_cookie_is_strict_new_at_each_sign_in_and_gone_after_sign_out(desk):
    """HttpOnly, SameSite=Strict, Secure away from this machine; the old id opens nothing any more."""
    with desk.visitor() as client:
        cookie = desk.people.walk(client, persona="nurse-ada").headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Secure" not in cookie
        first = client.cookies["kindred-desk"]
        assert desk.people.walk(client, persona="nurse-ada").status_code == 200
        second = client.cookies["kindred-desk"]
        assert second != first and desk.room.sessions.known(first) is None
        left = post(client, "/desk", "/desk/sign-out")
        assert left.status_code == 200 and f"0;url={desk.people.issuer.url}/end_session" in left.text
        assert desk.room.sessions.known(second) is None and client.get("/desk").status_code == 303
    (began, ended) = (desk.accesses(f"session.{one}.v1")[-1] for one in ("began", "ended"))
    assert began.provenance.actor_id == ended.provenance.actor_id == "nurse-ada"
    assert (began.door, began.reason_code, ended.reason_code) == ("desk", "", "signed-out")
    with desk.visitor() as far:
        cookie = far.get("/desk/sign-in", headers={"host": "desk.example"}).headers["set-cookie"]
        assert cookie.startswith("__Host-") and "Secure" in cookie


def test_a_nurse_signs_in_and_out_in_a_browser(desk, browser):
    """From the desk to the sign-in service and back where she wanted to go, and out of both, without a complaint."""
    context = browser.new_context(locale="es-US", viewport=PHONE, ignore_https_errors=True)
    page = context.new_page()
    page.set_default_timeout(15_000)
    page.goto(f"{desk.address}/desk/new")
    page.click("#start")
    expect(page.locator(".banner")).to_contain_text("Solo para desarrollo")
    found = Axe().run(page, options=AXE)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.click("button[value=nurse-ada]")
    page.wait_for_url("**/desk/new")
    page.goto(f"{desk.address}/desk")
    page.click("form[action='/desk/sign-out'] button")
    page.wait_for_url("**/desk/sign-in")
    page.goto(f"{desk.address}/desk")
    page.wait_for_url("**/desk/sign-in?next=/desk")
    context.close()


def test_nobody_is_shown_before_the_trail_knows(desk, nurse):
    """The worklist names each referral it shows, the page its own; nothing is served when the trail cannot be written."""
    referral_id = refer(nurse, **somebody("Tansy"))
    nurse.get("/desk")
    nurse.get(f"/desk/referrals/{referral_id}")
    reads = [one for one in desk.accesses("record.read.v1") if one.record_id == referral_id]
    assert [one.action for one in reads] == ["search", "read"]
    assert {one.provenance.purpose_of_use for one in reads} == {"TREAT"}
    peer_id = desk.room.referrals.load(referral_id).referral.peer_id
    assert {one.provenance.peer_id for one in reads} == {peer_id}


def test_what_was_typed_is_text_everywhere(desk, nurse, window):
    """Markup in any field is shown as it was typed and never runs."""
    evil = "<img src=x onerror=document.title='run'>\"'{{7*7}}"
    typed = dict.fromkeys(("family", "unit", "bed", "who_answers", "note", "ref_name", "phones"), evil)
    referral_id = refer(nurse, **somebody("<script>alert(1)</script>", **typed))
    page = sign_in(desk, window)
    ran = []
    page.on("dialog", lambda dialog: (ran.append(dialog.message), dialog.dismiss()))
    for path in (
        "",
        f"/referrals/{referral_id}",
        f"/referrals/{referral_id}/print",
        f"/referrals/{referral_id}/correct",
    ):
        page.goto(f"{desk.address}/desk{path}")
        assert page.locator("main img, main script").count() == 0 and page.title() != "run"
    assert page.input_value("#family") == evil
    page.goto(f"{desk.address}/desk")
    expect(page.locator("#live-state")).to_contain_text("Live")
    seek(desk, referral_id)
    expect(page.locator(f"[data-id='{referral_id}'] .state")).to_have_text("Looking for somebody")
    assert page.locator("main img, main script").count() == 0 and ran == []
    nurse.post("/desk/new", data=fill(nurse, family=evil, urgency=""))
    faulty = nurse.post("/desk/new", data=fill(nurse, family=evil, urgency="", unit=evil))
    assert faulty.status_code == 400 and evil not in faulty.text and "&lt;img src=x" in faulty.text


def test_the_worklist_is_urgent_first_live_and_honest_about_time(desk, window):
    """What was promised stays as it was said and is marked late; a unit shows its own; a new one appears by itself."""
    with desk.signed_in(actor="nurse-wil", org="er-quiet") as wil:
        zip_code = {"zip": "12208"}
        routine = refer(wil, **somebody("Poppy", urgency="routine", unit="Fast track", **zip_code))
        urgent = refer(wil, **somebody("Rue", leaves_time="", **zip_code))
        page = sign_in(desk, window, actor="nurse-wil", org="er-quiet")
        expect(page.locator("#live-state")).to_contain_text("Live")
        ids = [row.get_attribute("data-id") for row in page.locator(".board tbody tr").all()]
        assert ids == [urgent, routine]
        assign(desk, urgent, minutes=20)
        row = page.locator(f"[data-id='{urgent}']")
        expect(row).to_contain_text("Somebody is coming")
        promised = row.locator(".promise strong").inner_text()
        desk.clock.ahead += timedelta(minutes=14)
        later = refer(wil, **somebody("Sage", **zip_code))
        expect(page.locator(f"[data-id='{later}']")).to_contain_text("Sent")
        expect(row).not_to_contain_text("late")
        desk.clock.ahead += timedelta(minutes=10)
        wil.get("/desk")
        text = wil.get("/desk").text
        assert promised in text and ">late<" in text
        only = wil.get("/desk", params={"unit": "Fast track"}).text
        assert routine in only and urgent not in only


def test_an_open_page_hides_who_is_on_it_when_its_session_ends(desk, window):
    """A worklist that nobody uses goes back to the sign-in page by itself; looking on keeps no session alive."""
    with desk.signed_in(actor="nurse-gone") as gone:
        referral_id = refer(gone, **somebody("Nettle"))
    page = sign_in(desk, window, actor="nurse-gone")
    expect(page.locator("#live-state")).to_contain_text("Live")
    desk.clock.ahead += timedelta(minutes=16)
    seek(desk, referral_id)
    page.wait_for_url("**/desk/sign-in?next=*")
    assert page.get_by_text("N. F.").count() == 0


def test_everything_a_hospital_may_ask_of_a_referral_can_be_asked_on_its_page(desk, nurse):
    """Leaving, consent later, correction, the peer's no, revocation and error are stored, told and in the timeline."""
    held = refer(nurse, **somebody("Aster", consent="later"))
    path = f"/desk/referrals/{held}"
    assert "Add their consent" in nurse.get(path).text
    page = nurse.get(f"{path}/correct").text
    shown = {
        "key": page.split('name="key" value="')[1].split('"')[0],
        "revision": "1",
        "csrf": form_token(page),
    }
    typed = {name: text for name, text in (WREN | somebody("Aster", bed="14")).items() if text}
    assert nurse.post(f"{path}/correct", data=typed | shown).status_code == 303
    assert state_of(desk, held) is State.SUBMITTED
    overtaken = nurse.post(f"{path}/correct", data=typed | shown | {"key": "n" * 24})
    assert overtaken.status_code == 409 and 'name="revision" value="2"' in overtaken.text
    assert post(nurse, path, f"{path}/leaving", leaves_time="11:59 pm").status_code == 303
    assert post(nurse, path, f"{path}/leaving", leaves_time="soon").status_code == 400
    assert post(nurse, path, f"{path}/revoke-consent").status_code == 400
    assert post(nurse, path, f"{path}/revoke-consent", sure="1").status_code == 303
    text = nurse.get(path).text
    for told in ("their consent is missing", "A new time of leaving", "they took their consent back"):
        assert told in text
    assert state_of(desk, held) is State.CANCELLED
    no = refer(nurse, **somebody("Bryony"))
    assert post(nurse, "/desk", f"/desk/referrals/{no}/peer-said-no", reason="").status_code == 400
    assert post(nurse, "/desk", f"/desk/referrals/{no}/peer-said-no", reason="not-now").status_code == 303
    assert post(nurse, "/desk", f"/desk/referrals/{no}/entered-in-error", sure="1").status_code == 303
    assert state_of(desk, no) is State.ENTERED_IN_ERROR


def test_the_handover_sheet_says_no_more_than_a_handover_needs(desk, nurse):
    """Bed, initials, promise and language are on it; no name, birth date, record number, reason or phone."""
    told = somebody("Hyssop", bed="21", reason_overdose="1")
    referral_id = refer(nurse, **told)
    text = nurse.get(f"/desk/referrals/{referral_id}/print").text
    assert "ER, 21" in text and "H. F." in text and "Spanish" in text
    for secret in ("Hyssop", "Fennimore", "1988", told["record_number"], "Overdose", "15185550177"):
        assert secret not in text


NOTICES = {
    "en": [
        "Messages that asked specialists: 2 (arrived: 1)",
        "Messages to specialists that could not be delivered: 1",
        "Your unit was told by e-mail that help is coming (arrived)",
        "A message to your unit could not be delivered (that they could not meet): no such mailbox",
        "No message reached the supervisor on call: ring them",
    ],
    "es": [
        "Mensajes que preguntaron a especialistas: 2 (llegaron: 1)",
        "Mensajes a especialistas que no se pudieron entregar: 1",
        "Se avisó a su unidad por correo electrónico de que viene ayuda (llegó)",
        "No se pudo entregar un aviso a su unidad (de que no pudieron encontrarse): ese buzón no existe",
        "Ningún aviso llegó a la supervisión de guardia: llámela",
    ],
}


def test_the_page_says_what_became_of_messages_by_itself_and_in_both_languages(desk, nurse, window):
    """An open page shows a message that came back without being loaded again; nobody else's way or reason is on it."""
    referral_id = refer(nurse, **somebody("Teasel"))
    version = desk.room.referrals.load(referral_id).referral.task_version
    page = sign_in(desk, window)
    page.goto(f"{desk.address}/desk/referrals/{referral_id}")
    expect(page.locator("#live-state")).to_contain_text("Live")
    note(desk, referral_id, "ntc-4", "help-assigned", "sent", "bounced", reason="mailbox-full")
    expect(page.locator(".timeline")).to_contain_text("came back")
    expect(page.locator(".timeline")).to_contain_text("the mailbox is full")
    note(desk, referral_id, "ntc-4", "help-assigned", "sent", "bounced", "delivered")
    note_all(desk, referral_id)
    expect(page.locator(".timeline")).to_contain_text(NOTICES["en"][-1])
    for reader, lines in NOTICES.items():
        text = nurse.get(f"/desk/referrals/{referral_id}", headers={"accept-language": reader}).text
        told = text.split('<ol class="timeline">')[1].split("</ol>")[0]
        assert sorted(told.count(line) for line in lines) == [1] * len(lines), told
    assert desk.room.referrals.load(referral_id).referral.task_version == version
    assert "ntc-" not in text and "do-not-contact" not in text


def test_faults_come_back_at_their_fields_and_the_focus_is_on_them(desk, window):
    """The summary has the focus and is announced, its links lead to the fields, and nothing typed is gone."""
    page = sign_in(desk, window, actor="nurse-fay")
    page.goto(f"{desk.address}/desk/new")
    page.fill("#family", "Wintergreen")
    page.fill("#arrived_time", "soon")
    page.click("#send")
    page.wait_for_selector("#faults")
    assert page.evaluate("document.activeElement.id") == "faults"
    assert page.locator("#faults[role=alert] a").count() == 5
    page.locator("#faults a[href='#arrived_time']").click()
    assert page.evaluate("document.activeElement.id") == "arrived_time"
    assert page.get_attribute("#arrived_time", "aria-invalid") == "true"
    described = page.get_attribute("#arrived_time", "aria-describedby").split()
    assert "not a time" in page.locator(f"#{described[-1]}").inner_text()
    assert page.input_value("#family") == "Wintergreen"


@pytest.mark.parametrize(("language", "scheme"), [("en-US", "light"), ("es-US", "dark")])
def test_axe_finds_nothing_against_any_page_and_no_phone_scrolls_sideways(
    desk, nurse, browser, language, scheme
):
    """Every page, at the width of a phone, in both languages and schemes; every control is large enough."""
    referral_id = refer(nurse, **somebody("Linden", wish1="gender.woman", **SAID))
    assign(desk, referral_id, minutes=-5, modality="phone")
    note_all(desk, referral_id)
    context = browser.new_context(viewport=PHONE, locale=language, color_scheme=scheme)
    page = context.new_page()
    axe = Axe()

    def look(path: str) -> None:
        page.goto(f"{desk.address}{path}")
        found = axe.run(page, options=AXE)
        assert found.violations_count == 0, f"{path}\n{found.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
        small = page.eval_on_selector_all(
            "main button, main select, main input:not([type=hidden], [type=radio], [type=checkbox]), .choice",
            "all => all.filter(e => e.offsetHeight && e.offsetHeight < 44).map(e => e.outerHTML)",
        )
        assert small == [], path

    look("/desk/sign-in")
    desk.open_window(context, actor="nurse-axe")
    one = f"/desk/referrals/{referral_id}"
    for path in ("/desk", "/desk/new", one, f"{one}/correct", f"{one}/print", "/desk/referrals/nobody"):
        look(path)
    page.goto(f"{desk.address}/desk/new")
    page.check("input[name=consent][value=yes]")
    page.click("#send")
    page.wait_for_selector("#faults")
    found = axe.run(page, options=AXE)
    assert found.violations_count == 0, found.generate_report()
    assert page.get_attribute("html", "lang") == language[:2]
    context.close()


def test_open_pages_are_no_running_work_and_end_with_the_process(desk, nurse):
    """A stream answers at once and takes no place of a request; a stranger's says that nobody is signed in."""
    with nurse.stream("GET", "/desk/live", params={"mark": "old"}) as stream:
        lines = stream.iter_lines()
        assert next(line for line in lines if line.startswith("event")) == "event: shown"
        running = [
            line
            for line in nurse.get("/metrics").text.splitlines()
            if line.startswith("kindred_http_running ")
        ]
        assert [float(line.split()[1]) for line in running] == [0.0]
    with desk.visitor() as stranger:
        assert stranger.get("/desk/live").text.startswith("event: ended")
