"""A peer's own page, behind a link of theirs: how, when and whether they are written to. Looking changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chassis import telemetry
from chassis.errors import Fault, Kind, Refusal
from chassis.http_server import form
from services.notifications import handlers
from services.notifications.bootstrap import Room
from services.notifications.codec.addresses import is_zone
from services.notifications.domain.intents import Channel
from services.notifications.domain.wishes import Wishes
from services.notifications.handlers.invitations import PATH
from services.notifications.store import Invitation
from services.notifications.web import pages
from services.notifications.web.preferences import clock_of, window_of, with_the_others

_YES, _NEVER = "yes", "never"
# Where a hospital of ours may be; another zone that somebody set is shown as it is called.
ZONES: Final = (
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Anchorage",
    "Pacific/Honolulu",
    "America/Puerto_Rico",
)


def routes(room: Room) -> list[Route]:
    """The form, shown and sent."""
    return [
        Route(f"{PATH}/{{token}}", partial(show, room), methods=["GET"]),
        Route(f"{PATH}/{{token}}", partial(save, room), methods=["POST"]),
    ]


def show(room: Room, request: Request) -> Response:
    """GET: as it is now; whatever opens links for somebody changes nothing."""
    invitation = _invited(room, request)
    return _page(room, request, invitation, {})


def save(room: Room, request: Request) -> Response:
    """POST: as it is wanted from now on, once; a fault leaves everything as it was and stands beside its field."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Refusal("form-token-wrong", Kind.FORBIDDEN, "This form was not opened on this page.")
    invitation, fields = _invited(room, request), form(request)
    try:
        wanted = read(fields, room.wishes.load(invitation.person_id).wishes)
        version = int(fields["version"]) if fields.get("version", "").isdecimal() else 0
        cause = telemetry.current_cause()
        handlers.say_wishes(room, invitation, wanted, version=version, cause=cause)
    except Refusal as refusal:
        if refusal.code == "person-erased":
            raise Refusal("link-not-valid", Kind.NOT_FOUND, "This link does not work any more.") from None
        if refusal.kind not in (Kind.INVALID, Kind.CONFLICT):
            raise
        wrong = {fault.path.partition("[")[0] for fault in refusal.faults} or {refusal.code}
        return _page(room, request, invitation, fields, wrong=wrong, status=422)
    language = _spoken(request, wanted["language"] or invitation.language)
    is_silent = wanted["is_do_not_contact"] or Channel.SMS in wanted["shared"]
    return _unlisted(
        pages.render(
            request,
            "own_done.html",
            language=language,
            # A silence that was asked for under another pseudonym holds, and is said.
            is_silent=is_silent or room.people.is_silenced(invitation.person_id),
            caller=None,
        )
    )


def read(fields: Mapping[str, str], known: Wishes) -> dict[str, Any]:
    """The wishes of a posted form, with what the page does not show left as it is; raises Refusal INVALID."""
    faults: list[Fault] = []
    windows = {name: window_of(fields, name, faults) for name in ("quiet", "unsafe")}
    zone = fields.get("time_zone", "")
    if zone and not is_zone(zone):
        faults.append(Fault("time_zone", "invalid", "This is not a time zone."))
    if fields.get("write") not in (_YES, _NEVER):
        faults.append(Fault("write", "missing", "Choose one."))
    if faults:
        raise Refusal("contact-invalid", Kind.INVALID, faults[0].message, faults=faults)
    others = tuple(one for one in known.shared if one is not Channel.SMS)
    return {
        "is_do_not_contact": fields["write"] == _NEVER,
        "shared": (*others, Channel.SMS) if fields.get("shared") == "yes" else others,
        "quiet": with_the_others(known.quiet, windows["quiet"]),
        "unsafe": with_the_others(known.unsafe, windows["unsafe"]),
        "time_zone": zone,
        "language": fields.get("language", "") if fields.get("language", "") in pages.LANGUAGE_NAMES else "",
    }


def _invited(room: Room, request: Request) -> Invitation:
    return handlers.invited(room, request.path_params["token"])


def _page(
    room: Room,
    request: Request,
    invitation: Invitation,
    posted: Mapping[str, str],
    *,
    wrong: frozenset[str] | set[str] = frozenset(),
    status: int = 200,
) -> Response:
    told = handlers.own_wishes(room, invitation, telemetry.current_cause())
    given = posted or _given(told.wishes)
    zone = given.get("time_zone", "")
    page = pages.render(
        request,
        "own.html",
        status,
        language=_spoken(request, told.wishes.language or invitation.language),
        caller=None,
        given=given,
        version=told.version,
        wrong=wrong,
        zones=ZONES if not zone or zone in ZONES else (*ZONES, zone),
        languages=pages.LANGUAGE_NAMES,
    )
    return _unlisted(page)


def _given(wishes: Wishes) -> dict[str, str]:
    given = {
        "write": _NEVER if wishes.is_do_not_contact else _YES,
        "shared": "yes" if Channel.SMS in wishes.shared else "",
        "language": wishes.language,
        "time_zone": wishes.time_zone,
    }
    for name, windows in (("quiet", wishes.quiet), ("unsafe", wishes.unsafe)):
        for window in windows[:1]:
            given[f"{name}_from"] = clock_of(window.from_minute)
            given[f"{name}_until"] = clock_of(window.until_minute)
    return given


def _spoken(request: Request, known: str) -> str:
    """As was asked on the page, else as the messages are, else as the browser asks."""
    asked = request.query_params.get("lang", "")
    for language in (asked, known[:2]):
        if language in pages.LANGUAGE_NAMES:
            return language
    return pages.reader_of(request)


def _unlisted(page: Response) -> Response:
    page.headers["x-robots-tag"] = "noindex, nofollow"
    return page
