"""The plain ranking: rules, then score, then ties; ranking.py does the same with NumPy and is checked against this."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from services.matching.domain.rules import Question, excluded_by, ways
from services.matching.domain.score import Scale, Term, explain, total
from services.matching.domain.specialist import Specialist, Standing

Entry = tuple[Specialist, Standing]


@dataclass(frozen=True)
class Candidate:
    """A specialist who may be offered the referral, why, and how they could be with the peer."""

    specialist_id: str
    programme_id: str
    time_zone: str
    terms: tuple[Term, ...]
    ways: frozenset[str]
    likely_milli: int
    waiting_since: datetime

    @property
    def score_milli(self) -> int:
        """The terms' sum."""
        return total(self.terms)

    @property
    def order(self) -> tuple[int, int, datetime, str]:
        """Best first: score, then who carries and was asked less, then who waited longest, then the id."""
        return -self.score_milli, self.likely_milli, self.waiting_since, self.specialist_id


def rank(asked: Question, scale: Scale, roster: Iterable[Entry], limit: int) -> list[Candidate]:
    """The best `limit` of those whom no hard rule keeps out, best first."""
    fitting = [entry for entry in roster if entry[0].is_ranked and excluded_by(asked, *entry) is None]
    candidates = [_candidate(asked, scale, *entry) for entry in fitting]
    return sorted(candidates, key=lambda candidate: candidate.order)[:limit]


def exclusions(asked: Question, roster: Iterable[Entry]) -> dict[str, int]:
    """How many specialists each rule keeps out; each is counted once, under the first rule."""
    rules = (excluded_by(asked, *entry) for entry in roster if entry[0].is_ranked)
    return dict(Counter(rule for rule in rules if rule is not None))


def _candidate(asked: Question, scale: Scale, specialist: Specialist, standing: Standing) -> Candidate:
    return Candidate(
        specialist_id=specialist.specialist_id,
        programme_id=specialist.programme_id,
        time_zone=specialist.shifts.time_zone,
        terms=explain(scale, asked, specialist, standing),
        ways=ways(asked, specialist),
        likely_milli=standing.likely_milli(asked.at),
        waiting_since=standing.waiting_since,
    )
