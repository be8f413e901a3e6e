"""Takes a roster in: rows in batches, good ones stored, bad ones reported, the same row twice changes nothing."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.protobuf.message import Message

from chassis.access import provenance
from chassis.aggregates import Loaded
from chassis.envelope import Cause
from chassis.identity import Caller
from kindred.matching.v1.events_pb2 import SpecialistEnrolled
from services.matching import roster_rows
from services.matching.roster_file import Progress, RawRow, Read, RowFault
from services.matching.roster_rows import Enlisted
from services.matching.store import documents
from services.matching.store.roster import Enrollment

if TYPE_CHECKING:
    from services.matching.bootstrap import Room

BATCH = 250
_TRIES = 3


@dataclass(frozen=True)
class _Row:
    line: int
    enlisted: Enlisted
    enrollment: Enrollment


class RosterImport:
    """One import by one caller; its memory does not grow with the file but for one number per id."""

    def __init__(self, room: Room, caller: Caller, cause: Cause) -> None:
        self._room = room
        self._caller = caller
        self._cause = cause
        self._seen: set[int] = set()
        self._waiting: list[_Row] = []
        self._faults: list[RowFault] = []
        self._read = self._stored = self._unchanged = 0

    def take(self, rows: Iterable[Read]) -> Iterator[Progress]:
        """Tells after every batch; what is not a full batch yet waits."""
        for row in rows:
            self._read += 1
            if isinstance(row, RowFault):
                self._faults.append(row)
            else:
                self._enlist(row)
            if len(self._waiting) + len(self._faults) >= BATCH:
                yield self.flush()

    def flush(self) -> Progress:
        """Everything taken so far is stored."""
        rows, self._waiting = self._waiting, []
        self._store(rows)
        faults, self._faults = self._faults, []
        return Progress(self._read, self._stored, self._unchanged, tuple(faults))

    def _enlist(self, raw: RawRow) -> None:
        result = roster_rows.read(raw)
        if not isinstance(result, Enlisted):
            self._faults.extend(result)
            return
        specialist = result.specialist
        if not self._may_write(specialist.programme_id):
            message = "You may import rows of your own programme."
            self._faults.append(RowFault(raw.line, "programme_id", "not-your-programme", message))
        elif hash(specialist.specialist_id) in self._seen:
            message = "This id is in the file twice; the first row was taken."
            self._faults.append(RowFault(raw.line, "specialist_id", "id-twice", message))
        else:
            self._seen.add(hash(specialist.specialist_id))
            self._waiting.append(_Row(raw.line, result, self._enrollment(result)))

    def _may_write(self, programme_id: str) -> bool:
        return self._caller.role in ("engineer", "system") or self._caller.organization_id == programme_id

    def _enrollment(self, row: Enlisted) -> Enrollment:
        body = documents.from_specialist(
            row.specialist, row.zip_code, row.released, row.private, row.withheld
        )
        told = {**body, "capacity": row.capacity, "email": row.email, "notice": row.notice_language}
        if not row.withheld:
            # Rows stored before there was such a list stay unchanged, except those that now withhold something.
            del told["withheld"]
        # Keyed, because an e-mail address can be guessed and its plain digest then recognized.
        canonical = json.dumps(told, sort_keys=True).encode()
        digest = hmac.new(self._room.digest_key, canonical, hashlib.sha256).digest()
        return Enrollment(row.specialist, body, row.capacity, digest)

    def _store(self, rows: Sequence[_Row]) -> None:
        for _ in range(_TRIES):
            if not rows:
                return
            known = self._room.roster.load_many([row.enrollment.specialist.specialist_id for row in rows])
            rows = [row for row in rows if not self._is_refused_or_same(row, known)]
            self._room.roster.set_capacities([row.enrollment for row in rows])
            late = self._write(rows, known)
            self._stored += len(rows) - len(late)
            rows = late
        message = "Somebody else changed this specialist at the same time; send the row again."
        self._faults.extend(RowFault(row.line, "", "changed-meanwhile", message) for row in rows)

    def _is_refused_or_same(self, row: _Row, known: dict[str, Loaded]) -> bool:
        loaded = known.get(row.enrollment.specialist.specialist_id)
        if loaded is None:
            return False
        if not self._may_write(loaded.body["programme_id"]):
            message = "This id belongs to another programme."
            self._faults.append(RowFault(row.line, "specialist_id", "not-your-programme", message))
            return True
        is_same = hmac.compare_digest(bytes(loaded.body["row_digest"]), row.enrollment.row_digest)
        self._unchanged += is_same
        return is_same

    def _write(self, rows: Sequence[_Row], known: dict[str, Loaded]) -> list[_Row]:
        """The rows are stored with what they say; returns those that another import was quicker with."""
        news, changes = [], []
        for row in rows:
            loaded = known.get(row.enrollment.specialist.specialist_id)
            if loaded is None:
                news.append((row.enrollment, self._says(row, 1)))
            else:
                changes.append((loaded, row.enrollment, self._says(row, loaded.body["revision"] + 1)))
        late = self._room.roster.insert(news, self._cause) | self._room.roster.replace(changes, self._cause)
        return [row for row in rows if row.enrollment.specialist.specialist_id in late]

    def _says(self, row: _Row, revision: int) -> Message:
        specialist = row.enlisted.specialist
        contact = {
            "email": row.enlisted.email,
            "language": row.enlisted.notice_language,
            "time_zone": specialist.shifts.time_zone,
        }
        context = f"specialist-contact:{specialist.specialist_id}"
        return SpecialistEnrolled(
            provenance=provenance(self._caller),
            specialist_id=specialist.specialist_id,
            programme_id=specialist.programme_id,
            role=specialist.role,
            revision=revision,
            sealed_contact=self._room.seal.seal(json.dumps(contact).encode(), context),
        )
