"""A referral's page: what is known, what happened, what was promised, and everything its hospital may ask of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from chassis import telemetry
from chassis.errors import Kind, Refusal
from services.intake import handlers
from services.intake.domain.commands import CANCEL_REASONS, PEER_REASONS
from services.intake.domain.receipts import Book
from services.intake.domain.referral import Referral
from services.intake.domain.states import RULES, Command
from services.intake.store.documents import Happened, history_of
from services.intake.store.receipt_documents import book_of
from services.intake.store.sessions import Session
from services.intake.web import choices, emergency, filling_form, glass, live, pages, receipt_lines, times
from services.intake.web.desk import Desk
from services.intake.web.receipt_lines import Told
from services.intake.web.times import Unreadable
from services.intake.web.words import WORDS, reader_of
from services.intake.web.worklist import initials, is_late

PAGE = f"{pages.HOME}/referrals/{{id}}"
_SAID = frozenset({"sent", "known", "corrected", "cancelled", "said_no", "leaving", "revoked", "in_error"})


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the page shows of where a referral stands."""

    referral: Referral
    history: tuple[Happened, ...]
    book: Book


def routes(desk: Desk) -> list[BaseRoute]:
    """The page, its print view, what keeps it true, and its commands."""
    return [
        desk.route(PAGE, show),
        desk.route(f"{PAGE}/print", show_sheet),
        Route(f"{PAGE}/live", live.endpoint(desk, _news), name="desk-referral-live"),
        desk.route(f"{PAGE}/cancel", cancel, method="POST"),
        desk.route(f"{PAGE}/peer-said-no", decline_by_peer, method="POST"),
        desk.route(f"{PAGE}/leaving", report_departure, method="POST"),
        desk.route(f"{PAGE}/revoke-consent", revoke_consent, method="POST"),
        desk.route(f"{PAGE}/entered-in-error", enter_in_error, method="POST"),
        *emergency.routes(desk, PAGE),
        *glass.routes(desk, PAGE),
    ]


def show(desk: Desk, request: Request) -> Response:
    """GET: everything about it; the read is in the audit trail before it is shown."""
    return _page(desk, request, "referral.html")


def show_sheet(desk: Desk, request: Request) -> Response:
    """GET: a sheet for the next shift, without reasons and diagnoses."""
    return _page(desk, request, "sheet.html")


def cancel(desk: Desk, request: Request) -> Response:
    """POST: the source takes it back, with a reason."""
    session, reason = desk.signed_in(request), request.state.fields.get("reason", "")
    handlers.cancel(desk.room, session.caller, _id(request), reason, cause=telemetry.current_cause())
    return _done(request, "cancelled")


def decline_by_peer(desk: Desk, request: Request) -> Response:
    """POST: the person said no, with a reason."""
    session, reason = desk.signed_in(request), request.state.fields.get("reason", "")
    handlers.decline_by_peer(desk.room, session.caller, _id(request), reason, cause=telemetry.current_cause())
    return _done(request, "said_no")


def report_departure(desk: Desk, request: Request) -> Response:
    """POST: the person leaves at this time."""
    session, fields = desk.signed_in(request), request.state.fields
    zone, now = desk.hospital_of(session).zone, desk.room.clock.now()
    try:
        leaves_at = times.coming(fields.get("leaves_time", ""), fields.get("leaves_date", ""), now, zone)
    except Unreadable:
        leaves_at = None
    if leaves_at is None:
        raise Refusal("time-unreadable", Kind.INVALID, "A time is needed.")
    cause = telemetry.current_cause()
    handlers.report_departure(desk.room, session.caller, _id(request), leaves_at, cause=cause)
    return _done(request, "leaving")


def revoke_consent(desk: Desk, request: Request) -> Response:
    """POST: the consent is taken back; everything in flight is stopped."""
    session = desk.signed_in(request)
    _sure(request)
    handlers.revoke_consent(desk.room, session.caller, _id(request), cause=telemetry.current_cause())
    return _done(request, "revoked")


