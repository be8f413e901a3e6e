"""Which HL7 messages were answered, and how: keyed hashes and codes only, so that a repeated one is told the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pymongo import ASCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from chassis.shared_finds import SharedFinds
from chassis.shared_inserts import SharedInserts
from services.intake.store.blind import BlindIndex

_KEPT_S = 30 * 24 * 3600
_MOST_CONTROL_IDS = 100
_MOST_KNOWN = 2  # one by its content, one by its control id: both are unique
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Marks:
    """A message as it is found again: by the sender's control id, and by what it says."""

    control: str
    content: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What was told: the referral's id and state then, the codes that were passed over; no PHI."""

    body: Document
    is_same_content: bool


class Messages:
    """The collection `hl7_messages`: {_id: mark of the content, controls: [marks], told, at}; forgotten after 30 days.

    Forgetting is safe: the commands themselves are idempotent by the content's mark.
    """

    def __init__(self, database: Database[Document], blind: BlindIndex) -> None:
        self._messages = database["hl7_messages"]
        self._inserts = SharedInserts(self._messages)
        self._known = SharedFinds(self._messages, known_any, is_known, most=_MOST_KNOWN, fields={"at": 0})
        self._blind = blind

    def ensure_indexes(self) -> None:
        """One answer per control id, and the end of each."""
        self._messages.create_index([("controls", ASCENDING)], name="one_answer_per_control_id", unique=True)
        self._messages.create_index([("at", ASCENDING)], name="forgotten", expireAfterSeconds=_KEPT_S)

    def marks(self, source_id: str, control: tuple[str, ...], content: str) -> Marks:
        """The marks of a message: `control` its ids within the sender, `content` what it says."""
        return Marks(
            control=self._blind.mark("hl7-control", source_id, *control),
            content=self._blind.mark("hl7-content", source_id, content),
        )

    def answered(self, marks: Marks) -> Answered | None:
        """What the message was told before; of two, what its control id was told."""
        found = self._known.find(marks)
        for one in found:
            if marks.control in one["controls"]:
                return Answered(one["told"], one["_id"] == marks.content)
        return Answered(found[0]["told"], is_same_content=True) if found else None

    def note(self, marks: Marks, told: Document) -> None:
        """The answer is in a majority's journal, before the sender hears it.

        Where another message took the same control id at the same moment, that one's answer stays.
        """
        now = datetime.now(UTC)  # not the room's clock: the server forgets by its own
        document = {"_id": marks.content, "controls": [marks.control], "told": told, "at": now}
        try:
            self._inserts.insert_one(document)
        except DuplicateKeyError:
            self.note_repeat(marks)

    def note_repeat(self, marks: Marks) -> None:
        """The same content came under another control id: that id is known from now on, too."""
        known = {"_id": marks.content, "controls": {"$ne": marks.control}}
        room_left = {f"controls.{_MOST_CONTROL_IDS}": {"$exists": False}}
        try:
            self._messages.update_one(known | room_left, {"$push": {"controls": marks.control}})
        except DuplicateKeyError:
            return


def known_any(wanted: Sequence[Marks]) -> Document:
    """The query for the messages with a mark in common with one of these."""
    contents, controls = ([getattr(one, name) for one in wanted] for name in ("content", "control"))
    return {"$or": [{"_id": {"$in": contents}}, {"controls": {"$in": controls}}]}


def is_known(marks: Marks, document: Document) -> bool:
    """True where the query for these marks alone finds the document."""
    return document["_id"] == marks.content or marks.control in document["controls"]
