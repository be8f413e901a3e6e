"""OperationsService on a real broker and database: list, replay, discard, say again; audited, only for engineers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from chassis import identity, topology
from chassis.access import COLLECTION, AccessLog
from chassis.at_rest import AtRest
from chassis.clock import TurnedClock
from chassis.delivery import Delivery
from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from chassis.operations import OperationsServicer
from chassis.parked import ParkedEvents
from chassis.relay import Relay
from kindred.access.v1.events_pb2 import RecordRead
from kindred.operations.v1 import operations_pb2 as pb
from tests.bus_driving import Post, a_service


@dataclass
class Desk:
    """The service's own parts, without a gRPC server around them."""

    servicer: OperationsServicer
    parked: ParkedEvents
    access: AccessLog
    post: Post
    relay: Relay
    clock: TurnedClock


@pytest.fixture
def desk(database: Any, clock: Any, amqp_uri: str) -> Iterator[Desk]:
    """Parked events of a service of its own."""
    service = a_service()
    parked = ParkedEvents(database, service, clock, AtRest(b"k" * 96))
    parked.ensure_indexes()
    access = AccessLog(database, clock, service)
    relay = Relay(database, collections=[COLLECTION], amqp_uri=amqp_uri, producer=service, clock=clock)
    relay.outbox.ensure_indexes()
    with Post(amqp_uri, service) as post:
        yield Desk(
            OperationsServicer(parked, access, amqp_uri, relay.replay), parked, access, post, relay, clock
        )
        post.forget()


@pytest.fixture
def an_engineer() -> Iterator[Caller]:
    """The caller is an engineer."""
    caller = Caller("engineer-1", "engineer", "kindred", "HOPERAT")
    token = identity.set_current(caller)
    yield caller
    identity.reset_current(token)


def a_message(number: int) -> Delivery:
    return Delivery(1, 1, f"body {number}".encode(), {"message_id": f"m{number}"}, {"x": number})


def audited(desk: Desk) -> list[str]:
    """The actions that the audit log will hear of."""
    documents = desk.access.aggregates.collection.find().sort("_id", 1)
    return [RecordRead.FromString(row["data"]).action for document in documents for row in document["outbox"]]


def test_parked_events_are_listed_without_their_bodies(desk: Desk, an_engineer: Caller) -> None:
    """Oldest first, with reason, place in the code and size."""
    desk.parked.park(a_message(1), "bug", "services/x.py:1 ValueError")
    (row,) = desk.servicer.ListParked(pb.ListParkedRequest(), None).parked
    assert (row.reason_code, row.detail, row.size_bytes) == ("bug", "services/x.py:1 ValueError", 6)
    assert audited(desk) == ["list"]


def test_replayed_events_are_in_the_inbox_again(desk: Desk, an_engineer: Caller) -> None:
    """Each once, with its old bytes; a second replay finds nothing to do."""
    ids = [desk.parked.park(a_message(number), "bug", "x") for number in range(3)]
    assert desk.servicer.ReplayParked(pb.ReplayParkedRequest(parked_ids=ids[:2]), None).replayed == 2
    assert desk.post.depth() == 2
    message = desk.post.channel.basic_get(f"{desk.parked.service}.inbox", no_ack=True)
    assert bytes(message.body) in {b"body 0", b"body 1"}
    assert desk.servicer.ReplayParked(pb.ReplayParkedRequest(parked_ids=ids[:2]), None).replayed == 0
    assert [row.parked_id for row in desk.parked.listed()] == ids[2:]
    assert audited(desk) == ["replay", "replay"]


def test_replaying_without_a_broker_says_so_and_loses_nothing(desk: Desk, an_engineer: Caller) -> None:
    """The events stay parked."""
    parked_id = desk.parked.park(a_message(1), "bug", "x")
    away = OperationsServicer(
        desk.parked, desk.access, "amqp://guest:guest@127.0.0.1:1/none", desk.relay.replay
    )
    with pytest.raises(Refusal) as refused:
        away.ReplayParked(pb.ReplayParkedRequest(parked_ids=[parked_id]), None)
    assert refused.value.kind is Kind.UNAVAILABLE
    assert [row.parked_id for row in desk.parked.listed()] == [parked_id]


