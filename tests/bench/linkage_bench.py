"""How often two people are joined and one person is missed, on generated pairs; then what it costs a submission.

`make bench B=linkage_bench`; the first argument is the number of hard pairs.
"""

from __future__ import annotations

import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable

from services.intake import likeness
from services.intake.domain.linkage import Outcome, Verdict, judge
from services.intake.store.blind import BlindIndex
from tests import linkage_people
from tests.linkage_people import Pair

SEED = 20261122
BLIND = BlindIndex(b"7" * 96)


def tally(pairs: Iterable[tuple[str, Pair]]) -> dict[str, Counter[str]]:
    """Outcomes by kind of pair, and how many pairs have a trail in common."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for name, (known, new, beside) in pairs:
        verdict = judge(known, new, beside, likeness.is_alike)
        is_met = bool(known.record_numbers) or not set(BLIND.trails(known)).isdisjoint(BLIND.trails(new))
        for row in (name, "all"):
            found[row][verdict.outcome.value] += 1
            found[row]["met"] += is_met
            found[row]["pairs"] += 1
    return found


def show(title: str, found: dict[str, Counter[str]]) -> None:
    print(f"\n{title}\n{'':<36}{'pairs':>8}{'certain':>10}{'to people':>10}{'apart':>8}{'found':>8}")
    for name, counts in sorted(found.items(), key=lambda one: one[0] == "all"):
        parts = [counts[outcome.value] / counts["pairs"] for outcome in Outcome]
        print(
            f"{name:<36}{counts['pairs']:>8}{counts['certain']:>6}{parts[0]:>5.0%} {parts[1]:>8.1%} {parts[2]:>7.1%}"
            f" {counts['met'] / counts['pairs']:>7.1%}"
        )


def rates(count: int) -> None:
    started = time.perf_counter()
    hard = tally(linkage_people.two_people(SEED, count))
    took = time.perf_counter() - started
    show("Two people (every certain one is a false join)", hard)
    show("One person, no number in common", tally(linkage_people.one_person(SEED, count // 5)))
    numbered = linkage_people.one_person(SEED, count // 10, with_number=True)
    show("One person, one hospital's record number", tally(numbered))
    joins = hard["all"]["certain"]
    print(f"\n{joins} false joins in {count} hard pairs; {took / count * 1e6:.0f} µs a pair, made and judged")


def thresholds(count: int) -> None:
    """What each threshold would do with the score alone, and as it is, with the twins' rule and the caveats."""
    two = [_judged(pair) for _, pair in linkage_people.two_people(SEED + 1, count)]
    one = [_judged(pair) for _, pair in linkage_people.one_person(SEED + 1, count // 5)]
    print(f"\n{'':<12}{'false joins of ' + str(count):>30}{'one person joined, no number':>38}")
    print(f"{'certain at':<12}{'score alone':>15}{'as it is':>15}{'score alone':>23}{'as it is':>15}")
    for bits in (15.0, 20.0, 24.0, 26.0, 28.0, 30.0, 34.0, 40.0, 46.0):
        alone = [sum(verdict.score >= bits for verdict in side) for side in (two, one)]
        kept = [sum(_is_kept(verdict, bits) for verdict in side) for side in (two, one)]
        print(f"{bits:<12}{alone[0]:>15}{kept[0]:>15}{alone[1] / len(one):>23.1%}{kept[1] / len(one):>15.1%}")


def _judged(pair: Pair) -> Verdict:
    return judge(*pair, likeness.is_alike)


def _is_kept(verdict: Verdict, bits: float) -> bool:
    return verdict.outcome is not Outcome.DIFFERENT and not verdict.caveats and verdict.score >= bits


if __name__ == "__main__":
    rates(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
    thresholds(20_000)
