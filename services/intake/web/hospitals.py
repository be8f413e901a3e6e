"""What the desk knows of each hospital: its name, ZIP, time zone and units (a JSON file, KINDRED_DESK_HOSPITALS)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Hospital:
    """One organization; where nobody told us more, its id is its name and the form asks for the ZIP."""

    organization_id: str
    name: str
    zone: ZoneInfo
    zip: str = ""
    units: tuple[str, ...] = ()
    is_part_2: bool = False  # a programme under 42 CFR Part 2: a consent needs a signature on paper there


@dataclass(frozen=True)
class Hospitals:
    """Every organization that was told of; the others are in `usual_zone`."""

    known: Mapping[str, Hospital]
    usual_zone: ZoneInfo

    def of(self, organization_id: str) -> Hospital:
        """The hospital of this organization."""
        return self.known.get(organization_id) or Hospital(organization_id, organization_id, self.usual_zone)


def load(path: str, usual_zone: str) -> Hospitals:
    """The hospitals of the file, none where no path is given; raises OSError, ValueError or KeyError for a bad one."""
    told = json.loads(Path(path).read_text(encoding="utf-8")) if path else {}
    known = {
        organization_id: Hospital(
            organization_id,
            str(one["name"]),
            ZoneInfo(one.get("time_zone", usual_zone)),
            str(one.get("zip", "")),
            tuple(str(unit) for unit in one.get("units", ())),
            bool(one.get("is_part_2", False)),
        )
        for organization_id, one in told.items()
    }
    return Hospitals(known, ZoneInfo(usual_zone))
