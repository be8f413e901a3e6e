"""Running a report: the entries its rule needs, the rule, and the rows it points at, under a checkpoint."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from chassis.envelope import Cause
from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from services.audit.domain.sights import READS, Finding, Sight
from services.audit.reports import accounting, catalog
from services.audit.reports.catalog import Report, Told
from services.audit.search import finding
from services.audit.search.finding import Covered, Hit

if TYPE_CHECKING:
    from services.audit.reading_room import ReadingRoom as Room

Row = dict[str, str]
COLUMNS = (
    "number",
    "at",
    "actor",
    "role",
    "organization",
    "purpose",
    "what",
    "record",
    "person",
    "outcome",
    "why",
    "figures",
)
# How an access is called that is no mere read, by its FHIR action.
_DEEDS = {"E": "record.search", "C": "record.create", "U": "record.update", "D": "record.delete"}
# Ways of reading that FHIR has no word for: our entries name them where a denial names what was tried.
_OTHER_DEEDS = frozenset({"record.watch", "record.hand-over"})
MOST_SIGHTS = 500_000
MOST_ROWS = 5_000
MOST_IDS = 20
_AT_ONCE = 2_000
# An index is entered once for each key: few enough that the first row comes soon, whatever the size of the log.
_PEOPLE_AT_ONCE = 200


@dataclass(frozen=True)
class Result:
    """What a report found, of the `searched` entries its rule looked at; `excluded` is counted and not listed.

    `held_back` is for the officer alone: it MUST NOT be in anything a person is handed.
    """

    report: Report
    told: Told
    covered: Covered
    made_at: datetime
    made_by: str
    searched: int
    columns: tuple[str, ...] = COLUMNS
    rows: list[Row] = field(default_factory=list)
    # The entries behind the rows, for an export that proves them.
    numbers: tuple[int, ...] = ()
    excluded: int = 0
    held_back: int = 0
    is_cut: bool = False


def run(
    room: Room, name: str, given: Mapping[str, str], caller: Caller, cause: Cause, *, reader: str = "en"
) -> Result:
    """The report's rows; that it was run is itself an entry, durable before this returns."""
    report = catalog.report_named(name)
    now = room.clock.now()
    told = catalog.told(report, given, now, room.register.ties(), room.register.ended(), begins=_begins(room))
    note(room, report, told, caller, cause)
    covered = finding.covered(room)
    searched, findings = _judged(room, report, told, covered.size)
    result = Result(report, told, covered, now, caller.actor_id, searched)
    hits = _hits(room, findings[:MOST_ROWS])
    if report.document:
        suspended = room.register.suspended(people_of(told), now)
        return accounting.listed(result, list(hits), suspended, reader)
    rows = [_row(one, hit, reader) for one, hit in zip(findings, hits, strict=False)]
    numbers = tuple(int(row["number"]) for row in rows)
    return replace(result, rows=rows, numbers=numbers, is_cut=len(findings) > MOST_ROWS)


def _begins(room: Room) -> datetime | None:
    """When the oldest entry that the index holds was recorded."""
    oldest = room.finds.finds.find_one({}, {"t": 1}, sort=[("t", 1)])
    return oldest["t"] if oldest else None


def people_of(told: Told) -> list[str]:
    """Whom a report is about: somebody's ids, where two records were joined all of them, the one that counts first."""
    return [one.strip() for one in told.values.get("person", "").split(",") if one.strip()][:MOST_IDS]


def person_of(told: Told) -> str:
    """The person's id as it may stand on the bus; "" where the report is about nobody, or by another system's id."""
    return finding.own_person(next(iter(people_of(told)), ""))


def findings_between(room: Room, name: str, given: Mapping[str, str], now: datetime) -> list[Finding]:
    """What a detection finds, without opening anything; for the schedule."""
    report = catalog.report_named(name)
    told = catalog.told(report, given, now, room.register.ties(), room.register.ended())
    return _judged(room, report, told, finding.covered(room).size)[1]


def _judged(room: Room, report: Report, told: Told, size: int) -> tuple[int, list[Finding]]:
    """How many entries lie in the range, and those of them the rule points at."""
    sights = Sights(room, report, told, size).load()
    in_range = {sight.number for sight in sights if told.since <= sight.at < told.until}
    return len(in_range), [one for one in report.rule(sights, told) if one.number in in_range]


def note(room: Room, report: Report, told: Told, caller: Caller, cause: Cause) -> None:
    """That the report is read is an entry, with the names of its parameters."""
    room.access.record_read(
        caller,
        record_type="AuditReport",
        record_id=report.name,
        action="read",
        subject_id=person_of(told),
        criteria=["from", "until", *(name for name, value in told.values.items() if value)],
        cause=cause,
    )


