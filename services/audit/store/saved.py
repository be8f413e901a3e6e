"""Saved searches and reports: an officer's own names for questions they ask again; what they ask is sealed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pymongo import ASCENDING
from pymongo.database import Database

from chassis.at_rest import AtRest
from chassis.errors import Kind, Refusal
from chassis.ids import new_id

_MOST = 200
_LONGEST = 120
KINDS = ("search", "report")


@dataclass(frozen=True, slots=True)
class Saved:
    """One question: a search's parameters, or a report's name and parameters."""

    saved_id: str
    name: str
    kind: str
    report: str
    parameters: tuple[tuple[str, str], ...]


class SavedSearches:
    """The collection `saved_searches`; nobody sees another's."""

    def __init__(self, database: Database[dict[str, Any]], at_rest: AtRest) -> None:
        self._saved = database["saved_searches"]
        self._at_rest = at_rest

    def ensure_indexes(self) -> None:
        """An officer's list has an index that gives its order."""
        self._saved.create_index([("owner", ASCENDING), ("name", ASCENDING)], name="owner")

    def keep(self, owner: str, name: str, kind: str, report: str, parameters: list[tuple[str, str]]) -> str:
        """The question is kept under its name, in place of an earlier one of that name; returns its id."""
        name = name.strip()
        if not name or len(name) > _LONGEST or kind not in KINDS:
            raise Refusal("saved-name", Kind.INVALID, f"A name of up to {_LONGEST} characters is needed.")
        if self._saved.count_documents({"owner": owner}) >= _MOST:
            raise Refusal("saved-too-many", Kind.INVALID, f"At most {_MOST} questions are kept.")
        self._saved.delete_many({"owner": owner, "name": name})
        saved_id = new_id("sav")
        content = json.dumps([report, parameters]).encode()
        sealed = self._at_rest.seal(content, saved_id)
        self._saved.insert_one({"_id": saved_id, "owner": owner, "name": name, "kind": kind, "asks": sealed})
        return saved_id

    def of(self, owner: str) -> list[Saved]:
        """An officer's questions by name."""
        return [self._opened(each) for each in self._saved.find({"owner": owner}).sort("name", ASCENDING)]

    def forget(self, owner: str, saved_id: str) -> None:
        """The question is gone."""
        self._saved.delete_one({"_id": saved_id, "owner": owner})

    def _opened(self, document: dict[str, Any]) -> Saved:
        report, parameters = json.loads(self._at_rest.open(document["asks"], document["_id"]))
        pairs = tuple((str(name), str(value)) for name, value in parameters)
        return Saved(document["_id"], document["name"], document["kind"], report, pairs)
