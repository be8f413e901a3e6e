"""The words of the desk's pages in every language they speak (wording/<language>.<page>.json)."""

from __future__ import annotations

import json
from pathlib import Path

from babel.core import negotiate_locale
from starlette.requests import Request

READERS = ("en", "es")
COOKIE = "kindred-desk-language"
_FOLDER = Path(__file__).with_name("wording")


def _all_of(reader: str) -> dict[str, str]:
    words: dict[str, str] = {}
    for path in sorted(_FOLDER.glob(f"{reader}.*.json")):
        words |= json.loads(path.read_text(encoding="utf-8"))
    return words


WORDS: dict[str, dict[str, str]] = {reader: _all_of(reader) for reader in READERS}


def reader_of(request: Request) -> str:
    """The language of the page: as chosen on the page, else the browser's first that we have, else English."""
    chosen = request.cookies.get(COOKIE, "")
    return chosen if chosen in READERS else _accepted(request.headers.get("accept-language", ""))


def _accepted(sent: str) -> str:
    weighted = []
    for place, part in enumerate(sent[:500].split(",")):
        tag, _, parameter = part.strip().partition(";q=")
        weighted.append((-_weight(parameter), place, tag.strip()))
    wanted = [tag.split("-")[0].lower() for weight, _, tag in sorted(weighted) if tag and weight < 0]
    return negotiate_locale(wanted, READERS) or "en"


def _weight(text: str) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0
