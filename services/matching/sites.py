"""What the pages call the hospitals they show: a JSON file of id to name, or to {"name": ...}; else the id itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path


class Sites:
    """The names of hospitals; whose name nobody told is called by its id."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def name(self, source_id: str) -> str:
        """What readers know it as."""
        return self._names.get(source_id, source_id)


def load(path: str) -> Sites:
    """The names in the file, none where no path is given; raises OSError, ValueError or KeyError for a bad one."""
    told = json.loads(Path(path).read_text(encoding="utf-8")) if path else {}
    return Sites({one: str(it["name"] if isinstance(it, dict) else it) for one, it in told.items()})
