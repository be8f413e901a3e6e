"""Who comes and how people answer, drawn from a seed: assumptions, each with its number, none of them a fact."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from services.matching import places, taxonomy
from services.matching.domain.need import Need
from services.matching.domain.place import Place

# Shares in a hundred.
URGENCY = (("immediate", 55), ("urgent", 30), ("routine", 15))
LANGUAGE = (("en", 78), ("es", 14), ("zh", 2), ("ru", 2), ("ht", 1), ("ar", 1), ("fr", 1), ("ase", 1))
AGE_BAND = (("young-adult", 18), ("adult", 66), ("older-adult", 16))
PAYER = (("medicaid", 52), ("medicare", 14), ("commercial", 22), ("self-pay", 12))
BACKGROUND = (
    ("ethnicity.white", 46),
    ("ethnicity.black", 22),
    ("ethnicity.hispanic-latino", 22),
    ("ethnicity.asian", 5),
    ("ethnicity.american-indian-alaska-native", 5),
)
SUBSTANCE = (("substance.opioids", 52), ("substance.alcohol", 30), ("substance.stimulants", 18))
LIVED = (
    ("overdose", 45),
    ("suicide.attempt", 15),
    ("homelessness", 22),
    ("justice.incarceration", 20),
    ("parenting", 25),
    ("trauma.partner-violence", 10),
    ("military.veteran", 8),
)
# How many of a hundred people wish for, insist on or avoid something; what they wish for is drawn from what they are.
WISHES_SHARE, MUST_SHARE, AVOID_SHARE = 0.6, 0.05, 0.06
ZIPS = ("12208", "10451", "14203", "14607", "13202", "10467", "12180", "14215", "13210", "10029")
# Arrivals of each hour of the day, in tenths of the mean: evenings are busy.
BY_HOUR = (9, 8, 7, 6, 5, 5, 6, 7, 8, 9, 10, 10, 11, 11, 11, 11, 12, 13, 15, 15, 14, 13, 12, 10)
TOLD_LATER = ("gender.man", "faith.christian", "military.veteran")


@dataclass(frozen=True)
class Coming:
    """A referral, when it comes, when the person really leaves, and what a fairness report is by (never matched on)."""

    at: datetime
    need: Need
    leaves_at: datetime
    background: str


@dataclass(frozen=True)
class Answer:
    """accepted, declined or silent, and after how long; how soon they would be there."""

    says: str
    after: timedelta
    minutes: int


class People:
    """Everything that is drawn, in one order, so that a seed gives the same days."""

    def __init__(self, seed: int) -> None:
        self._dice = Random(seed)
        self._taxonomy = taxonomy.read()
        self._places = [place for place in map(places.find, ZIPS) if place]

    def referrals(self, hospitals: int, days: int, per_day: float, start: datetime) -> list[Coming]:
        """Everybody who comes, in order of time."""
        found = []
        for hour in range(days * 24):
            begins = start + timedelta(hours=hour)
            mean = hospitals * per_day / 24 * BY_HOUR[begins.hour] / 10
            for _ in range(self._poisson(mean)):
                at = begins + timedelta(seconds=self._dice.randrange(3600))
                found.append((at, self._dice.randrange(hospitals)))
        found.sort()
        return [self._coming(f"ref_{n:06d}", at, hospital) for n, (at, hospital) in enumerate(found)]

    def answers(self, urgency: str, ways: frozenset[str]) -> Answer:
        """How somebody who was asked answers: 45 % yes, 15 % no and 40 % silence at once, more yes with more time."""
        is_now = urgency == "immediate"
        dice = self._dice.random()
        yes, no = (0.45, 0.60) if is_now else (0.55, 0.80)
        median_s = 90 if is_now else 1_800
        after = timedelta(seconds=min(self._dice.lognormvariate(math.log(median_s), 0.8), 86_400))
        minutes = self._dice.randrange(15, 50) if "bedside" in ways else self._dice.randrange(1, 10)
        says = "accepted" if dice < yes else "declined" if dice < no else "silent"
        return Answer(says, after, minutes)

    def handoff(self) -> str:
        """Whoever is still there is met, all but a few."""
        return "met" if self._dice.random() < 0.92 else "unreachable"

    def days_together(self) -> float:
        """How long a case is carried: half of them end within 21 days, none after 92."""
        return min(self._dice.expovariate(math.log(2) / 21), 92.0)

    def reaches(self) -> str:
        """A check-in that is made: reached, or nobody answers; one in eight is not made in time."""
        dice = self._dice.random()
        return "" if dice < 0.125 else "reached" if dice < 0.8 else "no-answer"

    def is_stopped(self) -> bool:
        """One in fifty is stopped while somebody is sought: a consent is taken back, the ER cancels."""
        return self._dice.random() < 0.02

    def told_later(self, coming: Coming) -> Need | None:
        """One in twenty is told something new while somebody is sought: an earlier departure, something to avoid."""
        dice = self._dice.random()
        if dice < 0.025:
            return replace(coming.need, expected_departure_at=coming.leaves_at)
        if dice < 0.05:
            avoided = {**coming.need.preferences, self._dice.choice(TOLD_LATER): "avoid"}
            return replace(coming.need, preferences=avoided)
        return None

    def _coming(self, referral_id: str, at: datetime, hospital: int) -> Coming:
        background = self._one(BACKGROUND)
        lived = [self._one(SUBSTANCE), *(c for c, share in LIVED if self._dice.random() * 100 < share)]
        is_hispanic = background == "ethnicity.hispanic-latino"
        language = "es" if is_hispanic and self._dice.random() < 0.4 else self._one(LANGUAGE)
        stays = timedelta(minutes=min(self._dice.lognormvariate(math.log(240), 0.5), 24 * 60))
        is_told = self._dice.random() < 0.3
        place: Place = self._places[hospital % len(self._places)]
        need = Need(
            referral_id=referral_id,
            peer_id=f"peer_{referral_id}",
            source_id=f"er-{hospital:02d}",
            urgency=self._one(URGENCY),
            experience=self._taxonomy.with_parents(lived),
            preferences=self._wishes([*lived, background]),
            languages=(language,) if language == "en" or self._dice.random() < 0.6 else (language, "en"),
            age_band=self._one(AGE_BAND),
            payer=self._one(PAYER),
            source_place=place,
            expected_departure_at=at + stays if is_told else None,
        )
        return Coming(at, need, at + stays, background)

    def _wishes(self, own: list[str]) -> dict[str, str]:
        if self._dice.random() > WISHES_SHARE:
            return {}
        wishes = {code: self._dice.choice(("some", "strong")) for code in own if self._dice.random() < 0.4}
        if self._dice.random() < 0.3:
            wishes[self._dice.choice(("gender.woman", "gender.man"))] = "strong"
        if self._dice.random() < MUST_SHARE:
            wishes[self._dice.choice(own)] = "must"
        if self._dice.random() < AVOID_SHARE:
            wishes[self._dice.choice(("gender.man", "faith.christian", "military.combat"))] = "avoid"
        return wishes

    def _one(self, weighted: tuple[tuple[str, int], ...]) -> str:
        names, shares = zip(*weighted, strict=True)
        return str(self._dice.choices(names, shares)[0])

    def _poisson(self, mean: float) -> int:
        limit, count, product = math.exp(-mean), 0, self._dice.random()
        while product > limit:
            count += 1
            product *= self._dice.random()
        return count
