"""Renders a notice in the recipient's language and zone: a subject, plain text, and the same words as HTML.

A template sees four things: the deadline, the promised arrival, the kind of contact, a short reference, and the
link. Nothing about the peer can reach it, because nothing about the peer is handed to it (DESIGN 5.7).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.dates import format_date, format_datetime, format_time
from jinja2 import FileSystemLoader, StrictUndefined, Template
from jinja2.sandbox import SandboxedEnvironment

from services.notifications.domain.contacts import Contact
from services.notifications.domain.notices import Notice

LANGUAGES: Final = ("en", "es")
FALLBACK: Final = "en"
_ROOM = Path(__file__).parent
_LOCALES: Final = {"en": "en_US", "es": "es_US"}
_DAYS: Final = {"en": "EEEE, MMMM d", "es": "EEEE d 'de' MMMM"}
_REFERENCE_CHARS = 6


@dataclass(frozen=True)
class Block:
    """A paragraph, or a link with its label."""

    text: str
    link: str = ""


@dataclass(frozen=True)
class Letter:
    """One message, ready to be put on a channel."""

    language: str
    subject: str
    text: str
    html: str


class Letters:
    """Every template in every language. `public_url` is where the answer pages are."""

    def __init__(self, public_url: str, templates: Path = _ROOM / "templates") -> None:
        self._public_url = public_url.rstrip("/")
        words = SandboxedEnvironment(loader=FileSystemLoader(templates), undefined=StrictUndefined)
        pages = SandboxedEnvironment(
            loader=FileSystemLoader(_ROOM), undefined=StrictUndefined, autoescape=True
        )
        self._words = {
            (language, path.stem): words.get_template(f"{language}/{path.name}")
            for language in LANGUAGES
            for path in sorted((templates / language).glob("*.txt"))
        }
        self._closing = {
            (language, name): Block(self._words[language, name].render().strip())
            for language in LANGUAGES
            for name in ("fallback", "footer")
        }
        self._layout: Template = pages.get_template("layout.html")

    def write(self, notice: Notice, contact: Contact, link_token: str = "") -> Letter:
        """The letter of a notice to one person; `link_token` opens their answer page."""
        language = language_for(contact.language)
        facts = {
            "deadline": clock_words(notice.deadline_at, contact.time_zone, language),
            "arrival": clock_words(notice.promised_arrival_at, contact.time_zone, language),
            "modality": notice.modality,
            "reference": reference(notice.referral_id),
            "link": f"{self._public_url}/answer/{link_token}",
        }
        subject, _, body = self._words[language, notice.intent.value].render(facts).partition("\n")
        blocks = [_block(paragraph) for paragraph in body.split("\n\n") if paragraph.strip()]
        if not is_spoken(contact.language):
            blocks.append(self._closing[language, "fallback"])
        blocks.append(self._closing[language, "footer"])
        text = "\n\n".join(_plain(block) for block in blocks) + "\n"
        html = self._layout.render(language=language, subject=subject.strip(), blocks=blocks)
        return Letter(language, subject.strip(), text, html)


def is_spoken(tag: str) -> bool:
    """True where there are templates in the language of a BCP 47 tag ("es-MX" is Spanish)."""
    return _primary(tag) in LANGUAGES


def language_for(tag: str) -> str:
    """The language to write in; English where there is no other choice, and the letter then says so."""
    return _primary(tag) if is_spoken(tag) else FALLBACK


def reference(referral_id: str) -> str:
    """A few characters by which the source finds its request again; they lead nobody else anywhere."""
    return referral_id[-_REFERENCE_CHARS:].upper()


@lru_cache(maxsize=1_024)
def clock_words(moment: datetime | None, time_zone: str, language: str) -> str:
    """The moment as the recipient's wall clock shows it, always with its zone: "3:20 PM EDT, Tuesday, May 5"."""
    if moment is None:
        return ""
    zone = _zone(time_zone)
    locale = _LOCALES[language]
    local = moment.astimezone(zone)
    day = format_date(local, _DAYS[language], locale=locale)
    clock = format_time(local, "short", tzinfo=zone, locale=locale)
    words = f"{clock} {format_datetime(local, 'z', tzinfo=zone, locale=locale)}, {day}"
    return " ".join(words.split())  # the locale's narrow spaces are boxes in some mail programs


def _primary(tag: str) -> str:
    return tag.replace("_", "-").split("-")[0].lower()


@lru_cache(maxsize=512)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def _block(paragraph: str) -> Block:
    words = paragraph.strip()
    if not words.startswith("> "):
        return Block(" ".join(words.split()))
    label, _, link = words[2:].partition(": ")
    return Block(label, link.strip())


def _plain(block: Block) -> str:
    return f"{block.text}:\n{block.link}" if block.link else block.text
