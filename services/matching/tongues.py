"""Language tags: one short code for each language, and its name in English or Spanish."""

from __future__ import annotations

from functools import lru_cache

import langcodes
from babel import Locale
from langcodes.tag_parser import LanguageTagError

# What the locale data leaves in English.
_UNTRANSLATED = {("es", "ase"): "lengua de señas estadounidense"}


@lru_cache(maxsize=4096)
def primary(tag: str) -> str:
    """The language of a BCP 47 tag without region or script ("es-MX" is "es", "sgn-ase" is "ase"); "" for no tag.

    Two people share a language, not a region: who speaks Spanish is understood, wherever they learned it.
    """
    try:
        language = langcodes.Language.get(tag)
    except LanguageTagError:
        return ""
    code = language.extlangs[0] if language.extlangs else language.language or ""
    return code if code not in ("und", "mul", "zxx") and langcodes.tag_is_valid(code) else ""


@lru_cache(maxsize=4096)
def name(tag: str, reader: str) -> str:
    """What the language is called in the reader's language ("en" or "es"); the tag itself where nobody knows."""
    if (reader, tag) in _UNTRANSLATED:
        return _UNTRANSLATED[reader, tag]
    names = Locale.parse(reader).languages
    return names.get(tag) or Locale.parse("en").languages.get(tag) or tag
