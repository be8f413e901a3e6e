"""The worklist: who waits for what, urgent first, and kept true by server-sent events while somebody looks."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chassis import telemetry
from services.intake import handlers
from services.intake.domain.referral import Referral
from services.intake.domain.states import CLOSED, State
from services.intake.handlers import Listed
from services.intake.store.drafts import Draft
from services.intake.store.sessions import Session
from services.intake.web import live, pages
from services.intake.web.desk import Desk
from services.intake.web.filling_form import place_of
from services.intake.web.hospitals import Hospital
from services.intake.web.words import reader_of

_URGENCY = {"immediate": 0, "urgent": 1, "routine": 2}
_WITH_SOMEBODY = frozenset({State.MET, State.NOT_MET, State.ENGAGED})


@dataclass(frozen=True, slots=True)
class Row:
    """A referral as the list shows it: no more of the person than bed and initials."""

    referral: Referral
    unit: str
    bed: str
    initials: str
    is_behind_glass: bool
    since: str
    promise: str
    is_late: bool
    leaves: str
    is_leaving_first: bool

    @property
    def is_over(self) -> bool:
        """Nobody at the desk waits for it any more."""
        return self.referral.state in CLOSED or self.referral.state in _WITH_SOMEBODY


@dataclass(frozen=True, slots=True)
class Board:
    """The whole list of one unit, or of all; `mark` changes with whatever it shows."""

    rows: Sequence[Row]
    over: Sequence[Row]
    units: Sequence[str]
    unit: str
    mark: str
    ids: frozenset[str]


def routes(desk: Desk) -> list[BaseRoute]:
    """The first page, and what keeps it true."""
    return [
        desk.route(pages.HOME, show),
        Route(f"{pages.HOME}/live", live.endpoint(desk, _news), name="desk-live"),
    ]


def show(desk: Desk, request: Request) -> Response:
    """GET: the worklist; everybody on it is in the audit trail first."""
    session = desk.signed_in(request)
    shown = _board(desk, session, reader_of(request), request.query_params.get("unit", ""))
    hospital = desk.hospital_of(session)
    unfinished = desk.room.drafts.unfinished(session.caller)
    now = desk.room.clock.now()
    drafts = drafts_told(unfinished, hospital, reader_of(request), now)
    return desk.page(request, "worklist.html", session, board=shown, drafts=drafts)


def drafts_told(
    drafts: Sequence[Draft], hospital: Hospital, reader: str, now: datetime
) -> list[tuple[Draft, str]]:
    """Each form that was not sent, with where, whose initials and when it was typed: enough to tell two apart."""
    told = []
    for one in drafts:
        at = pages.day_and_time(one.saved_at, hospital.zone, reader, now)
        place = " ".join(filter(None, (one.fields.get("unit"), one.fields.get("bed"))))
        who = initials(one.fields.get("given", ""), one.fields.get("family", ""))
        told.append((one, ", ".join(filter(None, (place, who, at)))))
    return told


def _news(desk: Desk, session: Session, request: Request) -> live.Look:
    """What an open page asks at each change: the list again, if it is another one than the page shows."""
    reader, unit = reader_of(request), request.query_params.get("unit", "")
    mark, ids = request.query_params.get("mark", ""), frozenset[str]()

    def look() -> dict[str, str] | None:
        nonlocal mark, ids
        if _mark_now(desk, session) == mark:
            return None
        board = _board(desk, session, reader, unit, ids)
        mark, ids = board.mark, board.ids
        html = pages.fragment("board.html", reader, board=board)
        return {"html": html, "mark": board.mark}

    return look


def _mark_now(desk: Desk, session: Session) -> str:
    referrals = desk.room.worklist.of(session.caller.organization_id, desk.room.clock.now())
    return _mark(referrals, desk.room.clock.now())


def _mark(referrals: Sequence[Referral], now: datetime) -> str:
    """What the list shows, in short, without telling it; a promise that passes changes it too."""
    parts = [f"{one.referral_id}:{one.task_version}:{is_late(one, now)}" for one in referrals]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:24]


def _board(
    desk: Desk, session: Session, reader: str, unit: str, already_shown: Set[str] = frozenset()
) -> Board:
    listed = handlers.read_worklist(desk.room, session.caller, telemetry.current_cause(), already_shown)
    rows = [_row(desk, session, reader, one) for one in listed]
    units = sorted({row.unit for row in rows if row.unit} | set(desk.hospital_of(session).units))
    wanted = [row for row in rows if not unit or row.unit == unit]
    waiting = sorted(
        (row for row in wanted if not row.is_over), key=lambda row: _URGENCY[row.referral.urgency]
    )
    return Board(
        rows=waiting,
        over=[row for row in wanted if row.is_over],
        units=units,
        unit=unit,
        mark=_mark([one.referral for one in listed], desk.room.clock.now()),
        ids=frozenset(one.referral.referral_id for one in listed),
    )


def _row(desk: Desk, session: Session, reader: str, one: Listed) -> Row:
    referral, now, zone = one.referral, desk.room.clock.now(), desk.hospital_of(session).zone
    unit, bed = place_of(one.kept.submission.place)
    promised, leaves = referral.promised_arrival_at, referral.expected_departure_at

    def told(moment: datetime | None) -> str:
        return pages.day_and_time(moment, zone, reader, now) if moment else ""

    return Row(
        referral=referral,
        unit=unit,
        bed=bed,
        initials=""
        if one.is_behind_glass
        else initials(one.kept.person.given_name, one.kept.person.family_name),
        is_behind_glass=one.is_behind_glass,
        since=told(referral.state_at),
        promise=told(promised) if referral.state is State.ASSIGNED else "",
        is_late=is_late(referral, now),
        leaves=told(leaves),
        is_leaving_first=bool(promised and leaves and leaves < promised and referral.state is State.ASSIGNED),
    )


def is_late(referral: Referral, now: datetime) -> bool:
    """The promised time is over and nobody said that they arrived; what was promised stays as it was said."""
    promised = referral.promised_arrival_at
    return referral.state is State.ASSIGNED and promised is not None and promised < now


def initials(given: str, family: str) -> str:
    """ "W. Q."; enough to tell two beds apart."""
    return " ".join(f"{name[0].upper()}." for name in (given.strip(), family.strip()) if name)
