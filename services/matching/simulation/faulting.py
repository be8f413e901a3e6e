"""What goes wrong in a simulation with faults, drawn from a seed of its own: assumptions, each with its number.

Without faults nothing is drawn here, so that a seed gives the same days as ever.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from random import Random

# How many of a hundred chances a fault takes; a chance is a referral, an offer, an answer, a yes or a look of a worker.
RATES = {
    "referral heard late": 3,
    "referral heard twice": 5,
    "stop heard before its referral": 1,
    "notice given up": 4,
    "answer lost": 3,
    "answer repeated with its key": 6,
    "answer given twice, two keys": 3,
    "specialist never heard of again": 1,
    "worker killed before its write": 5,
    "worker killed after its write": 5,
    "worker's clock 5 min slow": 2,
    "worker's clock 5 min fast": 2,
    "worker's clock 1 h fast": 0.2,
    "index falls behind": 2,
}
# How long a worker's claim on due work stands: another one goes on then.
LEASE = timedelta(seconds=30)
# How long after the supervisor heard of an arrival that did not come they ask for somebody else.
LEAD_STEPS_IN = timedelta(minutes=20)
# How long somebody who is out of reach is kept from new referrals by who leads them.
KEPT_FREE = timedelta(days=7)
_MINUTE = timedelta(minutes=1)
_SKEWS = {
    "worker's clock 5 min slow": -5 * _MINUTE,
    "worker's clock 5 min fast": 5 * _MINUTE,
    "worker's clock 1 h fast": 60 * _MINUTE,
}


class Faults:
    """Which faults strike; `struck` counts them by name."""

    def __init__(self, seed: int, *, is_on: bool) -> None:
        self._dice = Random(f"faults-{seed}")
        self._is_on = is_on
        self.struck: Counter[str] = Counter()

    def strikes(self, name: str) -> bool:
        """True where this one does now; it is counted."""
        if not self._is_on or self._dice.random() * 100 >= RATES[name]:
            return False
        self.struck[name] += 1
        return True

    def within(self, least: timedelta, most: timedelta) -> timedelta:
        """Some time between the two."""
        return least + (most - least) * self._dice.random()

    def hearings(self, at: datetime) -> list[datetime]:
        """When matching hears of a referral that came at this moment: once, late, or twice."""
        late = self.strikes("referral heard late")
        first = at + self.within(_MINUTE, 10 * _MINUTE) if late else at
        twice = self.strikes("referral heard twice")
        return [first, first + self.within(timedelta(0), 5 * _MINUTE)] if twice else [first]

    def answered_after(self, after: timedelta) -> list[tuple[timedelta, str]]:
        """When an answer arrives, and with which key: once, never, again with its key, or from two devices."""
        if self.strikes("answer lost"):
            return []
        if self.strikes("answer repeated with its key"):
            return [(after, "k"), (after + self.within(timedelta(0), _MINUTE), "k")]
        if self.strikes("answer given twice, two keys"):
            return [(after, "k"), (after + self.within(timedelta(0), _MINUTE), "another")]
        return [(after, "k")]

    def skew(self) -> timedelta:
        """How far the clock of the worker that looks now is off."""
        return next((off for name, off in _SKEWS.items() if self.strikes(name)), timedelta(0))
