"""Five-digit ZIPs as places, from the offline `zipcodes` package."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import zipcodes

from services.matching.domain.place import Place, chord_squared, place_at

_REMEMBERED = 50_000  # more than there are ZIPs


@dataclass(frozen=True, slots=True)
class Area:
    """The ZIPs with the same first three digits: `code` "NY-122", named after one town in it; degrees of that town."""

    code: str
    name: str
    latitude: float
    longitude: float


@lru_cache(maxsize=_REMEMBERED)
def find(zip_code: str) -> Place | None:
    """The center of a ZIP, None where there is no such ZIP or it has no place on the map (military mail)."""
    if len(zip_code) != 5 or not (zip_code.isascii() and zip_code.isdigit()):
        return None
    found = zipcodes.matching(zip_code)
    if not found or not found[0]["lat"] or not found[0]["timezone"]:
        return None
    row = found[0]
    return place_at(float(row["lat"]), float(row["long"]), row["state"], row["timezone"])


@lru_cache(maxsize=_REMEMBERED)
def area(place: Place) -> Area | None:
    """The area of a ZIP's center, None for a place that is none."""
    here = [row for row in zipcodes.filter_by(state=place.state) if row["lat"] and row["timezone"]]
    nearest = min(here, key=lambda row: chord_squared(place, _center(row)), default=None)
    if nearest is None or chord_squared(place, _center(nearest)):
        return None
    three = nearest["zip_code"][:3]
    town = f"{nearest['city'].title()}, {place.state} ({three})"
    return Area(f"{place.state}-{three}", town, float(nearest["lat"]), float(nearest["long"]))


def _center(row: dict[str, str]) -> Place:
    return place_at(float(row["lat"]), float(row["long"]), row["state"], row["timezone"])
