"""The four services' own doors in one process, on real stores, with a record of each kind to ask for."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode

import grpc
from google.protobuf import descriptor_pool, message_factory
from pymongo import MongoClient

from chassis import answers, identity
from chassis.clock import SystemClock, TurnedClock
from chassis.envelope import Cause
from chassis.errors import Kind, Refusal
from chassis.grpc_server import build_server
from chassis.http_server import build_app
from chassis.identity import Caller
from chassis.oidc.attempts import Attempts
from chassis.oidc.party import RelyingParty
from chassis.rich_status import refused
from chassis.roles import Doors
from chassis.settings import read
from chassis.web_cookies import Cookies
from cli.local import keys
from kindred.matching.v1.events_pb2 import OfferAccepted
from services.audit import api as audit_api
from services.audit import bootstrap as audit_room
from services.audit import officers_door
from services.audit.web import sessions as console_sessions
from services.audit.web import signing_in as console_door
from services.intake import api as intake_api
from services.intake import bootstrap as intake_room
from services.intake import codec as intake_codec
from services.intake import handlers as intake_handlers
from services.intake.fhir import outcome
from services.intake.web import pages as desk_pages
from services.intake.web import signing_in as desk_door
from services.matching import api as matching_api
from services.matching import capacity_fhir
from services.matching.web import signing_in as work_door
from services.matching.web.pages import COOKIES as WORK_COOKIES
from services.matching.web.routes import render_refusal as work_refusal
from services.notifications import api as notifications_api
from services.notifications import bootstrap as notifications_room
from services.notifications import handlers as notice_handlers
from services.notifications.domain.contacts import Card, Contact
from services.notifications.web import door as notices_door
from services.notifications.web import routes as inbox_pages
from tests.bundles import a_bundle
from tests.matching_room import a_room
from tests.security.provider_of_lies import Lies, a_party
from tests.work_room import a_team, accepted, ask

CAUSE = Cause("req_walk")
ROLES = ("nurse", "clinician", "specialist", "supervisor", "coordinator", "compliance", "engineer", "system")
# Where somebody of a role belongs: the hospital, the programme, or the office of the records in this walk; and elsewhere.
HOSPITAL, PROGRAMME, OFFICE = "er-st-brigid", "bronx-peers", "kindred"
OTHERS = {
    HOSPITAL: "er-elsewhere",
    "st-brigid": "er-elsewhere",
    PROGRAMME: "harlem-peers",
    OFFICE: "another-office",
}
_MATCHING_IS = {"specialist": PROGRAMME, "supervisor": PROGRAMME, "coordinator": PROGRAMME}
HERE = "127.0.0.1"
_STALE = "an hour ago"
SIGN_INS = (desk_door, work_door, notices_door, console_door)
# What was tried, and how much of it was refused: `make security` prints it.
TRIED: Counter[str] = Counter()
# Every refusal since the test began, by kind and code.
REFUSED: list[tuple[Kind, str]] = []


@dataclass
class Answer:
    """What came back: `ok`, or the code it was refused with."""

    code: str
    status: int = 0
    body: bytes = b""


@dataclass
class Stage:
    """One service's doors, and what to fill into a request so that it asks for a record that is there."""

    name: str
    settings: Any
    doors: Doors
    app: Any
    port: int
    organization: Callable[[str], str]
    sessions: Any
    cookie: str
    form_token: Callable[[str], str]
    issuer_pem: bytes
    paths: dict[str, dict[str, str]] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    bodies: dict[str, Any] = field(default_factory=dict)
    codes: list[str] = field(default_factory=list)
    lies: Any = None
    _secrets: dict[tuple[Caller, str], str] = field(default_factory=dict)
    _tokens: dict[Caller, str] = field(default_factory=dict)

    def caller(self, role: str, *, elsewhere: bool = False, purpose: str = "", stale: bool = False) -> Caller:
        """Somebody of the role, of the organization the records are of, or of another one; signed in now, or long ago."""
        home = self.organization(role)
        actor = (
            f"a-strange-{role}"
            if elsewhere
            else {"specialist": "rosa", "supervisor": "sam"}.get(role, f"a-{role}")
        )
        place = OTHERS[home] if elsewhere else home
        return Caller(actor, role, place, purpose, strength=_STALE if stale else "")

    def token(self, caller: Caller) -> str:
        """Their bearer token."""
        who = replace(caller, purpose_of_use="")
        if who not in self._tokens:
            self._tokens[who] = identity.mint(
                self.issuer_pem,
                actor_id=caller.actor_id,
                role=caller.role,
                organization_id=caller.organization_id,
            )
        return self._tokens[who]

    def browser(self, caller: Caller) -> str:
        """The secret of a session of theirs."""
        known = (caller, caller.strength)
        if known not in self._secrets:
            ago_s = 3_600 if caller.strength == _STALE else 0
            signed_in = replace(caller, authenticated_at=time.time() - ago_s)
            self._secrets[known] = self.sessions.start(signed_in)
        return self._secrets[known]

    def record(self, door: str) -> dict[str, str]:
        """What stands in a path where a record is named: of the longest beginning that fits."""
        path = door.partition(" ")[2]
        found = [start for start in self.paths if path.startswith(start)]
        return self.paths[max(found, key=len)] if found else {}

    def routes(self) -> list[str]:
        """Every method and path that is served."""
        return [
            f"{method} {route.path}"
            for route in self.doors.routes
            for method in sorted((route.methods or {"GET"}) - {"HEAD"})
        ]

    def methods(self) -> dict[str, Any]:
        """Every RPC: its short name, and its descriptor."""
        pool = descriptor_pool.Default()
        return {
            f"{service.full_name.rpartition('.')[2]}/{method.name}": method
            for service in self.doors.grpc
            for method in pool.FindServiceByName(service.full_name).methods
        }


