"""How long whom waits, and what came of it: the counts of a fairness report, with small numbers withheld.

No count from 1 to 10 leaves, no share it could be computed from, and no single withheld row that a total would give
away (CMS cell size suppression policy; the complement is protected the same way).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.matching.domain.case import ACCEPTED, CLAIM, CLOSED, ENDED, UNFILLED, Case

FEWEST_SHOWN = 11
IN_TIME = timedelta(minutes=15)
NOT_SAID, SEVERAL = "not-said", "several"
DIMENSIONS = ("urgency", "language", "ethnicity", "gender", "age-band", "site", "month")
# Each is a count of referrals among all of its row.
FIGURES = ("referrals", "yes", "in-time", "unfilled", "stopped", "met", "left", "engaged-30", "completed")
# What is counted within what: the last of the parts is withheld where few are left of the whole without them.
_PARTS = (
    ("yes", ("in-time",)),
    ("yes", ("met",)),
    ("yes", ("met", "left")),
    ("yes", ("completed",)),
    ("met", ("engaged-30",)),
    ("referrals", ("yes", "stopped")),
)
_THIRTY_DAYS = 4  # the number of the check-in


@dataclass(frozen=True)
class Story:
    """One referral as a report counts it; `groups` has its one group of every dimension."""

    case: Case
    groups: Mapping[str, str]
    first_yes_at: datetime | None

    @property
    def wait(self) -> timedelta | None:
        """From coming to the first yes."""
        return self.first_yes_at - self.case.opened_at if self.first_yes_at else None

    def has(self, figure: str) -> bool:
        """True where the referral counts for this figure."""
        return _COUNTS[figure](self)


@dataclass(frozen=True)
class Row:
    """One group. A count of None is withheld; so are minutes and offers where too few said yes."""

    group: str
    counts: Mapping[str, int | None]
    median_min: float | None
    ninth_of_ten_min: float | None
    offers_per_yes: float | None

    def share(self, figure: str) -> float | None:
        """The count as a share of the row's referrals, from 0 to 1; None where either is withheld."""
        part, whole = self.counts[figure], self.counts["referrals"]
        return part / whole if part is not None and whole else None


@dataclass(frozen=True)
class Table:
    """The groups of one dimension, the largest first."""

    dimension: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Report:
    """All referrals of a period together, and by each dimension."""

    total: Row
    tables: tuple[Table, ...]
    stories: tuple[Story, ...] = field(repr=False, default=())

    def behind(self, dimension: str, group: str, figure: str) -> list[Story]:
        """The referrals a shown figure counts; none where it is withheld or there is no such figure."""
        rows = {("all", "all"): self.total} | {(t.dimension, r.group): r for t in self.tables for r in t.rows}
        row = rows.get((dimension, group))
        if row is None or row.counts.get(figure) is None:
            return []
        mine = (one for one in self.stories if dimension == "all" or one.groups[dimension] == group)
        return [one for one in mine if one.has(figure)]


def story(case: Case) -> Story:
    """A case as a report counts it.

    The groups are what was told of the peer: a language, an age band, and of the codes of their experience those of a
    race or ethnicity and of a gender.  A wish is never read as an identity.
    """
    need = case.need
    yes = [one.answered_at for one in case.offers if one.state in (ACCEPTED, ENDED) and one.answered_at]
    groups = {
        "urgency": need.urgency,
        "language": need.languages[0] if need.languages else NOT_SAID,
        "ethnicity": _one_of("ethnicity", need.experience),
        "gender": _one_of("gender", need.experience),
        "age-band": need.age_band if need.age_band != "unknown" else NOT_SAID,
        "site": need.source_id,
        "month": f"{case.opened_at:%Y-%m}",
    }
    return Story(case, groups, min(yes, default=None))


def report(cases: Sequence[Case]) -> Report:
    """The counts of these cases."""
    stories = tuple(story(case) for case in cases)
    total = _row("all", stories)
    tables = tuple(_table(dimension, stories, total) for dimension in DIMENSIONS)
    return Report(total, tables, stories)