class Sights:
    """The entries a rule needs: those of its range, and before it what the rule must know to judge them."""

    def __init__(self, room: Room, report: Report, told: Told, size: int) -> None:
        self._room, self._report, self._told, self._size = room, report, told, size

    def load(self) -> list[Sight]:
        """In the order of time; raises Refusal INVALID where the range holds too many."""
        told, report = self._told, self._report
        narrowed = self._narrowed()
        if narrowed is None:
            return []
        if report.looks_back <= timedelta(days=100):
            since = told.since - report.looks_back
            return self._read(self._room.finds.between(since, told.until, self._size, **narrowed))
        here = self._read(self._room.finds.between(told.since, told.until, self._size, **narrowed))
        return [*self._before(here), *here]

    def _narrowed(self) -> dict[str, Any] | None:
        values = self._told.values
        if self._report.narrowed_by == "actor":
            return {"a": values["user"]}
        if self._report.narrowed_by == "person":
            keys = [key for one in people_of(self._told) for key in self._room.finds.key_ids_of(one)]
            return {"s": {"$in": keys}} if keys else None
        return {}

    def _before(self, here: Sequence[Sight]) -> list[Sight]:
        """What was done, not read, about the same people earlier."""
        people = {bytes.fromhex(sight.person) for sight in here if sight.person and sight.is_read}
        keys = self._room.keyring.key_ids_of_marks(people)
        if not keys:
            return []
        since, until = self._told.since - self._report.looks_back, self._told.since
        done: dict[str, Any] = {"y": {"$nin": sorted(READS)}}
        rows = chain.from_iterable(
            self._room.finds.between(since, until, self._size, s={"$in": some}, **done)
            for some in _in_parts(keys, _PEOPLE_AT_ONCE)
        )
        return sorted(self._read(rows), key=lambda sight: (sight.at, sight.number))

    def _read(self, rows: Iterable[dict[str, Any]]) -> list[Sight]:
        read = list(islice(rows, MOST_SIGHTS + 1))
        if len(read) > MOST_SIGHTS:
            raise Refusal(
                "report-too-wide",
                Kind.INVALID,
                f"The range holds more than {MOST_SIGHTS} entries; take less.",
            )
        marks = self._room.keyring.marks_of({row["s"] for row in read if "s" in row})
        return [_sight(row, marks) for row in read]


def _in_parts(keys: Sequence[bytes], size: int) -> Iterator[Sequence[bytes]]:
    yield from (keys[start : start + size] for start in range(0, len(keys), size))


def _sight(row: dict[str, Any], marks: Mapping[bytes, bytes]) -> Sight:
    person = marks.get(row.get("s", b""), b"")
    return Sight(
        number=row["_id"],
        at=row["t"],
        actor=row.get("a", ""),
        role=row.get("r", ""),
        organization=row.get("g", ""),
        purpose=row.get("u", ""),
        event_type=row.get("y", ""),
        outcome=row.get("o", "0"),
        action=row.get("x", ""),
        record_type=row.get("n", ""),
        person=person.hex(),
        referral=row.get("q", b"").hex(),
        other=row.get("w", ""),
    )


def _hits(room: Room, findings: Sequence[Finding]) -> Iterator[Hit]:
    """The entries the findings point at, in their order."""
    for start in range(0, len(findings), _AT_ONCE):
        numbers = [one.number for one in findings[start : start + _AT_ONCE]]
        rows = {row["_id"]: row for row in room.finds.of_numbers(numbers)}
        opened = {hit.number: hit for hit in finding.opened(room, list(rows.values()))}
        yield from (opened[number] for number in numbers if number in opened)


def hits_of(room: Room, numbers: Sequence[int]) -> list[Hit]:
    """These entries, opened; of those the index knows."""
    return finding.opened(room, room.finds.of_numbers(numbers))


def _row(one: Finding, hit: Hit, reader: str) -> Row:
    return entry_row(hit, reader) | {
        "why": one.why,
        "figures": ", ".join(f"{name}: {value}" for name, value in one.figures),
    }


def entry_row(hit: Hit, reader: str) -> Row:
    """An entry as a line of a list."""
    body, words = hit.body, catalog.WORDS[reader]
    event_type = body.event_type if body else str(hit.facts.get("y", ""))
    reason = body.reason if body else ""
    deed = _DEEDS.get(body.action) if body and event_type == "record.read.v1" else None
    if event_type == "record.read.v1" and f"record.{reason.removeprefix('at ')}" in _OTHER_DEEDS:
        deed, reason = f"record.{reason.removeprefix('at ')}", ""
    kind = deed or event_type
    outcome = body.outcome if body else str(hit.facts.get("o", "0"))
    said = {"0": "success", "4": "refused"}.get(outcome, "denied")
    record = " ".join(part for part in (body.record_type, body.record_id) if part) if body else ""
    return {
        "number": str(hit.number),
        "at": hit.recorded_at.strftime("%Y-%m-%d %H:%M:%S"),
        "actor": body.actor_id if body else str(hit.facts.get("a", "")),
        "role": body.actor_role if body else "",
        "organization": body.organization_id if body else "",
        "purpose": body.purpose_of_use if body else "",
        "what": words.get(f"what.{kind}", kind),
        "record": record,
        "person": body.peer_id if body else "",
        "outcome": words[f"doc.{said}"] + (f" ({reason})" if reason else ""),
    }
