"""Breaking the glass from a page, end to end: a nurse at the desk, and who leads a specialist that cannot be reached."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from chassis.errors import Refusal
from chassis.grpc_server import GrpcService, build_server
from chassis.settings import STEP_UP_MINUTES
from kindred.intake.v1 import intake_pb2_grpc
from services.intake import handlers
from services.intake.api import denied
from services.intake.domain.referral import Assignment
from services.intake.handlers import Accepted
from services.intake.servicer import IntakeServicer
from services.intake.web.words import WORDS
from services.matching.people import REASONS
from services.matching.web.words import PAGE_WORDS
from tests.desk_room import CAUSE, DeskRoom, a_desk, form_token, post
from tests.unit.intake.intake_builders import a_consent, a_submission
from tests.work_room import PROGRAMME, WorkRoom, a_team, a_work_room, accepted, ask

WHY = {"reason": "care-now", "sure": "1"}
BROKEN, READ, DENIED = "glass.broken.v1", "record.read.v1", "access.denied.v1"


@pytest.fixture(scope="module")
def desk(mongo_uri, database_of_the_file, tmp_path_factory) -> Iterator[DeskRoom]:
    """One running desk for this file."""
    with a_desk(mongo_uri, database_of_the_file, tmp_path_factory.mktemp("glass")) as found:
        yield found


@pytest.fixture(scope="module")
def referral_id(desk: DeskRoom) -> str:
    """Wren works at this hospital: their referral came labelled "very restricted"."""
    return a_referral(desk, "glass-v", labels=("V",))


def a_referral(desk: DeskRoom, key: str, **given: Any) -> str:
    """Sent just now by the hospital's record system, with a consent that names us; returns its id."""
    now = desk.room.clock.now()
    consent = a_consent(recipients=("Kindred",), signed_at=now - timedelta(minutes=5), expires_at=None)
    said = {
        "idempotency_key": key,
        "arrived_at": now - timedelta(minutes=20),
        "consent": consent,
        "visit": None,
    }
    submission = a_submission(**said | given)
    system = desk.caller("client:ehr", "system")
    return handlers.submit(desk.room, system, submission, CAUSE).referral.referral_id


@pytest.fixture(scope="module")
def nurse(desk: DeskRoom) -> Iterator[httpx.Client]:
    """Ada, who proved a moment ago who she is, in a browser without scripts."""
    with desk.signed_in() as client:
        yield client


def test_a_curious_colleague_gets_nothing_and_the_trail_has_the_record(desk, nurse, referral_id):
    """Bed and state are on the list, no initials; the page, its print and its form lead to the glass, each on record."""
    before = len(desk.accesses(DENIED))
    assert WORDS["en"]["glass_short"] in nurse.get("/desk").text and "W. Q." not in nurse.get("/desk").text
    for path in ("", "/print", "/correct"):
        told = nurse.get(f"/desk/referrals/{referral_id}{path}")
        assert (told.status_code, told.headers["location"]) == (303, f"/desk/referrals/{referral_id}/glass")
    looks = desk.accesses(DENIED)[before:]
    assert [(one.record_id, one.reason_code) for one in looks] == [(referral_id, "glass-needed")] * 3
    shown = nurse.get(f"/desk/referrals/{referral_id}/glass").text
    assert "Quillfeather" not in shown and f"{referral_id}/emergency" in shown
    with desk.signed_in(actor="coordinator-ines", role="coordinator") as client:
        told = client.get(f"/desk/referrals/{referral_id}")
        assert told.status_code == 403 and WORDS["en"]["told_glass-needed"] in told.text
        assert client.get(f"/desk/referrals/{referral_id}/glass").status_code == 403


def test_no_list_and_no_search_tells_what_is_behind_glass(desk, referral_id):
    """A search counts it and shows it to nobody but the record system that sent it."""
    from services.intake.domain.wanted import Wanted

    wanted = Wanted(referral_ids=frozenset({referral_id}))
    found = {
        role: handlers.search(
            desk.room, desk.caller("one", role), wanted, "ServiceRequest", criteria=["_id"], cause=CAUSE
        )
        for role in ("nurse", "coordinator", "system")
    }
    assert {role: len(page.rows) for role, page in found.items()} == {
        "nurse": 0,
        "coordinator": 0,
        "system": 1,
    }


