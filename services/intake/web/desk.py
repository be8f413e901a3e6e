"""The desk as its pages see it: who is signed in, how a page is made, and that every refusal is told and audited."""

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
from chassis.identity import Caller
from chassis.oidc.door import SignInDoor
from services.intake.bootstrap import Room
from services.intake.doorway import BREAKERS
from services.intake.store.sessions import Session
from services.intake.watching import Hub
from services.intake.web import cookies, pages
from services.intake.web.hospitals import Hospital, Hospitals

ROLES = ("nurse", "clinician", "coordinator")
SIGN_IN = f"{pages.HOME}/sign-in"
DOOR = "desk"
_NOBODY = "sign-in-needed"  # nobody was denied anything


class SignInNeeded(Refusal):
    """Nobody is signed in in this browser, or not any more."""

    def __init__(self) -> None:
        super().__init__("sign-in-needed", Kind.UNAUTHENTICATED, "Sign in first.")


View = Callable[["Desk", Request], Response]


@dataclass(frozen=True)
class Desk:
    """What every page of the desk may touch."""

    room: Room
    hub: Hub
    hospitals: Hospitals
    door: SignInDoor

    def signed_in(self, request: Request, *, is_activity: bool = True) -> Session:
        """Whoever sits before this browser, for an organization; raises SignInNeeded.

        `is_activity` is False for what a page asks by itself, so that an empty chair is signed out in time.
        """
        secret = cookies.session_secret(request)
        session = self.room.sessions.find(secret, is_activity=is_activity)
        if session is None:
            self._note_end(secret)
            raise SignInNeeded
        request.state.desk_caller = session.caller
        policy.admit(session.caller)
        return session

    def _note_end(self, secret: str) -> None:
        """A session that ended by time is said to have ended, once."""
        if ended := self.room.sessions.ended_by_time(secret):
            session, reason = ended
            self.room.access.record_session_ended(session.caller, DOOR, reason, telemetry.current_cause())

    def former(self, request: Request) -> Session | None:
        """Whose session this browser has or had, where it only ended by time."""
        return self.room.sessions.known(cookies.session_secret(request))

    def hospital_of(self, session: Session) -> Hospital:
        """The hospital of whoever is signed in."""
        return self.hospitals.of(session.caller.organization_id)

    def page(
        self, request: Request, template: str, session: Session, status: int = 200, **shown: Any
    ) -> HTMLResponse:
        """A page for somebody who is signed in; `layout.html` shows who that is and the way out."""
        hospital = self.hospital_of(session)
        return pages.render(request, template, status, session=session, hospital=hospital, **shown)

    def route(self, path: str, view: View, *, method: str = "GET", keeps_typed: bool = False) -> Route:
        """A path whose view may raise any Refusal; a POST without the form's token never reaches the view.

        The posted fields are in `request.state.fields`.  A view that `keeps_typed` is reached also with an old token
        (somebody signed in again in another window), finds `request.state.is_stale` True, and MUST change nothing.
        """
        answer = partial(self._answer, view, keeps_typed)
        return Route(path, answer, methods=[method], name=f"{method} {path}")

    def _answer(self, view: View, keeps_typed: bool, request: Request) -> Response:
        try:
            if request.method == "POST":
                fields, is_stale = cookies.posted(request)
                if is_stale and not keeps_typed:
                    raise Refusal("form-token-wrong", Kind.FORBIDDEN, "This form is of another session.")
                request.state.fields, request.state.is_stale = fields, is_stale
            return view(self, request)
        except SignInNeeded as needed:
            self.note(request, needed)
            return self.to_sign_in(request)
        except Refusal as refusal:
            self.note(request, refusal)
            return self._past_glass(request, refusal) or pages.refusal_page(request, refusal)

    def _past_glass(self, request: Request, refusal: Refusal) -> Response | None:
        """To the form that breaks the glass, for whoever may; there they also prove anew who they are."""
        caller: Caller | None = getattr(request.state, "desk_caller", None)
        is_glass = refusal.code == "glass-needed" or (
            refusal.code == "step-up-needed" and request.url.path.endswith("/glass")
        )
        referral_id = request.path_params.get("id", "")
        if caller is None or caller.role not in BREAKERS or not (is_glass and referral_id):
            return None
        return RedirectResponse(f"{pages.HOME}/referrals/{referral_id}/glass", 303)

    def to_sign_in(self, request: Request, then: str = "") -> Response:
        """To the sign-in page, and from there back to where they were, or to `then`."""
        wanted = then or (request.url.path if request.method != "POST" else pages.HOME)
        return RedirectResponse(f"{SIGN_IN}?next={quote(wanted)}", 303)

    def note(self, request: Request, refusal: Refusal) -> None:
        """The refusal is counted, and a denial is in the audit trail before its page is shown."""
        caller: Caller | None = getattr(request.state, "desk_caller", None)
        method = f"{method_of(request.scope)} {route_of(request.scope)}"
        answers.note_refusal(refusal, refusal, caller, method, self._denied)

    def _denied(self, caller: Caller | None, method: str, code: str) -> None:
        if code == _NOBODY:
            return
        cause = telemetry.current_cause()
        self.room.access.record_denied(
            caller, record_type="Referral", record_id="", action=method, reason_code=code, cause=cause
        )
