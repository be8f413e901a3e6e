"""A programme's own ladder of offers for the sources it serves, within what protects the peer (DOMAIN 2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from chassis.errors import Fault, Kind, Refusal
from services.matching.domain.policy import Policy, Wave, ladder

# The whole ladder at most, in seconds: patients leave within about 15 minutes (DOMAIN 2); the same working day; two.
LONGEST_S = {"immediate": 15 * 60, "urgent": 8 * 3600, "routine": 48 * 3600}
MOST_WAVES = 6
MOST_ASKED = 20


@dataclass(frozen=True)
class Steps:
    """One urgency's ladder as it was told: how many are asked, for how long, how much wishes count."""

    sizes: tuple[int, ...]
    seconds: tuple[int, ...]
    preference_milli: tuple[int, ...] = ()

    def waves(self) -> tuple[Wave, ...]:
        """The waves; the steps were checked."""
        return ladder(self.sizes, self.seconds, self.preference_milli)


@dataclass(frozen=True)
class Change:
    """One line of a ladder's history."""

    version: int
    changed_at: datetime
    changed_by: str
    reason: str


@dataclass(frozen=True)
class ProgrammeLadder:
    """A programme's own ladders by urgency, and the sources whose referrals take them; version 0 is none of its own."""

    programme_id: str
    version: int = 0
    steps: Mapping[str, Steps] = field(default_factory=dict)
    source_ids: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class Ladders:
    """Which wave comes next for whose referral: the serving programme's, else the platform's own."""

    policy: Policy
    by_source: Mapping[str, Mapping[str, tuple[Wave, ...]]] = field(default_factory=dict)

    def of(self, source_id: str, urgency: str) -> Sequence[Wave]:
        """The ladder for a source's referral."""
        own = self.by_source.get(source_id, {})
        return own.get(urgency) or self.policy.ladders[urgency]

    def wave(self, source_id: str, urgency: str, number: int) -> Wave | None:
        """The wave with this number (from 1), None where the ladder ends before."""
        waves = self.of(source_id, urgency)
        return waves[number - 1] if 0 < number <= len(waves) else None


def gathered(policy: Policy, programmes: Iterable[ProgrammeLadder]) -> Ladders:
    """The ladders of all programmes."""
    by_source = {
        source_id: {urgency: steps.waves() for urgency, steps in programme.steps.items()}
        for programme in programmes
        for source_id in programme.source_ids
    }
    return Ladders(policy, by_source)


def checked(told: Mapping[str, Steps]) -> Mapping[str, Steps]:
    """The same steps; raises Refusal INVALID ladder-not-possible, naming every fault with its place."""
    faults = [fault for urgency, steps in told.items() for fault in _faults(urgency, steps)]
    if faults:
        raise Refusal("ladder-not-possible", Kind.INVALID, "This ladder cannot be climbed.", faults=faults)
    return told


def _faults(urgency: str, steps: Steps) -> list[Fault]:
    if urgency not in LONGEST_S:
        return [Fault("ladders.urgency", "urgency-unknown", "immediate, urgent or routine.")]
    place = f"ladders[{urgency}]"
    rules = (
        (0 < len(steps.sizes) <= MOST_WAVES, "sizes", "waves-count", f"1 to {MOST_WAVES} waves."),
        (len(steps.sizes) == len(steps.seconds), "seconds", "lengths-differ", "One time for each wave."),
        (all(0 < n <= MOST_ASKED for n in steps.sizes), "sizes", "size", f"1 to {MOST_ASKED} at once."),
        (all(n > 0 for n in steps.seconds), "seconds", "time", "At least one second."),
        (sum(steps.seconds) <= LONGEST_S[urgency], "seconds", "too-long", f"{LONGEST_S[urgency]} s in all."),
        (
            len(steps.preference_milli) in (0, len(steps.sizes)),
            "preference_milli",
            "lengths-differ",
            "One share for each wave, or none.",
        ),
        (all(0 <= n <= 1000 for n in steps.preference_milli), "preference_milli", "share", "0 to 1000."),
    )
    return [Fault(f"{place}.{field}", code, text) for is_so, field, code, text in rules if not is_so]