async def over_http(stage: Stage, door: str, caller: Caller | None, *, by_session: bool) -> Answer:
    """The door is asked as this caller would; a stream is left as soon as it begins."""
    method, _, path = door.partition(" ")
    for name, value in stage.record(door).items():
        path = path.replace(name, value)
    headers = [(b"host", HERE.encode())]
    body: Any = stage.bodies.get(door, b"")
    if caller is not None and by_session:
        secret = stage.browser(caller)
        headers.append((b"cookie", f"{stage.cookie}={secret}".encode()))
        if door.endswith("/sign-out"):
            stage._secrets.pop(
                (caller, caller.strength)
            )  # it ends that session: the next page is opened in another
        if method == "POST":
            body = urlencode({"csrf": stage.form_token(secret), **(body or {})}).encode()
            headers.append((b"content-type", b"application/x-www-form-urlencoded"))
    elif caller is not None:
        headers.append((b"authorization", f"Bearer {stage.token(caller)}".encode()))
        headers.append((b"x-purpose-of-use", caller.purpose_of_use.encode()))
    if not isinstance(body, bytes):
        kind = b"application/json-patch+json" if method == "PATCH" else b"application/fhir+json"
        headers.append(
            (b"if-match", b'W/"77"')
        )  # another version than there is: nothing is changed by walking past
        body, _ = json.dumps(body).encode(), headers.append((b"content-type", kind))
    headers.append((b"content-length", str(len(body)).encode()))
    stage.codes.clear()
    status, found, content = await served(stage.app, method, path, headers, body)
    if stage.codes:
        code = stage.codes[-1]
    elif status == 303 and not door.endswith("/sign-out") and "sign-in" in found.get("location", ""):
        code = "sign-in-needed"
    else:
        code = "ok" if status < 400 else f"http-{status}"
    return Answer(code, status, content)


async def served(
    app: Any, method: str, path: str, headers: list[tuple[bytes, bytes]], body: bytes
) -> tuple[int, dict[str, str], bytes]:
    """The answer's status, headers and body; a stream is left as soon as it begins."""
    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": headers,
        "client": (HERE, 1),
        "server": (HERE, 80),
        "state": {},
    }
    sent = [{"type": "http.request", "body": body, "more_body": False}]
    began = asyncio.Event()
    told: dict[str, Any] = {"status": 0, "headers": {}, "body": b""}

    async def receive() -> dict[str, Any]:
        if sent:
            return sent.pop()
        await asyncio.sleep(3600)
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            found = {name.decode().lower(): value.decode() for name, value in message["headers"]}
            told.update(status=message["status"], headers=found)
            if found.get("content-type", "").startswith("text/event-stream"):
                began.set()
        else:
            told["body"] += message.get("body", b"")

    serving = asyncio.ensure_future(app(scope, receive, send))
    waiting = asyncio.ensure_future(began.wait())
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED, timeout=60)
    waiting.cancel()
    if not serving.done():
        serving.cancel()
    elif serving.exception() is not None:
        raise serving.exception()  # type: ignore[misc]
    return told["status"], told["headers"], told["body"]


