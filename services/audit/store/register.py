"""What the log cannot know by itself: who is related to whom, whose work has ended, which accountings are suspended.

It is fed by the organization's own lists (personnel, kinship, VIPs).  A person stands in it as the mark of their keys,
so that erasing them erases what ties others to them; names and addresses never come here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pymongo import UpdateOne
from pymongo.collection import Collection
from pymongo.database import Database

from chassis.errors import Fault, Kind, Refusal
from services.audit.sealing.keyring import Keyring

TIES = ("same-surname", "guarantor", "next-of-kin", "same-address", "co-worker", "own-record")
MARKS = ("vip", "deceased")
KINDS = (*TIES, *MARKS, "terminated", "suspension")
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Line:
    """One line: a tie (actor, person), a mark (person), an end (actor, at) or a suspension (recipient, person, until)."""

    kind: str
    actor: str = ""
    person: str = ""
    at: datetime | None = None


class Register:
    """The collection `register`, one document for each line; feeding a line again changes nothing."""

    def __init__(self, database: Database[dict[str, Any]], keyring: Keyring) -> None:
        self._lines: Collection[dict[str, Any]] = database["register"]
        self._keyring = keyring

    def feed(self, lines: Sequence[Line]) -> int:
        """The lines are in the register; returns how many were new."""
        writes = []
        for line in lines:
            person = self._keyring.mark_of(line.person).hex() if line.person else ""
            line_id = f"{line.kind}\n{line.actor}\n{person}"
            body = {"kind": line.kind, "actor": line.actor, "person": person, "at": line.at}
            writes.append(UpdateOne({"_id": line_id}, {"$set": body}, upsert=True))
        return self._lines.bulk_write(writes).upserted_count if writes else 0

    def remove(self, line: Line) -> None:
        """The line is not in the register."""
        person = self._keyring.mark_of(line.person).hex() if line.person else ""
        self._lines.delete_one({"_id": f"{line.kind}\n{line.actor}\n{person}"})

    def ties(self) -> dict[tuple[str, str], str]:
        """(actor, person's mark) to kind; the person's own marks have actor ""."""
        found = self._lines.find({"kind": {"$in": [*TIES, *MARKS]}})
        return {(line["actor"], line["person"]): line["kind"] for line in found}

    def ended(self) -> dict[str, datetime]:
        """Account to the moment its work ended."""
        return {line["actor"]: line["at"] for line in self._lines.find({"kind": "terminated"})}

    def suspended(self, person_ids: Sequence[str], now: datetime) -> set[str]:
        """Recipients whose disclosures about the person are held back from an accounting (45 CFR 164.528(a)(2))."""
        marks = {"$in": ["", *(self._keyring.mark_of(one).hex() for one in person_ids)]}
        found = self._lines.find({"kind": "suspension", "person": marks, "at": {"$gt": now}})
        return {line["actor"] for line in found}

    def counts(self) -> dict[str, int]:
        """How many lines there are of each kind."""
        found = self._lines.aggregate([{"$group": {"_id": "$kind", "count": {"$sum": 1}}}])
        return {each["_id"]: each["count"] for each in found}


def lines_from(given: Iterable[Mapping[str, Any]]) -> list[Line]:
    """Lines as a client sends them; raises Refusal INVALID naming the line and field at fault."""
    lines: list[Line] = []
    for place, one in enumerate(given):
        if place >= _MOST:
            raise _refused("entries", f"At most {_MOST} lines at once.")
        kind, actor, person = (str(one.get(name) or "") for name in ("kind", "actor", "person"))
        if kind not in KINDS:
            raise _refused(f"entries[{place}].kind", f"One of: {', '.join(KINDS)}.")
        if kind not in MARKS and not actor:
            raise _refused(f"entries[{place}].actor", "This kind names an actor.")
        if kind not in ("terminated", "suspension") and not person:
            raise _refused(f"entries[{place}].person", "This kind names a person.")
        at = _moment(one.get("at"), place) if kind in ("terminated", "suspension") else None
        lines.append(Line(kind, actor if kind not in MARKS else "", person, at))
    return lines


def _moment(value: Any, place: int) -> datetime:
    try:
        moment = datetime.fromisoformat(str(value))
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except ValueError:
        raise _refused(f"entries[{place}].at", "Write a day or moment, as 2026-11-21.") from None


def _refused(path: str, message: str) -> Refusal:
    return Refusal("register-line", Kind.INVALID, message, faults=[Fault(path, "register-line", message)])
