"""How the log stands: size, last checkpoint, each log and witness, what is behind, what never came, the last check."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chassis import telemetry
from services.audit.checks import checking
from services.audit.custody import deeds
from services.audit.domain import sequences
from services.audit.search import finding
from services.audit.web import pages
from services.audit.web.console import Console

_MOST_RANGES = 5


def routes(console: Console) -> list[Route]:
    """The page."""
    return [console.route(f"{pages.HOME}/log", show_health)]


def show_health(console: Console, request: Request) -> Response:
    """GET: everything an officer is asked about the log itself; that it was read is an entry."""
    caller, room = console.caller(request), console.room
    room.access.record_read(
        caller, record_type="AuditLog", record_id="", action="read", cause=telemetry.current_cause()
    )
    now, covered = room.clock.now(), finding.covered(room)
    states = deeds.log_states(room)
    open_count, overdue = room.reviews.counts(now)
    newest = next(iter(room.finds.finds.find({}, {"t": 1}).sort([("t", -1)]).limit(1)), None)
    check = checking.last_check(room)
    return console.page(
        request,
        "health.html",
        total=covered.whole,
        signed=covered.head.checkpoint.decode(),
        reached=covered.size,
        newest=newest["t"] if newest else None,
        open_count=open_count,
        overdue=overdue,
        register=room.register.counts(),
        states=states,
        behind=_behind(states),
        witnesses=_witnesses(console, states),
        gaps=_gaps(console),
        holds=len(room.erasures.holds()),
        check=check,
        is_check_old=check is None or check.is_old(now),
        old_after_h=int(checking.OLD_AFTER.total_seconds() // 3600),
    )


def _behind(states: list[deeds.LogState]) -> int:
    """Entries that no cosigned checkpoint covers yet."""
    return sum(max(0, one.size - one.cosigned_size) for one in states[:-1] if one.pruned_at is None)


def _witnesses(console: Console, states: list[deeds.LogState]) -> list[dict[str, Any]]:
    seen = deeds.witnesses_seen(console.room, states)
    return [
        {"name": name, "at": datetime.fromtimestamp(at, UTC) if at else None} for name, at in seen.items()
    ]


def _gaps(console: Console) -> list[dict[str, Any]]:
    """Producers with numbers that never came: the first ranges of each, and how many they are."""
    found = []
    for producer, ranges in console.room.store.sequences.heard().items():
        if gaps := sequences.gaps(ranges):
            shown = [
                f"{first}–{last}" if first != last else str(first) for first, last in gaps[:_MOST_RANGES]
            ]
            count = sum(last - first + 1 for first, last in gaps)
            found.append({"producer": producer, "ranges": ", ".join(shown), "count": count})
    return found
