"""The ER desk served by the door every service uses, on a real mongod, with an issuer and hospitals of its own."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from chassis import identity
from chassis.clock import SystemClock
from chassis.envelope import Cause
from chassis.http_server import build_app, serve
from chassis.settings import read
from cli.local import keys
from services.intake import bootstrap
from services.intake.bootstrap import Room
from services.intake.fhir import outcome
from services.intake.settings import Settings
from services.intake.watching import Hub
from services.intake.web import pages
from services.intake.web.routes import routes

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
    """A running desk: its room, its address and the issuer's key."""

    room: Room
    clock: AheadClock
    hub: Hub
    address: str
    issuer_pem: bytes

    def token(
        self, actor: str = "nurse-ada", role: str = "nurse", org: str = "er-st-brigid", minutes: float = 10
    ) -> str:
        """A sign-in token."""
        return identity.mint(self.issuer_pem, actor_id=actor, role=role, organization_id=org, minutes=minutes)

    def link(self, **who: Any) -> str:
        """A sign-in link, as `kindred sign-in` prints it."""
        return f"{self.address}/desk/sign-in#token={self.token(**who)}"

    @contextmanager
    def signed_in(self, **who: Any) -> Iterator[httpx.Client]:
        """A browser without scripts, signed in."""
        with self.visitor() as client:
            answer = post(client, "/desk/sign-in", "/desk/sign-in", token=self.token(**who))
            assert answer.status_code == 303, answer.text
            yield client

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
    keys_dir = keys.create(folder / "keys")
    settings = read(
        Settings,
        {
            "KINDRED_MONGO_URI": mongo_uri,
            "KINDRED_MONGO_DATABASE": database.name,
            "KINDRED_AMQP_URI": "amqp://nobody@127.0.0.1:1/",
            "KINDRED_KEYS_DIR": str(keys_dir),
            "KINDRED_DESK_HOSPITALS": str(folder / "hospitals.json"),
            **environ,
        },
    )
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
    server = serve(app, "127.0.0.1:0")
    try:
        yield DeskRoom(
            room, clock, hub, f"http://127.0.0.1:{server.port}", (keys_dir / "issuer.pem").read_bytes()
        )
    finally:
        hub.stop()
        server.stop(grace_s=2)
        listening.join(5)
        room.database.client.close()
