"""What a receiver waits to be told is never passed over because something else was just told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from chassis.envelope import Cause
from services.intake.domain.outward import Kind, News
from services.intake.outward.sending import Sending
from services.intake.store.outward import Deliveries

CAUSE = Cause("cor-1")
ROW = "er-brigid.ref-1"


@pytest.fixture
def deliveries(emptied_database: Any, clock: Any) -> Deliveries:
    deliveries = Deliveries(emptied_database, clock, "intake")
    deliveries.ensure_indexes()
    return deliveries


def news(version: int) -> News:
    return News("ref-1", "er-brigid", version)


def want(deliveries: Deliveries, version: int) -> None:
    deliveries.want("er-brigid", Kind.HL7, news(version), CAUSE)


def told(deliveries: Deliveries, version: int) -> None:
    """A sender has told this version, and settled."""

    deliveries.revise(ROW, lambda one: (replace(one, sent=version), None))


def test_what_was_told_already_is_not_due_again(deliveries: Deliveries):
    """A sender that is quicker than the two writes of `want` leaves nothing to do."""
    want(deliveries, 2)
    told(deliveries, 2)
    want(deliveries, 2)
    assert deliveries.count_waiting() == 0


def test_a_row_that_is_due_for_nothing_passes_over_no_newer_version(deliveries: Deliveries, clock: Any):
    """The referral has moved on and its news is not written yet: it is told when it is."""
    want(deliveries, 2)
    told(deliveries, 2)
    deliveries.revise(ROW, lambda one: (one, clock.now()))
    moved_on = SimpleNamespace(load=lambda _: SimpleNamespace(referral=SimpleNamespace(task_version=3)))
    room: Any = SimpleNamespace(
        deliveries=deliveries, referrals=moved_on, subscriptions=SimpleNamespace(claim_due=lambda *_: [])
    )
    reach: Any = SimpleNamespace(is_there=lambda *_: True)
    pace: Any = SimpleNamespace(lease_s=2.5)
    assert Sending(room, reach, pace, clock)._step()
    assert deliveries.count_waiting() == 0

    want(deliveries, 3)
    clock.turn(timedelta(seconds=1))
    [held] = deliveries.claim_due(1, 2.5)
    assert (held.delivery.wanted, held.delivery.is_done) == (3, False)
