"""The topics of ZKD and of our OBX codes to the domain's words; one that cannot be read refuses the message (P8)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

from chassis.errors import Fault
from services.intake.domain.submission import Answered, Characteristic, Preference, Strength
from services.intake.hl7v2 import times, topics
from services.intake.hl7v2.message import Message
from services.intake.hl7v2.topics import Said

_YES_NO = {"Y": True, "N": False, "YES": True, "NO": False}
_SAID_BY = frozenset({"peer", "family", "staff", "record"})
_HOW = frozenset({"asked", "form", "chart"})
_UNSAID = {"declined": Answered.DECLINED, "unknown": Answered.UNKNOWN}


@dataclass
class Statements:
    """What the statements say, by the domain's names; where each stands; what cannot be read."""

    zone: tzinfo
    said: dict[str, Any] = field(default_factory=dict)
    where: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    @classmethod
    def read(cls, message: Message, zone: tzinfo) -> Statements:
        """Every statement of the message, read."""
        found = cls(zone)
        for said in topics.statements(message):
            found.take(said)
        return found

    def take(self, said: Said) -> None:
        """One statement more."""
        if said.topic not in topics.TOPICS:
            self.faults.append(Fault(said.at, "topic-unknown", "There is no such topic."))
        elif said.topic.startswith("preference-"):
            self._preferences(said)
        elif said.topic in _LISTS:
            self._list(said, _LISTS[said.topic])
        elif said.topic in _FLAGS:
            self._flag(said, *_FLAGS[said.topic])
        elif said.topic in _TEXTS:
            self._text(said, *_TEXTS[said.topic])
        elif said.topic == "characteristic":
            self._characteristic(said)
        else:
            self._departure(said)

    def _preferences(self, said: Said) -> None:
        strength = Strength(said.topic.removeprefix("preference-"))
        self._add("preferences", said, tuple(Preference(code, strength) for code in said.values))

    def _list(self, said: Said, name: str) -> None:
        self._add(name, said, said.values)

    def _add(self, name: str, said: Said, more: tuple[Any, ...]) -> None:
        """Nothing in the list means: there are none (any more)."""
        self.said[name] = tuple(dict.fromkeys((*self.said.get(name, ()), *more)))
        self.where.setdefault(name, said.at)

    def _flag(self, said: Said, name: str, part: str) -> None:
        value = _YES_NO.get(said.values[0].upper()) if said.values else None
        if said.values and value is None:
            self.faults.append(Fault(said.at, "answer-unreadable", "The answer is Y or N."))
            return
        self._set(name, part, value if value is not None or name in _MAY_BE_UNSAID else False)

    def _text(self, said: Said, name: str, part: str) -> None:
        self._set(name, part, said.values[0] if said.values else _EMPTY.get(name, ""))
        self.where.setdefault(f"{name}.{part}" if part else name, said.at)

    def _set(self, name: str, part: str, value: Any) -> None:
        if part:
            self.said[name] = {**self.said.get(name, {}), part: value}
        else:
            self.said[name] = value

    def _characteristic(self, said: Said) -> None:
        """The values are a topic of the taxonomy's roots and an attribute below it, "declined" or "unknown"."""
        topic, answer = (*said.values, "", "")[:2]
        said_by, how = said.said_by or "record", said.how or "chart"
        is_readable = topic and answer and said_by in _SAID_BY and how in _HOW
        is_below = answer == topic or answer.startswith(f"{topic}.") or answer in _UNSAID
        if not (is_readable and is_below):
            message = "A characteristic is a topic and an attribute below it, declined or unknown."
            self.faults.append(Fault(said.at, "characteristic-unreadable", message))
            return
        answered = _UNSAID.get(answer, Answered.STATED)
        code = answer if answered is Answered.STATED else ""
        self._add("characteristics", said, (Characteristic(topic, answered, code, said_by, how),))

    def _departure(self, said: Said) -> None:
        found = times.read(said.values[0], self.zone) if said.values else None
        if said.values and (found is None or found.precision < times.MINUTE):
            self.faults.append(Fault(said.at, "time-unreadable", "A departure is told to the minute."))
            return
        self.said["expected_departure_at"] = found.first if found else None
        self.where["expected_departure_at"] = said.at


_LISTS = {
    "lived-experience": "experience_codes",
    "excluded-specialist": "excluded_specialist_ids",
    "modality": "modalities",
}
_FLAGS = {
    "interpreter-needed": ("interpreter_needed", ""),
    "interpreter-agreed": ("interpreter_agreed", ""),
    "naloxone-given": ("is_naloxone_given", ""),
    "may-leave-message": ("safe_contact", "may_leave_message"),
    "do-not-contact": ("safe_contact", "do_not_contact"),
}
_MAY_BE_UNSAID = frozenset({"is_naloxone_given", "safe_contact"})
_TEXTS = {
    "who-else-answers": ("safe_contact", "who_else_answers"),
    "facility-zip": ("facility_zip", ""),
    "payer": ("payer_code", ""),
    "contact-language": ("source_contact", "language"),
    "contact-time-zone": ("source_contact", "time_zone"),
}
_EMPTY = {"payer_code": "unknown"}
