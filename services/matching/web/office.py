"""The pages as each sees itself: who is signed in, what they may see; every refusal is told and audited."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from chassis import answers, policy, telemetry
from chassis.envelope import Cause
from chassis.errors import Fault, Kind, Refusal
from chassis.http_names import method_of, route_of
from chassis.identity import Caller, require
from chassis.web_session import Session
from services.matching.bootstrap import Room
from services.matching.web import pages
from services.matching.web.pages import BOARD, COOKIES, HOME
from services.matching.web.words import PAGE_WORDS, page_reader_of

SPECIALIST, LEADS = ("specialist",), ("supervisor", "coordinator")
ROLES = SPECIALIST + LEADS
SIGN_IN = f"{HOME}/sign-in"
_OURS = re.compile(rf"{HOME}(/[A-Za-z0-9_/.:-]{{0,200}})?")
_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")
_MOST_MINUTES = 7 * 24 * 60


class SignInNeeded(Refusal):
    """Nobody is signed in in this browser, or not any more."""

    def __init__(self) -> None:
        super().__init__("sign-in-needed", Kind.UNAUTHENTICATED, "Sign in first.")


@dataclass(frozen=True)
class Visit:
    """One request of somebody who is signed in; `fields` are those of a form of this very session."""

    room: Room
    request: Request
    session: Session
    fields: dict[str, str]

    @property
    def caller(self) -> Caller:
        """Who asks, and for what."""
        return self.session.caller

    @property
    def cause(self) -> Cause:
        """What the audit trail ties everything of this request to."""
        return telemetry.current_cause()

    @property
    def reader(self) -> str:
        """The language they read."""
        return page_reader_of(self.request)

    @property
    def words(self) -> dict[str, str]:
        """The words in it."""
        return PAGE_WORDS[self.reader]

    @cached_property
    def zone(self) -> str:
        """Their own time zone, as the roster has it; that of their programme for who is not on it, else UTC."""
        found = self.room.roster.load_many([self.caller.actor_id]).get(self.caller.actor_id)
        return (
            str(found.body["time_zone"]) if found else self.room.boards.zone_of(self.caller.organization_id)
        )

    @property
    def key(self) -> str:
        """The form's idempotency key; raises Refusal INVALID where a form has none of ours."""
        sent = self.fields.get("key", "")
        if not _KEY.fullmatch(sent):
            raise Refusal("form-incomplete", Kind.INVALID, "This form is not one of ours.")
        return f"page:{sent}"

    def path(self, name: str) -> str:
        """A part of the address."""
        return str(self.request.path_params[name])

    def asked(self, name: str) -> str:
        """A parameter of the address."""
        return self.request.query_params.get(name, "")

    def when(self, moment: datetime | None, zone: str = "") -> str:
        """The time on their own clock, or on that of `zone`."""
        if moment is None:
            return ""
        return pages.at(moment, zone or self.zone, self.reader, self.room.clock.now())

    def minutes(self) -> datetime | None:
        """The moment so many minutes from now that they promise; None where they named none.

        Raises Refusal INVALID for what is no number of minutes up to seven days.
        """
        text = self.fields.get("minutes", "").strip()
        if not text:
            return None
        if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= _MOST_MINUTES):
            fault = Fault("minutes", "not-a-count", "Minutes from 0 to 10080.")
            raise Refusal("minutes-unusable", Kind.INVALID, "Say in how many minutes.", faults=[fault])
        return self.room.clock.now() + timedelta(minutes=int(text))

    def promised(self) -> datetime:
        """The same, where a promise is needed."""
        promised = self.minutes()
        if promised is None:
            raise Refusal("minutes-unusable", Kind.INVALID, "Say in how many minutes.")
        return promised

    def page(self, template: str, status: int = 200, **shown: Any) -> HTMLResponse:
        """A page with who is signed in."""
        given = {"session": self.session, "site_name": self.room.sites.name}
        return pages.render(self.request, template, status, **given, **shown)

    def then(self, done: str, home: str = "") -> Response:
        """Back to where the form was, told what was done: a reload sends nothing again."""
        return RedirectResponse(f"{home or ours(self.fields.get('next', ''), self.caller)}?done={done}", 303)


View = Callable[[Visit], Response]


@dataclass(frozen=True)
class Office:
    """What the door of every page needs."""

    room: Room

    def signed_in(self, request: Request, *, is_activity: bool = True) -> Session:
        """Whoever sits before this browser; raises SignInNeeded."""
        session = self.room.sessions.find(COOKIES.secret(request), is_activity=is_activity)
        if session is None:
            raise SignInNeeded
        request.state.work_caller = session.caller
        policy.admit(session.caller)
        return session

    def route(self, path: str, view: View, *roles: str, method: str = "GET") -> Route:
        """A path for these roles, whose view may raise any Refusal; a POST without the form's token never reaches it."""

        def visited(request: Request) -> Response:
            session = self.signed_in(request)
            require(session.caller, *roles)
            fields = COOKIES.posted(request) if request.method == "POST" else {}
            request.state.fields = fields
            return view(Visit(self.room, request, session, fields))

        return self.open_route(path, visited, method=method)

    def open_route(self, path: str, view: Callable[[Request], Response], *, method: str = "GET") -> Route:
        """A path for everybody: the door itself."""
        return Route(path, partial(self._answer, view), methods=[method], name=f"{method} {path}")

    def _answer(self, view: Callable[[Request], Response], request: Request) -> Response:
        try:
            return view(request)
        except SignInNeeded:
            wanted = request.url.path if request.method != "POST" else HOME
            return RedirectResponse(f"{SIGN_IN}?next={quote(wanted)}", 303)
        except Refusal as refusal:
            self.note(request, refusal)
            if refusal.code == "step-up-needed" and request.url.path.endswith("/glass"):
                return RedirectResponse(request.url.path, 303)  # its form leads to the proof
            caller = getattr(request.state, "work_caller", None)
            is_one_of_ours = caller is not None and caller.role in ROLES  # others have no words in the bar
            session = self.room.sessions.find(COOKIES.secret(request)) if is_one_of_ours else None
            sent = getattr(request.state, "fields", {}).get("next", "")
            back = ours(sent, session.caller) if session else SIGN_IN
            return pages.refusal_page(request, refusal, session=session, back=back)

    def note(self, request: Request, refusal: Refusal) -> None:
        """The refusal is counted, and a denial is in the audit trail before its page is shown."""
        caller: Caller | None = getattr(request.state, "work_caller", None)
        method = f"{method_of(request.scope)} {route_of(request.scope)}"
        answers.note_refusal(refusal, refusal, caller, method, self._denied)

    def _denied(self, caller: Caller | None, method: str, code: str) -> None:
        cause = telemetry.current_cause()
        self.room.access.record_denied(
            caller, record_type="Match", record_id="", action=method, reason_code=code, cause=cause
        )


def ours(path: str, caller: Caller | None) -> str:
    """The path, if it is one of these pages; else the first page of whoever asks."""
    if _OURS.fullmatch(path) and not path.startswith(SIGN_IN):
        return path
    return BOARD if caller is not None and caller.role in LEADS else HOME
