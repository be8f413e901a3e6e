"""The words of matching's pages in every language they speak (words.<language>.json)."""

from __future__ import annotations

import json
from pathlib import Path

from babel.core import negotiate_locale
from starlette.requests import Request

READERS = ("en", "es")
WORDS: dict[str, dict[str, str]] = {
    reader: json.loads(Path(__file__).with_name(f"words.{reader}.json").read_text(encoding="utf-8"))
    for reader in READERS
}


def reader_of(request: Request) -> str:
    """The language of the page: the one of the letter that led here, else of the browser; English where there is none.

    Of Accept-Language it is the first, by weight, that we have.
    """
    if (told := request.query_params.get("lang", "")) in READERS:
        return told
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
