"""The review list: two descriptions side by side, and a person who decides whether they are of one person."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from chassis import telemetry
from chassis.identity import Caller, require
from services.intake import handlers
from services.intake.domain.comparison import phone_numbers
from services.intake.domain.pairs import APART_REASONS, NotMerged, PairState, pair_id_of
from services.intake.domain.person import Person, normalized
from services.intake.handlers.linking import Side
from services.intake.store.sessions import Session
from services.intake.web import pages
from services.intake.web.desk import Desk
from services.intake.web.words import WORDS, reader_of

ROLES = ("coordinator", "clinician")
PURPOSE = "HOPERAT"  # keeping one record for one person is an operation, whoever does it
LIST = f"{pages.HOME}/review"
PAGE = f"{LIST}/{{id}}"
_TOLD = frozenset({"same", "apart", "later", "undone"})


@dataclass(frozen=True, slots=True)
class Row:
    """One field of both, and whether they say the same; `mark` is same, different or one-side."""

    field: str
    one: str
    other: str
    mark: str


def routes(desk: Desk) -> list[BaseRoute]:
    """The list, a pair, and what may be decided about it."""
    return [
        desk.route(LIST, show_list),
        desk.route(PAGE, show),
        desk.route(f"{PAGE}/same", decide_same, method="POST"),
        desk.route(f"{PAGE}/apart", decide_apart, method="POST"),
        desk.route(f"{PAGE}/later", decide_later, method="POST"),
        desk.route(f"{PAGE}/undo", undo, method="POST"),
    ]


def show_list(desk: Desk, request: Request) -> Response:
    """GET: what waits, without a word about anybody."""
    session, caller = _reviewer(desk, request)
    found = handlers.list_pairs(desk.room, caller, cause=telemetry.current_cause())
    zone, now, reader = desk.hospital_of(session).zone, desk.room.clock.now(), reader_of(request)
    waiting = [
        (pair, pages.day_and_time(pair.found_at, zone, reader, now), _why(pair.caveats, reader))
        for pair in found.pairs
    ]
    joined = [
        (pair, pages.day_and_time(pair.decided_at, zone, reader, now))
        for pair in found.joined
        if pair.decided_at
    ]
    told = request.query_params.get("told", "")
    doubled = [(pair, two) for pair in found.doubled for two in handlers.open_doubles(desk.room, pair)]
    told = told if told in _TOLD else ""
    return desk.page(
        request, "review_list.html", session, waiting=waiting, doubled=doubled, joined=joined, told=told
    )


def show(desk: Desk, request: Request) -> Response:
    """GET: both identities; both reads are in the audit trail before they are shown."""
    session, caller = _reviewer(desk, request)
    pair, one, other = handlers.read_pair(desk.room, caller, _id(request), cause=telemetry.current_cause())
    return desk.page(
        request,
        "review.html",
        session,
        pair=pair,
        is_merged=pair.state is PairState.SAME,
        is_waiting=pair.state in (PairState.OPEN, PairState.LATER),
        rows=_rows(one, other, reader_of(request)),
        why=_why(pair.caveats, reader_of(request)),
        referrals=[
            desk.room.referrals.of_peer(caller.organization_id, side.peer_id) for side in (one, other)
        ],
        apart_reasons=APART_REASONS,
    )


def decide_same(desk: Desk, request: Request) -> Response:
    """POST: one person; the pseudonym that was there first stays."""
    _, caller = _reviewer(desk, request)
    cause = telemetry.current_cause()
    pair, *_ = handlers.read_pair(desk.room, caller, _id(request), cause=cause)
    first, second = pair.peer_ids
    told = handlers.merge_peers(desk.room, caller, first, second, reason_code="reviewed", cause=cause)
    if not told.is_new:  # somebody else was quicker
        return _done("same")
    return RedirectResponse(f"{LIST}/{pair_id_of(told.surviving_peer_id, told.merged_peer_id)}", 303)


def decide_apart(desk: Desk, request: Request) -> Response:
    """POST: two people, with the reason; they are not asked about again."""
    _, caller = _reviewer(desk, request)
    reason = request.state.fields.get("reason", "")
    handlers.keep_apart(desk.room, caller, _id(request), reason_code=reason, cause=telemetry.current_cause())
    return _done("apart")


def decide_later(desk: Desk, request: Request) -> Response:
    """POST: somebody else, or another day; to the end of the list."""
    _, caller = _reviewer(desk, request)
    handlers.postpone_pair(desk.room, caller, _id(request), cause=telemetry.current_cause())
    return _done("later")


def undo(desk: Desk, request: Request) -> Response:
    """POST: the merge was wrong; both are as before."""
    _, caller = _reviewer(desk, request)
    cause = telemetry.current_cause()
    pair, *_ = handlers.read_pair(desk.room, caller, _id(request), cause=cause)
    if pair.state is not PairState.SAME:
        raise NotMerged
    handlers.unmerge_peers(
        desk.room, caller, pair.surviving_id, pair.merged_id, reason_code="wrong-merge", cause=cause
    )
    return _done("undone")


def _reviewer(desk: Desk, request: Request) -> tuple[Session, Caller]:
    session = desk.signed_in(request)
    require(session.caller, *ROLES)
    return session, replace(session.caller, purpose_of_use=PURPOSE)


def _id(request: Request) -> str:
    pair_id: str = request.path_params["id"]
    return pair_id


def _done(told: str) -> Response:
    return RedirectResponse(f"{LIST}?told={told}", 303)


def _why(caveats: Iterable[str], reader: str) -> list[str]:
    words = WORDS[reader]
    return [words[f"caveat_{code}"] for code in caveats]


Key = Callable[[Person], Iterable[str]]
# What is shown of a field, and what of it is compared.
_FIELDS: tuple[tuple[str, Key, Key], ...] = (
    ("family", lambda one: [one.family_name], lambda one: [" ".join(one.family_words())]),
    ("given", lambda one: [one.given_name], lambda one: [normalized(one.given_name)]),
    ("suffix", lambda one: [one.suffix], lambda one: [one.generation()]),
    ("birth", lambda one: [one.birth_date], lambda one: [one.birth_date]),
    ("sex", lambda one: [one.sex], lambda one: [one.sex]),
    ("phones", lambda one: one.phones, phone_numbers),
    ("zip", lambda one: [one.home_zip], lambda one: [one.home_zip]),
    (
        "numbers",
        lambda one: [number.value for number in one.record_numbers],
        lambda one: [f"{number.system}|{number.value}" for number in one.record_numbers],
    ),
    ("former", lambda one: one.former_names, lambda one: [normalized(name) for name in one.former_names]),
)


def _rows(one: Side, other: Side, reader: str) -> list[Row]:
    words = WORDS[reader]
    rows = [_row(field, shown, key, (one.persons, other.persons)) for field, shown, key in _FIELDS]
    told = [row for row in rows if row.one or row.other]
    return [
        replace(row, one=words.get(f"sex_{row.one}", row.one), other=words.get(f"sex_{row.other}", row.other))
        if row.field == "sex"
        else row
        for row in told
    ]


def _row(field: str, shown: Key, key: Key, sides: tuple[Sequence[Person], Sequence[Person]]) -> Row:
    one, other = ("; ".join(_all(persons, shown)) for persons in sides)
    mine, theirs = (set(_all(persons, key)) for persons in sides)
    if not mine or not theirs:
        return Row(field, one, other, "one-side")
    return Row(field, one, other, "same" if mine & theirs else "different")


def _all(persons: Sequence[Person], key: Key) -> list[str]:
    return list(dict.fromkeys(value for person in persons for value in key(person) if value))
