"""One referral somebody carries: the way there, the meeting, the check-ins, the end; or somebody else instead."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from services.matching import handlers, wording
from services.matching.domain import arriving, followup, moving
from services.matching.domain.case import ASSIGNED, FOLLOWED, Case
from services.matching.domain.specialist import MODALITIES
from services.matching.handlers import Move, Recorded, Rematch, Step
from services.matching.web import telling
from services.matching.web.office import SPECIALIST, Office, Visit
from services.matching.web.pages import HOME

PAGE = f"{HOME}/people/{{id}}"


def routes(office: Office) -> list[Route]:
    """The page, and what somebody may say on it."""
    said = {
        "step": step,
        "handoff": handoff,
        "checkin": checkin,
        "complete": complete,
        "somebody-else": somebody_else,
        "move": move,
        "keep-apart": keep_apart,
    }
    return [
        office.route(PAGE, show, *SPECIALIST),
        *(office.route(f"{PAGE}/{name}", view, *SPECIALIST, method="POST") for name, view in said.items()),
    ]


def show(visit: Visit) -> Response:
    """GET: the case as its specialist sees it; written down before it is shown."""
    case, offers = handlers.read_case(visit.room, visit.path("id"), visit.caller, visit.cause)
    latest = case.last_assignment
    is_mine = case.state in (ASSIGNED, FOLLOWED) and case.assigned_specialist_id == visit.caller.actor_id
    mine = latest if latest is not None and latest in offers else offers[-1]
    return visit.page(
        "person.html",
        case=case,
        short_id=telling.short(case.referral_id),
        is_mine=is_mine,
        state=telling.state_word(case),
        line=telling.line(visit, case) if is_mine else None,
        languages=telling.languages(case.need, visit.reader),
        reasons=wording.reasons(mine.terms, visit.reader),
        can_ring="phone" in mine.ways,
        checkins=_checkins(visit, case) if is_mine else [],
        handoff_text=visit.when(case.handoff.occurred_at) if case.handoff else "",
        promises=telling.choices(case.need.urgency, frozenset(), visit.words),
        steps=arriving.STEPS,
        handoff_outcomes=followup.HANDOFF_OUTCOMES,
        checkin_outcomes=followup.CHECKIN_OUTCOMES,
        outcomes=followup.OUTCOMES,
        modalities=MODALITIES,
        rematch_reasons=moving.REMATCH_REASONS,
        move_reasons=moving.MOVE_REASONS,
    )


def _checkins(visit: Visit, case: Case) -> list[tuple[object, str, str]]:
    return [(one, visit.when(one.due_at), visit.when(one.occurred_at)) for one in case.checkins]


def step(visit: Visit) -> Response:
    """POST: on the way, late, there, or a call instead."""
    told = visit.fields.get("step", "")
    is_new_promise = told in (arriving.DELAYED, arriving.BY_PHONE)
    promised = visit.promised() if is_new_promise else None
    said = Step(visit.path("id"), visit.key, told, promised)
    handlers.report_arrival(visit.room, said, visit.caller, visit.cause)
    return visit.then("step", _page(visit))


def handoff(visit: Visit) -> Response:
    """POST: the first meeting, or why there was none."""
    said = Recorded(
        visit.path("id"),
        visit.key,
        visit.fields.get("outcome", ""),
        modality=visit.fields.get("modality", ""),
    )
    handlers.record_handoff(visit.room, said, visit.caller, visit.cause)
    return visit.then("handoff", _page(visit))


def checkin(visit: Visit) -> Response:
    """POST: what came of a check-in; from the first page it takes two taps."""
    number = visit.fields.get("number", "")
    known = int(number) if number.isascii() and number.isdigit() and len(number) < 4 else 0
    said = Recorded(visit.path("id"), visit.key, visit.fields.get("outcome", ""), number=known)
    handlers.record_checkin(visit.room, said, visit.caller, visit.cause)
    return visit.then("checkin")


def complete(visit: Visit) -> Response:
    """POST: the end, with an outcome."""
    outcome = visit.fields.get("outcome", "")
    handlers.complete(visit.room, visit.path("id"), outcome, visit.caller, visit.cause)
    return visit.then("completed", HOME)


def somebody_else(visit: Visit) -> Response:
    """POST: somebody else is sought, at either side's wish."""
    side, reason = visit.fields.get("side", ""), visit.fields.get("reason", "")
    wish = Rematch(visit.path("id"), visit.key, side, reason)
    handlers.request_rematch(visit.room, wish, visit.caller, visit.cause)
    return visit.then("somebody-else", HOME)


def move(visit: Visit) -> Response:
    """POST: before leave, the best who could is asked to take over."""
    is_willing = visit.fields.get("willing") == "yes"
    asked = Move(visit.path("id"), visit.key, "", visit.fields.get("reason", ""), is_willing)
    handlers.propose_move(visit.room, asked, visit.caller, visit.cause)
    return visit.then("move", _page(visit))


def keep_apart(visit: Visit) -> Response:
    """POST: the two are never brought together again; sealed, and told to nobody."""
    me = visit.caller.actor_id
    handlers.keep_apart(visit.room, me, visit.path("id"), visit.caller, visit.cause)
    return visit.then("kept-apart", HOME)


def _page(visit: Visit) -> str:
    return f"{HOME}/people/{visit.path('id')}"
