"""My preferences, or for staff somebody's: how, when and whether they are written to; every change is audited."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from chassis import telemetry
from chassis.errors import Fault, Kind, Refusal
from services.notifications import handlers
from services.notifications.bootstrap import Room
from services.notifications.codec.addresses import email_address, is_zone, phone_number
from services.notifications.domain.intents import Channel
from services.notifications.domain.windows import Window
from services.notifications.web import pages
from services.notifications.web.door import HOME, Visit, signed_in

PATH: Final = f"{HOME}/preferences"
_CHANNELS: Final = (Channel.EMAIL, Channel.SMS, Channel.WEBHOOK, Channel.APPRISE, Channel.IN_APP)
_LANGUAGES: Final = pages.LANGUAGE_NAMES


def routes(room: Room) -> list[Route]:
    """The form, shown and sent."""
    return [
        Route(PATH, signed_in(room, show), methods=["GET"]),
        Route(PATH, signed_in(room, save), methods=["POST"]),
    ]


def show(visit: Visit) -> Response:
    """GET: how I, or whom staff name, are reached now."""
    return _page(visit, {})


def save(visit: Visit) -> Response:
    """POST: as it is wanted from now on; a fault leaves everything as it was and stands beside its field."""
    try:
        now = visit.room.wishes.load(_whose(visit)).wishes
        wanted = read(visit.fields)
        for name in ("quiet", "unsafe"):
            wanted[name] = with_the_others(getattr(now, name), wanted[name])
        handlers.change_contact(
            visit.room,
            visit.caller,
            _whose(visit),
            wanted,
            version=int(visit.fields.get("version", "0") or 0),
            cause=telemetry.current_cause(),
        )
    except Refusal as refusal:
        if refusal.kind not in (Kind.INVALID, Kind.CONFLICT):
            raise
        places = {fault.path.removeprefix("wishes.").partition("[")[0] for fault in refusal.faults}
        return _page(visit, {"wrong": places or {refusal.code}}, 422)
    whose = f"&person={quote(_whose(visit), safe='')}" if _is_staff(visit) else ""
    return RedirectResponse(f"{PATH}?saved=1{whose}", 303)


def _whose(visit: Visit) -> str:
    """One's own, or those of whom staff name; the handler refuses who may not."""
    named = visit.fields.get("person", "") or visit.request.query_params.get("person", "")
    return named.strip() or visit.caller.actor_id


def _is_staff(visit: Visit) -> bool:
    return _whose(visit) != visit.caller.actor_id


def read(fields: Mapping[str, str]) -> dict[str, Any]:
    """The wishes of a posted form; raises Refusal INVALID naming every fault."""
    email, phone, zone = (fields.get(name, "").strip() for name in ("email", "phone", "time_zone"))
    faults = []
    if email and not email_address(email):
        faults.append(Fault("email", "invalid", "This is not an e-mail address."))
    if phone and not phone_number(phone):
        faults.append(Fault("phone", "invalid", "This is not a phone number."))
    if zone and not is_zone(zone):
        faults.append(Fault("time_zone", "invalid", "This is not a time zone."))
    ranks = sorted((fields.get(f"rank_{one.value}", ""), _CHANNELS.index(one), one) for one in _CHANNELS)
    channels = tuple(one for rank, _, one in ranks if rank in ("1", "2", "3", "4", "5"))
    windows = {name: window_of(fields, name, faults) for name in ("quiet", "unsafe", "digest")}
    if faults:
        raise Refusal("contact-invalid", Kind.INVALID, faults[0].message, faults=faults)
    digest = windows["digest"]
    return {
        "is_do_not_contact": fields.get("is_do_not_contact") == "yes",
        "email": email_address(email) if email else "",
        "phone": phone_number(phone) if phone else "",
        "language": fields.get("language", "") if fields.get("language", "") in _LANGUAGES else "",
        "time_zone": zone,
        "channels": channels,
        "shared": tuple(one for one in _CHANNELS if fields.get(f"shared_{one.value}") == "yes"),
        "quiet": windows["quiet"],
        "unsafe": windows["unsafe"],
        "digest_minute": digest[0].from_minute if digest else -1,
        "is_routine_only_here": fields.get("is_routine_only_here") == "yes",
    }


def with_the_others(known: tuple[Window, ...], posted: tuple[Window, ...]) -> tuple[Window, ...]:
    """The page shows the first window only: its days and every other window stay as staff or the API set them."""
    first = tuple(replace(window, days=known[0].days) if known else window for window in posted)
    return (*first, *known[1:])


def window_of(fields: Mapping[str, str], name: str, faults: list[Fault]) -> tuple[Window, ...]:
    """A window of two posted times, none where both are empty; what is neither is added to the faults."""
    since, until = fields.get(f"{name}_from", ""), fields.get(f"{name}_until", "")
    if name == "digest":
        until = since
    if not since and not until:
        return ()
    try:
        return (Window(_minute(since), _minute(until)),)
    except ValueError:
        faults.append(Fault(name, "invalid", "Give both times, such as 21:00 and 07:00."))
        return ()


def _minute(text: str) -> int:
    hour, _, minute = text.partition(":")
    if not (0 <= int(hour) <= 23 and 0 <= int(minute) <= 59):
        raise ValueError(text)
    return int(hour) * 60 + int(minute)


def _page(visit: Visit, shown: Mapping[str, Any], status: int = 200) -> Response:
    person_id = _whose(visit)
    told = handlers.get_contact(visit.room, visit.caller, person_id, telemetry.current_cause())
    wishes = told.wishes
    given = {
        "is_do_not_contact": "yes" if wishes.is_do_not_contact else "",
        "is_routine_only_here": "yes" if wishes.is_routine_only_here else "",
        "email": wishes.email,
        "phone": wishes.phone,
        "language": wishes.language,
        "time_zone": wishes.time_zone,
        "digest_from": clock_of(wishes.digest_minute) if wishes.digest_minute >= 0 else "",
        **{f"rank_{one.value}": str(rank) for rank, one in enumerate(wishes.channels, 1)},
        **{f"shared_{one.value}": "yes" for one in wishes.shared},
    }
    for name, windows in (("quiet", wishes.quiet), ("unsafe", wishes.unsafe)):
        for window in windows[:1]:
            given[f"{name}_from"], given[f"{name}_until"] = (
                clock_of(window.from_minute),
                clock_of(window.until_minute),
            )
    return visit.page(
        "preferences.html",
        status,
        given={**given, **visit.fields} if visit.fields else given,
        version=told.version,
        person=person_id if _is_staff(visit) else "",
        unit="" if _is_staff(visit) else _unit(visit),
        channels=[one.value for one in _CHANNELS],
        languages=_LANGUAGES,
        standings=told.standings,
        wrong=shown.get("wrong", set()),
        is_saved=visit.request.query_params.get("saved") == "1",
    )


def _unit(visit: Visit) -> str:
    """The unit whose messages the caller may direct elsewhere, "" where there is none."""
    unit = visit.caller.organization_id
    is_theirs = visit.caller.role in handlers.STAFF and unit in visit.room.contacts.organizations_of(unit)
    return unit if is_theirs else ""


def clock_of(minute: int) -> str:
    """A minute of the day as a form shows it."""
    return f"{minute // 60:02}:{minute % 60:02}"
