"""How notices stand: what went out in a day by channel and outcome, what was given up, and every letter to look at."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from chassis import telemetry
from chassis.errors import Kind, Refusal
from services.notifications import handlers
from services.notifications.bootstrap import Room
from services.notifications.domain.contacts import Contact
from services.notifications.domain.intents import TABLE, Happening, Intent, rule_of
from services.notifications.domain.opening import open_notice
from services.notifications.web.door import HOME, Visit, signed_in
from services.notifications.wording.letters import LANGUAGES

PATH: Final = f"{HOME}/operator"
_DAY: Final = timedelta(days=1)


def routes(room: Room) -> list[Route]:
    """The page, a replay, a preview."""
    return [
        Route(PATH, signed_in(room, show, is_for_operators=True), methods=["GET"]),
        Route(f"{PATH}/replay", signed_in(room, replay, is_for_operators=True), methods=["POST"]),
        Route(f"{PATH}/preview", signed_in(room, preview, is_for_operators=True), methods=["GET"]),
    ]


def show(visit: Visit) -> Response:
    """GET: the last day, and what is dead."""
    room = visit.room
    dead = handlers.list_dead(room, visit.caller, limit=0, cause=telemetry.current_cause())
    return visit.page(
        "operator.html",
        counts=room.notices.counts(room.clock.now() - _DAY),
        waiting=room.notices.waiting(),
        dead=dead,
        now=room.clock.now(),
        may_replay={one.notice_id: _may_replay(room, one.intent, one.expires_at) for one in dead},
        intents=[rule.intent.value for rule in TABLE],
        languages=LANGUAGES,
        told=visit.request.query_params.get("told", ""),
    )


def replay(visit: Visit) -> Response:
    """POST: one dead notice goes out again."""
    try:
        cause = telemetry.current_cause()
        handlers.replay_notice(visit.room, visit.caller, visit.fields.get("notice_id", ""), cause)
    except Refusal as refusal:
        if refusal.kind not in (Kind.CONFLICT, Kind.NOT_FOUND):
            raise
        return RedirectResponse(f"{PATH}?told=refused", 303)
    return RedirectResponse(f"{PATH}?told=replayed", 303)


def preview(visit: Visit) -> Response:
    """GET: a letter as it would be read, with made-up times; nothing is sent and nobody is meant."""
    asked = visit.request.query_params
    try:
        intent = Intent(asked.get("intent", ""))
    except ValueError:
        raise Refusal("intent-unknown", Kind.INVALID, "No such template.") from None
    language = asked.get("language", "en")
    if language not in LANGUAGES:
        raise Refusal("language-unknown", Kind.INVALID, "No such language.")
    now, rule = visit.room.clock.now(), rule_of(intent)
    happening = Happening(
        event=rule.event,
        happened_at=now,
        referral_id="ref_sample",
        recipient_id="nobody",
        contact_id="nobody",
        deadline_at=now + timedelta(minutes=5),
        promised_arrival_at=now + timedelta(minutes=20),
        modality="bedside",
        last_day=(now + timedelta(days=30)).date().isoformat(),
    )
    notice, _ = open_notice(rule, happening, now, is_reachable=True)
    letter = visit.room.letters.write(notice, Contact(language=language), "sample")
    return visit.page("preview.html", letter=letter, intent=intent.value)


def _may_replay(room: Room, intent: Intent, expires_at: datetime) -> bool:
    return rule_of(intent).is_renewable or room.clock.now() < expires_at
