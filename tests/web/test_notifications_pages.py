"""My messages, my preferences and the operator's page in a real browser, on a phone, in both languages."""

from __future__ import annotations

import hashlib
import secrets
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from itertools import islice
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from chassis import http_requests
from chassis import settings as chassis_settings
from chassis.http_server import build_app, serve
from chassis.identity import Caller
from services.notifications import handlers
from services.notifications.bootstrap import build_room, prepare
from services.notifications.domain.contacts import Card, Contact
from services.notifications.domain.intents import Intent
from services.notifications.domain.windows import Window
from services.notifications.settings import Settings
from services.notifications.web import routes as pages
from services.notifications.web.preferences import with_the_others
from tests.integration.notifications.driving_notices import an_offer, told, until
from tests.integration.notifications.far_side import FarSide
from tests.signing_in import opened, sign_ins, signed_in

CHROMIUM = Path("/usr/bin/chromium")
INES = "sp_ines"


class Running:
    """The pages of one room on a port, and where their people sign in."""

    def __init__(self, room, people):
        self.room, self.url, self.people = room, f"http://{room.settings.http_address}", people

    @contextmanager
    def client(self, actor_id=INES, role="specialist", language="en", organization_id=""):
        caller = Caller(actor_id, role, organization_id)
        with httpx.Client(base_url=self.url, headers={"accept-language": language}) as client:
            yield signed_in(client, self.room.sessions, "kindred-notices", caller)

    def open_window(self, context, actor_id=INES, role="specialist", organization_id=""):
        caller = Caller(actor_id, role, organization_id)
        opened(context, self.url, self.room.sessions, "kindred-notices", caller)


def token_in(html):
    return html.partition('name="csrf" value="')[2].partition('"')[0]


@pytest.fixture(scope="module")
def running(mongo_uri, mongo_client, tmp_path_factory):
    """One room with its pages and senders for this file; Ines has an offer that went out, and one piece of news."""
    name, folder = f"kindred_test_{secrets.token_hex(6)}", tmp_path_factory.mktemp("keys")
    far_side = FarSide().start()
    environ = {
        "KINDRED_MONGO_URI": mongo_uri,
        "KINDRED_MONGO_DATABASE": name,
        "KINDRED_AMQP_URI": "amqp://nobody@127.0.0.1:1/none",
        "KINDRED_KEYS_DIR": str(folder),
        "KINDRED_PUBLIC_URL": "https://answers.example.org",
        "KINDRED_SMTP_HOST": "127.0.0.1",
        "KINDRED_SMTP_PORT": str(far_side.port),
        "KINDRED_SMTP_FROM": "Kindred <notices@kindred.example.org>",
    }
    with ExitStack() as after:
        people = after.enter_context(sign_ins(folder, "/notices"))
        environ |= people.settings
        after.callback(mongo_client.drop_database, name)
        after.callback(far_side.stop)
        room = build_room(chassis_settings.read(Settings, environ))
        prepare(room)
        card = Card(
            f"specialist-contact:{INES}", INES, 1, Contact("ines@example.org", "en", "America/Chicago")
        )
        handlers.keep_contacts(room, [card])
        room.sending.start()
        after.callback(room.sending.stop)
        app = build_app(
            room.settings,
            routes=pages.routes(room),
            tokens=room.tokens,
            readiness={},
            render_refusal=pages.render_refusal,
            on_denied=lambda *_: None,
        )
        server = serve(app, room.settings.http_address)
        after.callback(server.stop, 2.0)
        far_side.faults.append("550-data")
        handlers.tell(room, told(an_offer("off_dead", event="checkin.due.v1", number=1, link_token="")))
        until("one is dead", lambda: room.database.notices.count_documents({"state": "dead"}) == 1)
        handlers.tell(room, told(an_offer()))
        until("one is out", lambda: room.database.notices.count_documents({"state": "sent"}) == 1)
        yield Running(room, people)


