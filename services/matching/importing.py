"""Takes a roster in: rows in batches, good ones stored, bad ones reported, the same row twice changes nothing."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.protobuf.message import Message

from chassis.access import provenance
from chassis.aggregates import Loaded
from chassis.envelope import Cause
from chassis.identity import Caller
from kindred.bus.v1.bus_pb2 import SealedField
from kindred.matching.v1.events_pb2 import SpecialistEnrolled
from services.matching import roster_rows
from services.matching.domain import expiry
from services.matching.roster_file import Progress, RawRow, Read, RowFault
from services.matching.roster_rows import Enlisted
from services.matching.store import profiles
from services.matching.store.roster import Enrollment

if TYPE_CHECKING:
    from services.matching.bootstrap import Room

BATCH = 250
_TRIES = 3


@dataclass(frozen=True)
class _Row:
    line: int
    enlisted: Enlisted


@dataclass(frozen=True)
class _Ready:
    row: _Row
    enrollment: Enrollment
    sealed_contact: SealedField


class RosterImport:
    """One import by one caller; its memory does not grow with the file but for one number per id."""

    def __init__(
        self, room: Room, caller: Caller, cause: Cause, expected: Mapping[str, int] | None = None
    ) -> None:
        """`expected`: the revisions these entries must still have; another one is told as changed meanwhile."""
        self._expected = expected or {}
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
        if not self._may_write(specialist.programme_id, specialist.specialist_id):
            message = "You may import rows of your own programme."
            self._faults.append(RowFault(raw.line, "programme_id", "not-your-programme", message))
        elif hash(specialist.specialist_id) in self._seen:
            message = "This id is in the file twice; the first row was taken."
            self._faults.append(RowFault(raw.line, "specialist_id", "id-twice", message))
        else:
            self._seen.add(hash(specialist.specialist_id))
            self._waiting.append(_Row(raw.line, result))

    def _may_write(self, programme_id: str, specialist_id: str) -> bool:
        caller = self._caller
        if caller.role == "specialist" and caller.actor_id != specialist_id:
            return False
        return caller.role in ("engineer", "system") or caller.organization_id == programme_id

    def _enrollment(self, row: Enlisted, before: Mapping[str, Any]) -> Enrollment:
        private, withheld = row.private, row.withheld
        if row.keeps_private:
            private = sorted({*private, *before.get("private", ())} - {*row.released})
            withheld = sorted({*withheld, *before.get("withheld", ())})
        body = profiles.from_specialist(row.specialist, row.zip_code, row.released, private, withheld)
        told = {**body, "capacity": row.capacity, "email": row.email, "notice": row.notice_language}
        contact = (
            {"phone": row.phone} if row.phone else {}
        )  # rows from before there was such a column stay unchanged
        if not withheld:
            # Rows stored before there was such a list stay unchanged, except those that now withhold something.
            del told["withheld"]
        digest = self._digest(told | contact)
        # Without the contact, for rows that leave it as it is.
        body["told_digest"] = self._digest({**told, "email": "", "notice": ""})
        said = before.get("warned", {})
        due_at = expiry.next_at(row.specialist, said, self._room.policy.warn_days)
        return Enrollment(row.specialist, body, row.capacity, digest, due_at)

    def _digest(self, told: Mapping[str, Any]) -> bytes:
        # Keyed, because an e-mail address can be guessed and its plain digest then recognized.
        canonical = json.dumps(told, sort_keys=True).encode()
        return hmac.new(self._room.digest_key, canonical, hashlib.sha256).digest()

    def _store(self, rows: Sequence[_Row]) -> None:
        for _ in range(_TRIES):
            if not rows:
                return
            ids = [row.enlisted.specialist.specialist_id for row in rows]
            known = self._room.roster.load_many(ids)
            rows = [row for row in rows if not self._is_refused(row, known)]
            ready = [self._ready(row, known) for row in rows]
            ready = [one for one in ready if not self._is_same(one, known)]
            self._room.roster.set_capacities([one.enrollment for one in ready])
            late = self._write(ready, known)
            self._stored += len(ready) - len(late)
            rows = late
        message = "Somebody else changed this specialist at the same time; send the row again."
        self._faults.extend(RowFault(row.line, "", "changed-meanwhile", message) for row in rows)

    def _is_refused(self, row: _Row, known: dict[str, Loaded]) -> bool:
        specialist = row.enlisted.specialist
        loaded = known.get(specialist.specialist_id)
        fault = None
        if loaded is None:
            if not row.enlisted.email:
                fault = "email", "missing", "Nobody knows yet how to reach them."
        elif not self._may_write(loaded.body["programme_id"], specialist.specialist_id):
            fault = "specialist_id", "not-your-programme", "This id belongs to another programme."
        elif self._expected.get(specialist.specialist_id, loaded.body["revision"]) != loaded.body["revision"]:
            fault = "", "changed-meanwhile", "Somebody changed this entry; read it again."
        elif not row.enlisted.email and "contact" not in loaded.body:
            fault = (
                "email",
                "missing",
                "This entry is older than what `kept` needs; send the address once more.",
            )
        elif not row.enlisted.email and loaded.body["time_zone"] != specialist.shifts.time_zone:
            fault = "email", "missing", "Who moves to another time zone sends the address once more."
        if fault is not None:
            self._faults.append(RowFault(row.line, *fault))
        return fault is not None

    def _ready(self, row: _Row, known: dict[str, Loaded]) -> _Ready:
        loaded = known.get(row.enlisted.specialist.specialist_id)
        before = loaded.body if loaded else {}
        sealed = self._contact(row, before)
        enrollment = self._enrollment(row.enlisted, before)
        kept = before.get("contact", {}).get("has_phone", False)
        has_phone = bool(row.enlisted.phone) if row.enlisted.email else kept
        enrollment.body["contact"] = {"key_id": sealed.key_id, "ciphertext": sealed.ciphertext} | (
            {"has_phone": True} if has_phone else {}
        )
        return _Ready(row, enrollment, sealed)

    def _is_same(self, one: _Ready, known: dict[str, Loaded]) -> bool:
        loaded = known.get(one.enrollment.specialist.specialist_id)
        if loaded is None:
            return False
        if one.row.enlisted.email:
            is_same = hmac.compare_digest(bytes(loaded.body["row_digest"]), one.enrollment.row_digest)
        else:
            told = bytes(loaded.body.get("told_digest", b""))
            is_same = hmac.compare_digest(told, one.enrollment.body["told_digest"])
        self._unchanged += is_same
        return is_same

    def _write(self, rows: Sequence[_Ready], known: dict[str, Loaded]) -> list[_Row]:
        """The rows are stored with what they say; returns those that another import was quicker with."""
        news, changes = [], []
        for one in rows:
            loaded = known.get(one.enrollment.specialist.specialist_id)
            if loaded is None:
                news.append((one.enrollment, self._says(one, 1)))
            else:
                changes.append((loaded, one.enrollment, self._says(one, loaded.body["revision"] + 1)))
        late = self._room.roster.insert(news, self._cause) | self._room.roster.replace(changes, self._cause)
        return [one.row for one in rows if one.enrollment.specialist.specialist_id in late]

    def _says(self, one: _Ready, revision: int) -> Message:
        specialist = one.enrollment.specialist
        return SpecialistEnrolled(
            provenance=provenance(self._caller),
            specialist_id=specialist.specialist_id,
            programme_id=specialist.programme_id,
            role=specialist.role,
            revision=revision,
            sealed_contact=one.sealed_contact,
        )

    def _contact(self, row: _Row, before: Mapping[str, Any]) -> SealedField:
        """How they are reached, sealed to notifications; the old seal where the row leaves it as it is."""
        if not row.enlisted.email:
            return SealedField(key_id=before["contact"]["key_id"], ciphertext=before["contact"]["ciphertext"])
        specialist = row.enlisted.specialist
        contact = {
            "email": row.enlisted.email,
            "language": row.enlisted.notice_language,
            "time_zone": specialist.shifts.time_zone,
        } | ({"phone": row.enlisted.phone} if row.enlisted.phone else {})
        context = f"specialist-contact:{specialist.specialist_id}"
        return self._room.seal.seal(json.dumps(contact).encode(), context)