def over_grpc(stage: Stage, channel: grpc.Channel, door: str, method: Any, caller: Caller | None) -> Answer:
    """The method is called as this caller would."""
    request = message_factory.GetMessageClass(method.input_type)()
    fill(request, {**stage.fields, **stage.bodies.get(door, {})})
    answer = message_factory.GetMessageClass(method.output_type)
    kind = (
        "stream" if method.client_streaming else "unary",
        "stream" if method.server_streaming else "unary",
    )
    path = f"/{method.containing_service.full_name}/{method.name}"
    call = getattr(channel, "_".join(kind))(path, type(request).SerializeToString, answer.FromString)
    sent = iter([request]) if method.client_streaming else request
    metadata = []
    if caller is not None:
        metadata = [("authorization", f"Bearer {stage.token(caller)}")]
        if caller.purpose_of_use:
            metadata.append(("x-purpose-of-use", caller.purpose_of_use))
    try:
        told = call(sent, timeout=60, metadata=metadata)
        if method.server_streaming:
            next(iter(told), None)
            told.cancel()
    except grpc.RpcError as error:
        found = refused(error)
        return Answer(found.code if found else error.code().name.lower())
    return Answer("ok")


def fill(request: Any, known: Mapping[str, Any]) -> None:
    """Every field whose name is known gets its value, so that a request asks for a record that is there."""
    for one in request.DESCRIPTOR.fields:
        if one.name not in known:
            continue
        value = known[one.name]
        if one.message_type is not None and one.message_type.name == "Timestamp":
            getattr(request, one.name).FromDatetime(value)
        elif isinstance(value, str | int) and one.message_type is None and not one.is_repeated:
            setattr(request, one.name, value)


