"""A medical emergency at the desk (42 CFR 2.51): who receives it and why is on record before anything is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from chassis import telemetry
from chassis.errors import Fault, Kind, Refusal
from chassis.identity import require
from services.intake import handlers
from services.intake.domain.emergency import NATURES
from services.intake.store.sessions import Session
from services.intake.web import filling_form
from services.intake.web.desk import Desk
from services.intake.web.words import WORDS, reader_of

ROLES = ("nurse", "clinician")
PURPOSE = "ETREAT"
_FIELDS = ("recipient_id", "recipient_affiliation", "nature_code")


def routes(desk: Desk, page: str) -> list[BaseRoute]:
    """The form, and what may be told once it is sent."""
    return [
        desk.route(f"{page}/emergency", show),
        desk.route(f"{page}/emergency", disclose, method="POST"),
    ]


def show(desk: Desk, request: Request) -> Response:
    """GET: what will be on record; nothing of the referral is read or shown."""
    return _form(desk, request, _discloser(desk, request), {}, ())


def disclose(desk: Desk, request: Request) -> Response:
    """POST: identity and whereabouts, after the four facts are durable; a fault shows the form again."""
    session, fields = _discloser(desk, request), request.state.fields
    given = {name: fields.get(name, "").strip() for name in _FIELDS}
    try:
        _complete(given, is_sure=bool(fields.get("sure")))
        kept = handlers.disclose_in_emergency(
            desk.room,
            replace(session.caller, purpose_of_use=PURPOSE),
            request.path_params["id"],
            **given,
            cause=telemetry.current_cause(),
        )
    except Refusal as refusal:
        if refusal.kind is not Kind.INVALID or not refusal.faults:
            raise
        return _form(desk, request, session, given, refusal.faults)
    hospital = desk.hospital_of(session)
    return desk.page(
        request,
        "emergency_told.html",
        session,
        path=_path(request),
        given=given,
        person=kept.person,
        said=kept.submission,
        note=kept.note,
        record_number=filling_form.record_number(kept.submission, hospital),
    )


def _discloser(desk: Desk, request: Request) -> Session:
    session = desk.signed_in(request)
    require(session.caller, *ROLES)
    return session


def _complete(given: Mapping[str, str], *, is_sure: bool) -> None:
    faults = [Fault(name, "missing", "") for name in _FIELDS if not given[name]]
    if given["nature_code"] and given["nature_code"] not in NATURES:
        faults.append(Fault("nature_code", "word-unknown", ""))
    if not is_sure:
        faults.append(Fault("sure", "sure-needed", ""))
    if faults:
        raise Refusal(
            "emergency-incomplete", Kind.INVALID, "Facts of the emergency are missing.", faults=faults
        )


def _form(
    desk: Desk, request: Request, session: Session, given: Mapping[str, str], faults: Sequence[Fault]
) -> Response:
    words = WORDS[reader_of(request)]
    told = {each.path: words[f"emergency_fault_{each.code}"] for each in faults}
    status = 422 if faults else 200
    shown = {"path": _path(request), "given": given, "faults": told, "natures": NATURES}
    return desk.page(request, "emergency.html", session, status, **shown)


def _path(request: Request) -> str:
    return f"/desk/referrals/{request.path_params['id']}"