def _table(dimension: str, stories: Sequence[Story], total: Row) -> Table:
    groups: dict[str, list[Story]] = {}
    for one in stories:
        groups.setdefault(one.groups[dimension], []).append(one)
    largest_first = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    rows = [_row(group, found) for group, found in largest_first]
    plain = [
        {figure: sum(one.has(figure) for one in found) for figure in FIGURES} for _, found in largest_first
    ]
    for figure in FIGURES:
        if total.counts[figure]:  # of nobody, nothing is given away
            rows = _protected(rows, [counts[figure] for counts in plain], figure)
    return Table(dimension, tuple(rows))


def _protected(rows: list[Row], plain: Sequence[int], figure: str) -> list[Row]:
    """More rows are withheld until what is withheld, together, cannot be computed from the total."""
    hidden = {place for place, row in enumerate(rows) if row.counts[figure] is None}
    while hidden and (len(hidden) == 1 or sum(plain[place] for place in hidden) < FEWEST_SHOWN):
        shown = [place for place in range(len(rows)) if place not in hidden]
        if not shown:
            break
        hidden.add(min(shown, key=lambda place: (plain[place] == 0, plain[place])))
    return [_without(row, figure) if place in hidden else row for place, row in enumerate(rows)]


def _without(row: Row, figure: str) -> Row:
    if figure == "referrals":
        return Row(row.group, dict.fromkeys(FIGURES), None, None, None)
    is_yes = figure == "yes"
    return Row(
        row.group,
        {**row.counts, figure: None},
        row.median_min,
        row.ninth_of_ten_min,
        None if is_yes else row.offers_per_yes,
    )


def _row(group: str, stories: Sequence[Story]) -> Row:
    whole = len(stories)
    waits = sorted(one.wait.total_seconds() / 60 for one in stories if one.wait is not None)
    is_shown = whole >= FEWEST_SHOWN
    counts = {figure: sum(one.has(figure) for one in stories) for figure in FIGURES}
    told = {figure: _told(count, whole) if is_shown else None for figure, count in counts.items()}
    for all_of, parts in _PARTS:
        if told[all_of] is not None and 0 < counts[all_of] - sum(counts[one] for one in parts) < FEWEST_SHOWN:
            told[parts[-1]] = None  # else the difference would tell it
    offers = sum(len(one.case.offers) for one in stories)
    has_waits = is_shown and len(waits) >= FEWEST_SHOWN
    return Row(
        group,
        told,
        _quantile(waits, 0.5) if has_waits else None,
        _quantile(waits, 0.9) if has_waits else None,
        round(offers / len(waits), 1) if has_waits and told["yes"] is not None else None,
    )


def _told(count: int, whole: int) -> int | None:
    """The count, None where it or what is left of the whole is too small to be told."""
    rest = whole - count
    return None if 0 < count < FEWEST_SHOWN or 0 < rest < FEWEST_SHOWN else count


def _quantile(values: Sequence[float], share: float) -> float:
    return round(values[min(int(len(values) * share), len(values) - 1)], 1)


def _one_of(root: str, codes: frozenset[str]) -> str:
    found = sorted(code for code in codes if code.startswith(f"{root}."))
    if not found:
        return NOT_SAID
    return found[0] if len(found) == 1 else SEVERAL


def _was_unfilled(one: Story) -> bool:
    """Nobody was found for a while: who is kept out by what is counted then, and only then can it be claimed."""
    case = one.case
    return case.state == UNFILLED or bool(case.exclusions) or any(o.kind == CLAIM for o in case.offers)


def _is_engaged(one: Story) -> bool:
    return any(c.number == _THIRTY_DAYS and c.outcome == "reached" for c in one.case.checkins)


_COUNTS: Mapping[str, Callable[[Story], bool]] = {
    "referrals": lambda one: True,
    "yes": lambda one: one.first_yes_at is not None,
    "in-time": lambda one: one.wait is not None and one.wait <= IN_TIME,
    "unfilled": _was_unfilled,
    "stopped": lambda one: one.case.state == CLOSED and one.first_yes_at is None,
    "met": lambda one: one.case.handoff is not None and one.case.handoff.outcome == "met",
    "left": lambda one: one.case.handoff is not None and one.case.handoff.outcome == "left-before-seen",
    "engaged-30": _is_engaged,
    "completed": lambda one: bool(one.case.outcome),
}
