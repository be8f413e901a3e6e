"""What each attack got at the running doors and which audit entry it left; `make security` prints it as a table."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chassis import catalog
from chassis.errors import Kind
from tests.security.walk_rooms import REFUSED, Stage

# Turned away for who they are, or unread: each of these leaves an entry.  "sign-in-needed" is nobody who was denied
# anything: a page leads whoever is not signed in to the sign-in.
_LEAVES_AN_ENTRY = frozenset({Kind.UNAUTHENTICATED, Kind.FORBIDDEN, Kind.TOO_LARGE})
_NOBODY = frozenset({"sign-in-needed"})
_KEPT_IN = ("accesses", "rejections")
_WIDTH = 100


@dataclass
class Row:
    """One attack: how often it was tried, the codes it got, and the entries it left."""

    tried: int = 0
    got: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)

    def add(self, told: Mapping[str, Any]) -> None:
        """One more try."""
        self.tried += 1
        self.got.update(told["got"])
        self.left.update(told["left"])


class Watch:
    """Looks at the trail of every service before and after an attack."""

    def __init__(self, stages: Mapping[str, Stage]) -> None:
        self._kept = [
            stage.sessions._sessions.database[name] for stage in stages.values() for name in _KEPT_IN
        ]
        self._before = [one.count_documents({}) for one in self._kept]
        REFUSED.clear()

    def told(self) -> dict[str, Any]:
        """What it got and what it left; asserts that nobody was turned away without an entry."""
        left, reasons = self._left()
        denied = Counter(code for kind, code in REFUSED if kind in _LEAVES_AN_ENTRY and code not in _NOBODY)
        missing = denied - reasons
        assert not missing, f"turned away, and nothing in the audit trail says so: {dict(missing)}"
        return {"got": Counter(code for _, code in REFUSED), "left": left}

    def _left(self) -> tuple[Counter[str], Counter[str]]:
        left, reasons = Counter[str](), Counter[str]()
        for kept, before in zip(self._kept, self._before, strict=True):
            new = kept.count_documents({}) - before
            for one in kept.find({}, {"outbox": 1}).sort("$natural", -1).limit(new) if new > 0 else ():
                for row in one.get("outbox", ()):
                    event = catalog.message_class(row["type"]).FromString(row["data"])
                    codes = [event.reason_code] if getattr(event, "reason_code", "") else []
                    codes += list(getattr(event, "reason_codes", ()))
                    left[f"{row['type']} ({', '.join(codes)})" if codes else row["type"]] += 1
                    reasons.update(codes)
        return left, reasons


def table(told: Iterable[tuple[str, str]]) -> list[str]:
    """The lines of the report, from (attack, what was told as JSON) of every test."""
    rows: dict[str, Row] = {}
    for attack, found in told:
        rows.setdefault(attack, Row()).add(json.loads(found))
    lines = []
    for attack, row in rows.items():
        lines += [
            f"  {attack[:_WIDTH]}",
            f"      tried {row.tried} x; got: {_most(row.got) or 'served or served nothing'}",
            f"      audit entries left: {_most(row.left) or 'none: nobody was denied, and nothing was read'}",
        ]
    return lines


def _most(found: Counter[str]) -> str:
    shown = [f"{what} x{count}" for what, count in found.most_common(4)]
    return ", ".join([*shown, *([f"and {len(found) - 4} other kinds"] if len(found) > 4 else [])])
