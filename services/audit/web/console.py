"""The console as its pages see it: who is signed in, how a page is made, and that every refusal is told and audited."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from chassis import answers, policy, telemetry
from chassis.errors import Kind, Refusal
from chassis.http_names import method_of, route_of
from chassis.identity import Caller, require_fresh
from chassis.oidc.door import SignInDoor
from services.audit.reading_room import ReadingRoom
from services.audit.web import pages
from services.audit.web.people import People
from services.audit.web.sessions import COOKIES, Session, Sessions

SIGN_IN = f"{pages.HOME}/sign-in"
DOOR = "console"
_PURPOSES = ("HCOMPL", "PATRQT", "HLEGAL")
View = Callable[["Console", Request], Response]


class SignInNeeded(Refusal):
    """Nobody is signed in in this browser, or not any more."""

    def __init__(self) -> None:
        super().__init__("sign-in-needed", Kind.UNAUTHENTICATED, "Sign in first.")


@dataclass(frozen=True)
class Console:
    """What every page of the console may touch."""

    room: ReadingRoom
    sessions: Sessions
    people: People
    door: SignInDoor

    def signed_in(self, request: Request) -> Session:
        """Whoever sits before this browser; raises SignInNeeded."""
        secret = COOKIES.secret(request)
        session = self.sessions.find(secret)
        if session is None:
            self._note_end(secret)
            raise SignInNeeded
        request.state.console_caller = session.caller
        policy.admit(session.caller)
        return session

    def _note_end(self, secret: str) -> None:
        """A session that ended by time is said to have ended, once."""
        if ended := self.sessions.ended_by_time(secret):
            session, reason = ended
            self.room.access.record_session_ended(session.caller, DOOR, reason, telemetry.current_cause())

    def caller(self, request: Request, purpose: str = "") -> Caller:
        """They, with the purpose they look for: their own duty, on the person's behalf, or for a court."""
        caller = self.signed_in(request).caller
        named = purpose if purpose in _PURPOSES else caller.purpose_of_use
        return Caller(caller.actor_id, caller.role, caller.organization_id, named)

    def fresh(self, request: Request) -> None:
        """They proved a moment ago who they are, as for whatever leaves as a file; raises Refusal step-up-needed."""
        require_fresh(self.signed_in(request).caller, *self.room.settings.step_up)

    def page(self, request: Request, template: str, status: int = 200, **shown: Any) -> HTMLResponse:
        """A page for somebody who is signed in."""
        return pages.render(request, template, status, session=self.signed_in(request), **shown)

    def route(self, path: str, view: View, *, method: str = "GET") -> Route:
        """A path whose view may raise any Refusal; a POST without this session's form token never reaches it."""
        answer = partial(self._answer, view)
        return Route(path, answer, methods=[method], name=f"{method} {path}")

    def _answer(self, view: View, request: Request) -> Response:
        try:
            if request.method == "POST":
                request.state.fields = COOKIES.posted(request)
            return view(self, request)
        except SignInNeeded:
            wanted = request.url.path if request.method != "POST" else pages.HOME
            return RedirectResponse(f"{SIGN_IN}?next={quote(wanted)}", 303)
        except Refusal as refusal:
            self.note(request, refusal)
            session = self.sessions.find(COOKIES.secret(request))
            again = _again(request) if refusal.code == "step-up-needed" else ""
            return pages.refusal_page(request, refusal, session=session, again=again)

    def note(self, request: Request, refusal: Refusal) -> None:
        """The refusal is counted, and a denial is in the log before its page is shown."""
        caller: Caller | None = getattr(request.state, "console_caller", None)
        method = f"{method_of(request.scope)} {route_of(request.scope)}"
        answers.note_refusal(refusal, refusal, caller, method, self._denied)

    def _denied(self, caller: Caller | None, method: str, code: str) -> None:
        self.room.access.record_denied(
            caller,
            record_type="AuditEvent",
            record_id="",
            action=method,
            reason_code=code,
            cause=telemetry.current_cause(),
        )


def _again(request: Request) -> str:
    """Where they prove anew who they are, and from there back to what they asked."""
    here = request.url.path if request.method != "POST" else f"{pages.HOME}/accounting"
    asked = f"{here}?{request.url.query}" if request.url.query and request.method != "POST" else here
    return f"{SIGN_IN}/start?again=1&next={quote(getattr(request.state, 'back', asked), safe='')}"
