"""How the development issuer's pages look: one template, a banner nobody can miss, English and Spanish."""

import json
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from cli.local.issuer.personas import HUMAN_ROLES, PERSONAS

_HERE = Path(__file__).parent
_WORDS: dict[str, dict[str, str]] = json.loads((_HERE / "words.json").read_text(encoding="utf-8"))
_PAGES = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_NOTHING: dict[str, Any] = {
    "told": "",
    "note": "",
    "action": "",
    "hidden": {},
    "asks_code": False,
    "user_code": "",
    "onward": "",
}


def words_for(request: Request) -> tuple[str, dict[str, str]]:
    """The reader's language, and the words in it."""
    for part in request.headers.get("accept-language", "").split(","):
        tag = part.partition(";")[0].strip().partition("-")[0].lower()
        if tag in _WORDS:
            return tag, _WORDS[tag]
    return "en", _WORDS["en"]


def render(
    request: Request, heading: str, status: int = 200, leads_to: str = "", **shown: Any
) -> HTMLResponse:
    """A page; a form on it may end at `leads_to`, and nowhere else outside."""
    reader, words = words_for(request)
    nonce = secrets.token_urlsafe(16)
    given = {"reader": reader, "words": words, "nonce": nonce, "personas": PERSONAS, "roles": HUMAN_ROLES}
    html = _PAGES.get_template("page.html").render(heading=words[heading], **{**_NOTHING, **given, **shown})
    parts = urlsplit(leads_to)
    origin = f" {parts.scheme}://{parts.netloc}" if leads_to else ""
    headers = {
        "content-security-policy": (
            f"default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self'{origin}; base-uri 'none'; "
            "frame-ancestors 'none'"
        ),
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "content-language": reader,
    }
    return HTMLResponse(html, status, headers)