@contextmanager
def the_rooms(
    mongo_uri: str, client: MongoClient[Any], folder: Path, patch: Callable[[Any, str, Any], None]
) -> Iterator[dict[str, Stage]]:
    """Intake, matching, notifications and audit, each behind the doors it serves in production."""
    keys_dir = keys.create(folder / "keys")
    pem = (keys_dir / "issuer.pem").read_bytes()
    codes: list[str] = []
    real = answers.note_refusal

    def noting(refusal: Refusal, *rest: Any) -> None:
        codes.append(refusal.code)
        REFUSED.append((refusal.kind, refusal.code))
        real(refusal, *rest)

    patch(answers, "note_refusal", noting)
    lies = Lies()
    for pages in SIGN_INS:
        patch(pages, "relying_party", lambda _, database, door, __: _party(lies, database, door))
    with ExitStack() as after:
        stages: dict[str, Stage] = {}

        def database() -> str:
            name = f"kindred_test_{secrets.token_hex(6)}"
            for suffix in ("", "_keys"):
                after.callback(client.drop_database, name + suffix)
            return name

        def environ(**more: str) -> dict[str, str]:
            return {
                "KINDRED_MONGO_URI": mongo_uri,
                "KINDRED_MONGO_DATABASE": database(),
                "KINDRED_AMQP_URI": "amqp://nobody@127.0.0.1:1/",
                "KINDRED_KEYS_DIR": str(keys_dir),
                "KINDRED_ORGANIZATION_PER_S": "100000",
                **more,
            }

        def open_stage(name: str, room: Any, doors: Doors, render: Any, **about: Any) -> Stage:
            app = build_app(
                room.settings,
                routes=doors.routes,
                tokens=doors.http_tokens or doors.tokens,
                readiness={},
                render_refusal=render,
                on_denied=doors.on_denied,
            )
            server = build_server(
                replace(room.settings, grpc_address=f"{HERE}:0"),
                services=doors.grpc,
                tokens=doors.tokens,
                on_denied=doors.on_denied,
            )
            server.start()
            after.callback(room.database.client.close)
            after.callback(server.stop, 0.2)
            known = {"issuer_pem": pem, "codes": codes, "lies": lies, **about}
            stage = Stage(name, room.settings, doors, app, server.port, **known)
            stages[name] = stage
            return stage

        room = intake_room.build_room(read(intake_api.Settings, environ()))
        intake_room.prepare(room)
        open_stage(
            "intake",
            room,
            intake_api.open_doors(room),
            desk_pages.rendering(outcome.render_refusal),
            organization=lambda role: HOSPITAL,
            sessions=room.sessions,
            cookie="kindred-desk",
            form_token=Cookies("kindred-desk").token_of,
        )
        _a_referral(stages["intake"], room)
        clock = TurnedClock(datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1))
        name = database()
        work = after.enter_context(
            a_room(mongo_uri, client[name], clock, keys_dir, KINDRED_ORGANIZATION_PER_S="100000")
        )
        stage = open_stage(
            "matching",
            work,
            matching_api.open_doors(work),
            capacity_fhir.refusals(work_refusal),
            organization=lambda role: _MATCHING_IS.get(role, "st-brigid"),
            sessions=work.sessions,
            cookie="kindred-work",
            form_token=WORK_COOKIES.token_of,
        )
        _cases(stage, work)
        inbox_room = notifications_room.build_room(
            read(
                notifications_api.Settings,
                environ(
                    KINDRED_PUBLIC_URL="https://answers.example.org",
                    KINDRED_SMTP_HOST=HERE,
                    KINDRED_SMTP_FROM="Kindred <notices@kindred.example.org>",
                ),
            )
        )
        notifications_room.prepare(inbox_room)
        stage = open_stage(
            "notifications",
            inbox_room,
            notifications_api.open_doors(inbox_room),
            inbox_pages.render_refusal,
            organization=lambda role: _MATCHING_IS.get(role, HOSPITAL),
            sessions=inbox_room.sessions,
            cookie="kindred-notices",
            form_token=Cookies("kindred-notices").token_of,
        )
        _a_person(stage, inbox_room)
        log = audit_room.build_room(read(audit_api.Settings, environ()))
        audit_room.prepare(log)
        stage = open_stage(
            "audit",
            log,
            audit_api.open_doors(log),
            officers_door.render_refusal,
            organization=lambda role: OFFICE,
            sessions=console_sessions.Sessions(log.database, log.clock),
            cookie="kindred-console",
            form_token=Cookies("kindred-console").token_of,
        )
        stage.paths = {"/": {"{id}": "none", "{name}": "access-by-patient"}}
        yield stages


def _party(lies: Lies, database: Any, door: str) -> RelyingParty:
    """The pages' side of a provider that says what the walk wants it to."""
    attempts = Attempts(database, SystemClock(), door)
    return a_party(lies, attempts)


def _a_referral(stage: Stage, room: Any) -> None:
    """One referral of our hospital, which rosa has accepted."""
    nurse = stage.caller("nurse", purpose="TREAT")
    stage.bodies["POST /fhir"] = a_bundle("walk-1")
    told = asyncio.run(over_http(stage, "POST /fhir", nurse, by_session=False))
    assert told.status == 200, told
    places = [one["response"].get("location", "") for one in json.loads(told.body)["entry"]]
    referral_id = next(place for place in places if place).split("/")[1]
    accepted_by = OfferAccepted(
        referral_id=referral_id, offer_id="off-1", specialist_id="rosa", programme_id=PROGRAMME
    )
    heard = intake_handlers.Accepted(
        referral_id=referral_id,
        said_at=room.clock.now(),
        cause=Cause("req_walk", "evt_walk"),
        assignment=intake_codec.assignment_from_proto(accepted_by),
    )
    intake_handlers.assign(room, [heard])
    consent_id = "con" + referral_id[3:]
    stage.paths = {
        "/": {"{id}": referral_id, "{version}": "1", "{key}": "none", "{name}": "desk.css"},
        "/fhir/Consent": {"{id}": consent_id, "{version}": "1"},
        "/desk/review": {"{id}": "none"},
    }
    stage.fields = {"referral_id": referral_id, "limit": 1}
    stage.bodies = {
        "PUT /fhir/Task/{id}": _shown(stage, "Task", referral_id, nurse),
        "PUT /fhir/ServiceRequest/{id}": _shown(stage, "ServiceRequest", referral_id, nurse),
        "PUT /fhir/Consent/{id}": _shown(stage, "Consent", consent_id, nurse),
        "PATCH /fhir/Task/{id}": [],
        "POST /desk/referrals/{id}/glass": {"reason": "care-now", "sure": "1"},
        "POST /fhir": {},
        "IntakeService/CancelReferral": {"reason_code": "other", "expected_version": 77},
        "IntakeService/ReportDeparture": {"leaves_at": room.clock.now() + timedelta(hours=1)},
        "EmergencyService/DiscloseInEmergency": {
            "recipient_id": "dr-otis-lark",
            "recipient_affiliation": "St. Brigid",
            "nature_code": "overdose",
        },
        "LookupService/FindPeople": {
            "family_name": "Marlowe",
            "given_name": "Test",
            "birth_date": "1988-04-01",
        },
    }


