"""Matching's pages served by the door every service uses, on a real mongod with a turned clock, and work to do."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from pymongo.database import Database

from chassis.clock import TurnedClock
from chassis.http_server import build_app, serve
from chassis.identity import Caller
from kindred.intake.v1 import events_pb2
from services.matching import handlers
from services.matching.bootstrap import Room
from services.matching.handlers import Acceptance, Recorded
from services.matching.web.routes import render_refusal, routes
from tests.matching_room import CAUSE, a_room, a_row, a_submission, enroll, submit
from tests.signing_in import SignIns, opened, sign_ins, signed_in

PROGRAMME = "bronx-peers"
LEAD = Caller("lena", "coordinator", PROGRAMME, "COC")
CERTIFIED = "NY/any/any/2020-01-01/2099-12-31"


@dataclass
class WorkRoom:
    """Running pages: their room, their address and where their people sign in."""

    room: Room
    clock: TurnedClock
    address: str
    people: SignIns

    def caller(self, actor: str, role: str = "specialist", programme: str = PROGRAMME) -> Caller:
        """Somebody of this programme."""
        return Caller(actor, role, programme, authenticated_at=time.time())

    def open_window(self, context: Any, actor: str, role: str = "specialist", **who: Any) -> None:
        """They are signed in in this browser."""
        opened(context, self.address, self.room.sessions, "kindred-work", self.caller(actor, role, **who))

    @contextmanager
    def signed_in(self, actor: str, role: str = "specialist", **who: Any) -> Iterator[httpx.Client]:
        """A browser without scripts, signed in."""
        with self.visitor() as client:
            yield signed_in(client, self.room.sessions, "kindred-work", self.caller(actor, role, **who))

    def visitor(self) -> httpx.Client:
        """A browser without scripts that nobody has signed in with."""
        return httpx.Client(base_url=self.address, timeout=20)

    def looked_at(self) -> int:
        """How many looks and denials are on record."""
        return self.room.database["accesses"].count_documents({})


@contextmanager
def a_work_room(
    mongo_uri: str, database: Database[dict[str, Any]], folder: Path, **environ: str
) -> Iterator[WorkRoom]:
    """The pages, served; the clock stands at the real minute, because MongoDB forgets sessions by real time."""
    clock = TurnedClock(datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1))
    named = folder / "hospitals.json"
    named.write_text('{"lakelight": {"name": "Lakelight General"}}', encoding="utf-8")
    more = {"KINDRED_HOSPITALS": str(named), **environ}
    with (
        sign_ins(folder / "keys", "/matching") as people,
        a_room(mongo_uri, database, clock, people.keys_dir, **people.settings, **more) as room,
    ):
        app = build_app(
            room.settings,
            routes=routes(room),
            tokens=room.tokens,
            readiness={},
            render_refusal=render_refusal,
            on_denied=lambda *_: None,
        )
        server = serve(app, room.settings.http_address)
        yield WorkRoom(room, clock, f"http://{room.settings.http_address}", people)
        server.stop(grace_s=1)


def a_team(room: Room) -> None:
    """Rosa and Otto of one programme with their supervisor, and Nia of another; all certified, always on shift."""
    shares = "substance.opioids:released;overdose:released;gender.woman:released;hiv:private"
    rows = [
        a_row(
            "rosa", capacity="12", attributes=shares, agrees_to_private_use="yes", certifications=CERTIFIED
        ),
        a_row("otto", capacity="12", certifications=CERTIFIED, languages="en:native", supervisor_id="sam"),
        a_row("sam", role="supervisor", certifications=CERTIFIED),
        a_row("nia", capacity="12", programme_id="harlem-peers", certifications=CERTIFIED),
    ]
    assert not enroll(room, rows).faults


def ask(room: Room, referral_id: str, **fields: Any) -> None:
    """A referral comes and whoever may is asked."""
    submit(room, a_submission(referral_id, **fields))


def accepted(room: Room, referral_id: str, specialist_id: str, *, minutes: int = 20) -> None:
    """The specialist has said yes to the referral."""
    case = room.cases.case(referral_id)
    offer = next(one for one in case.open_offers if one.specialist_id == specialist_id)
    promised = room.clock.now() + timedelta(minutes=minutes)
    yes = Acceptance(offer.offer_id, f"yes-{referral_id}", promised, "bedside")
    handlers.accept(room, yes, Caller(specialist_id, "specialist", offer.programme_id, "TREAT"), CAUSE)


def met(room: Room, referral_id: str, specialist_id: str) -> None:
    """The first meeting is on record."""
    said = Recorded(referral_id, f"met-{referral_id}", "met", modality="bedside")
    handlers.record_handoff(room, said, Caller(specialist_id, "specialist", PROGRAMME, "TREAT"), CAUSE)


def a_wish(code: str, strength: str = "STRONG") -> events_pb2.Preference:
    """What a peer hopes for."""
    return events_pb2.Preference(code=code, strength=getattr(events_pb2, f"STRENGTH_{strength}"))


def hidden(page: str, action: str) -> dict[str, str]:
    """The hidden fields of the first form that posts there, and of its choices the ones that stand."""
    found = re.search(rf'<form method="post" action="{re.escape(action)}".*?</form>', page, re.DOTALL)
    assert found is not None, f"no form posts to {action}"
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', found[0]))


def post(client: httpx.Client, page: str, action: str, **fields: str) -> httpx.Response:
    """A form of a page is filled in and sent, as a browser without scripts does it."""
    shown = client.get(page)
    assert shown.status_code == 200, shown.text
    return send(client, shown.text, action, fields)


def send(client: httpx.Client, shown: str, action: str, fields: Mapping[str, str]) -> httpx.Response:
    """The same, of a page that was opened before."""
    return client.post(action, data={**hidden(shown, action), **fields})
