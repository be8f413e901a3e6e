"""What a specialist says of themself: rest, shifts, limits, what they share and with whom, how they come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from starlette.responses import Response
from starlette.routing import Route

from chassis.errors import Kind, Refusal
from services.matching import handlers, taxonomy, tongues
from services.matching.domain.specialist import AGE_BANDS, LEVELS, MODALITIES, TRANSPORTS
from services.matching.roster_file import RowFault
from services.matching.roster_forms import DAYS
from services.matching.rostering import editing
from services.matching.web import columns, telling
from services.matching.web.office import SPECIALIST, Office, Visit
from services.matching.web.pages import HOME

PAGE = f"{HOME}/me"
REST_HOURS = (8, 12, 24, 48, 72, 168)
_TONGUES = (
    "en",
    "es",
    "ase",
    "zh",
    "vi",
    "tl",
    "ko",
    "ar",
    "ru",
    "fr",
    "ht",
    "pt",
    "hi",
    "pl",
    "so",
    "ne",
    "nv",
)


def routes(office: Office) -> list[Route]:
    """The page, and its changes."""
    return [
        office.route(PAGE, show, *SPECIALIST),
        office.route(f"{PAGE}/rest", rest, *SPECIALIST, method="POST"),
        office.route(f"{PAGE}/entry", change, *SPECIALIST, method="POST"),
        office.route(f"{PAGE}/ways", ways, *SPECIALIST, method="POST"),
    ]


def show(visit: Visit) -> Response:
    """GET: their own entry; private attributes are on it for nobody else."""
    return _page(visit)


def _page(visit: Visit, faults: Sequence[RowFault] = ()) -> Response:
    now = visit.room.clock.now()
    found = handlers.read_specialist(visit.room, visit.caller.actor_id, visit.caller, visit.cause)
    row, words, reader = handlers.row(found, visit.caller), visit.words, visit.reader
    known = taxonomy.read()
    return visit.page(
        "me.html",
        400 if faults else 200,
        row=row,
        revision=found.revision,
        lists={name: columns.items(name, row[name], reader, words) for name in columns.LISTS},
        shifts=[columns.window(one, reader, words) for one in row["shifts"].split(";") if one],
        faults=told_faults(faults, words),
        rests_text=visit.when(found.standing.rests_until) if found.standing.is_resting(now) else "",
        rest_hours=[(hours, telling.in_minutes(hours * 60, words)) for hours in REST_HOURS],
        is_available=found.specialist.is_available(now, is_immediate=True),
        attributes=[(code, known.label(code, reader)) for code in known.attributes],
        tongues=sorted(((tag, tongues.name(tag, reader)) for tag in _TONGUES), key=lambda one: one[1]),
        levels=tuple(LEVELS),
        days=DAYS,
        age_bands=AGE_BANDS,
        modalities=MODALITIES,
        transports=TRANSPORTS,
        today=now.date().isoformat(),
    )


def told_faults(faults: Sequence[RowFault], words: Mapping[str, str]) -> list[tuple[str, str]]:
    """What is wrong with which column, in words; never the value."""
    return [
        (
            words.get(f"column_{fault.column}", fault.column),
            words.get(f"fault_{fault.code}", words["fault_other"]),
        )
        for fault in faults
    ]


def rest(visit: Visit) -> Response:
    """POST: nobody is brought to them for so long; 0 hours ends a rest they took."""
    sent = visit.fields.get("hours", "")
    if sent not in {"0", *(str(hours) for hours in REST_HOURS)}:
        raise Refusal("hours-unknown", Kind.INVALID, "Choose how long.")
    until = visit.room.clock.now() + timedelta(hours=int(sent))
    handlers.take_rest(visit.room, visit.caller.actor_id, until, visit.caller, visit.cause)
    return visit.then("rest" if int(sent) else "back", PAGE)


def change(visit: Visit) -> Response:
    """POST: one entry of one column more, or less."""
    column = columns.known(visit.fields.get("column", ""))
    found = handlers.read_specialist(visit.room, visit.caller.actor_id, visit.caller, visit.cause)
    text = handlers.row(found, visit.caller)[column]
    make = columns.without_item if visit.fields.get("action") == "remove" else columns.with_item
    changed = {column: make(column, text, visit.fields)}
    if column == "attributes" and ":private" in changed[column]:
        changed["agrees_to_private_use"] = visit.fields.get(
            "agrees", handlers.row(found, visit.caller)["agrees_to_private_use"]
        )
    return _saved(visit, changed)


def ways(visit: Visit) -> Response:
    """POST: how they come, and how far."""
    chosen = [way for way in MODALITIES if visit.fields.get(f"way_{way}") == "yes"]
    told = {name: visit.fields.get(name, "") for name in ("radius_miles", "transport")}
    return _saved(visit, {"modalities": ";".join(chosen), **told})


def _saved(visit: Visit, changed: Mapping[str, str]) -> Response:
    sent = visit.fields.get("revision", "")
    revision = int(sent) if sent.isascii() and sent.isdigit() and len(sent) < 10 else 0
    me = visit.caller.actor_id
    _, faults = editing.revise(visit.room, me, changed, visit.caller, visit.cause, revision=revision)
    return _page(visit, faults) if faults else visit.then("saved", PAGE)