def enter_in_error(desk: Desk, request: Request) -> Response:
    """POST: it should never have been entered."""
    session = desk.signed_in(request)
    _sure(request)
    handlers.enter_in_error(desk.room, session.caller, _id(request), cause=telemetry.current_cause())
    return _done(request, "in_error")


def _sure(request: Request) -> None:
    if not request.state.fields.get("sure"):
        raise Refusal("sure-needed", Kind.INVALID, "Confirm it.")


def _id(request: Request) -> str:
    referral_id: str = request.path_params["id"]
    return referral_id


def _done(request: Request, what: str) -> Response:
    return RedirectResponse(f"{pages.HOME}/referrals/{_id(request)}?told={what}", 303)


def _page(desk: Desk, request: Request, template: str) -> Response:
    session, cause = desk.signed_in(request), telemetry.current_cause()
    broken = glass.opened(desk, request)
    caller = glass.reader(session, broken)
    referral, kept = handlers.read_referral(desk.room, caller, _id(request), "Referral", cause)
    told, hospital = request.query_params.get("told", ""), desk.hospital_of(session)
    person = kept.person
    return desk.page(
        request,
        template,
        session,
        told=told if told in _SAID else "",
        said=kept.submission,
        person=person,
        initials=initials(person.given_name, person.family_name),
        record_number=filling_form.record_number(kept.submission, hospital),
        place=filling_form.place_of(kept.submission.place),
        spoken=[choices.language_name(tag, reader_of(request)) for tag in kept.submission.languages],
        labels=choices.LABELS[reader_of(request)],
        can=lambda command: can(referral, Command(command), session.caller.role),
        may_disclose=session.caller.role in emergency.ROLES and not referral.is_consent_revoked,
        cancel_reasons=CANCEL_REASONS,
        peer_reasons=PEER_REASONS,
        broken=broken,
        printed=pages.full_time(desk.room.clock.now(), hospital.zone, reader_of(request)),
        **_standing(desk, session, _Shown(referral, kept.history, kept.book), reader_of(request)),
    )


def _standing(desk: Desk, session: Session, shown: _Shown, reader: str) -> dict[str, Any]:
    """What changes while the page is open; no word of it says who it is about."""
    referral = shown.referral
    zone, now, words = desk.hospital_of(session).zone, desk.room.clock.now(), WORDS[reader]

    def when(moment: datetime) -> str:
        return pages.day_and_time(moment, zone, reader, now)

    return {
        "referral": referral,
        "late": is_late(referral, now),
        "when": when,
        "mark": _mark(referral, shown.book.version, now),
        "history": [(told.what, when(told.at), told.why) for told in _timeline(shown, words)],
    }


def _timeline(shown: _Shown, words: Mapping[str, str]) -> list[Told]:
    """What happened and what became of the notices about it, oldest first."""
    happened = [
        Told(one.at, words[f"happened_{one.state}"], words.get(f"why_{one.reason_code}", ""))
        for one in shown.history
    ]
    return sorted([*happened, *receipt_lines.told(shown.book, words)], key=lambda one: one.at)


def _news(desk: Desk, session: Session, request: Request) -> live.Look:
    """What an open page asks at each change; that somebody watches is in the audit trail once."""
    referral_id, reader = _id(request), reader_of(request)
    handlers.watch_referral(desk.room, session.caller, referral_id, telemetry.current_cause())
    shown = {"mark": request.query_params.get("mark", "")}

    def look() -> dict[str, str] | None:
        held = desk.room.referrals.load(referral_id)
        now_shown = _Shown(held.referral, history_of(held.loaded.body), book_of(held.loaded.body))
        mark = _mark(held.referral, now_shown.book.version, desk.room.clock.now())
        if mark == shown["mark"]:
            return None
        shown["mark"] = mark
        standing = _standing(desk, session, now_shown, reader)
        return {"html": pages.fragment("standing.html", reader, **standing), "mark": mark}

    return look


def _mark(referral: Referral, notices_version: int, now: datetime) -> str:
    return f"{referral.task_version}-{notices_version}-{int(is_late(referral, now))}"


def can(referral: Referral, command: Command, role: str) -> bool:
    """True where the command would move this referral, or change what it says."""
    rule = RULES[command]
    return role in rule.roles and referral.state in rule.moves
