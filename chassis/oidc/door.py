"""The door of a service's pages: off to the sign-in service, back as somebody with a new session, and out again.

A service adds its own sign-in page, its words and its look; what is believed and kept is decided here, for all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from html import escape
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from chassis import answers, telemetry
from chassis.access import AccessLog
from chassis.errors import Kind, Refusal
from chassis.http_server import form
from chassis.identity import Caller
from chassis.oidc.party import Arrival, RelyingParty
from chassis.web_cookies import Cookies, new_secret
from chassis.web_session import Session, WebSessions

STEP_UP = "step-up"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_SHORTEST_SECRET = 40
_HEADERS = {
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


@dataclass(frozen=True)
class SignInDoor:
    """Where sessions of one service's pages begin and end.

    `name` is the door's in the audit log, `home` the first path below which all pages lie, `origin` how browsers know
    them, `place` the claim that must say whose somebody is ("organization", "programme", "" for neither), `ours` makes a
    path of these pages of whatever was asked for, and `noted` is where the request's state keeps who is asking.
    """

    party: RelyingParty | None
    sessions: WebSessions
    cookies: Cookies
    access: AccessLog
    name: str
    home: str
    origin: str
    roles: tuple[str, ...]
    place: str
    ours: Callable[[str, Caller | None], str]
    noted: str

    def begin(self, request: Request) -> Response:
        """GET: the browser is sent to the sign-in service; `again` asks who is signed in to prove it anew."""
        party = self._party()
        if (elsewhere := self._elsewhere(request)) is not None:
            return elsewhere
        asked = request.query_params
        session = self.sessions.find(self.cookies.secret(request))
        fresh_for = session.caller.actor_id if session and asked.get("again") else ""
        browser = self.cookies.flow(request)
        browser = browser if len(browser) >= _SHORTEST_SECRET else new_secret()
        next_path = self.ours(asked.get("next", ""), session.caller if session else None)
        replaces = session.session_id if session else ""
        is_other = bool(asked.get("other"))
        where = party.begin(browser, next_path, fresh_for=fresh_for, replaces=replaces, is_other=is_other)
        response = RedirectResponse(where, 303, _HEADERS)
        self.cookies.keep_flow(request, response, browser)
        return response

    def finish(self, request: Request) -> Response:
        """GET: whoever came back has a new session with a new secret, and the log knows before they see anything.

        Raises Refusal: UNAUTHENTICATED where the sign-in cannot be believed, FORBIDDEN where they are nobody here.
        """
        arrival = self._party().finish(self.cookies.flow(request), request.query_params)
        caller = self._caller(request, arrival, self.sessions.replaced(arrival.replaces))
        reason = STEP_UP if arrival.is_step_up else ""
        self.access.record_session_began(caller, self.name, telemetry.current_cause(), reason)
        tokens = {"id": arrival.id_token, "access": arrival.access_token}
        elsewhere = {"sub": arrival.subject, "sid": arrival.session_id}
        secret = self.sessions.start(caller, tokens, elsewhere)
        response = _onward(self.ours(arrival.next_path, caller))
        self.cookies.keep_session(request, response, secret)
        self.cookies.drop_flow(request, response)
        return response

    def leave(self, request: Request, session: Session | None) -> Response:
        """POST, its form checked: the session is over here and at the sign-in service, and the log says so."""
        if session is not None:
            cause = telemetry.current_cause()
            self.access.record_session_ended(session.caller, self.name, "signed-out", cause)
        secret, back = self.cookies.secret(request), f"{self.home}/sign-in"
        id_token = self.sessions.token(secret, "id")
        self.sessions.end(secret)
        farewell = self.party.farewell(id_token, f"{self.origin}{back}") if self.party and id_token else ""
        # A form may not be answered with a way to another site: the pages' policy holds for redirects too.
        response = _onward(farewell) if farewell else RedirectResponse(back, 303)
        self.cookies.drop_session(request, response)
        return response

    def route_of_provider(self) -> Route:
        """Where the provider tells that it signed somebody out: `<home>/sign-in/ended`."""
        return Route(f"{self.home}/sign-in/ended", self.end, methods=["POST"])

    def end(self, request: Request) -> Response:
        """POST of the provider: whoever it signed out is signed out here, and the log says so.

        OpenID Connect Back-Channel Logout 1.0: 200 also where they had no session here, 400 for what cannot be
        believed.  Raises Refusal UNAVAILABLE where the provider's keys cannot be had: it tries again.
        """
        party = self._party()
        try:
            ending = party.signed_out(form(request).get("logout_token", ""))
        except Refusal as refusal:
            if refusal.kind is Kind.UNAVAILABLE:
                raise
            return self._not_believed(refusal)
        ended = {"sub": ending.subject, "sid": ending.session_id}
        for session in self.sessions.of_provider(ended, datetime.fromtimestamp(ending.made_at, UTC)):
            cause = telemetry.current_cause()
            self.access.record_session_ended(session.caller, self.name, "signed-out-elsewhere", cause)
            self.sessions.replaced(session.session_id)
        party.attempts.spend(ending.token_id)
        return Response(status_code=200, headers={"cache-control": "no-store"})

    def _not_believed(self, refusal: Refusal) -> Response:
        method = f"POST {self.home}/sign-in/ended"
        answers.note_refusal(refusal, refusal, None, method, partial(_denied, self.access))
        told = {"error": "invalid_request", "error_description": refusal.code}
        return JSONResponse(told, 400, {"cache-control": "no-store"})

    def _party(self) -> RelyingParty:
        if self.party is None:
            message = "Nobody has set up here where people sign in."
            raise Refusal("sign-in-not-set-up", Kind.UNAVAILABLE, message)
        return self.party

    def _elsewhere(self, request: Request) -> Response | None:
        """On one machine people type localhost and 127.0.0.1 alike, but only one of them is where they come back to."""
        wanted, named = urlsplit(self.origin), request.url.hostname
        if {wanted.hostname, named} <= _LOOPBACK and wanted.hostname != named:
            return RedirectResponse(f"{self.origin}{request.url.path}?{request.url.query}", 303)
        return None

    def _caller(self, request: Request, arrival: Arrival, before: Session | None) -> Caller:
        may = [role for role in self.roles if role in arrival.roles]
        was = before.caller.role if before and before.caller.actor_id == arrival.person else ""
        role = was if was in may else next(iter(may), "")
        places = {"organization": arrival.organization, "programme": arrival.programme}
        whose = places[self.place] if self.place else next(filter(None, places.values()), "")
        caller = Caller(
            arrival.person,
            role or next(iter(sorted(arrival.roles)), "unknown"),
            whose,
            authenticated_at=arrival.authenticated_at,
            strength=arrival.strength,
        )
        setattr(request.state, self.noted, caller)
        if not role:
            raise Refusal("role-not-allowed", Kind.FORBIDDEN, "Your role may not use these pages.")
        if self.place and not whose:
            raise Refusal("organization-missing", Kind.FORBIDDEN, f"Your sign-in names no {self.place}.")
        return caller


def _denied(access: AccessLog, caller: Caller | None, method: str, code: str) -> None:
    about = {"record_type": "Session", "record_id": "", "action": method}
    access.record_denied(caller, **about, reason_code=code, cause=telemetry.current_cause())


def _onward(where: str) -> HTMLResponse:
    """A page that goes on by itself: a cookie that is sent to no link from elsewhere goes along from here.

    A redirect would still count as coming from the sign-in service, and the new session's SameSite=Strict would hide it.
    """
    to = escape(where, quote=True)
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="refresh" content="0;url={to}"><title>Kindred</title></head>'
        f'<body><main><p><a href="{to}">Continue <span lang="es">Continuar</span></a></p></main></body></html>'
    )
    return HTMLResponse(html, 200, _HEADERS)
