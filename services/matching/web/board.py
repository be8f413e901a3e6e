"""The board of who leads: who waits and since when, who is on their way, whose check-in was missed."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from services.matching import handlers
from services.matching.domain.case import SEEKING, UNFILLED, Case
from services.matching.domain.followup import DUE, MISSED
from services.matching.handlers import boarding
from services.matching.web import areas, pages, telling
from services.matching.web.office import LEADS, Office, Visit
from services.matching.web.pages import BOARD
from services.matching.web.wall import is_overdue


@dataclass(frozen=True)
class Row:
    """A referral on the board; times are those of the clock at its facility."""

    case: Case
    short_id: str
    state: str
    clock: str
    gap: str
    clock_word: str
    is_late: bool
    leaves: str
    is_leaving: bool
    languages: str
    asked: int
    specialist_id: str
    checkins: tuple[Any, ...]


def routes(office: Office) -> list[Route]:
    """The board."""
    return [office.route(BOARD, show, *LEADS)]


def show(visit: Visit) -> Response:
    """GET: the board; everything on it is in the audit trail first."""
    found = boarding.board(visit.room, visit.caller, visit.cause)
    return visit.page("board.html", **shown(visit, found), mark=mark(visit))


def fragment(visit: Visit, csrf: str, already_shown: Set[str]) -> tuple[str, frozenset[str]]:
    """The same for a page that is open, and whose looks are written down by it."""
    found = boarding.board(visit.room, visit.caller, visit.cause, already_shown)
    told = {"csrf": csrf, "site_name": visit.room.sites.name, **shown(visit, found)}
    html = pages.fragment("board_live.html", visit.reader, **told)
    return html, found.ids


def mark(visit: Visit) -> str:
    """Differs as soon as the board would, and with every minute: waits grow, promises pass."""
    minute = int(visit.room.clock.now().timestamp() // 60)
    return f"{visit.room.boards.mark_of_board(visit.caller.organization_id)}-{minute}"


def shown(visit: Visit, found: boarding.Board) -> dict[str, Any]:
    """What the board shows of one hospital, of one area, or of all."""
    site, area, now = visit.asked("site"), visit.asked("area"), visit.room.clock.now()
    sites = sorted({case.need.source_id for case in (*found.waiting, *found.coming, *found.due)})
    here, coming, due = (
        [case for case in cases if _is_wanted(case, site, area)]
        for cases in (found.waiting, found.coming, found.due)
    )
    around = areas.by_area(found.waiting, found.coming, found.due, now)
    tiles = {
        "waiting": len(here),
        "unfilled": sum(case.state == UNFILLED for case in here),
        "offered": sum(bool(case.open_offers) for case in here),
        "coming": len(coming),
        "overdue": sum(is_overdue(case, now) for case in coming),
        "missed": sum(any(one.state == MISSED for one in case.checkins) for case in due),
    }
    return {
        "tiles": tiles,
        "unfilled": [_row(visit, case) for case in here if case.state == UNFILLED],
        "seeking": [_row(visit, case) for case in here if case.state == SEEKING],
        "coming": [_row(visit, case) for case in coming],
        "due": [_row(visit, case) for case in due],
        "sites": sites,
        "site": site,
        "area": area,
        "areas": around,
        "area_name": next((row.name for row in around if row.code == area), ""),
        "sketch": areas.sketch(around),
        "area_counts": areas.COUNTS,
    }


def _is_wanted(case: Case, site: str, area: str) -> bool:
    return site in ("", case.need.source_id) and area in ("", areas.code_of(case))


def _row(visit: Visit, case: Case) -> Row:
    now, place = visit.room.clock.now(), case.need.source_place
    zone = place.time_zone if place else "UTC"
    carried = case.assigned_specialist_id
    promise = case.accepted_offer.promised_arrival_at if carried else None
    deadline = min((offer.deadline_at for offer in case.open_offers), default=None)
    word, moment = (
        ("since", case.opened_at) if case.state != SEEKING or deadline is None else ("until", deadline)
    )
    if promise is not None:
        word, moment = "promised", promise
    text, gap = telling.clock(visit, moment, zone)
    leaves = case.need.expected_departure_at
    return Row(
        case=case,
        short_id=telling.short(case.referral_id),
        state=telling.state_word(case),
        clock=text,
        gap=gap,
        clock_word=word,
        is_late=is_overdue(case, now) or case.state == UNFILLED,
        leaves=telling.clock(visit, leaves, zone)[0] if leaves else "",
        is_leaving=leaves is not None and leaves <= (promise or now),
        languages=telling.languages(case.need, visit.reader),
        asked=len(case.open_offers),
        specialist_id=carried,
        checkins=tuple(
            (one, telling.clock(visit, one.due_at, zone)[0])
            for one in case.checkins
            if one.state in (DUE, MISSED)
        ),
    )


def expiring(visit: Visit) -> list[tuple[str, str, str]]:
    """Whose certification of which state ends on which day within sixty days."""
    found = handlers.expiring(visit.room, "", 60, visit.caller, visit.cause)
    return [
        (profile.specialist.specialist_id, one.certification.state, one.certification.valid_until.isoformat())
        for profile, one in found
    ]
