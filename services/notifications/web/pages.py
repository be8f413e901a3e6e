"""How a page is made: template, language, security headers and files."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from chassis.errors import Kind, Refusal
from services.notifications.wording import catalogs
from services.notifications.wording.letters import clock_words, is_spoken, language_for

_HERE = Path(__file__).parent
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "frame-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# As each language calls itself.
LANGUAGE_NAMES = {"en": "English", "es": "Español", "pt": "Português"}
_COOKIE = "kindred-notices-language"
_A_YEAR_S = 31_536_000
_TYPES = {".css": "text/css", ".js": "text/javascript"}
_ASSETS = {path.name: path.read_bytes() for path in sorted((_HERE / "assets").iterdir())}


def render(request: Request, template: str, status: int = 200, **shown: Any) -> HTMLResponse:
    """A page in the reader's language; whatever it shows is text, never markup."""
    language = str(shown.pop("language", "")) or reader_of(request)
    words = {
        "language": language,
        "language_names": LANGUAGE_NAMES,
        "here": request.url.path,
        "clock_words": clock_words,
    }
    html = _environment(language).get_template(template).render({**words, **shown})
    headers = {
        "content-security-policy": _POLICY,
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "content-language": language,
        "vary": "accept-language, cookie",
    }
    return HTMLResponse(html, status, headers)


def reader_of(request: Request) -> str:
    """As it was chosen on a page, else the first language of the browser that we write, else English."""
    if (chosen := request.cookies.get(_COOKIE, "")) in LANGUAGE_NAMES:
        return chosen
    for part in request.headers.get("accept-language", "").split(","):
        tag = part.partition(";")[0].strip()
        if tag and is_spoken(tag):
            return language_for(tag)
    return catalogs.FALLBACK


def keep_language(response: Response, language: str, home: str) -> None:
    """The browser says from now on that it was chosen; it says nothing of who reads."""
    response.set_cookie(_COOKIE, language, max_age=_A_YEAR_S, path=home, samesite="strict", httponly=True)


def asset_route(home: str) -> Route:
    """Files beside the pages."""
    return Route(f"{home}/assets/{{name}}", _asset, methods=["GET"])


def _asset(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _ASSETS:
        raise Refusal("no-such-path", Kind.NOT_FOUND)
    headers = {"cache-control": "public, max-age=300"}
    return Response(_ASSETS[name], media_type=_TYPES[Path(name).suffix], headers=headers)


@lru_cache(maxsize=8)
def _environment(language: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.install_gettext_translations(catalogs.load(language), newstyle=True)  # type: ignore[attr-defined]
    return environment
