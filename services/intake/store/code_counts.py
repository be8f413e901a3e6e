"""How often a code came that the taxonomy does not map; counts without anybody they belong to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from pymongo import DESCENDING, UpdateOne, WriteConcern
from pymongo.database import Database
from pymongo.errors import PyMongoError

from services.intake.domain.listing import Unmapped
from services.intake.domain.submission import Code

# Fewer than this might point at somebody.
FEWEST_TOLD = 5
_OTHER = "other"
# A name or a number of a person that a broken sender puts where a code belongs MUST NOT be kept in clear: a code is
# counted only where its system is known and it looks like one of that system.
_SHAPES = {
    "http://hl7.org/fhir/sid/icd-10-cm": re.compile(r"[A-Z][0-9][0-9A-Z](\.?[0-9A-Z]{1,4})?"),
    "urn:oid:2.16.840.1.113883.6.90": re.compile(r"[A-Z][0-9][0-9A-Z](\.?[0-9A-Z]{1,4})?"),
    "http://snomed.info/sct": re.compile(r"[1-9][0-9]{5,17}"),
    "urn:oid:2.16.840.1.113883.6.96": re.compile(r"[1-9][0-9]{5,17}"),
    "http://hl7.org/fhir/sid/icd-9-cm": re.compile(r"([0-9]{3}|V[0-9]{2}|E[0-9]{3})(\.?[0-9]{1,2})?"),
    "http://loinc.org": re.compile(r"[0-9]{1,7}-[0-9]"),
    "http://www.ama-assn.org/go/cpt": re.compile(r"[0-9]{4}[0-9A-Z]"),
}


class CodeCounts:
    """The collection `code_counts`: {_id: system and code, system, code, n}.

    A count is a hint for whoever mends the taxonomy, so it is written without waiting and its loss hurts nobody.
    """

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._counts = database["code_counts"]
        self._unawaited = self._counts.with_options(write_concern=WriteConcern(w=0))

    def ensure_indexes(self) -> None:
        """The most frequent are found first."""
        self._counts.create_index([("n", DESCENDING)], name="most_frequent")

    def note(self, codes: Sequence[Code]) -> None:
        """One more referral has these; never waits and never fails."""
        counted = {(code.system, code.code) if _is_code(code) else (_OTHER, "") for code in codes}
        if not counted:
            return
        writes = [
            UpdateOne(
                {"_id": f"{system}|{code}"},
                {"$inc": {"n": 1}, "$setOnInsert": {"system": system, "code": code}},
                upsert=True,
            )
            for system, code in counted
        ]
        with suppress(PyMongoError):
            self._unawaited.bulk_write(writes, ordered=False)

    def most(self, limit: int) -> Unmapped:
        """The most frequent; rare ones only as how many there are."""
        frequent = {"n": {"$gte": FEWEST_TOLD}, "code": {"$ne": ""}}
        found = self._counts.find(frequent).sort([("n", DESCENDING), ("_id", 1)]).limit(limit)
        other = self._counts.find_one({"_id": f"{_OTHER}|"}) or {"n": 0}
        return Unmapped(
            codes=[(one["system"], one["code"], int(one["n"])) for one in found],
            rare_codes=self._counts.count_documents({"n": {"$lt": FEWEST_TOLD}, "code": {"$ne": ""}}),
            of_other_systems=int(other["n"]),
        )


def _is_code(code: Code) -> bool:
    shape = _SHAPES.get(code.system)
    return shape is not None and bool(shape.fullmatch(code.code))