def test_an_open_chair_breaks_nothing_and_the_form_leads_to_the_proof(desk, referral_id):
    """With a sign-in of long ago the form has no button but the one to the sign-in service; posting it is on record."""
    path = f"/desk/referrals/{referral_id}/glass"
    before, denials = len(desk.accesses(BROKEN)), len(desk.accesses(DENIED))
    with desk.visitor() as client:
        back = desk.people.walk(client, person="nurse-late", role="nurse", organization="er-st-brigid")
        assert back.status_code == 200
        _age(desk, "nurse-late")
        shown = client.get(path).text
        assert 'name="sure"' not in shown
        sent = client.post(path, data={"csrf": form_token(client.get("/desk").text), **WHY})
        assert (sent.status_code, sent.headers["location"]) == (303, path)
        assert [one.reason_code for one in desk.accesses(DENIED)[denials:]] == ["step-up-needed"]
        way = re.findall('id="again" href="([^"]+)"', shown)[0].replace("&amp;", "&")
        asked = client.get(way).headers["location"]
        assert "prompt=login" in asked and "max_age=0" in asked
        back = client.get(
            desk.people.chosen(asked, person="nurse-late", role="nurse", organization="er-st-brigid")
        )
        assert path in back.text
        assert 'name="sure"' in client.get(path).text
    assert len(desk.accesses(BROKEN)) == before


def _age(desk: DeskRoom, actor: str) -> None:
    """Their proof of who they are is an hour old."""
    desk.room.database["desk_sessions"].update_one(
        {"actor_id": actor}, {"$inc": {"authenticated_at": -3600.0}}
    )


@pytest.mark.parametrize("missing", ["reason", "sure"])
def test_without_a_reason_or_a_yes_nothing_opens(desk, nurse, referral_id, missing):
    """The form comes back with the fault at its field, and nothing is on record."""
    before, path = len(desk.accesses(BROKEN)), f"/desk/referrals/{referral_id}/glass"
    told = post(nurse, path, path, **{name: text for name, text in WHY.items() if name != missing})
    assert told.status_code == 422 and WORDS["en"][f"glass_fault_{missing}"] in told.text
    curious = post(nurse, path, path, **WHY | {"reason": "curious"})
    assert curious.status_code == 403 and WORDS["en"]["told_justification-missing"] in curious.text
    assert len(desk.accesses(BROKEN)) == before


def test_the_glass_breaks_for_one_referral_for_minutes_with_a_banner(desk, nurse, referral_id):
    """On record before it opens; every look is its own entry past the glass; closed by hand or by time it is closed."""
    other = a_referral(
        desk, "glass-other", labels=("V",), person=replace(a_submission().person, given_name="Odd")
    )
    page = f"/desk/referrals/{referral_id}"
    before, reads = len(desk.accesses(BROKEN)), len(desk.accesses(READ))
    assert post(nurse, f"{page}/glass", f"{page}/glass", **WHY).headers["location"] == page
    (broken,) = desk.accesses(BROKEN)[before:]
    assert (broken.record_id, broken.referral_id, broken.reason_code) == (
        referral_id,
        referral_id,
        "care-now",
    )
    said = broken.provenance
    assert (said.actor_id, said.actor_role, said.organization_id) == ("nurse-ada", "nurse", "er-st-brigid")
    assert (said.purpose_of_use, said.peer_id[:5]) == ("BTG", "peer_")
    shown = nurse.get(page)
    assert "Wren Quillfeather" in shown.text and WORDS["en"]["glass_open"] in shown.text
    assert WORDS["en"]["glass_open"] in nurse.get(f"{page}/print").text
    assert [one.provenance.purpose_of_use for one in desk.accesses(READ)[reads:]] == ["BTG", "BTG"]
    assert nurse.get(f"/desk/referrals/{other}").headers["location"] == f"/desk/referrals/{other}/glass"
    with desk.signed_in(actor="nurse-two") as client:  # it is open in one session
        assert client.get(page).headers["location"] == f"{page}/glass"
    assert post(nurse, page, f"{page}/glass/close").headers["location"] == "/desk"
    assert nurse.get(page).headers["location"] == f"{page}/glass"
    post(nurse, f"{page}/glass", f"{page}/glass", **WHY)
    desk.clock.ahead = timedelta(minutes=STEP_UP_MINUTES, seconds=1)
    try:
        assert nurse.get(page).headers["location"] == f"{page}/glass"
    finally:
        desk.clock.ahead = timedelta()
    assert nurse.get(page).status_code == 200  # and while the time lasts, it stood open


def test_another_hospitals_glass_is_not_there(desk, referral_id):
    """Answered as for no referral at all; no glass is on record, and the trail knows of the try."""
    path, before = f"/desk/referrals/{referral_id}/glass", len(desk.accesses(BROKEN))
    with desk.signed_in(actor="nurse-far", org="er-elsewhere") as client:
        assert post(client, path, path, **WHY).status_code == 404
    assert len(desk.accesses(BROKEN)) == before
    assert "not-your-referral" in {one.reason_code for one in desk.accesses(DENIED)}


