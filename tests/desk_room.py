"""The ER desk served by the door every service uses, on a real mongod, with a sign-in service of its own."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from chassis.clock import SystemClock
from chassis.envelope import Cause
from chassis.http_server import build_app, serve
from chassis.identity import Caller
from chassis.settings import read
from services.intake import bootstrap
from services.intake.bootstrap import Room
from services.intake.fhir import outcome
from services.intake.settings import Settings
from services.intake.watching import Hub
from services.intake.web import pages
from services.intake.web.routes import routes
from tests.signing_in import SignIns, opened, sign_ins, signed_in

CAUSE = Cause("req_test")
HOSPITALS = {
    "er-st-brigid": {
        "name": "St. Brigid's Hospital (fictional)",
        "zip": "12208",
        "time_zone": "America/New_York",
        "units": ["ER", "Fast track", "Observation"],
    }
}


class AheadClock:
    """The real time and as much ahead of it as a test says; MongoDB forgets by real time, so it is never behind."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        """The moment of this desk."""
        return SystemClock().now() + self.ahead


@dataclass
class DeskRoom:
    """A running desk: its room, its address and where its people sign in."""

    room: Room
    clock: AheadClock
    hub: Hub
    address: str
    people: SignIns

    def caller(self, actor: str = "nurse-ada", role: str = "nurse", org: str = "er-st-brigid") -> Caller:
        """Somebody of this hospital."""
        return Caller(actor, role, org, authenticated_at=time.time())

    def open_window(self, context: Any, **who: Any) -> None:
        """They are signed in in this browser."""
        opened(context, self.address, self.room.sessions, "kindred-desk", self.caller(**who))

    @contextmanager
    def signed_in(self, **who: Any) -> Iterator[httpx.Client]:
        """A browser without scripts, signed in."""
        with self.visitor() as client:
            yield signed_in(client, self.room.sessions, "kindred-desk", self.caller(**who))

    def visitor(self) -> httpx.Client:
        """A browser without scripts that nobody has signed in with."""
        return httpx.Client(base_url=self.address, timeout=15)

    def accesses(self, event_type: str) -> list[Any]:
        """What was written to the audit trail's collection, oldest first."""
        from chassis import catalog

        found = self.room.database["accesses"].find({}, {"outbox": 1}).sort("_id", 1)
        rows = [row for document in found for row in document.get("outbox", [])]
        return [
            catalog.message_class(row["type"]).FromString(row["data"])
            for row in rows
            if row["type"] == event_type
        ]


def form_token(text: str) -> str:
    """The form token in a page."""
    return hidden(text, "csrf")


def hidden(text: str, name: str) -> str:
    """A hidden field of a page."""
    return text.split(f'name="{name}" value="')[1].split('"', maxsplit=1)[0]


WREN = {
    "urgency": "immediate",
    "family": "Quillfeather",
    "given": "Wren",
    "birth": "1988-04-01",
    "unit": "ER",
    "bed": "12",
    "reason_overdose": "1",
    "language": "es",
    "consent": "yes",
    "consent_signature": "aloud",
    "consent_witness": "Ada Lark, RN",
    "consent_by": "peer",
    "consent_until": "revoked",
    "phones": "+15185550177",
    "ref_name": "Dr. Otis Lark",
}


def fill(client: httpx.Client, **changed: str) -> dict[str, str]:
    """A form as it would be posted: Wren's, with what is changed; an empty text leaves a field out."""
    page = client.get("/desk/new").text
    typed = {name: text for name, text in (WREN | changed).items() if text}
    return typed | {"csrf": form_token(page), "key": hidden(page, "key")}


def refer(client: httpx.Client, **changed: str) -> str:
    """Wren, or somebody a little different, is referred; returns the referral's id."""
    answer = client.post("/desk/new", data=fill(client, **changed))
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].split("/")[3].split("?")[0]


def post(client: httpx.Client, page: str, action: str, **fields: str) -> httpx.Response:
    """The page's form, posted as a browser without scripts does."""
    token = form_token(client.get(page).text)
    return client.post(action, data={"csrf": token, **fields})


@contextmanager
def a_desk(mongo_uri: str, database: Any, folder: Path, **environ: str) -> Iterator[DeskRoom]:
    """A prepared, served desk; everything it opened is closed afterwards."""
    (folder / "hospitals.json").write_text(json.dumps(HOSPITALS), encoding="utf-8")
    with sign_ins(folder / "keys", "/desk") as people:
        settings = read(
            Settings,
            {
                "KINDRED_MONGO_URI": mongo_uri,
                "KINDRED_MONGO_DATABASE": database.name,
                "KINDRED_AMQP_URI": "amqp://nobody@127.0.0.1:1/",
                "KINDRED_KEYS_DIR": str(people.keys_dir),
                "KINDRED_DESK_HOSPITALS": str(folder / "hospitals.json"),
                **people.settings,
                **environ,
            },
        )
        yield from _served(settings, people)


def _served(settings: Settings, people: SignIns) -> Iterator[DeskRoom]:
    clock = AheadClock()
    room = bootstrap.build_room(settings, clock)
    bootstrap.prepare(room)
    hub = Hub(room.database)
    listening = threading.Thread(target=hub.run, daemon=True)
    listening.start()
    app = build_app(
        settings,
        routes=routes(room, hub),
        tokens=room.tokens,
        readiness={},
        render_refusal=pages.rendering(outcome.render_refusal),
        on_denied=lambda *_: None,
    )
    server = serve(app, settings.http_address)
    try:
        yield DeskRoom(room, clock, hub, f"http://{settings.http_address}", people)
    finally:
        hub.stop()
        server.stop(grace_s=2)
        listening.join(5)
        room.database.client.close()
