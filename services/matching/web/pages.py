"""How a page for who is signed in is made: its template, language, security headers and files."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from chassis.errors import HTTP_STATUS, Kind, Refusal
from chassis.web_cookies import Cookies
from services.matching.web.words import PAGE_WORDS, READERS, page_reader_of

HOME = "/matching"
BOARD = "/matching/board"
COOKIES = Cookies("kindred-work")
_HERE = Path(__file__).parent
_PAGES = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_ASSETS = {path.name: path.read_bytes() for path in sorted((_HERE / "assets").iterdir())}
_VERSION = hashlib.sha256(b"".join(_ASSETS.values())).hexdigest()[:12]
_A_DAY = timedelta(days=1)


def new_key() -> str:
    """An idempotency key: a form sent twice acts once."""
    return secrets.token_urlsafe(18)


_PAGES.globals["new_key"] = new_key


def render(request: Request, template: str, status: int = 200, **shown: Any) -> HTMLResponse:
    """A page; whatever it shows is text, never markup, and only its own files run or color it."""
    reader, nonce = page_reader_of(request), secrets.token_urlsafe(16)
    given: dict[str, Any] = {
        "session": None,
        "csrf": COOKIES.form_token(request),
        "here": request.url.path,
        "done": _done(request, reader),
        "nonce": nonce,
    }
    html = _PAGES.get_template(template).render(**common(reader), **{**given, **shown})
    headers = {
        "content-security-policy": (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src 'self'; "
            "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        ),
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "vary": "accept-language, cookie",
        "content-language": reader,
    }
    return HTMLResponse(html, status, headers)


def common(reader: str) -> dict[str, Any]:
    """What every template and fragment is given."""
    return {"reader": reader, "readers": READERS, "words": PAGE_WORDS[reader], "version": _VERSION}


def fragment(template: str, reader: str, **shown: Any) -> str:
    """A part of a page, for one that is open already."""
    return _PAGES.get_template(template).render(**common(reader), **shown)


def asset_route() -> Route:
    """The one path of all files; their address changes with their content."""

    def asset(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _ASSETS:
            raise Refusal("no-such-path", Kind.NOT_FOUND)
        headers = {"cache-control": "public, max-age=31536000, immutable"}
        return Response(_ASSETS[name], headers=headers, media_type=_TYPES[Path(name).suffix])

    return Route(f"{HOME}/assets/{{name}}", asset, methods=["GET"], name="work-asset")


def refusal_page(request: Request, refusal: Refusal, **shown: Any) -> HTMLResponse:
    """The refusal in plain words, with a way back; never a value that was sent."""
    words = PAGE_WORDS[page_reader_of(request)]
    rule = str(refusal.facts.get("rule", "")) if refusal.code == "hard-rule" else ""
    known = refusal.code if f"told_{refusal.code}" in words else refusal.kind.value
    given = {
        "heading": words[f"told_{known}"],
        "text": words[f"told_{known}_text"],
        "rule": words.get(f"rule_{rule}", "") if rule else "",
        "back": HOME,
    }
    return render(request, "work_told.html", HTTP_STATUS[refusal.kind], **{**given, **shown})


def at(moment: datetime, zone: str, reader: str, now: datetime) -> str:
    """The time on this zone's clocks, with the day where it is not today's."""
    local, today = moment.astimezone(ZoneInfo(zone)), now.astimezone(ZoneInfo(zone)).date()
    time = format_time(local, "short", locale=reader)
    if local.date() == today:
        return time
    return f"{format_date(local, 'EEE d MMM', locale=reader)}, {time}"


def span(length: timedelta, words: dict[str, str]) -> str:
    """How long, in the largest unit that says enough: "4 min", "3 h", "2 d"."""
    minutes = max(int(length.total_seconds() // 60), 0)
    if minutes < 100:
        return words["span_minutes"].format(n=minutes)
    return words["span_hours"].format(n=minutes // 60) if length < 2 * _A_DAY else _days(length, words)


def _days(length: timedelta, words: dict[str, str]) -> str:
    return words["span_days"].format(n=length // _A_DAY)


def _done(request: Request, reader: str) -> str:
    """What was done, told on the page after it; only words we have."""
    return PAGE_WORDS[reader].get(f"done_{request.query_params.get('done', '')}", "")
