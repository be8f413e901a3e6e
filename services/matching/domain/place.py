"""Where somebody is, as whole numbers, so that "near enough" is the same answer on every machine.

A place is a point on a sphere in hundredths of a mile; two places are compared by the square of the straight
line between them, which needs no rounding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

EARTH_RADIUS_MILES = 3958.8
UNITS_PER_MILE = 100


@dataclass(frozen=True, slots=True)
class Place:
    """A ZIP's center: a point on the sphere (hundredths of a mile), its state and its IANA time zone."""

    x: int
    y: int
    z: int
    state: str
    time_zone: str


def place_at(latitude: float, longitude: float, state: str, time_zone: str) -> Place:
    """The place at these degrees."""
    phi, lam = math.radians(latitude), math.radians(longitude)
    radius = EARTH_RADIUS_MILES * UNITS_PER_MILE
    x = round(radius * math.cos(phi) * math.cos(lam))
    y = round(radius * math.cos(phi) * math.sin(lam))
    return Place(x, y, round(radius * math.sin(phi)), state, time_zone)


def chord_squared(a: Place, b: Place) -> int:
    """The square of the straight line between two places; grows with the distance."""
    return (a.x - b.x) ** 2 + (a.y - b.y) ** 2 + (a.z - b.z) ** 2


@lru_cache(maxsize=16_384)
def reach_squared(miles: int) -> int:
    """The `chord_squared` of two places this many miles apart over the ground; below zero miles nothing is near."""
    if miles < 0:
        return -1
    angle = min(miles / EARTH_RADIUS_MILES, math.pi)
    chord = 2 * EARTH_RADIUS_MILES * UNITS_PER_MILE * math.sin(angle / 2)
    return math.ceil(chord) ** 2
