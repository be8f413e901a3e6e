"""A notice as a document and back: ids and times in clear, the secret of its link only as ciphertext."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

from chassis.aggregates import Change, Loaded, New
from chassis.envelope import Cause
from services.notifications.domain.intents import Channel, Intent, Urgency
from services.notifications.domain.notices import Attempt, Notice, Outcome, State

# Nobody was told, or need not answer: the link's token is forgotten.
GIVEN_UP = (State.DEAD, State.CANCELLED)
# The fields of a notice that are its body; the id and the due time have their own places in the document.
_KEPT = tuple(row.name for row in fields(Notice) if row.name not in ("notice_id", "due_at"))
_ATTEMPT = tuple(row.name for row in fields(Attempt))
_CODED = frozenset({"intent", "channel", "urgency", "state"})
_LINK = "sealed_link"
_CAUSE = tuple(row.name for row in fields(Cause))


@dataclass(frozen=True)
class Held:
    """A notice as it was read, with what is needed to save it again."""

    notice: Notice
    cause: Cause
    loaded: Loaded = field(repr=False)
    # As it was before it was sealed, where that was a moment ago.
    link_token: str = field(default="", repr=False)


def held_of(loaded: Loaded) -> Held:
    """The notice of a document."""
    body = loaded.body
    notice = Notice(
        notice_id=loaded.aggregate_id,
        due_at=loaded.due_at,
        **{
            **{name: body[name] for name in _KEPT if name in body},
            "intent": Intent(body["intent"]),
            "channel": Channel(body["channel"]),
            "urgency": Urgency(body["urgency"]),
            "state": State(body["state"]),
            "attempts": tuple(_attempt(row) for row in body["attempts"]),
        },
    )
    return Held(notice, Cause(**body["cause"]), loaded)


def opened(notice: Notice, new: New, link_token: str = "") -> Held:
    """The notice as it was stored a moment ago, without reading it again."""
    handled = frozenset({new.cause.event_id} if new.cause.event_id else ())
    body = dict(new.body)
    kept = frozenset(body)
    loaded = Loaded(new.aggregate_id, body, 1, len(new.says), handled, new.due_at, kept)
    return Held(replace(notice, due_at=new.due_at), new.cause, loaded, link_token)


def differing(held: Held, notice: Notice) -> tuple[Loaded, dict[str, Any]]:
    """What a write has to name: the fields that are gone, and those that are others than they were.

    All the rest is in the database as it was read, for the write names the version.
    """
    was, now = held.notice.__dict__, notice.__dict__
    names = [name for name in _KEPT if now[name] is not was[name]]
    gone = frozenset({_LINK} if notice.state in GIVEN_UP and _LINK in held.loaded.body else ())
    return _changed(held.loaded, stored_fields=gone), {name: _row(name, now[name]) for name in names}


def after(held: Held, notice: Notice, change: Change) -> Held:
    """The notice as it was saved a moment ago."""
    was = held.loaded
    body = {**was.body, **change.body}
    for name in change.loaded.stored_fields:
        del body[name]
    loaded = _changed(
        was,
        body=body,
        stored_fields=frozenset(body),
        version=was.version + 1,
        event_seq=was.event_seq + len(change.says),
        due_at=notice.due_at,
    )
    return Held(notice, held.cause, loaded, held.link_token)


def _changed(loaded: Loaded, **facts: Any) -> Loaded:
    """`dataclasses.replace` in a fraction of its time: every notice comes by here twice on its way."""
    return Loaded(**{**loaded.__dict__, **facts})


def _attempt(row: dict[str, Any]) -> Attempt:
    told = {"outcome": Outcome(row["outcome"]), "channel": Channel(row.get("channel", Channel.EMAIL))}
    return Attempt(**{**row, **told})


def _attempt_row(attempt: Attempt) -> dict[str, Any]:
    row = {name: getattr(attempt, name) for name in _ATTEMPT}
    return {**row, "outcome": attempt.outcome.value, "channel": attempt.channel.value}


def _row(name: str, value: Any) -> Any:
    if name == "attempts":
        return [_attempt_row(attempt) for attempt in value]
    return value.value if name in _CODED else value


def body_of(notice: Notice, cause: Cause) -> dict[str, Any]:
    """What the document holds of the notice."""
    body: dict[str, Any] = {name: _row(name, getattr(notice, name)) for name in _KEPT}
    body["cause"] = {name: getattr(cause, name) for name in _CAUSE}
    return body
