"""How a page of the desk is made: its template, language, security headers and files."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_time
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from chassis.errors import HTTP_STATUS, Kind, Refusal
from chassis.http_requests import RenderRefusal
from services.intake.web import cookies
from services.intake.web.words import READERS, WORDS, reader_of

HOME = "/desk"
_HERE = Path(__file__).parent
_PAGES = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_CALLING = frozenset({"phone", "video"})


def state_key(referral: Any) -> str:
    """The word for a referral's state: who comes to the bedside comes, who calls will call."""
    is_call = referral.state.value == "assigned" and referral.modality in _CALLING
    return "state_assigned_call" if is_call else f"state_{referral.state.value}"


_PAGES.globals["state_key"] = state_key
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_ASSETS = {path.name: path.read_bytes() for path in sorted((_HERE / "assets").iterdir())}
_VERSION = hashlib.sha256(b"".join(_ASSETS.values())).hexdigest()[:12]
_A_YEAR = "public, max-age=31536000, immutable"


def render(request: Request, template: str, status: int = 200, **shown: Any) -> HTMLResponse:
    """A page; whatever it shows is text, never markup."""
    reader = reader_of(request)
    given = {
        "session": None,
        "hospital": None,
        "csrf": cookies.form_token(request),
        "here": request.url.path,
        "is_plain": False,
    }
    html = _PAGES.get_template(template).render(
        reader=reader, readers=READERS, words=WORDS[reader], version=_VERSION, **{**given, **shown}
    )
    headers = {
        "content-security-policy": _POLICY,
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "vary": "accept-language, cookie",
        "content-language": reader,
    }
    return HTMLResponse(html, status, headers)


def fragment(template: str, reader: str, **shown: Any) -> str:
    """A part of a page, for one that is open already."""
    return _PAGES.get_template(template).render(reader=reader, words=WORDS[reader], **shown)


def asset(request: Request) -> Response:
    """A file of ours beside the pages; its address changes with its content."""
    name = request.path_params["name"]
    content = _ASSETS.get(name)
    if content is None:
        raise Refusal("no-such-path", Kind.NOT_FOUND)
    return Response(content, headers={"cache-control": _A_YEAR}, media_type=_TYPES[Path(name).suffix])


def asset_route() -> Route:
    """The one path of all files."""
    return Route(f"{HOME}/assets/{{name}}", asset, methods=["GET"], name="desk-asset")


def refusal_page(request: Request, refusal: Refusal, **shown: Any) -> HTMLResponse:
    """The refusal in plain words, with a way on; never a value that was sent."""
    words = WORDS[reader_of(request)]
    known = refusal.code if f"told_{refusal.code}" in words else refusal.kind.value
    return render(
        request,
        "told.html",
        HTTP_STATUS[refusal.kind],
        heading=words[f"told_{known}"],
        text=words[f"told_{known}_text"],
        error_id=str(refusal.facts.get("error_id", "")),
        **shown,
    )


def rendering(elsewhere: RenderRefusal) -> RenderRefusal:
    """How intake's HTTP door refuses: a page at the desk, what `elsewhere` makes of it on every other path."""

    def answer(request: Request, refusal: Refusal) -> Response:
        path = request.url.path
        is_desk = path == HOME or path.startswith(f"{HOME}/")
        return refusal_page(request, refusal) if is_desk else elsewhere(request, refusal)

    return answer


def clock_time(moment: datetime, zone: ZoneInfo, reader: str) -> str:
    """ "14:20" for English and Spanish alike: an ER writes 24 hours."""
    return format_time(moment.astimezone(zone), "HH:mm", locale=reader)


def day_and_time(moment: datetime, zone: ZoneInfo, reader: str, now: datetime) -> str:
    """The time, and the day where it is not today's, both of the unit."""
    local = moment.astimezone(zone)
    if local.date() == now.astimezone(zone).date():
        return clock_time(moment, zone, reader)
    return f"{format_date(local, 'd MMM', locale=reader)}, {clock_time(moment, zone, reader)}"


def full_time(moment: datetime, zone: ZoneInfo, reader: str) -> str:
    """Day, year, time and the zone's name: what is printed must be clear tomorrow."""
    local = moment.astimezone(zone)
    return f"{format_datetime(local, 'd MMM y, HH:mm', locale=reader)} {local.tzname()}"
