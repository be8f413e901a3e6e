"""The fault matrix: one row for each fault, how it is made, which tests show it, what must hold besides."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One fault.  Besides what `holds`, nothing is lost, missing, double, out of order, over capacity or unaudited."""

    fault_id: str
    component: str
    fault: str
    moment: str
    how: str
    holds: str
    tests: tuple[str, ...] = ()
    unmade: str = ""  # why there is no test here


MATRIX: tuple[Row, ...] = ()
