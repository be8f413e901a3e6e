"""Renders a notice in the recipient's language and zone: a subject, plain text, the same words as HTML, and an SMS.

A template sees the deadline, the promised arrival, a last day, the kind of contact, a short reference, and the link.
Nothing about the peer can reach it, because nothing about the peer is handed to it (DESIGN 5.7).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from babel.dates import format_date, format_datetime, format_time
from jinja2 import FileSystemLoader, StrictUndefined, Template, meta
from jinja2.sandbox import SandboxedEnvironment
from markupsafe import escape

from services.notifications.domain.contacts import Contact
from services.notifications.domain.notices import Notice
from services.notifications.domain.reach import zone_named
from services.notifications.wording import catalogs
from services.notifications.wording.catalogs import FALLBACK, LANGUAGES

_ROOM = Path(__file__).parent
_LOCALES: Final = {"en": "en_US", "es": "es_US", "pt": "pt_BR"}
_DAYS: Final = {"en": "EEEE, MMMM d", "es": "EEEE d 'de' MMMM", "pt": "EEEE, d 'de' MMMM"}
_REFERENCE_CHARS = 6
_DIGEST: Final = "digest"
# Where the link goes: no text has this character.
_LINK: Final = "\x02"
_MOST_KNOWN: Final = 2_000


@dataclass(frozen=True)
class Block:
    """A paragraph, or a link with its label."""

    text: str
    link: str = ""


@dataclass(frozen=True)
class Letter:
    """One message, ready to be put on a channel; `short` is what fits a phone's screen."""

    language: str
    subject: str
    text: str
    html: str
    short: str = ""


class Letters:
    """Every template in every language. `public_url` is where the answer pages are."""

    def __init__(
        self,
        public_url: str,
        templates: Path = _ROOM / "templates",
        catalog_folder: Path = catalogs.FOLDER,
    ) -> None:
        self._public_url = public_url.rstrip("/")
        self._words = {language: _spoken(language, templates, catalog_folder) for language in LANGUAGES}
        self._layout: Template = _pages().get_template("layout.html")
        # Many people read the same words at the same time: a wave of offers is one letter with as many links.
        self._known: dict[tuple[Any, ...], Letter] = {}

    def write(self, notice: Notice, contact: Contact, link_token: str = "") -> Letter:
        """The letter of a notice to one person; `link_token` opens their answer page."""
        language = language_for(contact.language)
        facts = {
            "deadline": clock_words(notice.deadline_at, contact.time_zone, language),
            "arrival": clock_words(notice.promised_arrival_at, contact.time_zone, language),
            "modality": notice.modality,
            "day": day_words(notice.last_day, language),
            "reference": reference(notice.referral_id),
            "link": _LINK,
        }
        used = _used(self._words[language], notice.intent.value)
        key = (notice.intent, contact.language, *(facts.get(name) for name in used))
        if key not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[key] = self._letter(notice.intent.value, facts, contact)
        # The page speaks as the letter does.
        return _with_link(self._known[key], f"{self._public_url}/answer/{link_token}?lang={language}")

    def write_digest(self, notices: Sequence[Notice], contact: Contact) -> Letter:
        """One letter for several notices that may wait: the subject of each, oldest first."""
        lines = [self.write(notice, contact).subject for notice in notices]
        return self._letter(_DIGEST, {"count": len(lines), "lines": lines}, contact)

    def _letter(self, template: str, facts: dict[str, Any], contact: Contact) -> Letter:
        language = language_for(contact.language)
        subject, _, body = self._template(language, template).render(facts).strip().partition("\n")
        blocks = [_block(paragraph) for paragraph in body.split("\n\n") if paragraph.strip()]
        if not is_spoken(contact.language):
            blocks.append(Block(self._closing(language, "fallback")))
        short = [subject, *(block.link for block in blocks if block.link), self._closing(language, "sms")]
        blocks.append(Block(self._closing(language, "footer")))
        text = "\n\n".join(_plain(block) for block in blocks) + "\n"
        html = self._layout.render(language=language, subject=subject, blocks=blocks)
        return Letter(language, subject, text, html, "\n".join(short))

    def _template(self, language: str, name: str) -> Template:
        return self._words[language].get_template(f"{name}.txt")

    def _closing(self, language: str, name: str) -> str:
        return self._template(language, name).render().strip()


