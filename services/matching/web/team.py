"""The team: who carries how much, who rests, whose certification ends; caseloads that move; entries that change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from chassis.errors import Kind, Refusal
from services.matching import handlers
from services.matching.domain.case import FOLLOWED
from services.matching.domain.moving import MOVE_REASONS
from services.matching.handlers import Move, boarding
from services.matching.roster_file import COLUMNS, RowFault
from services.matching.rostering import editing
from services.matching.web import telling
from services.matching.web.board import expiring
from services.matching.web.me import REST_HOURS, told_faults
from services.matching.web.office import LEADS, Office, Visit
from services.matching.web.pages import BOARD

PAGE = f"{BOARD}/team"
MEMBER = f"{PAGE}/{{id}}"
_NOT_EDITED = ("specialist_id", "programme_id", "display_name", "agrees_to_private_use")
EDITED = tuple(name for name in COLUMNS if name not in _NOT_EDITED)


def routes(office: Office) -> list[Route]:
    """The team, one of it, their entry."""
    return [
        office.route(PAGE, show, *LEADS),
        office.route(MEMBER, show_member, *LEADS),
        office.route(f"{MEMBER}/rest", rest, *LEADS, method="POST"),
        office.route(f"{MEMBER}/move", move, *LEADS, method="POST"),
        office.route(f"{MEMBER}/entry", show_entry, *LEADS),
        office.route(f"{MEMBER}/entry", save_entry, *LEADS, method="POST"),
    ]


def show(visit: Visit) -> Response:
    """GET: everybody of the programme, who is most loaded first; and what has to be renewed."""
    now = visit.room.clock.now()
    rows: list[dict[str, Any]] = []
    for one in boarding.team(visit.room, visit.caller, visit.cause):
        specialist, standing = one.profile.specialist, one.profile.standing
        carried = standing.carried_milli(now)
        rows.append(
            {
                "id": specialist.specialist_id,
                "role": specialist.role,
                "carried": telling.points(carried),
                "capacity": telling.points(standing.capacity_milli),
                "share": min(carried / max(standing.capacity_milli, 1), 1.0),
                "asked": one.open_milli // 1000,
                "rests": visit.when(standing.rests_until) if standing.is_resting(now) else "",
                "is_available": specialist.is_available(now, is_immediate=True),
            }
        )
    rows.sort(key=lambda row: (row["role"] != "specialist", -row["share"], row["id"]))
    today = now.date().isoformat()
    endings = [(who, state, day, day < today) for who, state, day in expiring(visit)]
    return visit.page("team.html", rows=rows, endings=endings)


def show_member(visit: Visit) -> Response:
    """GET: what one of them carries, and who could take each over."""
    member = visit.path("id")
    carried, standing = handlers.caseload(visit.room, member, True, visit.caller, visit.cause)
    now = visit.room.clock.now()
    return visit.page(
        "member.html",
        member=member,
        lines=[(telling.line(visit, one.case), one) for one in carried],
        carried=telling.points(standing.carried_milli(now)),
        capacity=telling.points(standing.capacity_milli),
        share=min(standing.carried_milli(now) / max(standing.capacity_milli, 1), 1.0),
        rests_text=visit.when(standing.rests_until) if standing.is_resting(now) else "",
        rest_hours=[(hours, telling.in_minutes(hours * 60, visit.words)) for hours in REST_HOURS],
        move_reasons=MOVE_REASONS,
        followed=FOLLOWED,
    )


def rest(visit: Visit) -> Response:
    """POST: nobody is brought to them for so long."""
    sent = visit.fields.get("hours", "")
    if sent not in {str(hours) for hours in REST_HOURS}:
        raise Refusal("hours-unknown", Kind.INVALID, "Choose how long.")
    until = visit.room.clock.now() + timedelta(hours=int(sent))
    handlers.take_rest(visit.room, visit.path("id"), until, visit.caller, visit.cause)
    return visit.then("rest", _member(visit))


def move(visit: Visit) -> Response:
    """POST: somebody is asked to take one case over, with the peer's consent."""
    fields = visit.fields
    asked = Move(
        fields.get("referral", ""),
        visit.key,
        fields.get("to", ""),
        fields.get("reason", ""),
        fields.get("willing") == "yes",
    )
    handlers.propose_move(visit.room, asked, visit.caller, visit.cause)
    return visit.then("move", _member(visit))


def show_entry(visit: Visit) -> Response:
    """GET: every column of one entry, but what is private."""
    return _entry(visit, {})


def save_entry(visit: Visit) -> Response:
    """POST: the columns that were changed are stored, or the page says which cannot be."""
    sent = visit.fields.get("revision", "")
    revision = int(sent) if sent.isascii() and sent.isdigit() and len(sent) < 10 else 0
    typed = {name: visit.fields[name].strip() for name in EDITED if name in visit.fields}
    member = visit.path("id")
    shown = handlers.row(
        handlers.read_specialist(visit.room, member, visit.caller, visit.cause), visit.caller
    )
    # What was left as it was is not said again: an empty field of something matching does not know would forget it.
    changed = {name: text for name, text in typed.items() if text != shown.get(name, "")}
    _, faults = editing.revise(visit.room, member, changed, visit.caller, visit.cause, revision=revision)
    return _entry(visit, typed, faults) if faults else visit.then("saved", _member(visit))


def _entry(visit: Visit, typed: Mapping[str, str], faults: Sequence[RowFault] = ()) -> Response:
    member = visit.path("id")
    found = handlers.read_specialist(visit.room, member, visit.caller, visit.cause)
    row = {**handlers.row(found, visit.caller), **typed}
    words = visit.words
    wrong = {fault.column: words.get(f"fault_{fault.code}", words["fault_other"]) for fault in faults}
    return visit.page(
        "entry.html",
        400 if faults else 200,
        member=member,
        row=row,
        edited=EDITED,
        revision=found.revision,
        wrong=wrong,
        faults=told_faults(faults, words),
    )


def _member(visit: Visit) -> str:
    return f"{PAGE}/{visit.path('id')}"
