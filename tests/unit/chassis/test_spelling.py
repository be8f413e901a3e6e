"""Domain events as messages: every field arrives under its own name."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, get_args, get_type_hints

import pytest

from chassis.identity import Caller
from chassis.spelling import spelled
from kindred.bus.v1.bus_pb2 import Provenance
from kindred.intake.v1 import events_pb2 as intake_pb2
from kindred.matching.v1 import events_pb2 as matching_pb2
from services.intake.codec.events import Speller
from services.intake.domain import events as intake_events
from services.matching.domain import events as matching_events

AT = datetime(2026, 11, 21, 22, 0, 0, 123_000, tzinfo=UTC)
SAMPLES: dict[Any, Any] = {
    str: "word",
    int: 7,
    bool: True,
    bytes: b"digest",
    datetime: AT,
    datetime | None: AT,
    tuple[str, ...]: ("one", "two"),
}
OWN_WAY = {"ReferralSubmitted", "ReferralRevised", "OfferMade"}  # a secret or a submission is in them
PLAIN = [
    (event, protos)
    for module, protos in ((intake_events, intake_pb2), (matching_events, matching_pb2))
    for event in get_args(module.Event)
    if event.__name__ not in OWN_WAY
]


def sample(event: type) -> Any:
    """One event with a telling value in every field."""
    hints = get_type_hints(event)
    return event(**{field.name: SAMPLES[hints[field.name]] for field in fields(event)})


@pytest.mark.parametrize(("event", "protos"), PLAIN, ids=lambda one: getattr(one, "__name__", ""))
def test_nothing_the_domain_says_is_lost_on_the_way(event: type, protos: Any) -> None:
    """Each field of the event is read again from the message of the same name."""
    said = sample(event)
    message: Any = spelled(said, protos, Provenance(actor_id="nurse"), besides=frozenset({"peer_id"}))
    assert type(message).__name__ == event.__name__
    assert message.provenance.actor_id == "nurse"
    for field in fields(event):
        if field.name == "peer_id":
            continue
        value, read = getattr(said, field.name), getattr(message, field.name)
        if isinstance(value, datetime):
            read = read.ToDatetime(UTC)
        assert (tuple(read) if isinstance(value, tuple) else read) == value


def test_a_field_the_message_lacks_is_an_error() -> None:
    """What the domain says cannot vanish because a proto was forgotten."""
    with pytest.raises(AttributeError):
        spelled(sample(intake_events.PersonMerged), intake_pb2, Provenance())


def test_whom_an_event_is_about_stands_in_its_provenance() -> None:
    """The pseudonym travels in one place; a rejection is about nobody."""
    speller, nurse = Speller(seal=None), Caller("nurse-ada", "nurse", "er-1", "TREAT")  # type: ignore[arg-type]
    merged: Any = speller.message(sample(intake_events.PersonMerged), nurse)
    assert (merged.provenance.peer_id, merged.surviving_peer_id) == ("word", "word")
    rejected: Any = speller.message(sample(intake_events.SubmissionRejected), nurse)
    assert rejected.provenance.peer_id == ""
    revoked: Any = speller.message(sample(intake_events.ConsentRevoked), nurse)
    assert revoked.consent_id.startswith("con")
