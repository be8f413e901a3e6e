"""A peer's own page, behind a link of theirs, and how it is handed to them: in a real browser, on a phone."""

# ruff: noqa: F811  the fixtures of another file are used by name
from __future__ import annotations

import re

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe

from services.notifications import handlers
from services.notifications.domain.contacts import Card, Contact, source_contact_id
from services.notifications.domain.intents import Channel
from services.notifications.domain.windows import Window
from services.notifications.web.hand_over import picture
from tests.web.test_notifications_pages import browser, running, token_in  # noqa: F401  one room for this file

WREN = "peer_wren"
# Nothing that tells whoever looks over a shoulder what the messages are about.
REVEALING = (
    "hospital",
    "patient",
    "peer",
    "referral",
    "crisis",
    "recovery",
    "kindred",
    "clinic",
    "care",
    "help",
)
GOOD = {"write": "yes", "version": "0", "quiet_from": "20:00", "quiet_until": "09:00", "language": "es"}


@pytest.fixture
def room(running):
    """The room, with a referral of Wren's that Harbor's unit made, and nothing that Wren said yet."""
    room = running.room
    for name in ("wishes", "invitations"):
        room.database[name].delete_many({"person_id": WREN})
    where = Contact("er@example.org", time_zone="America/Chicago")
    cards = [Card(source_contact_id("ref_wren"), "harbor", 1, where, "harbor", WREN)]
    handlers.keep_contacts(room, cards)
    return room


def link(room, language="en"):
    word, _ = room.invitations.make(WREN, language)
    return f"/notices/mine/{word}"


def kept(room):
    return [list(room.database[name].find({"person_id": WREN})) for name in ("wishes", "invitations")]


def test_looking_changes_nothing_and_saving_counts_once(running, room):
    """A scanner finds a page without anybody's name or number; the first good form counts, and the link is over."""
    where = link(room)
    with httpx.Client(base_url=running.url) as phone:
        before = kept(room)
        page = phone.get(where)
        assert (
            phone.head(where).status_code in (200, 405) and phone.get(f"{where}?lang=pt").status_code == 200
        )
        assert kept(room) == before
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["x-robots-tag"] == "noindex, nofollow"
        assert WREN not in page.text and not [word for word in REVEALING if word in page.text.lower()]
        wrong = phone.post(where, data={**GOOD, "quiet_until": ""})
        assert wrong.status_code == 422 and "quiet-wrong" in wrong.text
        assert phone.post(where, data={**GOOD, "write": ""}).status_code == 422
        assert phone.post(where, data=GOOD, headers={"sec-fetch-site": "cross-site"}).status_code == 403
        assert kept(room) == before
        saved = phone.post(
            where, data={**GOOD, "shared": "yes", "unsafe_from": "12:00", "unsafe_until": "13:00"}
        )
        assert saved.status_code == 200 and "Ya no llega" in saved.text
        said = room.wishes.load(WREN).wishes
        assert (said.shared, said.language, said.is_do_not_contact) == ((Channel.SMS,), "es", False)
        assert (said.quiet, said.unsafe) == ((Window(1200, 540),), (Window(720, 780),))
        for again in (phone.post(where, data={**GOOD, "write": "never"}), phone.get(where)):
            assert again.status_code == 404 and "does not work any more" in again.text
            assert "My messages" not in again.text, "nobody signs in as a peer"
    [row] = room.database.wishes.find_one({"person_id": WREN})["outbox"]
    assert row["type"] == "contact.changed.v1"
    reads = room.database.accesses.find({"outbox.type": "record.read.v1"})
    assert sum(WREN.encode() in row["outbox"][0]["data"] for row in reads) >= 3


def test_what_was_changed_meanwhile_is_looked_at_again(running, room):
    """Never counts whatever else is on the page; an older page does not undo it, and its link still works."""
    where = link(room)
    with httpx.Client(base_url=running.url) as phone:
        assert 'name="version" value="0"' in phone.get(where).text
        never = phone.post(where, data={"write": "never", "version": "0"})
        assert "No message comes any more" in never.text
        assert room.wishes.load(WREN).wishes.is_do_not_contact
        where = link(room)
        late = phone.post(where, data=GOOD)
        assert late.status_code == 422 and "Somebody changed this" in late.text
        assert "Cuenta desde ahora" in phone.post(where, data={**GOOD, "version": "1"}).text
        assert not room.wishes.load(WREN).wishes.is_do_not_contact
        handlers.join(room, WREN, "peer_silent", is_joined=True, at=room.clock.now())
        silent = phone.post(link(room), data={**GOOD, "version": "2"})
        handlers.join(room, WREN, "peer_silent", is_joined=False, at=room.clock.now())
        assert "Ya no llega ningún mensaje" in silent.text, "as was said under another pseudonym"