@pytest.fixture(scope="module")
def work(desk, mongo_uri, tmp_path_factory) -> Iterator[WorkRoom]:
    """Matching's pages beside this intake's gRPC door, which believes the same sign-in service."""
    from chassis import mongo

    database = mongo.connect(mongo_uri)[f"{desk.room.database.name}_work"]
    with a_work_room(mongo_uri, database, tmp_path_factory.mktemp("lead")) as work:
        door = GrpcService(
            "kindred.intake.v1.IntakeService",
            intake_pb2_grpc.add_IntakeServiceServicer_to_server,
            IntakeServicer(desk.room, desk.hub),
        )
        settings = replace(work.room.settings, grpc_address="127.0.0.1:0")
        server = build_server(
            settings, services=[door], tokens=work.room.tokens, on_denied=partial(denied, desk.room)
        )
        server.start()
        object.__setattr__(work.room.settings, "intake_grpc", f"127.0.0.1:{server.port}")
        a_team(work.room)
        yield work
        server.stop(grace_s=1)
        database.client.drop_database(database.name)


@pytest.fixture(scope="module")
def carried(desk, work) -> str:
    """Rosa said yes to it, and now nobody can reach Rosa."""
    referral_id = a_referral(desk, "glass-carried")
    ask(work.room, referral_id)
    accepted(work.room, referral_id, "rosa")
    heard = Accepted(
        referral_id=referral_id,
        said_at=desk.room.clock.now(),
        cause=replace(CAUSE, event_id="evt-accepted"),
        assignment=Assignment("off-1", None, "bedside", "rosa", PROGRAMME),
    )
    handlers.assign(desk.room, [heard])
    return referral_id


def sam(work: WorkRoom, client: httpx.Client, **who: str) -> httpx.Client:
    """Sam, who supervises Rosa, signed in at the sign-in service just now."""
    told = {"person": "sam", "role": "supervisor", "programme": PROGRAMME} | who
    assert work.people.walk(client, **told).status_code == 200
    return client


def test_who_leads_is_told_past_the_glass_once_and_everything_is_on_record(desk, work, carried):
    """Name, place and how to call as the consent allows, with the notice; glass and disclosure are intake's entries."""
    home = f"/matching/board/referrals/{carried}"
    before, made = len(desk.accesses(BROKEN)), _made(desk, carried)
    with work.visitor() as client:
        sam(work, client)
        assert f"{home}/glass" in client.get(home).text
        form = client.get(f"{home}/glass").text
        assert "Quillfeather" not in form and "42 CFR" not in form
        sent = {"csrf": form_token(form), "key": "k" * 20, "next": home}
        assert client.post(f"{home}/glass", data=sent | {"reason": "care-now"}).status_code == 422
        assert len(desk.accesses(BROKEN)) == before
        told = client.post(f"{home}/glass", data=sent | WHY | {"reason": "usual-way-fails"})
        assert told.status_code == 200 and "no-store" in told.headers["cache-control"]
        for words in ("Wren Quillfeather", "+15185550177", "42 CFR part 2", PAGE_WORDS["en"]["glass_open"]):
            assert words in told.text, words
        assert "1988" not in told.text and "MRN-70077" not in told.text
    (broken,) = desk.accesses(BROKEN)[before:]
    assert (broken.referral_id, broken.reason_code) == (carried, "usual-way-fails")
    said = broken.provenance
    assert (said.actor_id, said.actor_role, said.organization_id) == ("sam", "supervisor", PROGRAMME)
    assert _made(desk, carried) == [*made, "peer-support-supervisor"]
    kept = str(list(work.room.database["cases"].find())) + str(
        list(work.room.database["work_sessions"].find())
    )
    assert "Quillfeather" not in kept


def _made(desk: DeskRoom, referral_id: str) -> list[str]:
    """To which class of recipients intake disclosed it, in order."""
    from chassis import catalog

    stored = desk.room.database["referrals"].find_one({"_id": referral_id})
    rows = [row for row in (stored or {}).get("outbox", ()) if row["type"] == "disclosure.made.v1"]
    return [catalog.message_class(row["type"]).FromString(row["data"]).recipient_class for row in rows]


def test_a_stale_sign_in_of_who_leads_opens_nothing(desk, work, carried):
    """The form sends them to the sign-in service first; what is posted past it is refused."""
    path, before = f"/matching/board/referrals/{carried}/glass", len(desk.accesses(BROKEN))
    with work.visitor() as client:
        sam(work, client, person="sam-late")
        late = {"actor_id": "sam-late"}
        work.room.database["work_sessions"].update_one(late, {"$inc": {"authenticated_at": -3600.0}})
        shown = client.get(path).text
        assert 'id="again"' in shown and 'name="sure"' not in shown
        sent = client.post(path, data={"csrf": form_token(shown), "key": "k" * 20, "next": path} | WHY)
        assert (sent.status_code, sent.headers["location"]) == (303, path)
    assert len(desk.accesses(BROKEN)) == before


