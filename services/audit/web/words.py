"""The words of the console's pages in both languages (wording/<language>.json), beside those of the reports."""

from __future__ import annotations

import json
from pathlib import Path

from starlette.requests import Request

from services.audit.reports import catalog

READERS = catalog.READERS
COOKIE = "kindred-console-language"
_FOLDER = Path(__file__).with_name("wording")
WORDS: dict[str, dict[str, str]] = {
    reader: catalog.WORDS[reader] | json.loads((_FOLDER / f"{reader}.json").read_text(encoding="utf-8"))
    for reader in READERS
}


def reader_of(request: Request) -> str:
    """The language of the page: as chosen on the page, else the first of the browser's that we have, else English."""
    chosen = request.cookies.get(COOKIE, "")
    if chosen in READERS:
        return chosen
    for part in request.headers.get("accept-language", "")[:200].split(","):
        tag = part.strip().partition(";")[0].partition("-")[0].lower()
        if tag in READERS:
            return tag
    return READERS[0]
