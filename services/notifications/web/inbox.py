"""My inbox: what I or my unit was told, on whatever channel, in my language; news come to the open page by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Final

from pymongo.errors import PyMongoError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from chassis import policy, telemetry
from chassis.identity import Caller
from chassis.open_pages import in_store
from services.notifications.bootstrap import Room
from services.notifications.domain.contacts import Contact, specialist_contact_id
from services.notifications.domain.reach import reach_of
from services.notifications.store import Held
from services.notifications.web import pages
from services.notifications.web.door import COOKIES, HOME, REFERRERS, Visit, signed_in

_SHOWN: Final = 50
_LOOKS_EVERY_S: Final = 2.0
_LONGEST_S: Final = 600.0
_MOST_OPEN: Final = 200


def routes(room: Room) -> list[Route]:
    """The inbox and its news."""
    return [
        Route(HOME, signed_in(room, show), methods=["GET"]),
        Route(f"{HOME}/news", _News(room).serve, methods=["GET"]),
    ]


def show(visit: Visit) -> Response:
    """GET: the newest first; what is open has its button here, wherever the notice went."""
    room, mine = visit.room, readers(visit.caller)
    held = room.notices.newest_of_recipients(mine, _SHOWN)
    for reader_id in mine:
        room.access.record_read(
            visit.caller,
            record_type="Notice",
            record_id=reader_id,
            action="search",
            criteria=["recipient_id"],
            cause=telemetry.current_cause(),
        )
    contact = contact_of(room, visit.caller.actor_id, [one.notice.contact_id for one in held[:1]])
    language = pages.reader_of(visit.request)
    reader = Contact(language=language, time_zone=contact.time_zone)
    rows = []
    for one in held:
        token = _token(visit, one)
        letter = room.letters.write(one.notice, reader, token)
        rows.append((one.notice, letter.subject, _lines(letter.text, is_with_link=bool(token))))
    return visit.page("inbox.html", rows=rows, zone=contact.time_zone, mark=_mark(room, mine))


def readers(caller: Caller) -> list[str]:
    """Whose messages somebody reads: their own, and those of the unit they refer for."""
    unit = caller.organization_id if caller.role in REFERRERS else ""
    return list(dict.fromkeys(one for one in (caller.actor_id, unit) if one))


def _token(visit: Visit, held: Held) -> str:
    is_open = visit.room.clock.now() < held.notice.expires_at
    return visit.room.notices.link_token(held) if is_open else ""


def _lines(text: str, *, is_with_link: bool) -> list[tuple[str, str]]:
    """Each paragraph with its link, "" where it has none."""
    paragraphs = [paragraph.partition(":\nhttp") for paragraph in text.strip().split("\n\n")[:-1]]
    return [
        (words, f"http{rest}" if mark else "") for words, mark, rest in paragraphs if is_with_link or not mark
    ]


def contact_of(room: Room, person_id: str, other_cards: Sequence[str] = ()) -> Contact:
    """The person's own language and zone, as far as they are known; else those of the other cards."""
    card_id = specialist_contact_id(person_id)
    cards = room.contacts.open_many([card_id, *other_cards])
    card = cards.get(card_id) or next(iter(cards.values()), None)
    reach = reach_of(card, room.wishes.of([person_id]).get(person_id))
    return reach.contact if reach else Contact()


def _mark(room: Room, mine: Sequence[str]) -> str:
    """Differs as soon as something in the inbox does."""
    newest = room.notices.newest_of_recipients(mine, 10)
    return ".".join(f"{held.notice.notice_id[4:10]}{held.loaded.version}" for held in newest)


class _News:
    """An event for each change of somebody's inbox; at most so many pages at once."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._open = 0

    async def serve(self, request: Request) -> Response:
        """GET text/event-stream, for who is signed in."""
        # What a page asks by itself is nobody's hand: an empty chair is signed out in time.
        found = partial(self._room.sessions.find, COOKIES.secret(request), is_activity=False)
        session = await run_in_threadpool(found)
        if session is None:
            return Response(status_code=204)  # the browser asks no more
        policy.admit(session.caller)
        if self._open >= _MOST_OPEN:
            return Response(status_code=503, headers={"retry-after": "20"})
        return StreamingResponse(
            self._events(request, readers(session.caller)),
            media_type="text/event-stream",
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )

    async def _looked(self, mine: Sequence[str], last: str) -> str:
        """The mark now; trouble with the store is waited out."""
        try:
            return await in_store(lambda: _mark(self._room, mine))
        except PyMongoError:
            return last

    async def _events(self, request: Request, mine: Sequence[str]) -> AsyncIterator[str]:
        self._open += 1
        try:
            yield "retry: 3000\n\n"
            is_stopping = request.scope.get("state", {}).get("is_stopping", lambda: False)
            loop = asyncio.get_running_loop()
            until, last = loop.time() + _LONGEST_S, ""
            while loop.time() < until and not is_stopping() and not await request.is_disconnected():
                mark = await self._looked(mine, last)
                yield f"data: {mark}\n\n" if mark != last else ": here\n\n"
                last = mark
                await asyncio.sleep(_LOOKS_EVERY_S)
        finally:
            self._open -= 1