@pytest.fixture(scope="module")
def browser():
    """Chromium as Debian has it."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=str(CHROMIUM),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield chromium
        chromium.close()


def test_who_signs_in_gets_in_and_nobody_else(running):
    """Without a session every page leads to the door; a role without messages and a foreign form open nothing."""
    with httpx.Client(base_url=running.url) as stranger:
        assert stranger.get("/notices").headers["location"] == "/notices/sign-in"
        for path in ("/notices/preferences", "/notices/operator"):
            assert stranger.get(path).headers["location"] == f"/notices/sign-in?next={path}"
        assert stranger.get("/notices/news").status_code == 204
        assert running.people.walk(stranger, persona="officer-vera").status_code == 403
        assert stranger.get("/notices/sign-in/done?state=x&code=y").status_code == 401
        ines = {"person": INES, "role": "specialist", "programme": "lantern-road"}
        assert '0;url=/notices"' in running.people.walk(stranger, **ines).text
        page = stranger.get("/notices").text
        assert stranger.post("/notices/sign-out", data={"csrf": "x"}).status_code == 403
        assert stranger.post("/notices/sign-out", data={"csrf": token_in(page)}).status_code == 200
        assert stranger.get("/notices").status_code == 303


def test_staff_change_how_their_own_people_are_reached_on_a_page(running):
    """A coordinator opens it from the operator's page, is told that it is on record, and gets in at no other."""
    card = Card("specialist-contact:sp_omar", "sp_omar", 1, Contact("omar@example.org"), "lantern-road")
    handlers.keep_contacts(running.room, [card])
    with running.client("co_1", "coordinator", organization_id="lantern-road") as client:
        assert 'name="person"' in client.get("/notices/operator").text
        page = client.get("/notices/preferences?person=sp_omar").text
        assert "It is on record that you did." in page
        fields = {"csrf": token_in(page), "person": "sp_omar", "version": "0", "time_zone": "America/Denver"}
        done = client.post("/notices/preferences", data=fields)
        assert done.headers["location"] == "/notices/preferences?saved=1&person=sp_omar"
        assert running.room.wishes.load("sp_omar").wishes.time_zone == "America/Denver"
        assert running.room.wishes.load("co_1").version == 0
        assert client.get(f"/notices/preferences?person={INES}").status_code == 403
        assert client.post("/notices/preferences", data={**fields, "person": INES}).status_code == 403
    with running.client() as ines:
        assert ines.get("/notices/preferences?person=sp_omar").status_code == 403


def test_a_nurse_reads_what_her_unit_was_told_and_what_became_of_it(running):
    """The inbox of an emergency room: the unit's letters, that one arrived, and nothing of another unit."""
    room = running.room
    card = Card("source-contact:ref_unit", "harbor-er", 1, Contact("er@example.org", "en", "America/Denver"))
    handlers.keep_contacts(room, [card])
    news = an_offer(
        "",
        specialist_id="harbor-er",
        event="referral.status-changed.v1",
        status="unfilled",
        contact_id="source-contact:ref_unit",
        referral_id="ref_unit",
        link_token="",
    )
    handlers.tell(room, told(news))
    sent = {"recipient_id": "harbor-er", "state": "sent"}
    row = until("it is out", lambda: room.database.notices.find_one(sent))
    with running.client("nurse-17", "nurse", organization_id="harbor-er") as nurse:
        page = nurse.get("/notices").text
        assert "Nobody could say yes yet to your request F_UNIT" in page
        assert (">Sent<" in page, ">Arrived<" in page, "MDT" in page or "MST" in page) == (True, False, True)
        handlers.sms_receipt(room, row["_id"], 1, "delivered", "")
        assert ">Arrived<" in nurse.get("/notices").text
    with running.client("nurse-3", "nurse", organization_id="other-er") as stranger:
        assert "F_UNIT" not in stranger.get("/notices").text