def test_who_referred_hands_the_link_over_and_nobody_else(running, room):
    """On record before it is shown; another unit's nurse finds no such request, and a specialist no such page."""
    data = {"referral": "ref_wren"}
    with running.client("nurse-ada", "nurse", organization_id="harbor") as ada:
        data["csrf"] = token_in(ada.get("/notices/hand-over").text)
        assert ada.post("/notices/hand-over", data={**data, "csrf": "x"}).status_code == 403
        page = ada.post("/notices/hand-over", data=data).text
        assert ada.post("/notices/hand-over", data={**data, "referral": "ref_none"}).status_code == 404
    assert re.search(r"It works once, until \d+:\d\d [AP]M C[SD]T, ", page), "the unit's zone, named"
    word = page.partition("/notices/mine/")[2].partition('"')[0]
    assert room.invitations.find(word).person_id == WREN and WREN not in page
    reads = [
        row["outbox"][0]["data"] for row in room.database.accesses.find({"outbox.type": "record.read.v1"})
    ]
    assert [row for row in reads if b"nurse-ada" in row and b"hand-over" in row and WREN.encode() in row]
    with running.client("nurse-bo", "nurse", organization_id="elsewhere") as bo:
        data["csrf"] = token_in(bo.get("/notices/hand-over").text)
        assert bo.post("/notices/hand-over", data=data).status_code == 404
    with running.client() as ines:
        assert ines.get("/notices/hand-over").status_code == 403
    assert room.invitations.find(word) is not None


def test_a_coordinator_says_how_their_unit_is_reached(running, room):
    """What a unit is told follows the unit's wishes, which a coordinator of it finds from their own page."""
    with running.client("cora", "coordinator", organization_id="harbor") as cora:
        where = "/notices/preferences?person=harbor"
        assert f'href="{where}"' in cora.get("/notices/preferences").text
        data = {"csrf": token_in(cora.get(where).text), "person": "harbor", "version": "0", "language": "es"}
        assert cora.post("/notices/preferences", data=data).status_code == 303
    assert room.wishes.load("harbor").wishes.language == "es"
    with running.client("nurse-ada", "nurse", organization_id="harbor") as ada:
        assert where not in ada.get("/notices/preferences").text
        assert ada.get(where).status_code == 403


def test_the_picture_is_the_link_row_by_row():
    """Each dark stretch stands where the code has it, with the three eyes that a camera looks for."""
    rows = picture("https://notices.example.org/notices/mine/" + "a" * 43)
    drawn = [
        [any(start <= x < start + length for start, length in row) for x in range(len(rows))] for row in rows
    ]
    eye = [drawn[0][:7], drawn[0][-7:], drawn[-7][:7]]
    assert eye == [[True] * 7] * 3
    assert [drawn[2][x] for x in range(7)] == [True, False, True, True, True, False, True]
    assert all(
        not run[0] or run[0] > end for row in rows for end, run in zip([0, *map(sum, row)], row, strict=False)
    )


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("which", ["own", "done", "gone", "asked", "handed"])
def test_every_page_of_a_peer_works_on_a_phone_and_for_everybody(
    running,
    browser,
    room,
    tmp_path,
    language,
    which,
):
    """No violation of axe's rules, and nothing wider than a phone's screen."""
    context = browser.new_context(viewport={"width": 360, "height": 740}, locale=language)
    page = context.new_page()
    if which in ("asked", "handed"):
        running.open_window(context, "nurse-ada", "nurse", "harbor")
        page.goto(f"{running.url}/notices/hand-over?referral=ref_wren")
    else:
        page.goto(running.url + (link(room, language) if which != "gone" else "/notices/mine/none"))
    if which == "done":
        page.locator("main button").click()
        page.wait_for_selector("p.good")
    if which == "handed":
        page.locator("main button").click()
        page.wait_for_selector("svg.code")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.screenshot(path=str(tmp_path / f"{which}-{language}.png"), full_page=True)
    context.close()
