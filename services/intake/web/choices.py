"""What can be chosen in the form: reasons, wishes and characteristics of the shared taxonomy, languages, payers."""

from __future__ import annotations

import json
from dataclasses import dataclass

from babel import Locale

from services.intake import taxonomy

# What brings most people here, first; the words for these are the desk's own, the others' are the taxonomy's.
COMMON_REASONS = (
    "overdose",
    "substance.opioids",
    "substance.alcohol",
    "substance.stimulants",
    "substance.sedatives",
    "suicide.attempt",
    "suicide.thoughts",
    "mental-health",
    "mental-health.psychosis",
    "trauma.partner-violence",
    "homelessness",
    "bereavement.overdose-loss",
)
# Asked one by one, because matching may wish for them; nothing is ever inferred from them.
ABOUT_TOPICS = (
    "gender",
    "ethnicity",
    "faith",
    "lgbtq",
    "military",
    "parenting",
    "migration",
    "disability",
    "deaf",
)
# A question, not an answer: "gender" as such is nothing anybody has in common.
_ONLY_TOPICS = frozenset({"gender", "ethnicity", "faith", "age", "place", "pathway"})
LANGUAGES = (
    *(
        "en",
        "es",
        "zh",
        "ht",
        "ru",
        "bn",
        "ko",
        "ar",
        "yi",
        "pl",
        "fr",
        "it",
        "ur",
        "ne",
        "my",
        "pt",
        "vi",
        "hi",
    ),
    *("uk", "sw", "so", "ase"),
)
NO_LANGUAGE = "und"  # BCP 47: nobody knows yet; an answer, because a language is never guessed
PAYERS = ("unknown", "medicaid", "medicare", "commercial", "self-pay")
WAYS = ("bedside", "phone", "video")
STRENGTHS = ("must", "strong", "some", "none", "avoid")
SAID_BY = ("peer", "family", "staff", "record")
HOW = ("asked", "form", "chart")
_SIGN = {"en": "American Sign Language", "es": "lengua de señas estadounidense"}


@dataclass(frozen=True, slots=True)
class Choice:
    """One attribute and what it is called."""

    code: str
    label: str


@dataclass(frozen=True, slots=True)
class Group:
    """A topic and what can be chosen in it."""

    code: str
    label: str
    choices: tuple[Choice, ...]


_ATTRIBUTES = json.loads(taxonomy.SOURCE.read_text(encoding="utf-8"))["attributes"]
LABELS: dict[str, dict[str, str]] = {
    reader: {one["code"]: one["label"][reader] for one in _ATTRIBUTES} for reader in ("en", "es")
}
_CODES = tuple(one["code"] for one in _ATTRIBUTES)
REASONS = tuple(one["code"] for one in _ATTRIBUTES if one["kind"] == "lived-experience")
MORE_REASONS = tuple(code for code in REASONS if code not in COMMON_REASONS)


def choices_of(topic: str, reader: str) -> tuple[Choice, ...]:
    """What can be chosen in a topic: the topic itself, where it means something, and all below it."""
    inside = [code for code in _CODES if code.startswith(f"{topic}.")]
    own = [] if topic in _ONLY_TOPICS else [topic]
    return tuple(Choice(code, LABELS[reader][code]) for code in (*own, *inside))


def wishes(reader: str) -> tuple[Group, ...]:
    """Everything somebody may wish for, by topic."""
    topics = [code for code in _CODES if "." not in code]
    return tuple(Group(topic, LABELS[reader][topic], choices_of(topic, reader)) for topic in topics)


def languages(reader: str) -> tuple[Choice, ...]:
    """The languages of the list, by their names in the reader's."""
    return tuple(Choice(tag, language_name(tag, reader)) for tag in LANGUAGES)


def language_name(tag: str, reader: str) -> str:
    """A language's name for the reader, or its tag where nobody has a name for it."""
    if tag == "ase":
        return _SIGN[reader]
    name = Locale(reader).languages.get(tag) or Locale(reader).languages.get(tag.partition("-")[0])
    return name[:1].upper() + name[1:] if name else tag
