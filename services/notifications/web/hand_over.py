"""Whoever is with a peer hands them their own page: a link, and the same as a picture for their phone's camera."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response
from starlette.routing import Route

from chassis import telemetry
from services.notifications import handlers
from services.notifications.bootstrap import Room
from services.notifications.domain.contacts import source_contact_id
from services.notifications.domain.reach import reach_of
from services.notifications.web.door import HOME, Visit, signed_in
from services.notifications.web.inbox import contact_of

PATH: Final = f"{HOME}/hand-over"


def routes(room: Room) -> list[Route]:
    """The question for which request, and the link."""
    return [
        Route(PATH, signed_in(room, show), methods=["GET"]),
        Route(PATH, signed_in(room, hand_over), methods=["POST"]),
    ]


def show(visit: Visit) -> Response:
    """GET: which request; nothing is made yet."""
    return visit.page("hand_over.html", referral_id=visit.request.query_params.get("referral", "")[:80])


def hand_over(visit: Visit) -> Response:
    """POST: the link, shown this once; it is on record who asked for it, also where there is no such request."""
    referral_id = visit.fields.get("referral", "").strip()
    made = handlers.hand_over(visit.room, visit.caller, referral_id, telemetry.current_cause())
    zone = _zone(visit, referral_id)
    rows = picture(made.link)
    return visit.page("handed_over.html", made=made, zone=zone, rows=rows, size=len(rows) + 8)


def _zone(visit: Visit, referral_id: str) -> str:
    """Where the unit is, as its coordinator or the request said; the reader's own where nobody did."""
    room, unit, card_id = visit.room, visit.caller.organization_id, source_contact_id(referral_id)
    reach = reach_of(room.contacts.open_many([card_id]).get(card_id), room.wishes.of([unit]).get(unit))
    known = reach.contact.time_zone if reach else ""
    return known if known not in ("", "UTC") else contact_of(room, visit.caller.actor_id).time_zone


def picture(link: str) -> list[list[tuple[int, int]]]:
    """The QR code of the link: for each row where its dark stretches begin, and how long they are."""
    # Imported when somebody asks for one: it is 17 MB, and most processes never draw any.
    from reportlab.graphics.barcode.qrencoder import QRCode, QRErrorCorrectLevel

    code = QRCode(None, QRErrorCorrectLevel.M)
    code.addData(link)
    code.make()
    return [_stretches([bool(dark) for dark in row]) for row in code.modules]


def _stretches(row: list[bool]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for place, dark in enumerate(row):
        if dark and found and sum(found[-1]) == place:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        elif dark:
            found.append((place, 1))
    return found