def test_an_inbox_that_nobody_touches_is_signed_out(running):
    """After half an hour without a hand the session is over, though the open page asked for news all the time."""
    with running.client("sp_idle") as idle:
        secret = idle.cookies["kindred-notices"]
        own = {"_id": hashlib.sha256(secret.encode()).hexdigest()}
        seen = running.room.clock.now() - timedelta(minutes=29)
        running.room.database.page_sessions.update_one(own, {"$set": {"seen_at": seen}})
        with idle.stream("GET", "/notices/news") as news:
            assert news.status_code == 200
        assert running.room.database.page_sessions.find_one(own)["seen_at"] < seen + timedelta(minutes=1)
        running.room.database.page_sessions.update_one(
            own, {"$set": {"seen_at": seen - timedelta(minutes=2)}}
        )
        assert idle.get("/notices").headers["location"] == "/notices/sign-in"
    ended = [row for one in running.room.database.accesses.find() for row in one.get("outbox", [])]
    assert "session.ended.v1" in {row["type"] for row in ended}


def test_my_messages_are_mine(running):
    """Ines reads what she was told and opens it there too, in her language and zone; nobody else reads any of it."""
    with (
        running.client() as ines,
        running.client(language="es") as spanish,
        running.client("sp_other") as other,
    ):
        shown = ines.get("/notices").text
        assert "There is a new request for you." in shown
        assert 'class="button" href="https://answers.example.org/answer/tok-secret-1?lang=en"' in shown
        assert "CST" in shown or "CDT" in shown
        assert "Hay una solicitud nueva para usted." in spanish.get("/notices").text
        nothing = other.get("/notices").text
        assert "Nothing yet." in nothing and "/answer/" not in nothing


def test_a_get_changes_nothing(running):
    """Whatever a scanner or a preview opens: not one document of ours is different afterwards, but the trail."""
    with running.client("wanda", "supervisor") as wanda:
        before = [list(running.room.database[name].find()) for name in ("notices", "wishes", "contacts")]
        for path in (
            "/notices",
            "/notices/preferences",
            "/notices/operator",
            "/notices/sign-in",
            "/notices/sign-out",
        ):
            wanda.get(path)
        wanda.get("/notices/operator/preview?intent=offer-made&language=es")
        after = [list(running.room.database[name].find()) for name in ("notices", "wishes", "contacts")]
    assert before == after


def test_preferences_count_from_the_moment_they_are_saved(running):
    """What is saved is what the senders heed; a fault saves nothing and is marked; no other change is lost."""
    person = "sp_tomas"
    with running.client(person) as tomas:
        page = tomas.get("/notices/preferences").text
        data = {"csrf": token_in(page), "version": "0", "email": "tomas@example.org", "quiet_from": "21:00"}
        wrong = tomas.post("/notices/preferences", data=data)
        assert wrong.status_code == 422 and "quiet-wrong" in wrong.text
        assert running.room.wishes.load(person).version == 0
        good = {**data, "quiet_until": "07:00", "rank_email": "1", "time_zone": "America/Chicago"}
        assert tomas.post("/notices/preferences", data=good).status_code == 303
        kept = running.room.wishes.load(person).wishes
        assert (kept.email, kept.quiet[0].from_minute, kept.quiet[0].until_minute) == (
            "tomas@example.org",
            1260,
            420,
        )
        late = tomas.post("/notices/preferences", data={**good, "is_do_not_contact": "yes"})
        assert late.status_code == 422 and "Somebody changed this" in late.text
        again = {**good, "version": "1", "is_do_not_contact": "yes"}
        assert tomas.post("/notices/preferences", data=again).status_code == 303
        assert running.room.wishes.load(person).wishes.is_do_not_contact


def test_who_reads_here_opens_the_request_here(running):
    """With the inbox as the only way an offer has its link on the page, and nowhere else, until its deadline."""
    person, room = "sp_noor", running.room
    with running.client(person) as noor:
        data = {"csrf": token_in(noor.get("/notices/preferences").text), "version": "0", "rank_in-app": "1"}
        assert noor.post("/notices/preferences", data=data).status_code == 303
        offer = an_offer("off_here", person, link_token="tok-only-here")
        handlers.tell(room, told(offer))
        until(
            "it is there", lambda: room.database.notices.find_one({"recipient_id": person, "state": "sent"})
        )
        assert 'href="https://answers.example.org/answer/tok-only-here' in noor.get("/notices").text
    with running.client() as ines:
        assert "tok-only-here" not in ines.get("/notices").text


