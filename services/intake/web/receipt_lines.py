"""What became of a referral's notices, in the words of its page's timeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from services.intake.domain.receipts import Becoming, Book, Group, Line, story


@dataclass(frozen=True, slots=True)
class Told:
    """One line of a timeline."""

    at: datetime
    what: str
    why: str = ""


def told(book: Book, words: Mapping[str, str]) -> list[Told]:
    """A line for each notice to the unit and the supervisor, and one or two for all that asked specialists."""
    return [
        Told(line.at, _text(line, words), words.get(f"undelivered_{line.reason_code}", ""))
        for line in story(book)
    ]


def _text(line: Line, words: Mapping[str, str]) -> str:
    text = words[f"notice_{line.group}_{_spoken(line)}"].format(
        what=words[f"notice_about_{line.intent}"] if line.group is Group.UNIT else "",
        way=words.get(f"notice_by_{line.channel}", ""),
        count=line.count,
    )
    more = _more(line, words)
    return f"{text} ({', '.join(more)})" if more else text


def _more(line: Line, words: Mapping[str, str]) -> list[str]:
    """That it arrived, and that it was answered; of several how many."""
    more = []
    if line.arrived:
        more.append(words["notice_arrived_count"].format(count=line.arrived))
    elif line.becoming is Becoming.ARRIVED:
        more.append(words["notice_arrived"])
    if line.answered:
        key = "notice_answered_count" if line.group is Group.SPECIALIST else "notice_answered"
        more.append(words[key].format(count=line.answered))
    return more


def _spoken(line: Line) -> str:
    """What arrived is told as what was sent, with a word more."""
    return Becoming.TOLD.value if line.becoming is Becoming.ARRIVED else line.becoming.value
