"""Five-digit ZIPs as places, from the offline `zipcodes` package."""

from __future__ import annotations

from functools import lru_cache

import zipcodes

from services.matching.domain.place import Place, place_at

_REMEMBERED = 50_000  # more than there are ZIPs


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
