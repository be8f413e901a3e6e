"""The morning after: everybody who waits, assigned as a whole; looked at first, then all of it or nothing."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from services.matching import handlers
from services.matching.backlog import Plan
from services.matching.web import telling
from services.matching.web.office import LEADS, Office, Visit
from services.matching.web.pages import BOARD

PAGE = f"{BOARD}/backlog"


def routes(office: Office) -> list[Route]:
    """The page, a preview, and its application."""
    return [
        office.route(PAGE, show, *LEADS),
        office.route(f"{PAGE}/preview", preview, *LEADS, method="POST"),
        office.route(f"{PAGE}/apply", apply, *LEADS, method="POST"),
    ]


def show(visit: Visit) -> Response:
    """GET: what a plan is, and the button for one."""
    return visit.page("backlog.html", plan=None)


def preview(visit: Visit) -> Response:
    """POST, because a plan is kept for ten minutes: the best joint assignment; nobody is asked yet."""
    plan = handlers.preview_backlog(visit.room, [], visit.caller, visit.cause)
    return visit.page(
        "backlog.html",
        plan=plan,
        expires=visit.when(plan.expires_at),
        planned=[
            (one, telling.short(one.case.referral_id), _points(one.candidate.score_milli))
            for one in plan.planned
        ],
        shorts=_shorts(plan),
        left_over=[
            (one, telling.short(one.case.referral_id), telling.kept_out(one.exclusions, visit.words)[:3])
            for one in plan.left_over
        ],
        total=_points(plan.total_milli),
        greedy_total=_points(plan.greedy_total_milli),
    )


def apply(visit: Visit) -> Response:
    """POST: every offer of the plan goes out, or none where anything changed since."""
    plan_id = visit.fields.get("plan", "")[:100]
    handlers.apply_backlog(visit.room, plan_id, visit.key, visit.caller, visit.cause)
    return visit.then("applied", BOARD)


def _shorts(plan: Plan) -> dict[str, str]:
    return {one.case.referral_id: telling.short(one.case.referral_id) for one in plan.planned}


def _points(milli: int) -> str:
    return telling.points(milli)
