"""Apprise against a real HTTP server through its own json service, and how many go out in how long."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from chassis import settings as chassis_settings
from chassis.errors import Refusal
from services.notifications import handlers
from services.notifications.bootstrap import build_room, prepare
from services.notifications.channels.apprise import AppriseWay
from services.notifications.domain.intents import Channel, Intent
from services.notifications.domain.notices import Outcome
from services.notifications.pacing import Pace
from services.notifications.settings import Settings
from services.notifications.store import Rates
from tests.integration.notifications.driving_notices import a_card, an_offer, settled, told, until
from tests.integration.notifications.posted_side import PostedSide
from tests.integration.notifications.processes import ROOT
from tests.integration.notifications.test_sending_by_post import wish
from tests.unit.notifications.notice_builders import NOW, a_notice


@pytest.fixture(scope="module")
def apprise_side():
    """A far side that takes what Apprise posts."""
    side = PostedSide().start()
    yield side
    side.stop()


@pytest.fixture
def room(environ, apprise_side):
    """Notifications that may use the json service on one host; Ines is on the roster."""
    allowed = apprise_side.url.replace("http:", "json:")
    more = {"KINDRED_APPRISE_ALLOWED": f"slack:// {allowed}", "KINDRED_POST_TIMEOUT_S": "2"}
    room = build_room(chassis_settings.read(Settings, environ | more))
    prepare(room)
    handlers.keep_contacts(room, [a_card("sp_ines", "ines@example.org")])
    apprise_side.taken.clear()
    yield room
    room.sending.stop()


def test_an_offer_arrives_through_apprise_and_a_no_is_not_a_yes(room, apprise_side, far_side):
    """Who chose it reads subject, words and link there; after three noes the mail has its turn and says so."""
    where = f"{apprise_side.url.replace('http:', 'json:')}/ines"
    wish(room, apprise_url=where, channels=(Channel.APPRISE, Channel.EMAIL))
    handlers.tell(room, told(an_offer("off_1")))
    room.sending.start()
    settled(room, "sent")
    [posted] = apprise_side.taken
    words = json.loads(posted.body)
    assert posted.path == "/ines"
    assert words["title"].startswith("Please answer by")
    assert "https://answers.example.org/answer/tok-secret-1" in words["message"]
    assert "apprise" not in posted.body.decode().lower()
    apprise_side.faults.extend(["500", "302", "429"])
    handlers.tell(room, told(an_offer("off_2")))
    sent = next(row for row in settled(room, "sent", 2) if row["offer_id"] == "off_2")
    assert [one["outcome"] for one in sent["attempts"]] == ["unknown"] * 3 + ["accepted"]
    assert [one["is_possible_repeat"] for one in sent["attempts"]] == [False, True, True, True]
    assert sent["channel"] == "email"
    assert len(far_side.accepted()) == 1


@pytest.mark.parametrize(
    "url",
    [
        "json://127.0.0.1:1/x",
        "json://localhost/x",
        "jsons://127.0.0.1/x",
        "file:///etc/passwd",
        "nonsense",
        "slack://",
        "slack://T/B/C?verify=no",
        "json://127.0.0.1:1\\@evil.example.org/x",
    ],
)
def test_only_what_the_operator_allowed_is_an_address(room, url):
    """Another host, another service, a switched-off certificate check: nobody makes us knock there."""
    with pytest.raises(Refusal) as refused:
        wish(room, apprise_url=url)
    assert [fault.path for fault in refused.value.faults] == ["wishes.apprise_url"]


@pytest.mark.parametrize("allowed", ["json://", "nosuch://"])
def test_a_service_without_a_host_of_its_own_names_one(environ, allowed):
    """A setting under which a URL could lead anywhere starts nothing."""
    with pytest.raises(chassis_settings.SettingsFaults, match="KINDRED_APPRISE_ALLOWED"):
        chassis_settings.read(Settings, environ | {"KINDRED_APPRISE_ALLOWED": allowed})


def test_a_line_refuses_what_is_not_allowed_any_more():
    """A URL stored before the operator changed their mind is refused for good, so that the next way has its turn."""
    line = AppriseWay(["json://127.0.0.1:9"], 1.0).open()
    assert line.send("json://127.0.0.1:10/x", None).outcome is Outcome.REFUSED


def test_an_accounts_pace_is_shared_by_all_workers_and_holds_back_nothing_that_is_immediate(database):
    """Four threads with sixty a minute: after a burst each turn is one, 1.25 s apart; an offer goes at once."""
    paces = [Pace(Rates(database), 60, {Channel.EMAIL: 60}) for _ in range(4)]
    routine = replace(a_notice(Intent.PERSON_MET), expires_at=NOW + timedelta(days=1))
    turns, lock = [], threading.Lock()

    def ask(pace):
        for _ in range(5):
            turn = pace.turn_of(routine, Channel.EMAIL, NOW)
            with lock:
                turns.append(turn)

    threads = [threading.Thread(target=ask, args=[pace]) for pace in paces]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    turns.sort()
    later = [turn for turn in turns if turn > NOW]
    assert len(turns) - len(later) == 5  # the burst: five seconds' worth
    assert all(b - a == timedelta(seconds=1.25) for a, b in pairwise(later))
    assert paces[0].turn_of(a_notice(), Channel.EMAIL, NOW) == NOW
    assert paces[0].turn_of(routine, Channel.EMAIL, NOW) - turns[-1] == timedelta(
        seconds=2.5
    )  # it was counted
    assert paces[0].turn_of(routine, Channel.WEBHOOK, NOW) == NOW


def test_what_waits_for_its_turn_goes_at_its_turn(environ, far_side):
    """With an account of sixty a minute eight routine letters go one after the other, an offer among them at once."""
    room = build_room(chassis_settings.read(Settings, environ | {"KINDRED_EMAIL_PER_MINUTE": "60"}))
    prepare(room)
    handlers.keep_contacts(room, [a_card("sp_ines", "ines@example.org")])
    due = [
        an_offer(f"off_{n}", event="checkin.due.v1", number=n, urgency="", link_token="", minutes=60)
        for n in range(1, 8)
    ]
    handlers.tell(room, told(*due))
    room.sending.start()
    try:
        until("some wait", lambda: room.database.notices.count_documents({"turn_at": {"$ne": None}}) >= 2)
        handlers.tell(room, told(an_offer("off_now")))
        now = until(
            "the offer", lambda: room.database.notices.find_one({"offer_id": "off_now", "state": "sent"})
        )
        assert now["turn_at"] is None
        assert room.database.notices.count_documents({"turn_at": {"$ne": None}}) >= 1
        settled(room, "sent", 8)
    finally:
        room.sending.stop()
    assert len(far_side.accepted()) == 8


@pytest.mark.parametrize(("how", "is_held_up"), [("aside", False), ("as it is", True)])
def test_a_slow_resolver_holds_up_nobody_else(how, is_held_up):
    """While a name is looked up for a mail or an Apprise service other greenlets run; without our help they stand."""
    command = [sys.executable, "-m", "tests.integration.notifications.green_names", how]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    by_mail, by_apprise = (int(line) for line in ran.stdout.split())
    assert (by_mail < 2, by_apprise < 2) == (is_held_up, is_held_up)