@lru_cache(maxsize=64)
def _spoken(language: str, templates: Path, catalog_folder: Path) -> SandboxedEnvironment:
    """Templates in one language; each is compiled once in a process."""
    words = SandboxedEnvironment(
        loader=FileSystemLoader(templates),
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        auto_reload=False,
    )
    words.install_gettext_translations(  # type: ignore[attr-defined]
        catalogs.load(language, catalog_folder), newstyle=True
    )
    return words


@lru_cache(maxsize=256)
def _used(words: SandboxedEnvironment, name: str) -> tuple[str, ...]:
    """The facts that a template shows."""
    assert words.loader is not None
    source, _, _ = words.loader.get_source(words, f"{name}.txt")
    return tuple(sorted(meta.find_undeclared_variables(words.parse(source))))


def _with_link(letter: Letter, link: str) -> Letter:
    if _LINK not in letter.text:
        return letter
    text, html, short = letter.text, letter.html.replace(_LINK, escape(link)), letter.short
    return Letter(
        letter.language, letter.subject, text.replace(_LINK, link), html, short.replace(_LINK, link)
    )


@lru_cache(maxsize=1)
def _pages() -> SandboxedEnvironment:
    return SandboxedEnvironment(
        loader=FileSystemLoader(_ROOM), undefined=StrictUndefined, autoescape=True, auto_reload=False
    )


def is_spoken(tag: str) -> bool:
    """True where there are templates in the language of a BCP 47 tag ("es-MX" is Spanish)."""
    return _primary(tag) in LANGUAGES


def language_for(tag: str) -> str:
    """The language to write in; English where there is no other choice, and the letter then says so."""
    return _primary(tag) if is_spoken(tag) else FALLBACK


def reference(referral_id: str) -> str:
    """A few characters by which the source finds its request again; they lead nobody else anywhere."""
    return referral_id[-_REFERENCE_CHARS:].upper()


def clock_words(moment: datetime | None, time_zone: str, language: str) -> str:
    """The moment as the recipient's wall clock shows it, always with its zone: "3:20 PM EDT, Tuesday, May 5"."""
    # No clock here shows seconds: all moments of a minute are said, and remembered, as one.
    return _minute_words(moment.replace(second=0, microsecond=0), time_zone, language) if moment else ""


@lru_cache(maxsize=1_024)
def _minute_words(moment: datetime, time_zone: str, language: str) -> str:
    zone = zone_named(time_zone)
    locale = _LOCALES[language]
    local = moment.astimezone(zone)
    day = format_date(local, _DAYS[language], locale=locale)
    clock = format_time(local, "short", tzinfo=zone, locale=locale)
    # The letters of the zone, as people there say them: "EDT", and not "Horário de Verão Oriental" or "GMT-4".
    letters = format_datetime(local, "z", tzinfo=zone, locale="en_US" if language == "pt" else locale)
    return " ".join(
        f"{clock} {letters}, {day}".split()
    )  # the locale's narrow spaces are boxes in some programs


@lru_cache(maxsize=256)
def day_words(day: str, language: str) -> str:
    """The day (2026-12-31) as it is said: "Thursday, December 31"; a day is the same in every zone here."""
    return format_date(date.fromisoformat(day), _DAYS[language], locale=_LOCALES[language]) if day else ""


def _primary(tag: str) -> str:
    return tag.replace("_", "-").split("-")[0].lower()


def _block(paragraph: str) -> Block:
    words = paragraph.strip()
    if not words.startswith("> "):
        return Block(" ".join(words.split()))
    label, _, link = words[2:].partition(": ")
    return Block(label, link.strip())


def _plain(block: Block) -> str:
    return f"{block.text}:\n{block.link}" if block.link else block.text
