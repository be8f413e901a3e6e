"""The rules of the named reports: each takes entries in the order of time and says which to look at, and why; pure.

A rule finds what deserves a look.  It never says that somebody did wrong: a reviewer does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time, timedelta
from statistics import median
from zoneinfo import ZoneInfo

from services.audit.domain.sights import Finding, Sight

# Which purposes of use a role's work can have (DOMAIN 5); anything else is worth a question.
PURPOSES_OF = {
    "nurse": {"TREAT", "ETREAT", "COC", "BTG"},
    "clinician": {"TREAT", "ETREAT", "COC", "BTG"},
    "specialist": {"TREAT", "COC", "CAREMGT"},
    "supervisor": {"TREAT", "COC", "CAREMGT", "HOPERAT", "BTG"},
    "coordinator": {"TREAT", "COC", "CAREMGT", "HOPERAT", "BTG"},
    "compliance": {"HCOMPL", "PATRQT", "HLEGAL", "HOPERAT"},
    "engineer": {"HOPERAT"},
}
_LOG_RECORDS = frozenset({"AuditEvent", "AuditLeaf", "AuditLog", "AuditReport"})
_SEARCH, _READ = "E", "R"


def no_relationship(sights: Iterable[Sight]) -> list[Finding]:
    """Reads of a person's record by somebody nothing in the log connects with that person so far.

    A connection is made by an entry before the read: their organization submitted a referral of the person, the
    referral was offered to them or carried out by them, or they did something to it themselves.
    """
    people: dict[str, set[str]] = defaultdict(set)
    organizations: dict[str, set[str]] = defaultdict(set)
    found: list[Finding] = []
    for sight in sights:
        if not sight.person:
            continue
        if sight.is_read and sight.is_somebodys and not sight.is_denied and sight.role != "compliance":
            is_known = sight.actor in people[sight.person] or (
                sight.organization and sight.organization in organizations[sight.person]
            )
            if not is_known:
                found.append(Finding(sight.number, "no-relationship"))
        elif not sight.is_denied and not sight.is_read:
            people[sight.person] |= {name for name in (sight.actor, sight.other) if name}
            if sight.event_type in ("referral.submitted.v1", "consent.recorded.v1") and sight.organization:
                organizations[sight.person].add(sight.organization)
    return found


def break_glass(sights: Iterable[Sight]) -> list[Finding]:
    """Reads past a policy: purpose BTG, or glass that was said to be broken.

    What somebody looks at through glass they broke within the hour is part of that breaking, and one review; that our
    own services told others of it is none.
    """
    found: list[Finding] = []
    broken: dict[tuple[str, str], datetime] = {}
    for sight in sights:
        key = (sight.actor, sight.referral)
        is_part = sight.is_read and sight.referral and _is_within(sight.at, broken.get(key))
        if sight.event_type == "glass.broken.v1":
            broken[key] = sight.at
        elif sight.purpose != "BTG" or sight.is_our_own or is_part:
            continue
        found.append(Finding(sight.number, "break-glass"))
    return found


def _is_within(at: datetime, broken_at: datetime | None) -> bool:
    return broken_at is not None and timedelta() <= at - broken_at <= timedelta(hours=1)


def emergency(sights: Iterable[Sight]) -> list[Finding]:
    """Disclosures in a medical emergency (42 CFR 2.51): declared ones, and reads for emergency treatment."""
    return [
        Finding(sight.number, "declared" if sight.event_type == "emergency.declared.v1" else "purpose-etreat")
        for sight in sights
        if sight.event_type == "emergency.declared.v1" or (sight.purpose == "ETREAT" and sight.is_read)
    ]


def after_hours(
    sights: Iterable[Sight], *, opens: time, closes: time, zone: ZoneInfo, roles: frozenset[str]
) -> list[Finding]:
    """Reads by people of office roles on a weekend or outside the hours; a night shift's roles are not among them."""
    found = []
    for sight in sights:
        if not (sight.is_read and sight.is_somebodys and sight.role in roles):
            continue
        local = sight.at.astimezone(zone)
        is_weekend = local.weekday() >= 5
        if is_weekend or not opens <= local.time() < closes:
            why = "weekend" if is_weekend else "outside-hours"
            found.append(Finding(sight.number, why, (("local-time", local.strftime("%a %H:%M")),)))
    return found


