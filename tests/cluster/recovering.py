"""How long a cell's clients were without an answer, from their own journal."""

from __future__ import annotations

from tests.cluster import breaking
from tests.driving import until
from tests.faults.ground import PATIENCE_S, Cell
from tests.faults.journal import SUBMIT, TOLD, UNKNOWN


def longest_wait_s(cell: Cell) -> float:
    """The longest time from a submit's first try to its acknowledgement, in seconds."""
    first: dict[str, float] = {}
    for line in cell.journal.lines(SUBMIT):
        first.setdefault(line.facts["visit"], line.at)
    told = {line.facts["visit"]: line.at for line in cell.journal.lines(SUBMIT, TOLD)}
    return round(max((at - first[visit] for visit, at in told.items()), default=0.0), 1)


def conclude(cell: Cell) -> None:
    """All members are back, no worker has anything in its hand, and the checker finds nothing wrong.

    The row of the report says how many tries stayed without an answer, and how long the slowest submit waited.
    """
    cell.notes["tried again"] = len(cell.journal.lines(SUBMIT, UNKNOWN))
    cell.notes["longest submit s"] = longest_wait_s(cell)
    cell.ground.up()
    until("nothing is in anybody's hand", lambda: breaking.is_idle(cell.running), within_s=PATIENCE_S)
    cell.conclude()
