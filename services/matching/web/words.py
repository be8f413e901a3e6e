"""The words of matching's pages in every language they speak: words.<language>.json, wording/<language>.<page>.json."""

from __future__ import annotations

import json
from pathlib import Path

from babel.core import negotiate_locale
from starlette.requests import Request

READERS = ("en", "es")
COOKIE = "kindred-work-language"
_HERE = Path(__file__).parent


def _read(path: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _signed_in(reader: str) -> dict[str, str]:
    words = dict(WORDS[reader])
    for path in sorted((_HERE / "wording").glob(f"{reader}.*.json")):
        words |= _read(path)
    return words


# The page behind a link has its own; whoever is signed in reads those and more.
WORDS: dict[str, dict[str, str]] = {reader: _read(_HERE / f"words.{reader}.json") for reader in READERS}
PAGE_WORDS: dict[str, dict[str, str]] = {reader: _signed_in(reader) for reader in READERS}


def page_reader_of(request: Request) -> str:
    """The language of a signed-in page: as chosen on it, else the browser's first that we have, else English."""
    chosen = request.cookies.get(COOKIE, "")
    return chosen if chosen in READERS else _accepted(request)


def reader_of(request: Request) -> str:
    """The language of the page: the one of the letter that led here, else of the browser; English where there is none.

    Of Accept-Language it is the first, by weight, that we have.
    """
    if (told := request.query_params.get("lang", "")) in READERS:
        return told
    return _accepted(request)


def _accepted(request: Request) -> str:
    weighted = []
    for place, part in enumerate(request.headers.get("accept-language", "")[:500].split(",")):
        tag, _, parameter = part.strip().partition(";q=")
        weighted.append((-_weight(parameter), place, tag.strip()))
    wanted = [tag for weight, _, tag in sorted(weighted) if tag and weight < 0]
    return negotiate_locale([tag.split("-")[0].lower() for tag in wanted], READERS) or "en"


def _weight(text: str) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0