def _shown(stage: Stage, name: str, resource_id: str, caller: Caller) -> Any:
    kept, stage.paths = stage.paths, {"/": {"{id}": resource_id}}
    told = asyncio.run(over_http(stage, f"GET /fhir/{name}/{{id}}", caller, by_session=False))
    stage.paths = kept
    assert told.status == 200, told
    return json.loads(told.body)


def _cases(stage: Stage, room: Any) -> None:
    """A referral that was offered to rosa, and one that she carries."""
    a_team(room)
    for referral_id in ("asked", "carried"):
        ask(room, referral_id)
    accepted(room, "carried", "rosa")
    offer = next(one for one in room.cases.case("asked").open_offers if one.specialist_id == "rosa")
    stage.paths = {
        "/": {"{id}": "carried", "{name}": "work.css", "{token:str}": "none"},
        "/matching/offers": {"{id}": offer.offer_id},
        "/matching/pool": {"{id}": "asked"},
        "/matching/board/team": {"{id}": "rosa"},
    }
    later = room.clock.now() + timedelta(minutes=20)
    stage.fields = {
        "referral_id": "carried",
        "specialist_id": "rosa",
        "programme_id": PROGRAMME,
        "offer_id": offer.offer_id,
        "idempotency_key": "walk-key-0123456789",
        "facility_zip": "10451",
        "format": "csv",
        "plan_id": "none",
        "expected_version": 77,
    }
    stage.bodies = {
        "MatchingService/AcceptOffer": {"promised_arrival_at": later, "modality": "none"},
        "MatchingService/DeclineOffer": {"reason_code": "none"},
        "MatchingService/RecordHandoff": {"outcome": "none"},
        "MatchingService/RecordCheckin": {"outcome": "none"},
        "MatchingService/CompleteCase": {"outcome": "none"},
        "CoordinationService/SetLadder": {"reason": "a walk"},
        "CoordinationService/ReportArrival": {"step": "none"},
        "CoordinationService/RequestRematch": {"reason_code": "none", "side": "peer"},
        "CoordinationService/ProposeMove": {"reason_code": "none", "side": "peer"},
        "RosterService/KeepApart": {"is_taken_back": 1},
        "POST /matching/board/referrals/{id}/glass": {"reason": "care-now", "sure": "1"},
    }


def _a_person(stage: Stage, room: Any) -> None:
    """How rosa is reached."""
    card = Card(
        "specialist-contact:rosa",
        "rosa",
        1,
        Contact("rosa@example.org", "en", "America/New_York"),
        organization_id=PROGRAMME,
    )
    notice_handlers.keep_contacts(room, [card])
    stage.paths = {
        "/": {"{token}": "none", "{name}": "notices.css", "{notice_id}": "none", "{attempt:int}": "1"}
    }
    stage.fields = {"person_id": "rosa", "recipient_id": "rosa", "notice_id": "none"}
    # Nobody is erased by walking past: who asks for it names nobody.
    stage.bodies = {"NotificationsService/EraseContact": {"person_id": "nobody-here"}}
