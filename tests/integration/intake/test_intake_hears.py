"""What matching says reaches the source's view: over the real bus, under both hosts, in any order, once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kindred.matching.v1.events_pb2 import (
    AssignmentEnded,
    HandoffRecorded,
    OfferAccepted,
    OfferMade,
    ReferralEscalated,
)
from tests.bundles import a_bundle
from tests.integration.intake.intake_processes import Bus, Er, Process, referral_of, running, until


# What the hosts owe is proven for both in tests/integration/chassis; the service under the second one: `make faults`.
@pytest.fixture(scope="module", params=["nameko", pytest.param("threads", marks=pytest.mark.slow_faults)])
def worker(
    request: Any, intake_environ: dict[str, str], bus: Bus, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Process]:
    """The role `worker`, ready, under one host and then the other."""
    environ = {**intake_environ, "KINDRED_WORKER_HOST": request.param}
    with running("worker", environ, tmp_path_factory.mktemp("worker")) as process:
        process.ready()
        yield process


@pytest.fixture
def referral_id(request: Any, er: Er, worker: Process) -> str:
    """A referral that was just submitted."""
    return referral_of(er.post(a_bundle(f"hears-{request.node.name}")))


def statuses(bus: Bus, referral_id: str) -> list[str]:
    return [event.status for event in bus.said("referral.status-changed.v1", referral_id=referral_id)]


def test_offers_and_an_acceptance_reach_the_task(er: Er, bus: Bus, referral_id: str):
    """Three offers and an acceptance are two moves; the Task tells who promised what, with a new version."""
    for number in range(3):
        bus.say(OfferMade(referral_id=referral_id, offer_id=f"off-{number}"))
    until("seeking", lambda: statuses(bus, referral_id) == ["seeking"])
    accepted = OfferAccepted(referral_id=referral_id, offer_id="off-1", modality="bedside")
    accepted.promised_arrival_at.FromDatetime(datetime(2026, 11, 21, 23, 30, tzinfo=UTC))
    envelope = bus.say(accepted)
    bus.say(accepted, envelope=envelope)
    until("assigned", lambda: statuses(bus, referral_id) == ["seeking", "assigned"])
    task = er.get(f"Task/{referral_id}").json()
    assert (task["status"], task["businessStatus"]["coding"][0]["code"]) == ("accepted", "5.1.1")
    assert task["output"][0]["valueDateTime"] == "2026-11-21T23:30:00.000Z"
    assert task["meta"]["versionId"] == "3"


def test_the_end_of_the_ladder_is_shown(er: Er, bus: Bus, referral_id: str):
    """Only an exhausted ladder is unfilled, with its reason; a next wave changes nothing; a late offer neither."""
    at = datetime.now(UTC)
    bus.say(OfferMade(referral_id=referral_id, offer_id="off-1"), at=at)
    until("seeking", lambda: statuses(bus, referral_id) == ["seeking"])
    bus.say(ReferralEscalated(referral_id=referral_id, wave=2), at=at + timedelta(seconds=1))
    exhausted = ReferralEscalated(referral_id=referral_id, is_exhausted=True, reason_code="nobody-in-time")
    bus.say(exhausted, at=at + timedelta(seconds=3))
    until("unfilled", lambda: statuses(bus, referral_id) == ["seeking", "unfilled"])
    bus.say(OfferMade(referral_id=referral_id, offer_id="off-2"), at=at + timedelta(seconds=2))
    bus.say(OfferAccepted(referral_id=referral_id, offer_id="off-2"), at=at + timedelta(seconds=4))
    until("assigned", lambda: statuses(bus, referral_id) == ["seeking", "unfilled", "assigned"])
    assert er.get(f"Task/{referral_id}").json()["status"] == "accepted"


def test_an_acceptance_that_comes_first_is_enough(bus: Bus, referral_id: str):
    """The acceptance before its offer: assigned at once, and the late offer is no news."""
    bus.say(OfferAccepted(referral_id=referral_id, offer_id="off-1"))
    until("assigned", lambda: statuses(bus, referral_id) == ["assigned"])
    bus.say(OfferMade(referral_id=referral_id, offer_id="off-1"), at=datetime.now(UTC) - timedelta(seconds=5))
    bus.say(OfferMade(referral_id=referral_id, offer_id="off-2"))
    marker = ReferralEscalated(referral_id="ref-unknown", is_exhausted=True)
    bus.say(marker)
    assert statuses(bus, referral_id) == ["assigned"]


def test_what_follows_may_arrive_first(bus: Bus, referral_id: str):
    """A handoff before its acceptance, and the next acceptance before the end of the last one, wait for their turn."""
    at = datetime.now(UTC)
    bus.say(OfferAccepted(referral_id=referral_id, offer_id="off-2"), at=at + timedelta(seconds=2))
    until("assigned", lambda: statuses(bus, referral_id) == ["assigned"])
    bus.say(
        HandoffRecorded(referral_id=referral_id, offer_id="off-3", outcome="met"),
        at=at + timedelta(seconds=5),
    )
    bus.say(OfferAccepted(referral_id=referral_id, offer_id="off-3"), at=at + timedelta(seconds=4))
    bus.say(AssignmentEnded(referral_id=referral_id, offer_id="off-2"), at=at + timedelta(seconds=3))
    until("met", lambda: statuses(bus, referral_id) == ["assigned", "seeking", "assigned", "met"])


def test_what_is_not_ours_or_too_late_is_a_recorded_refusal(bus: Bus, referral_id: str, intake_database: Any):
    """An unknown referral and a second acceptance are handled, recorded and change nothing."""
    refused = intake_database.refused_events
    at = datetime.now(UTC)
    bus.say(OfferAccepted(referral_id=referral_id, offer_id="off-1"), at=at)
    until("assigned", lambda: statuses(bus, referral_id) == ["assigned"])
    second = bus.say(OfferAccepted(referral_id=referral_id, offer_id="off-2"), at=at)
    unknown = bus.say(OfferMade(referral_id="ref-nowhere", offer_id="off-3"))

    def recorded() -> bool:
        found = {row["code"] for row in refused.find({"_id": {"$in": [second.id, unknown.id]}})}
        return found == {"referral-already-assigned", "referral-unknown"}

    until("both refusals", recorded)
    assert statuses(bus, referral_id) == ["assigned"]
