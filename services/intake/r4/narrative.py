"""Narrative as R4 allows it: one XHTML div, formatting and images only, not empty (txt-1, txt-2).

Attributes are not counted one by one: only those that run a script are refused.
"""

from __future__ import annotations

import re
from html.entities import name2codepoint
from xml.parsers import expat

BAD_FORMAT = "bad-format"
_XHTML = "http://www.w3.org/1999/xhtml"
_OF_XML = frozenset({"amp", "lt", "gt", "quot", "apos"})
_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]*);")
# HTML 4.0 chapters 7 to 11 and 15, links and images (R4 narrative.html, txt-1).
_ELEMENTS = frozenset(
    """
    a abbr acronym address area b bdo big blockquote br caption center cite code col colgroup dd del dfn div dl dt em
    font h1 h2 h3 h4 h5 h6 hr i img ins kbd li map ol p pre q s samp small span strike strong sub sup table tbody td
    tfoot th thead tr tt u ul var
    """.split()  # noqa: SIM905  a list of names reads better as words
)


def fault_of(text: str) -> str | None:
    """The fault's code, or None: "bad-format" where it is no XHTML div, else the broken rule."""
    look = _Look()
    try:
        look.parser.Parse(_ENTITY.sub(_spelled, text).encode(), True)
    except (expat.ExpatError, ValueError):
        return look.broken or BAD_FORMAT
    if look.broken is not None:
        return look.broken
    return None if look.has_content else "txt-2"


def _spelled(match: re.Match[str]) -> str:
    """HTML's names of characters are allowed, and XML does not know them."""
    name = match[1]
    return match[0] if name in _OF_XML or name not in name2codepoint else chr(name2codepoint[name])


class _Look:
    """What is seen while the text is read once."""

    def __init__(self) -> None:
        self.broken: str | None = None
        self.has_content = False
        self.is_inside = False
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.StartElementHandler = self.element
        self.parser.CharacterDataHandler = self.characters
        self.parser.StartDoctypeDeclHandler = self.doctype

    def doctype(self, *_: object) -> None:
        """Nothing may declare entities of its own here."""
        self.broken = BAD_FORMAT
        raise ValueError("doctype")

    def element(self, name: str, attributes: dict[str, str]) -> None:
        space, _, local = name.rpartition(" ")
        if space != _XHTML or (not self.is_inside and local != "div"):
            self.broken = self.broken or BAD_FORMAT
        elif local not in _ELEMENTS or any(one.lower().startswith("on") for one in attributes):
            self.broken = self.broken or "txt-1"
        self.is_inside = True
        self.has_content = self.has_content or (local == "img" and "src" in attributes)

    def characters(self, text: str) -> None:
        self.has_content = self.has_content or not text.isspace()
