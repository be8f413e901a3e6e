"""How a page of the console is made: its template, language, security headers and files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from chassis.errors import HTTP_STATUS, Kind, Refusal
from services.audit.web.sessions import COOKIES
from services.audit.web.words import READERS, WORDS, reader_of

HOME = "/console"
_HERE = Path(__file__).parent
_PAGES = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_ASSETS = {path.name: path.read_bytes() for path in sorted((_HERE / "assets").iterdir())}
_VERSION = hashlib.sha256(b"".join(_ASSETS.values())).hexdigest()[:12]


def render(request: Request, template: str, status: int = 200, **shown: Any) -> HTMLResponse:
    """A page; whatever it shows is text, never markup."""
    reader = reader_of(request)
    given: dict[str, Any] = {"session": None, "csrf": COOKIES.form_token(request), "here": request.url.path}
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


def asset_route() -> Route:
    """The one path of all files; their address changes with their content."""

    def asset(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _ASSETS:
            raise Refusal("no-such-path", Kind.NOT_FOUND)
        headers = {"cache-control": "public, max-age=31536000, immutable"}
        return Response(_ASSETS[name], headers=headers, media_type=_TYPES[Path(name).suffix])

    return Route(f"{HOME}/assets/{{name}}", asset, methods=["GET"], name="console-asset")


def refusal_page(request: Request, refusal: Refusal, **shown: Any) -> HTMLResponse:
    """The refusal in plain words, with a way on; never a value that was sent."""
    words = WORDS[reader_of(request)]
    known = refusal.code if f"told_{refusal.code}" in words else refusal.kind.value
    faults = [": ".join(filter(None, (fault.path, fault.message))) for fault in refusal.faults]
    shown = {"again": "", **shown}
    heading = words.get(f"told_{known}", words["told_invalid"])
    text = words.get(f"told_{known}_text", words["told_invalid_text"])
    status = HTTP_STATUS[refusal.kind]
    return render(request, "told.html", status, heading=heading, text=text, faults=faults, **shown)
