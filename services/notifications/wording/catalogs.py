"""The languages we write: gettext catalogs beside the code, English as the key, and what a catalog lacks."""

from __future__ import annotations

import gettext
from collections.abc import Iterator
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LANGUAGES: Final = ("en", "es", "pt")
FALLBACK: Final = "en"
FOLDER: Final = Path(__file__).parent / "catalogs"
# Everything below is read for words: letters, and pages with their `_("...")`.
_SOURCES: Final = (("*.txt", "jinja2"), ("*.html", "jinja2"), ("*.py", "python"))

Key = str | tuple[str, ...]


@lru_cache(maxsize=16)
def load(language: str, folder: Path = FOLDER) -> gettext.NullTranslations:
    """The catalog, compiled; English needs none."""
    if language == FALLBACK:
        return gettext.NullTranslations()
    compiled = BytesIO()
    write_mo(compiled, _read(language, folder))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def wanted(room: Path) -> set[Key]:
    """Every text of templates and pages below `room` that a reader may see."""
    return {
        tuple(message) if isinstance(message, tuple) else message
        for pattern, method in _SOURCES
        for path in sorted(room.rglob(pattern))
        for message in _texts(path, method)
    }


def missing(language: str, room: Path, folder: Path = FOLDER) -> list[str]:
    """Texts without a translation, translations that nobody asks for, and broken placeholders; empty is complete."""
    catalog = _read(language, folder)
    known = {_key(message.id): message for message in catalog if message.id}
    asked = wanted(room)
    faults = [f"not translated: {key!r}" for key in asked - known.keys()]
    faults += [f"nobody asks for: {key!r}" for key in known.keys() - asked]
    for key, message in known.items():
        texts = message.string if isinstance(message.string, tuple) else (message.string,)
        if message.fuzzy or not all(texts):
            faults.append(f"not translated: {key!r}")
        faults += [f"{key!r}: {error}" for error in message.check(catalog)]
    return sorted(faults)


def _read(language: str, folder: Path) -> Catalog:
    with (folder / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


def _texts(path: Path, method: str) -> Iterator[str | tuple[str, ...]]:
    name = "jinja2.ext:babel_extract" if method == "jinja2" else method
    options = {"silent": "false", "newstyle_gettext": "true"} if method == "jinja2" else {}
    with path.open("rb") as file:
        for found in extract(name, file, options=options):
            yield found[1]


def _key(message_id: str | list[str] | tuple[str, ...]) -> Key:
    return message_id if isinstance(message_id, str) else tuple(message_id)
