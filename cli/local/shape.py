"""How many of each a system on this machine has: one of everything, or clusters."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from cli.local.place import Place


@dataclass(frozen=True)
class Shape:
    """Nodes of the broker and of the database, and replicas of each `api` and each `worker`."""

    nodes: int = 1
    replicas: int = 1


ONE = Shape()
CLUSTER = Shape(nodes=3, replicas=2)


def of(place: Place, wanted: Shape | None = None) -> Shape:
    """The shape of the place: what it was made with, for its data are laid out so; a new place gets the wanted one."""
    kept = place.var / "shape.json"
    if kept.exists():
        return Shape(**json.loads(kept.read_text(encoding="utf-8")))
    shape = wanted or ONE
    if shape != ONE:
        kept.write_text(json.dumps(asdict(shape)), encoding="utf-8")
    return shape
