"""Random rosters, referrals and moments for the tests of the ranking, each from one seed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random

from hypothesis import strategies as st

from services.matching.domain.limits import Limit
from services.matching.domain.need import Need
from services.matching.domain.place import Place, place_at
from services.matching.domain.rank import Entry
from services.matching.domain.shifts import Calendar, Shifts, Span, Window
from services.matching.domain.specialist import TRANSPORTS, Certification
from services.matching.domain.wellbeing import Strain
from tests.unit.matching.matching_builders import NOW, a_certification, a_need, a_specialist, a_standing

CODES = sorted(
    [
        "substance.opioids",
        "substance.alcohol",
        "military.combat",
        "gender.woman",
        "faith.christian.catholic",
        "deaf.asl",
        "overdose",
        "homelessness",
        "suicide.attempt",
        "place.rural",
        "ethnicity.black",
    ]
)
ZONES = ["America/New_York", "America/Los_Angeles", "America/Phoenix", "UTC"]
STATES = ["NY", "NJ", "CT"]
TAGS = ["en", "es", "ase", "ht"]


# Hypothesis draws the seed; the roster is built from it directly, for drawing every field of forty people is slow.
SEEDS = st.integers(0, 2**32)


def _some(dice: Random, choices: Sequence[str], most: int) -> tuple[str, ...]:
    return tuple(dice.sample(choices, dice.randint(0, min(most, len(choices)))))


def _place(dice: Random) -> Place:
    return place_at(dice.uniform(38, 43), dice.uniform(-79, -73), dice.choice(STATES), dice.choice(ZONES))


def _certification(dice: Random) -> Certification:
    begins = date(2026, 10, 1) + timedelta(days=dice.randint(0, 55))
    return a_certification(
        state=dice.choice(STATES),
        payers=frozenset(_some(dice, ["medicaid", "medicare", "commercial"], 3)),
        age_bands=frozenset(_some(dice, ["minor", "young-adult", "adult"], 3)),
        valid_from=begins,
        valid_until=begins + timedelta(days=dice.randint(0, 60)),
    )


def _windows(dice: Random) -> tuple[Window, ...]:
    return tuple(
        Window(dice.randint(0, 6), dice.randint(0, 1439), dice.randint(0, 1439))
        for _ in range(dice.randint(0, 3))
    )


def _shifts(dice: Random) -> Shifts:
    return Shifts(_windows(dice), dice.random() < 0.4, dice.choice(ZONES), _windows(dice))


def _spans(dice: Random) -> tuple[Span, ...]:
    begins = [a_moment(dice) for _ in range(dice.choice([0, 0, 1, 2]))]
    return tuple(Span(at, at + timedelta(hours=dice.randint(1, 400))) for at in begins)


def _limits(dice: Random) -> tuple[Limit, ...]:
    known = [
        ("source", "st-brigid"),
        ("source", "elsewhere"),
        ("experience", "overdose"),
        ("experience", "substance"),
        ("age-band", "minor"),
        ("urgency", "immediate"),
    ]
    days = [None, date(2026, 10, 30), date(2026, 11, 21), date(2026, 12, 24)]
    return tuple(
        Limit(*chosen, dice.choice(days)) for chosen in dice.sample(known, dice.choice([0, 0, 1, 2]))
    )


def _strains(dice: Random) -> tuple[Strain, ...]:
    return tuple(Strain(dice.choice([250, 1000]), a_moment(dice)) for _ in range(dice.choice([0, 0, 1, 3])))


def an_entry(dice: Random, specialist_id: str) -> Entry:
    specialist = a_specialist(
        specialist_id,
        released=_some(dice, CODES, 5),
        private=_some(dice, CODES, 3),
        withheld=_some(dice, CODES, 2),
        role=dice.choice(["specialist", "specialist", "specialist", "supervisor"]),
        place=_place(dice),
        shifts=_shifts(dice),
        languages={tag: dice.randint(1, 4) for tag in _some(dice, TAGS, 3)},
        certifications=tuple(_certification(dice) for _ in range(dice.randint(0, 2))),
        modalities=frozenset(_some(dice, ["bedside", "phone", "video"], 3)),
        radius_miles=dice.randint(0, 200),
        transport=dice.choice(TRANSPORTS),
        calendar=Calendar(_spans(dice), _spans(dice)),
        limits=_limits(dice),
        never=frozenset(_some(dice, ["peer_1", "peer_2"], 1)) if dice.random() < 0.2 else frozenset(),
    )
    standing = a_standing(
        load_milli=dice.choice([0, 0, 1000, 2000]),
        capacity_milli=dice.choice([0, 1000, 3000]),
        waiting_since=NOW - timedelta(hours=dice.randint(0, 3)),
        open_milli=dice.choice([0, 0, 1000, 5000]),
        strains=_strains(dice),
        rests_until=dice.choice([None, None, a_moment(dice)]),
    )
    return specialist, standing


def a_roster(dice: Random, most: int) -> list[Entry]:
    names = [f"s{number}" for number in range(dice.randint(1, most))]
    dice.shuffle(names)
    return [an_entry(dice, name) for name in names]


def a_random_need(dice: Random) -> Need:
    # Also parents, siblings and others nobody in the roster has: who withholds a category may have them.
    wishes = _some(dice, [*CODES, "substance", "faith", "gender", "gender.man", "hiv", "no-such-code"], 4)
    strengths = ["none", "some", "some", "strong", "strong", "must", "avoid"]
    return a_need(
        experience=_some(dice, CODES, 4),
        place=dice.choice([None, _place(dice), _place(dice)]),
        urgency=dice.choice(["immediate", "urgent", "routine"]),
        preferences={code: dice.choice(strengths) for code in wishes},
        languages=_some(dice, TAGS, 3),
        is_interpreter_agreed=dice.random() < 0.3,
        age_band=dice.choice(["minor", "adult", "older-adult", "unknown", "unknown"]),
        payer=dice.choice(["medicaid", "self-pay", "unknown"]),
        expected_departure_at=dice.choice([None, NOW + timedelta(minutes=dice.randint(-10, 200))]),
        modalities=frozenset(_some(dice, ["bedside", "phone", "video"], 3)) or frozenset({"phone"}),
    )


def a_moment(dice: Random) -> datetime:
    return datetime(2026, 10, 25, tzinfo=UTC) + timedelta(minutes=dice.randint(0, 35 * 24 * 60))