def test_the_reasons_are_the_same_everywhere_and_have_words():
    """What matching offers intake takes, and both pages say it in both languages."""
    from services.intake.doorway import REASONS_TO_BREAK

    assert REASONS == REASONS_TO_BREAK
    for words in (*WORDS.values(), *PAGE_WORDS.values()):
        assert all(words[f"glass_why_{one}"] for one in REASONS)


def test_the_reason_is_a_code_at_the_api_too():
    """Words would hold PHI: any other text is refused, by the field's name alone."""
    from services.intake.doorway import with_a_reason

    with pytest.raises(Refusal) as refused:
        with_a_reason("Wren is my cousin")
    assert refused.value.code == "justification-missing" and "Wren" not in refused.value.faults[0].message


@pytest.mark.parametrize(
    ("whose", "language", "scheme"), [("desk", "en-US", "light"), ("lead", "es-US", "dark")]
)
def test_axe_finds_nothing_and_the_keyboard_does_it_all(
    desk, work, referral_id, carried, whose, language, scheme, tmp_path
):
    """Form, faults and what is shown at a phone's width, by keys alone; the page leaves the screen when time is over."""
    with sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=str(Path("/usr/bin/chromium")), args=["--no-sandbox", "--disable-gpu"]
        )
        phone = browser.new_context(
            viewport={"width": 390, "height": 844}, locale=language, color_scheme=scheme
        )
        page = phone.new_page()
        if whose == "desk":
            desk.open_window(phone, actor=f"nurse-{scheme}")
            page.goto(f"{desk.address}/desk/referrals/{referral_id}")
        else:
            _sign_in_with_tokens(work, phone)
            page.goto(f"{work.address}/matching/board/referrals/{carried}/glass")
        _by_keys(page, whose, tmp_path)
        assert "Quillfeather" in page.inner_text("main")
        page.evaluate("document.getElementById('glass').dataset.until = 0")
        page.wait_for_url(re.compile(r"/desk$" if whose == "desk" else rf"/referrals/{carried}$"))
        browser.close()


def _sign_in_with_tokens(work: WorkRoom, context: Any) -> None:
    """The browser has Sam's session with the tokens of a real sign-in."""
    with work.visitor() as client:
        sam(work, client)
        secret = client.cookies["kindred-work"]
    row = {
        "name": "kindred-work",
        "value": secret,
        "url": work.address,
        "httpOnly": True,
        "sameSite": "Strict",
    }
    context.add_cookies([row])


def _by_keys(page: Any, name: str, folder: Path) -> None:
    """The form is sent empty, then filled and sent, with the keyboard; each step is looked at."""
    _looked_at(page, f"{name}-form", folder)
    page.locator("#reason").evaluate(
        "one => { for (const x of document.querySelectorAll('[required]')) x.required = false }"
    )
    page.locator("main form button").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=alert]")
    _looked_at(page, f"{name}-faults", folder)
    page.locator("#reason").focus()
    page.keyboard.press("ArrowDown")
    page.locator("#sure").focus()
    page.keyboard.press("Space")
    page.locator("main form button").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#glass")
    _looked_at(page, f"{name}-open", folder)


def _looked_at(page: Any, step: str, folder: Path) -> None:
    page.screenshot(path=Path(os.environ.get("KINDRED_PICTURES", folder)) / f"{step}.png", full_page=True)
    found = Axe().run(page)
    assert found.violations_count == 0, f"{step}\n{found.generate_report()}"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, step


def test_the_glass_overrides_no_consent_and_no_programme(desk, work, carried):
    """Taken back is taken back; another programme's lead finds nobody there; both are on record, and no glass is."""
    referral_id = carried  # the last test of this file: nobody gives the consent again
    home, before = f"/matching/board/referrals/{referral_id}", len(desk.accesses(BROKEN))
    with work.visitor() as client:
        sam(work, client, person="nadia", programme="harlem-peers")
        sent = {"csrf": form_token(client.get(f"{home}/glass").text), "key": "k" * 20, "next": home} | WHY
        assert client.post(f"{home}/glass", data=sent).status_code == 404
    handlers.revoke_consent(desk.room, desk.caller(), referral_id, cause=CAUSE)
    with work.visitor() as client:
        sam(work, client)
        sent = {"csrf": form_token(client.get(f"{home}/glass").text), "key": "k" * 20, "next": home} | WHY
        told = client.post(f"{home}/glass", data=sent)
        assert told.status_code == 403 and PAGE_WORDS["en"]["told_consent-revoked"] in told.text
    assert len(desk.accesses(BROKEN)) == before
    denials = {(one.record_id, one.reason_code) for one in desk.accesses(DENIED)}
    assert {(referral_id, "not-your-assignment"), (referral_id, "consent-revoked")} <= denials
