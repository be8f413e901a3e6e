"""An open chair and a stolen token take nothing out: exports and broken glass ask for a sign-in of the last minutes."""

from __future__ import annotations

import re
import time
from dataclasses import replace

import httpx
import pytest

from chassis.errors import Refusal
from chassis.identity import Caller
from services.audit.officers_door import render_refusal, routes
from services.audit.web.sessions import Sessions
from services.intake import doorway
from tests.audit_reading import ReadLog, a_read_log
from tests.integration.audit.test_audit_reports import AtClock, a_disclosure
from tests.signing_in import settings_of, sign_ins, signed_in


@pytest.fixture(scope="module")
def log(mongo_uri, tmp_path_factory):
    """One disclosure about Rosa."""
    folder = tmp_path_factory.mktemp("console")
    with (
        sign_ins(folder / "keys", "/console") as people,
        a_read_log(mongo_uri, folder, AtClock(), **settings_of(people)) as log,
    ):
        log.people = people
        log.record([a_disclosure(10, "sp-7")])
        yield log


@pytest.fixture(scope="module")
def address(log: ReadLog):
    """Where the console is."""
    with log.serving(routes(log.room), render_refusal=render_refusal) as address:
        yield address


def test_an_export_asks_an_officer_who_signed_in_long_ago_to_prove_it_anew(log: ReadLog, address):
    """Refused and on record; the way leads to the sign-in service and back to the same page; then it leaves."""
    report = "/console/reports/part2-accounting?person=peer_rosa&run=1&format=csv"
    kept = Sessions(log.room.database, log.room.clock)
    with httpx.Client(base_url=address, timeout=20) as client:
        signed_in(client, kept, "kindred-console", log.officer(authenticated_at=time.time() - 3_600))
        before = client.cookies["kindred-console"]
        told = client.get(report)
        assert told.status_code == 403 and "Confirm that it is you" in told.text
        csrf = re.findall('name="csrf" value="([^"]+)"', told.text)[0]
        sent = {"csrf": csrf, "ask_q": "peer_rosa"}
        assert client.post("/console/export", data=sent).status_code == 403
        assert client.post("/console/accounting", data=sent).status_code == 403
        way = re.findall('id="again" href="([^"]+)"', told.text)[0].replace("&amp;", "&")
        asked = client.get(way).headers["location"]
        assert "prompt=login" in asked and "max_age=0" in asked
        back = client.get(log.people.chosen(asked, persona="officer-vera"))
        assert back.status_code == 200 and "/console/reports/part2-accounting?" in back.text
        assert client.cookies["kindred-console"] != before and kept.known(before) is None
        taken = client.get(report)
        assert taken.status_code == 200 and taken.headers["content-type"].startswith("text/csv")
    said = log.said()
    assert "step-up-needed" in [one.reason_code for kind, one in said if kind == "access.denied.v1"]
    assert "step-up" in [one.reason_code for kind, one in said if kind == "session.began.v1"]


def test_somebody_else_cannot_step_up_for_an_officer(log: ReadLog, address):
    """The session stays as old as it was, for whoever it was."""
    kept = Sessions(log.room.database, log.room.clock)
    with httpx.Client(base_url=address, timeout=20) as client:
        signed_in(client, kept, "kindred-console", log.officer(authenticated_at=1.0))
        otto = {"person": "officer-otto", "role": "compliance", "organization": "kindred"}
        told = client.get(log.people.way_back(client, again="?again=1", **otto))
        assert told.status_code == 403
        assert client.get("/console/reports/part2-accounting?run=1&format=csv").status_code == 403
        assert client.get("/console").status_code == 200


def test_a_stale_token_takes_no_file_over_the_api(log: ReadLog, address, monkeypatch):
    """The rows are shown, the file is not."""
    from chassis import identity

    real = time.time
    with log.client(address, "PATRQT") as officer:
        path = "/audit/reports/part2-accounting?person=peer_rosa"
        assert officer.get(f"{path}&format=csv").status_code == 200
        monkeypatch.setattr(identity.time, "time", lambda: real() + 1_800)
        assert officer.get(path).status_code == 200
        refused = officer.get(f"{path}&format=csv")
        assert refused.status_code == 403 and refused.json()["code"] == "step-up-needed"


def test_whoever_breaks_the_glass_has_just_proved_who_they_are():
    """With a reason and a sign-in of an hour ago the glass stays whole; a system's token never breaks it."""

    class Room:
        class settings:
            from datetime import timedelta

            step_up = (timedelta(minutes=5), "")

    ada = Caller("nurse-ada", "nurse", "er-st-brigid", "BTG", authenticated_at=time.time())
    assert doorway.a_reader(Room, ada, "care-now") == ada
    for caller, code in (
        (replace(ada, authenticated_at=time.time() - 3_600), "step-up-needed"),
        (replace(ada, authenticated_at=0.0), "step-up-needed"),
        (replace(ada, role="system"), "role-not-allowed"),
    ):
        with pytest.raises(Refusal, match=code):
            doorway.a_reader(Room, caller, "care-now")
