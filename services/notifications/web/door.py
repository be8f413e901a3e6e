"""Signing in and out, and who is signed in; every form carries a token, and a GET never changes anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from chassis import answers, policy, telemetry
from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from chassis.oidc.door import SignInDoor
from chassis.oidc.party import relying_party
from chassis.web_cookies import Cookies
from services.notifications.bootstrap import Room
from services.notifications.web import pages

HOME = "/notices"
SIGN_IN = f"{HOME}/sign-in"
COOKIES = Cookies("kindred-notices")
_DOOR_NAME = "inbox"
_PATHS = frozenset({HOME, f"{HOME}/preferences", f"{HOME}/operator", f"{HOME}/hand-over"})
# Who refers reads what their unit is told, and may be with the person.
REFERRERS = ("nurse", "clinician", "coordinator")
_OPERATORS = ("coordinator", "supervisor", "engineer")
READERS = ("specialist", "supervisor", "coordinator", "nurse", "clinician", "engineer")


@dataclass(frozen=True)
class Visit:
    """One request of somebody who is signed in."""

    room: Room
    request: Request
    caller: Caller
    fields: dict[str, str]

    @property
    def may_hand_over(self) -> bool:
        """True where they may be with a person whom their unit referred."""
        return self.caller.role in REFERRERS

    @property
    def is_operator(self) -> bool:
        """True where they may see how everybody's notices stand."""
        return self.caller.role in _OPERATORS

    def page(self, template: str, status: int = 200, **shown: object) -> Response:
        """A page with who is signed in."""
        csrf = COOKIES.form_token(self.request)
        more = {
            "caller": self.caller,
            "csrf": csrf,
            "is_operator": self.is_operator,
            "may_hand_over": self.may_hand_over,
        }
        return pages.render(self.request, template, status, **{**more, **shown})


Page = Callable[[Visit], Response]


def routes(room: Room) -> list[Route]:
    """Signing in and out."""
    door = SignInDoor(
        party=relying_party(room.settings, room.database, "page", f"{SIGN_IN}/done"),
        sessions=room.sessions,
        cookies=COOKIES,
        access=room.access,
        name=_DOOR_NAME,
        home=HOME,
        origin=room.settings.pages_origin,
        roles=READERS,
        place="",
        ours=_ours,
        noted="page_caller",
    )
    return [
        Route(SIGN_IN, _form, methods=["GET"]),
        Route(f"{SIGN_IN}/start", door.begin, methods=["GET"]),
        Route(f"{SIGN_IN}/done", partial(_done, room, door), methods=["GET"]),
        door.route_of_provider(),
        Route(f"{HOME}/sign-out", signed_in(room, partial(_sign_out, door)), methods=["POST"]),
    ]


def signed_in(room: Room, page: Page, *, is_for_operators: bool = False) -> Callable[[Request], Response]:
    """The page for who is signed in; everybody else is asked to. Raises Refusal FORBIDDEN for a form of another site."""

    def serve(request: Request) -> Response:
        secret = COOKIES.secret(request)
        session = room.sessions.find(secret)
        if session is None:
            _note_end(room, secret)
            return RedirectResponse(_to_sign_in(request), 303)
        caller = session.caller
        policy.admit(caller)
        fields = COOKIES.posted(request) if request.method == "POST" else {}
        visit = Visit(room, request, caller, fields)
        if is_for_operators:
            if not visit.is_operator:
                raise Refusal("role-not-allowed", Kind.FORBIDDEN, "Your role may not see this.")
            visit = replace(visit, caller=replace(caller, purpose_of_use="HOPERAT"))
        return page(visit)

    return serve


def _note_end(room: Room, secret: str) -> None:
    """A session that ended by time is said to have ended, once."""
    if ended := room.sessions.ended_by_time(secret):
        session, reason = ended
        room.access.record_session_ended(session.caller, _DOOR_NAME, reason, telemetry.current_cause())


def _to_sign_in(request: Request) -> str:
    path = request.url.path
    return f"{SIGN_IN}?next={path}" if path in _PATHS and path != HOME else SIGN_IN


def _done(room: Room, door: SignInDoor, request: Request) -> Response:
    """Back from the sign-in service; what cannot be believed is told with its code, and is in the log."""
    try:
        return door.finish(request)
    except Refusal as refusal:
        _note(room, request, refusal)
        if refusal.kind is not Kind.UNAUTHENTICATED:
            raise
        return _form(request, 401, refusal.code)


def _note(room: Room, request: Request, refusal: Refusal) -> None:
    """A sign-in that let nobody in is counted, and in the audit trail once, before its page is shown."""

    def denied(caller: Caller | None, method: str, code: str) -> None:
        cause = telemetry.current_cause()
        room.access.record_denied(
            caller, record_type="Notice", record_id="", action=method, reason_code=code, cause=cause
        )
        refusal.is_on_record = True

    caller, method = getattr(request.state, "page_caller", None), f"GET {SIGN_IN}/done"
    if refusal.kind is Kind.UNAUTHENTICATED:
        answers.note_refusal(refusal, refusal, caller, method, denied)
    elif refusal.kind is Kind.FORBIDDEN:
        denied(caller, method, refusal.code)  # the door of every page counts it


def _sign_out(door: SignInDoor, visit: Visit) -> Response:
    return door.leave(visit.request, visit.room.sessions.find(COOKIES.secret(visit.request)))


def _ours(path: str, caller: Caller | None = None) -> str:
    """The path, if it is one of these pages; else the inbox, which for an engineer has nothing in it."""
    if caller is not None and caller.role == "engineer" and path in ("", HOME):
        return f"{HOME}/operator"
    return path if path in _PATHS else HOME


def _form(request: Request, status: int = 200, code: str = "") -> Response:
    shown = {"caller": None, "csrf": "", "is_operator": False, "code": code}
    shown["next_path"] = _ours(request.query_params.get("next", ""))
    return pages.render(request, "sign_in.html", status, **shown)
