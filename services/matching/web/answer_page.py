"""The page behind an offer's link: GET shows the offer, writes down that it did and changes nothing, POST answers it.

Whoever has the link is the specialist it was sealed for; the token in it is random, single-use and ends with the
offer. A link that is not open looks the same whatever the reason, so that trying tokens teaches nothing.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_time
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from chassis import telemetry
from chassis.errors import HTTP_STATUS, Kind, Refusal
from chassis.http_server import form, render_plain
from chassis.identity import Caller
from services.matching import handlers, tongues, wording
from services.matching.bootstrap import Room
from services.matching.domain.case import DECLINE_REASONS, Case, Offer
from services.matching.domain.specialist import MODALITIES
from services.matching.handlers import Acceptance, Declining
from services.matching.web.words import WORDS, reader_of

PATH = "/answer/{token:str}"
_PREFIX = "/answer/"
_MOST_MINUTES = 600
_CLOSED = frozenset({"link-not-open", "offer-already-closed", "offer-expired", "consent-expired"})
_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")), autoescape=True, undefined=StrictUndefined
)


def routes(room: Room) -> list[Route]:
    """GET and POST of the page."""
    return [
        Route(PATH, partial(show, room), methods=["GET"], name="offer"),
        Route(PATH, partial(answer, room), methods=["POST"], name="answer"),
    ]


def show(room: Room, request: Request) -> Response:
    """The offer, as long as it can be answered."""
    case, offer = handlers.offer_of_link(room, request.path_params["token"], telemetry.current_cause())
    reader = reader_of(request)
    names = [tongues.name(tag, reader) for tag in case.need.languages]
    return _page(
        request,
        "offer.html",
        200,
        deadline=offer.deadline_at,
        deadline_text=_time(offer.deadline_at, offer, reader),
        urgency=case.need.urgency,
        languages=", ".join(names),
        is_interpreter_agreed=case.need.is_interpreter_agreed,
        reasons=wording.reasons(offer.terms, reader),
        ways=[way for way in MODALITIES if way in offer.ways],
        decline_reasons=DECLINE_REASONS,
    )


def answer(room: Room, request: Request) -> Response:
    """The specialist's yes or no is stored; the same click twice gets the same answer."""
    _, offer = handlers.answered_with_link(room, request.path_params["token"])
    caller = Caller(offer.specialist_id, "specialist", offer.programme_id, "TREAT")
    fields = form(request)
    if fields.get("answer") == "decline":
        no = Declining(offer.offer_id, "link:decline", fields.get("reason", ""))
        handlers.decline(room, no, caller, telemetry.current_cause())
        return _told(request, "declined", 200)
    if fields.get("answer") != "accept":
        raise Refusal("answer-unknown", Kind.INVALID, "Accept or decline.")
    way = fields.get("modality", "")
    yes = Acceptance(offer.offer_id, "link:accept", _promise(room, fields), way, is_click=True)
    accepted = handlers.accept(room, yes, caller, telemetry.current_cause())
    return _accepted(request, accepted, offer.offer_id)


def render_refusal(request: Request, refusal: Refusal) -> Response:
    """A page under /answer/, JSON elsewhere."""
    if not request.url.path.startswith(_PREFIX):
        return render_plain(request, refusal)
    if refusal.code in _CLOSED:
        return _told(request, "closed", 404)
    status = HTTP_STATUS[refusal.kind]
    if refusal.code == "at-capacity":
        return _told(request, "full", status)
    is_theirs = refusal.kind in (Kind.INVALID, Kind.TOO_LARGE)
    return _told(request, "invalid" if is_theirs else "trouble", status, is_going_back=True)


def _accepted(request: Request, case: Case, offer_id: str) -> Response:
    offer, reader = case.offer(offer_id), reader_of(request)
    moment = offer.promised_arrival_at
    assert moment is not None
    text = WORDS[reader]["accepted_text" if offer.modality == "bedside" else "calling_text"]
    return _told(request, "accepted", 200, text=text, moment=moment, moment_text=_time(moment, offer, reader))


def _told(
    request: Request,
    what: str,
    status: int,
    *,
    text: str = "",
    moment: datetime | None = None,
    moment_text: str = "",
    is_going_back: bool = False,
) -> Response:
    words = WORDS[reader_of(request)]
    return _page(
        request,
        "told.html",
        status,
        heading=words[f"{what}_heading"],
        text=text or words[f"{what}_text"],
        moment=moment,
        moment_text=moment_text,
        is_going_back=is_going_back,
    )


def _page(request: Request, template: str, status: int, **shown: Any) -> Response:
    reader, nonce = reader_of(request), secrets.token_urlsafe(16)
    html = _PAGES.get_template(template).render(reader=reader, words=WORDS[reader], nonce=nonce, **shown)
    policy = f"default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    headers = {
        "content-security-policy": policy,
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "vary": "accept-language",
        "content-language": reader,
    }
    return HTMLResponse(html, status, headers)


def _promise(room: Room, fields: dict[str, str]) -> datetime:
    text = fields.get("minutes", "")
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and int(text) <= _MOST_MINUTES):
        raise Refusal("minutes-unusable", Kind.INVALID, "Minutes from 0 to 600.")
    return room.clock.now() + timedelta(minutes=int(text))


def _time(moment: datetime, offer: Offer, reader: str) -> str:
    """The time on the specialist's own clock, with the name of its zone."""
    local = moment.astimezone(ZoneInfo(offer.time_zone))
    return f"{format_time(local, 'short', locale=reader)} ({local.tzname()})"
