"""Languages: complete, plural, plain; what is missing is found."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from services.notifications.channels import segments
from services.notifications.domain.contacts import Contact
from services.notifications.domain.intents import Intent
from services.notifications.wording import catalogs
from services.notifications.wording.letters import LANGUAGES, Letters
from tests.unit.notifications.notice_builders import a_notice

ROOM = Path(catalogs.__file__).parents[1]
LETTERS = Letters("https://answers.example.org")
OTHERS = [language for language in LANGUAGES if language != catalogs.FALLBACK]


@pytest.mark.parametrize("line", ["offer", "plural"])
def test_a_gap_in_a_catalog_is_found(tmp_path, line):
    """The check that `make check` runs can fail: a text without its translation is named."""
    for language in OTHERS:
        shutil.copy(catalogs.FOLDER / f"{language}.po", tmp_path)
    text = (tmp_path / "es.po").read_text()
    wanted = {"offer": "Hay una solicitud nueva para usted.", "plural": "Tiene un mensaje nuevo"}[line]
    assert wanted in text
    (tmp_path / "es.po").write_text(text.replace(wanted, ""))
    assert len(catalogs.missing("es", ROOM, tmp_path)) == 1
    assert catalogs.missing("pt", ROOM, tmp_path) == []


def test_a_broken_placeholder_is_found(tmp_path):
    """A translation that loses the deadline would lose a person; it is named."""
    text = (catalogs.FOLDER / "es.po").read_text()
    (tmp_path / "es.po").write_text(
        text.replace("responda antes de: %(deadline)s", "responda antes de: %(x)s")
    )
    assert catalogs.missing("es", ROOM, tmp_path) != []


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_and_many_are_told_apart(language):
    """A digest of one is not "1 messages"."""
    one = LETTERS.write_digest([a_notice(Intent.PERSON_MET)], Contact(language=language))
    many = LETTERS.write_digest([a_notice(Intent.PERSON_MET)] * 3, Contact(language=language))
    assert "3" in many.subject
    assert "1" not in one.subject
    assert one.subject != many.subject
    assert many.text.count("AA7B31") == 3


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("intent", list(Intent))
def test_an_sms_is_short(language, intent):
    """An SMS is two segments at most, in every language, with its link."""
    short = segments.plain(LETTERS.write(a_notice(intent), Contact(language=language), "t" * 43).short)
    assert segments.is_seven_bit(short), short
    assert segments.count(short) <= 2, short


def syllables(word):
    """A count good enough to rank sentences: groups of vowels, a silent e not counted."""
    groups = re.findall(r"[aeiouy]+", re.sub(r"e$", "", word.lower()))
    return max(1, len(groups))


def test_english_reads_at_the_sixth_grade_or_below():
    """Flesch-Kincaid over all letters together is 6 at most: plain words, short sentences."""
    text = " ".join(LETTERS.write(a_notice(intent), Contact(), "tok").text for intent in Intent)
    text = re.sub(r"https?://\S+|\b[A-Z0-9]{6}\b|\d+:\d+ [AP]M [A-Z]+", "", text)
    sentences = [one for one in re.split(r"[.:?!]\s", text) if one.strip()]
    words = re.findall(r"[a-zA-Z']+", text)
    grade = 0.39 * len(words) / len(sentences) + 11.8 * sum(map(syllables, words)) / len(words) - 15.59
    assert grade <= 6, grade


def test_spanish_reads_easily():
    """Fernández Huerta's index over all Spanish letters is 70 at least: easy, as for a child of eleven."""
    contact = Contact(language="es")
    text = " ".join(LETTERS.write(a_notice(intent), contact, "tok").text for intent in Intent)
    text = re.sub(r"https?://\S+|\b[A-Z0-9]{6}\b", "", text)
    sentences = [one for one in re.split(r"[.:?!]\s", text) if one.strip()]
    words = re.findall(r"[a-záéíóúüñ]+", text.lower())
    parts = sum(len(re.findall(r"[aeiouáéíóúü]+", word)) or 1 for word in words)
    assert 206.84 - 60 * parts / len(words) - 1.02 * len(words) / len(sentences) >= 70