def volume(sights: Sequence[Sight], *, since: datetime, times: float, at_least: int) -> list[Finding]:
    """People who opened far more persons' records on a day than usual: than on their own days, and than their peers'.

    Usual is the median over their own days before, and over the days of everybody of the same role.  A day is found
    where it has at least `at_least` persons and more than `times` times the larger of the two medians.
    The finding is the entry that made it too many: a detection that runs every hour sees that one, and the day's first
    entry is long out of its range.
    """
    days: dict[tuple[str, str], dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for sight in sights:
        if sight.is_read and sight.is_somebodys and sight.person and not sight.is_denied:
            opened = days[sight.actor, sight.role][sight.at.date().isoformat()]
            opened.setdefault(sight.person, sight.number)
    of_role: dict[str, list[int]] = defaultdict(list)
    for (_, role), own in days.items():
        of_role[role] += [len(persons) for persons in own.values()]
    found = []
    for (_, role), own in days.items():
        counts = {day: len(persons) for day, persons in own.items()}
        for day in sorted(counts):
            before = [count for other, count in counts.items() if other < day]
            usual = max(median(before) if before else 0.0, median(of_role[role]))
            if day >= since.date().isoformat() and counts[day] >= at_least and counts[day] > times * usual:
                figures = (("persons", str(counts[day])), ("usual", f"{usual:g}"), ("day", day))
                crossing = sorted(own[day].values())[max(at_least, int(times * usual) + 1) - 1]
                found.append(Finding(crossing, "more-than-usual", figures))
    return found


def search_without_opening(sights: Iterable[Sight], *, within: timedelta, at_least: int) -> list[Finding]:
    """People who searched again and again and opened nothing: browsing, or looking whether somebody is here."""
    runs: dict[str, list[Sight]] = defaultdict(list)
    found: list[Finding] = []

    def close(actor: str) -> None:
        run = runs.pop(actor, [])
        if len(run) >= at_least:
            found.append(Finding(run[0].number, "searched-only", (("searches", str(len(run))),)))

    for sight in sights:
        if not sight.is_somebodys or sight.role == "compliance" or sight.event_type != "record.read.v1":
            continue
        run = runs[sight.actor]
        if run and sight.at - run[-1].at > within:
            close(sight.actor)
        if sight.action == _SEARCH and not sight.person:
            runs[sight.actor].append(sight)
        elif sight.action == _READ:
            runs[sight.actor] = []
    for actor in sorted(runs):
        close(actor)
    return found


def denied_then_succeeded(sights: Iterable[Sight], *, within: timedelta) -> list[Finding]:
    """Somebody was turned away, and a little later got what they asked for: the same person or referral."""
    denials: dict[str, list[Sight]] = defaultdict(list)
    found = []
    for sight in sights:
        if not sight.actor:
            continue
        if sight.is_denied:
            denials[sight.actor].append(sight)
        elif sight.is_read:
            same = [
                denied
                for denied in denials[sight.actor]
                if sight.at - denied.at <= within and _is_same_record(denied, sight)
            ]
            if same:
                figures = (("denied-at-entry", str(same[-1].number)),)
                found.append(Finding(sight.number, "denied-then-succeeded", figures))
    return found


def _is_same_record(denied: Sight, later: Sight) -> bool:
    if denied.person or denied.referral:
        return bool(
            (denied.person and denied.person == later.person)
            or (denied.referral and denied.referral == later.referral)
        )
    return denied.record_type == later.record_type


def shared_account(sights: Iterable[Sight], *, within: timedelta) -> list[Finding]:
    """One account in two organizations or roles within minutes: shared, stolen, or in two places at once."""
    last: dict[str, Sight] = {}
    found = []
    for sight in sights:
        if not sight.is_somebodys or not sight.organization:
            continue
        before = last.get(sight.actor)
        is_elsewhere = before and (before.organization, before.role) != (sight.organization, sight.role)
        if before and is_elsewhere and sight.at - before.at <= within:
            found.append(Finding(sight.number, "two-places", (("other-entry", str(before.number)),)))
        last[sight.actor] = sight
    return found


def terminated(sights: Iterable[Sight], ended: Mapping[str, datetime]) -> list[Finding]:
    """Anything done under an account after the day its work ended."""
    return [
        Finding(sight.number, "after-the-end", (("ended", ended[sight.actor].date().isoformat()),))
        for sight in sights
        if sight.actor in ended and sight.at >= ended[sight.actor]
    ]


def related(sights: Iterable[Sight], ties: Mapping[tuple[str, str], str]) -> list[Finding]:
    """Reads by somebody the register ties to the person, (actor, person) each, with the tie's kind.

    A tie to actor "" is the person's own mark (VIP, deceased): every read counts.
    """
    found = []
    for sight in sights:
        if sight.is_read and sight.person:
            kind = ties.get((sight.actor, sight.person)) or ties.get(("", sight.person))
            if kind:
                found.append(Finding(sight.number, kind))
    return found


def exports(sights: Iterable[Sight]) -> list[Finding]:
    """Everything that left as a file or on paper."""
    return [Finding(sight.number, "exported") for sight in sights if sight.event_type == "record.exported.v1"]


def purpose_mismatch(sights: Iterable[Sight]) -> list[Finding]:
    """Reads for a purpose the role's work does not have, or for none."""
    found = []
    for sight in sights:
        allowed = PURPOSES_OF.get(sight.role)
        if sight.is_read and sight.is_somebodys and allowed is not None and sight.purpose not in allowed:
            found.append(Finding(sight.number, "purpose-mismatch" if sight.purpose else "no-purpose"))
    return found


def log_readers(sights: Iterable[Sight]) -> list[Finding]:
    """Who read the log: searches, single entries, leaves, checks, reports."""
    return [
        Finding(sight.number, "read-the-log")
        for sight in sights
        if sight.record_type in _LOG_RECORDS and sight.is_read
    ]


def disclosures(sights: Iterable[Sight]) -> list[Finding]:
    """Data about a person that left to somebody outside, permitted ones only."""
    return [
        Finding(sight.number, "disclosed")
        for sight in sights
        if sight.event_type in ("disclosure.made.v1", "emergency.declared.v1") and not sight.is_denied
    ]


def everything(sights: Iterable[Sight]) -> list[Finding]:
    """Every entry that is a read, a denial or a disclosure, or something done to the person's record."""
    return [Finding(sight.number, "denied" if sight.is_denied else "") for sight in sights]
