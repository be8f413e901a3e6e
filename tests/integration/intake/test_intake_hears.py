"""What matching and notifications say reaches the source's view: over the real bus, in any order, once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chassis import catalog
from chassis.envelope import Envelope
from chassis.ids import new_id
from kindred.bus.v1.bus_pb2 import Provenance
from kindred.matching.v1.events_pb2 import (
    AssignmentEnded,
    HandoffRecorded,
    OfferAccepted,
    OfferMade,
    ReferralEscalated,
)
from kindred.notifications.v1.events_pb2 import (
    NoticeBounced,
    NoticeDelivered,
    NoticeFailed,
    NoticeReplied,
    NoticeSent,
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


def note(bus: Bus, message: Any, number: int) -> Envelope:
    """The `number`th thing said of this notice is on the bus, as notifications' relay would publish it."""
    message.provenance.MergeFrom(Provenance(actor_id="system:notifications", actor_role="system"))
    envelope = Envelope(
        id=new_id("evt"),
        type=catalog.type_of(message),
        source="notifications",
        time=datetime.now(UTC),
        aggregate_id=message.notice_id,
        aggregate_seq=number,
        producer_seq=1,
        correlation_id="cor-test",
        causation_id="",
        traceparent="",
        data=message.SerializeToString(),
    )
    return bus.say(message, envelope=envelope)


def places(database: Any, referral_id: str) -> dict[str, set[str]]:
    """Which words are kept of each notice."""
    document = database.referrals.find_one({"_id": referral_id})
    places = {"latest", "bounced", "delivered", "replied"}
    return {one["notice_id"]: places & one.keys() for one in document.get("notices", [])}


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


def test_what_became_of_notices_is_kept_and_moves_no_task(
    er: Er, bus: Bus, referral_id: str, intake_database: Any
):
    """Late, twice and beside the referral's own moves: every word is kept once, without an id of anybody."""
    before = intake_database.referrals.find_one({"_id": referral_id})
    about: dict[str, Any] = {"referral_id": referral_id, "recipient_id": "sp-secret", "channel": "email"}
    arrived = NoticeDelivered(notice_id="ntc-1", intent="offer-made", attempt=1, **about)
    envelope = note(bus, arrived, 2)
    note(bus, NoticeSent(notice_id="ntc-1", intent="offer-made", attempt=1, **about), 1)
    bus.say(OfferMade(referral_id=referral_id, offer_id="off-1"))
    glass = NoticeSent(notice_id="ntc-2", intent="glass-broken", **about)
    note(bus, glass, 1)
    for number in range(3, 9):
        note(bus, NoticeSent(notice_id=f"ntc-{number}", intent="offer-made", **about), 1)
    bus.say(OfferAccepted(referral_id=referral_id, offer_id="off-1"))
    unit: dict[str, Any] = about | {"notice_id": "ntc-9", "intent": "help-assigned"}
    note(bus, NoticeFailed(reason_code="bounced", **unit), 3)
    note(bus, NoticeBounced(reason_code="no-mailbox", attempt=1, **unit), 2)
    note(bus, NoticeReplied(notice_id="ntc-1", intent="offer-made", kind="other", **about), 4)
    bus.say(arrived, envelope=envelope)
    wanted = {f"ntc-{number}": {"latest"} for number in range(3, 9)}
    wanted |= {"ntc-1": {"latest", "delivered", "replied"}, "ntc-9": {"latest", "bounced"}}
    until("every word", lambda: places(intake_database, referral_id) == wanted)
    until("the moves", lambda: statuses(bus, referral_id)[-1:] == ["assigned"])
    after = intake_database.referrals.find_one({"_id": referral_id})
    assert after["notices_version"] <= 11, "eleven words, and a repeat is none"
    assert after["task_version"] == 1 + len(statuses(bus, referral_id))
    assert after["history"][0] == before["history"][0] and "sp-secret" not in str(after["notices"])
    assert er.get(f"Task/{referral_id}").json()["meta"]["versionId"] == str(after["task_version"])


def test_a_notice_alone_changes_neither_version_nor_what_is_due(
    bus: Bus, referral_id: str, intake_database: Any
):
    """The Task stays as it was, the consent's end is still watched for, and nothing is said of it."""
    before = intake_database.referrals.find_one({"_id": referral_id})
    sent = NoticeSent(notice_id="ntc-1", intent="supervisor-needed", referral_id=referral_id, channel="sms")
    note(bus, sent, 1)
    until("the word", lambda: places(intake_database, referral_id) == {"ntc-1": {"latest"}})
    after = intake_database.referrals.find_one({"_id": referral_id})
    moving = {"version", "saved_by", "handled", "notices", "notices_version", "outbox", "ringing", "claim"}
    unmoved = {name: value for name, value in before.items() if name not in moving}
    assert unmoved == {name: value for name, value in after.items() if name not in moving}
    assert statuses(bus, referral_id) == []


def test_a_notice_about_a_referral_that_is_not_here_is_a_recorded_refusal(
    bus: Bus, referral_id: str, intake_database: Any
):
    """It is on record; one beside it in the same batch is kept; one about no referral at all is no trouble."""
    nowhere = NoticeSent(notice_id="ntc-1", intent="offer-made", referral_id="ref-nowhere", channel="email")
    unknown = note(bus, nowhere, 1)
    known = NoticeSent(notice_id="ntc-2", intent="offer-made", referral_id=referral_id, channel="email")
    note(bus, known, 1)
    ending = note(bus, NoticeSent(notice_id="ntc-3", intent="certificate-ending", channel="email"), 1)
    until("the known one", lambda: places(intake_database, referral_id) == {"ntc-2": {"latest"}})
    refused = intake_database.refused_events
    row = until("the refusal", lambda: refused.find_one({"_id": unknown.id}))
    assert row["code"] == "referral-unknown" and refused.find_one({"_id": ending.id}) is None
    assert intake_database.parked_events.count_documents({}) == 0