def test_an_event_is_given_up_with_a_reason(desk: Desk, an_engineer: Caller) -> None:
    """Without a reason it stays; with one it is gone from the list, and who and why are kept."""
    parked_id = desk.parked.park(a_message(1), "bug", "x")
    with pytest.raises(Refusal) as refused:
        desk.servicer.DiscardParked(pb.DiscardParkedRequest(parked_id=parked_id, reason=" "), None)
    assert refused.value.code == "reason-missing"
    desk.servicer.DiscardParked(pb.DiscardParkedRequest(parked_id=parked_id, reason="a test message"), None)
    assert desk.parked.listed() == []
    (note,) = desk.parked.rows.find_one({"_id": parked_id})["notes"]
    assert (note["actor_id"], note["reason"]) == ("engineer-1", "a test message")
    with pytest.raises(Refusal) as refused:
        desk.servicer.DiscardParked(pb.DiscardParkedRequest(parked_id=parked_id, reason="again"), None)
    assert refused.value.kind is Kind.NOT_FOUND


def published(desk: Desk, count: int) -> list[dict[str, Any]]:
    """So many events of this service, said and confirmed, a minute apart, oldest first."""
    topology.declare_events(desk.post.channel)
    desk.post.channel.queue_bind(
        topology.inbox_name(desk.parked.service), topology.EVENTS.name, "record.read.v1"
    )
    for _ in range(count):
        desk.servicer.ListParked(pb.ListParkedRequest(), None)
        desk.clock.turn(timedelta(minutes=1))
    desk.relay.step()
    rows = list(desk.relay.outbox.rows.find().sort("seq", 1))
    assert [row["state"] for row in rows] == ["published"] * count
    return rows


def pending(desk: Desk) -> list[str]:
    """What the relay will publish next, in its order."""
    return [row["_id"] for row in desk.relay.outbox.sendable(100)]


def test_everything_published_is_said_again_in_its_old_order(desk: Desk, an_engineer: Caller) -> None:
    """Without a moment all that is kept; the same numbers again, and the replay itself is audited before."""
    rows = published(desk, 3)
    assert desk.servicer.ReplayPublished(pb.ReplayPublishedRequest(), None).replayed == 3
    assert pending(desk) == [row["_id"] for row in rows]
    assert audited(desk) == ["replay"]
    desk.relay.step()
    again = list(desk.relay.outbox.rows.find().sort("seq", 1))
    assert [(row["_id"], row["seq"]) for row in again[:3]] == [(row["_id"], row["seq"]) for row in rows]
    assert [row["state"] for row in again] == ["published"] * 4
    assert desk.post.depth() == 3 + 4  # three for the first time, then the same and the replay's own


def test_only_what_happened_since_is_said_again(desk: Desk, an_engineer: Caller) -> None:
    """The moment itself belongs to it; a moment in the future finds nothing."""
    rows = published(desk, 3)
    asked = pb.ReplayPublishedRequest()
    asked.since.FromDatetime(desk.clock.now() + timedelta(days=1))
    assert desk.servicer.ReplayPublished(asked, None).replayed == 0
    asked.since.FromDatetime(rows[1]["time"])
    assert desk.servicer.ReplayPublished(asked, None).replayed == 2
    assert pending(desk) == [row["_id"] for row in rows[1:]]


def test_a_moment_outside_the_calendar_is_refused(desk: Desk, an_engineer: Caller) -> None:
    """Nothing is replayed and nothing is audited as done."""
    published(desk, 1)
    with pytest.raises(Refusal) as refused:
        desk.servicer.ReplayPublished(
            pb.ReplayPublishedRequest(since=Timestamp(seconds=999_999_999_999)), None
        )
    assert (refused.value.code, refused.value.kind) == ("since-unreadable", Kind.INVALID)
    assert (pending(desk), audited(desk)) == ([], [])


@pytest.mark.parametrize(
    ("method", "request_of_a_nurse"),
    [("ListParked", pb.ListParkedRequest()), ("ReplayPublished", pb.ReplayPublishedRequest())],
)
def test_only_engineers_may(desk: Desk, method: str, request_of_a_nurse: Any) -> None:
    """A nurse lists and replays nothing, and nothing is audited as done."""
    token = identity.set_current(Caller("nurse-1", "nurse", "st-brigid", "TREAT"))
    try:
        with pytest.raises(Refusal) as refused:
            getattr(desk.servicer, method)(request_of_a_nurse, None)
    finally:
        identity.reset_current(token)
    assert refused.value.kind is Kind.FORBIDDEN
    assert audited(desk) == []
