"""Every named report: its parameters, its rule, and the words for both in English and Spanish (wording/)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from chassis.errors import Fault, Kind, Refusal
from services.audit.domain import rules
from services.audit.domain.sights import Finding, Sight

READERS = ("en", "es")
_FOLDER = Path(__file__).with_name("wording")
WORDS: dict[str, dict[str, str]] = {
    reader: json.loads((_FOLDER / f"{reader}.json").read_text(encoding="utf-8")) for reader in READERS
}
# Office work keeps office hours; nurses, clinicians and specialists work around the clock.
_OFFICE_ROLES = frozenset({"coordinator", "supervisor", "compliance", "engineer"})


@dataclass(frozen=True, slots=True)
class Parameter:
    """One thing a report is told. `kind`: person, actor, number, hour, zone, words."""

    name: str
    kind: str = "words"
    usual: str = ""
    is_needed: bool = False


@dataclass(frozen=True)
class Told:
    """What a run was told, read: a range of time, parameters, and what the register says."""

    since: datetime
    until: datetime
    values: Mapping[str, str]
    ties: Mapping[tuple[str, str], str]
    ended: Mapping[str, datetime]

    def number(self, name: str) -> float:
        """A parameter that is a number; raises Refusal INVALID."""
        try:
            value = float(self.values[name])
            if 0 < value <= 100_000:
                return value
        except ValueError:
            pass
        raise refused(name, "A number above 0 is needed.")


Rule = Callable[[Sequence[Sight], Told], list[Finding]]


@dataclass(frozen=True)
class Report:
    """One named report. `looks_back` is how much before its range the rule must know to judge it."""

    name: str
    rule: Rule
    parameters: tuple[Parameter, ...] = ()
    looks_back: timedelta = timedelta()
    group: str = "detections"
    # Of whose entries alone the rule needs to know: "person", "actor" or "" (everybody's).
    narrowed_by: str = ""
    document: str = ""

    def title(self, reader: str) -> str:
        """Its name on a page."""
        return WORDS[reader][f"{self.name}.title"]

    def explanation(self, reader: str) -> str:
        """Its rule in words a lawyer reads."""
        return WORDS[reader][f"{self.name}.rule"]

    @property
    def usual_range(self) -> str:
        """Of what it speaks where nobody said from when: a person asks who ever saw them, an officer of late."""
        if self.document:
            return "3-years" if self.document in ("2.24", "2.25") else "6-years"
        return "everything" if self.narrowed_by == "person" else "30-days"


def _plain(rule: Callable[[Sequence[Sight]], list[Finding]]) -> Rule:
    return lambda sights, told: rule(sights)


def _after_hours(sights: Sequence[Sight], told: Told) -> list[Finding]:
    return rules.after_hours(
        sights,
        opens=_hour(told, "opens"),
        closes=_hour(told, "closes"),
        zone=_zone(told, "zone"),
        roles=frozenset(told.values["roles"].split()) or _OFFICE_ROLES,
    )


def _volume(sights: Sequence[Sight], told: Told) -> list[Finding]:
    times, at_least = told.number("times"), int(told.number("at_least"))
    return rules.volume(sights, since=told.since, times=times, at_least=at_least)


def _searches(sights: Sequence[Sight], told: Told) -> list[Finding]:
    within, at_least = timedelta(minutes=told.number("minutes")), int(told.number("at_least"))
    return rules.search_without_opening(sights, within=within, at_least=at_least)


def _denied(sights: Sequence[Sight], told: Told) -> list[Finding]:
    return rules.denied_then_succeeded(sights, within=timedelta(minutes=told.number("minutes")))


def _shared(sights: Sequence[Sight], told: Told) -> list[Finding]:
    return rules.shared_account(sights, within=timedelta(minutes=told.number("minutes")))


def _related(*kinds: str) -> Rule:
    def rule(sights: Sequence[Sight], told: Told) -> list[Finding]:
        return rules.related(sights, {tie: kind for tie, kind in told.ties.items() if kind in kinds})

    return rule


_PERSON = Parameter("person", "person", is_needed=True)
_USER = Parameter("user", "actor", is_needed=True)
_MINUTES = Parameter("minutes", "number", "60")
_A_DAY, _MONTHS = timedelta(days=1), timedelta(days=90)
_YEARS = timedelta(days=6 * 366)
_USUAL = {"30-days": timedelta(days=30), "3-years": timedelta(days=3 * 366), "6-years": _YEARS}
_DAY = re.compile(r"[0-9]{4}-?[0-9]{2}-?[0-9]{2}")

REPORTS: dict[str, Report] = {
    report.name: report
    for report in (
        Report("who-saw-person", _plain(rules.everything), (_PERSON,), group="people", narrowed_by="person"),
        Report("what-user-saw", _plain(rules.everything), (_USER,), group="people", narrowed_by="actor"),
        Report(
            "accounting-of-disclosures",
            _plain(rules.disclosures),
            (_PERSON,),
            group="documents",
            narrowed_by="person",
            document="164.528",
        ),
        Report(
            "part2-recipients",
            _plain(rules.disclosures),
            (_PERSON,),
            group="documents",
            narrowed_by="person",
            document="2.24",
        ),
        Report(
            "part2-accounting",
            _plain(rules.disclosures),
            (_PERSON,),
            group="documents",
            narrowed_by="person",
            document="2.25",
        ),
        Report("no-relationship", _plain(rules.no_relationship), looks_back=_YEARS),
        Report("break-glass", _plain(rules.break_glass)),
        Report("emergency", _plain(rules.emergency)),
        Report("same-surname", _related("same-surname")),
        Report("guarantor-or-kin", _related("guarantor", "next-of-kin")),
        Report("same-address", _related("same-address")),
        Report("co-worker", _related("co-worker")),
        Report("own-record", _related("own-record")),
        Report("vip", _related("vip")),
        Report("deceased", _related("deceased")),
        Report(
            "after-hours",
            _after_hours,
            (
                Parameter("opens", "hour", "07:00"),
                Parameter("closes", "hour", "19:00"),
                Parameter("zone", "zone", "America/New_York"),
                Parameter("roles", "words", ""),
            ),
        ),
        Report(
            "volume",
            _volume,
            (Parameter("times", "number", "3"), Parameter("at_least", "number", "20")),
            looks_back=_MONTHS,
        ),
        Report(
            "search-without-opening",
            _searches,
            (Parameter("minutes", "number", "15"), Parameter("at_least", "number", "5")),
            _A_DAY,
        ),
        Report("denied-then-succeeded", _denied, (_MINUTES,), looks_back=_A_DAY),
        Report("shared-account", _shared, (Parameter("minutes", "number", "10"),), looks_back=_A_DAY),
        Report("terminated-account", lambda sights, told: rules.terminated(sights, told.ended)),
        Report("exports", _plain(rules.exports)),
        Report("purpose-mismatch", _plain(rules.purpose_mismatch)),
        Report("log-readers", _plain(rules.log_readers), group="people"),
    )
}


def report_named(name: str) -> Report:
    """The report; raises Refusal NOT_FOUND."""
    report = REPORTS.get(name)
    if report is None:
        raise Refusal("no-such-report", Kind.NOT_FOUND, "There is no report of this name.")
    return report


def described(reader: str = "en") -> list[dict[str, Any]]:
    """Every report with title, rule and parameters, as a client lists them."""
    return [
        {
            "name": report.name,
            "group": report.group,
            "title": report.title(reader),
            "rule": report.explanation(reader),
            "usual_range": report.usual_range,
            "parameters": [
                {"name": each.name, "kind": each.kind, "usual": each.usual, "needed": each.is_needed}
                for each in report.parameters
            ],
        }
        for report in REPORTS.values()
    ]


def told(
    report: Report,
    given: Mapping[str, str],
    now: datetime,
    ties: Mapping[tuple[str, str], str],
    ended: Mapping[str, datetime],
    *,
    begins: datetime | None = None,
) -> Told:
    """What a report is told; raises Refusal INVALID naming the parameter at fault.

    `begins` is when the oldest entry was recorded, where there is one. A day that a range ends with is in it.
    """
    known = {each.name: each for each in report.parameters}
    for name in given:
        if name not in known and name not in ("from", "until"):
            raise refused(name, "This report has no such parameter.")
    values = {name: given.get(name, "").strip() or each.usual for name, each in known.items()}
    for name, each in known.items():
        if each.is_needed and not values[name]:
            raise refused(name, f"This report needs the parameter {name}.")
    until = _moment(given, "until", now, _A_DAY)
    since = _moment(given, "from", _usually_since(report, until, begins))
    if since >= until:
        raise refused("from", "The range ends before it begins.")
    return Told(since, until, values, ties, ended)


def _usually_since(report: Report, until: datetime, begins: datetime | None) -> datetime:
    if report.usual_range == "everything" and begins is not None:
        since = begins.replace(hour=0, minute=0, second=0, microsecond=0)
        return min(since, until - timedelta(microseconds=1))
    return until - _USUAL.get(report.usual_range, _USUAL["30-days"])


def _moment(given: Mapping[str, str], name: str, usual: datetime, day: timedelta = timedelta()) -> datetime:
    text = given.get(name, "").strip()
    if not text:
        return usual
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
        return moment + day if _DAY.fullmatch(text) else moment
    except (ValueError, OverflowError):
        raise refused(name, "Write 2026-11-21 or 2026-11-21T22:00.") from None


def _hour(told: Told, name: str) -> time:
    try:
        return time.fromisoformat(told.values[name])
    except ValueError:
        raise refused(name, "Write an hour as 07:00.") from None


def _zone(told: Told, name: str) -> ZoneInfo:
    try:
        return ZoneInfo(told.values[name])
    except (KeyError, ValueError, OSError):
        raise refused(name, "There is no such time zone.") from None


def refused(name: str, message: str) -> Refusal:
    """A parameter at fault, by its name and never its value."""
    shown = name if name.replace("_", "").isalnum() and len(name) <= 32 else ""
    faults = [Fault(shown, "report-parameter", message)]
    return Refusal("report-parameter", Kind.INVALID, message, faults=faults)