def test_routine_mail_ends_with_one_click(running):
    """Opening the link changes nothing; the mail program's POST does, once and for all; a made-up link is no link."""
    person, room = "sp_lena", running.room
    where = f"/notices/leave/{room.leaving.token(person)}"
    mail_program = httpx.Client(base_url=running.url)
    assert "End it" in mail_program.get(where).text
    assert room.wishes.load(person).version == 0
    for _ in range(2):
        answer = mail_program.post(where, data={"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200 and "Done." in answer.text
    held = room.wishes.load(person)
    assert (held.wishes.is_routine_only_here, held.version) == (True, 1)
    assert mail_program.get("/notices/leave/nobody").status_code == 404
    assert mail_program.post("/notices/leave/nobody").status_code == 404
    with running.client(person) as lena:
        assert 'name="is_routine_only_here" value="yes" checked' in lena.get("/notices/preferences").text


def test_a_page_that_shows_one_window_keeps_the_others():
    """Unsafe times that the page cannot show are not lost when something else is saved."""
    friday, noon, changed = Window(0, 60, (4,)), Window(720, 780), Window(0, 90)
    assert with_the_others((friday, noon), (changed,)) == (Window(0, 90, (4,)), noon)
    assert with_the_others((friday, noon), ()) == (noon,)
    assert with_the_others((), (changed,)) == (changed,)


def test_the_operator_sees_no_address_and_sends_again(running):
    """Counts, dead notices and previews for who runs the system; a specialist may not look."""
    with running.client() as ines, running.client("eng_1", "engineer") as engineer:
        assert ines.get("/notices/operator").status_code == 403
        page = engineer.get("/notices/operator").text
        assert "refused-by-far-side" in page and "ines@example.org" not in page
        for intent in Intent:
            shown = engineer.get(f"/notices/operator/preview?intent={intent.value}&language=es")
            assert shown.status_code == 200
        dead = running.room.database.notices.find_one({"state": "dead"})
        data = {"csrf": token_in(page), "notice_id": dead["_id"]}
        assert engineer.post("/notices/operator/replay", data={**data, "csrf": "x"}).status_code == 403
        assert engineer.post("/notices/operator/replay", data=data).status_code == 303
        until(
            "it went out",
            lambda: running.room.database.notices.find_one({"_id": dead["_id"], "state": "sent"}),
        )


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize(
    "path", ["/notices/sign-in", "/notices", "/notices/preferences", "/notices/operator", "/notices/leave"]
)
def test_every_page_works_on_a_phone_and_for_everybody(running, browser, tmp_path, language, path):
    """No violation of axe's rules, and nothing wider than a phone's screen."""
    context = browser.new_context(viewport={"width": 360, "height": 740}, locale=language)
    page = context.new_page()
    token = running.room.leaving.token(INES)
    if path not in ("/notices/sign-in", "/notices/leave"):
        running.open_window(context, "wanda" if "operator" in path else INES, "supervisor")
    page.goto(running.url + (f"{path}/{token}" if "leave" in path else path))
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.screenshot(path=str(tmp_path / "page.png"), full_page=True)
    context.close()


def test_an_open_inbox_outlives_the_time_of_its_request(running, monkeypatch):
    """The stream goes on looking when the time a request may spend in the store is long over."""
    monkeypatch.setattr(http_requests, "_STORE_S", 0.5)
    with running.client() as ines, ines.stream("GET", "/notices/news", timeout=30) as news:
        looks = [line for line in islice(news.iter_lines(), 8) if line.startswith((":", "data:"))]
    assert looks == [looks[0], ": here", ": here"] and looks[0].startswith("data: ")


def test_an_open_inbox_hears_of_news_by_itself(running, browser):
    """A new notice shows in the open page within seconds, without moving what is being read."""
    context = browser.new_context(locale="en")
    page = context.new_page()
    running.open_window(context)
    page.goto(f"{running.url}/notices")
    page.wait_for_selector(".rows li")
    assert page.locator("#news").is_hidden()
    handlers.tell(running.room, told(an_offer("off_news")))
    page.wait_for_selector("#news:not([hidden])", timeout=20_000)
    page.click("#news a")
    page.wait_for_function("document.querySelectorAll('.rows li').length >= 3")
    context.close()
