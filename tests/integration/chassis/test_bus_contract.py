"""The contract of a worker, the same for both hosts: every message has exactly one of three ends."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chassis import topology
from chassis.at_rest import AtRest
from chassis.clock import SystemClock
from chassis.envelope import to_amqp
from chassis.parked import ParkedEvents
from chassis.publishing import Outgoing, Publisher
from tests.bus_driving import (
    Post,
    Subject,
    a_decline,
    a_service,
    an_acceptance,
    an_offer,
    enveloped,
    subject_environ,
    until,
)

SECRET = "Zyxwvuts Quetzalcoatl 555-0142"


@dataclass
class Stage:
    """One running worker with its inbox and its database."""

    post: Post
    subject: Subject
    database: Any
    keys: Path
    service: str

    def has_effect(self, event_id: str) -> bool:
        return self.database["effects"].find_one({"_id": f"eff_{event_id}"}) is not None

    def wait_effects(self, event_ids: list[str], within_s: float = 20.0) -> None:
        wanted = {f"eff_{event_id}" for event_id in event_ids}
        until("every effect is there", lambda: self.database["effects"].count_documents(
            {"_id": {"$in": sorted(wanted)}}) == len(wanted), within_s)  # fmt: skip

    def parked(self, **query: Any) -> list[dict[str, Any]]:
        return list(self.database["parked_events"].find(query))

    def parked_events(self) -> ParkedEvents:
        cipher = AtRest.from_dir(self.keys, self.service)
        return ParkedEvents(self.database, self.service, SystemClock(), cipher)

    def attempts(self, event_id: str) -> int:
        row = self.database["attempts"].find_one({"_id": event_id})
        return row["n"] if row else 0


@pytest.fixture(scope="module", params=["nameko", "threads"])
def stage(
    request: Any, mongo_client: Any, mongo_uri: str, amqp_uri: str, tmp_path_factory: Any
) -> Iterator[Stage]:
    """A worker under one of the hosts."""
    service = a_service()
    folder = tmp_path_factory.mktemp(service)
    database = mongo_client[f"kindred_test_{service}"]
    environ = subject_environ(
        request.param, service, mongo_uri=mongo_uri, amqp_uri=amqp_uri, database=database.name, keys=folder
    )
    with Post(amqp_uri, service) as post:
        subject = Subject(environ, folder / "log").ready()
        try:
            yield Stage(post, subject, database, folder, service)
        finally:
            subject.stop()
            post.forget()
            mongo_client.drop_database(database.name)


def test_an_event_is_handled_once_however_often_it_comes(stage: Stage) -> None:
    """A duplicate has no second effect, and is acknowledged."""
    event_id = stage.post.event(an_acceptance(), times=5)
    stage.wait_effects([event_id])
    until(
        "the duplicates are absorbed", lambda: stage.database["absorbed"].find_one({"ids": f"eff_{event_id}"})
    )
    until("the inbox is empty", lambda: stage.post.depth() == 0)


def test_a_domain_refusal_is_handled_and_recorded(stage: Stage) -> None:
    """A "no" of the domain is an end, not an accident: recorded with its code, never tried again."""
    event_id = stage.post.event(an_offer("refuse"))
    row = until(
        "the refusal is recorded", lambda: stage.database["refused_events"].find_one({"_id": event_id})
    )
    assert (row["code"], row["type"]) == ("offer-already-closed", "offer.made.v1")
    assert stage.attempts(event_id) == 1
    assert not stage.parked(event_id=event_id)


def test_an_event_that_is_too_early_is_tried_again(stage: Stage) -> None:
    """In place for a moment, then as a row; a neighbor does not wait for it."""
    soon = stage.post.event(an_offer("early:2"))
    late = stage.post.event(an_offer("early:7"))
    neighbor = stage.post.event(an_offer())
    stage.wait_effects([soon, late, neighbor])
    assert stage.attempts(soon) == 3
    assert stage.attempts(late) == 8
    until("the row is gone", lambda: stage.database["retry_events"].find_one({"_id": late}) is None)


def test_an_event_that_stays_too_early_is_parked(stage: Stage) -> None:
    """Trying again is bounded."""
    event_id = stage.post.event(an_offer("early:1000000"))
    (row,) = until("it is parked", lambda: stage.parked(event_id=event_id))
    assert row["reason"] == "too-early"
    until("its row is gone", lambda: stage.database["retry_events"].find_one({"_id": event_id}) is None)


def test_trouble_outside_is_waited_out_in_place(stage: Stage) -> None:
    """A socket that fails is tried again until it does not, without a redelivery by the broker."""
    event_id = stage.post.event(an_offer("away:4"))
    stage.wait_effects([event_id])
    assert stage.attempts(event_id) == 5
    assert not stage.parked(event_id=event_id)


def test_a_waiting_row_is_encrypted(stage: Stage) -> None:
    """Bytes of an event that waits or is parked are unreadable in the database, and whole for who has the key."""
    event_id = stage.post.event(an_offer("bug", offer_id=SECRET))
    (row,) = until("it is parked", lambda: stage.parked(event_id=event_id))
    assert SECRET.encode() not in bytes(row["sealed"])
    ((_, delivery),) = stage.parked_events().open([row["_id"]])
    assert SECRET.encode() in delivery.body


def test_in_a_failing_batch_only_the_culprit_suffers(stage: Stage) -> None:
    """A batch that fails as a whole is split; its neighbors are handled once each."""
    ids = stage.post.events(a_decline("bug" if n == 31 else "refuse" if n == 7 else "ok") for n in range(60))
    culprit, refused = ids.pop(31), ids.pop(7)
    stage.wait_effects(ids)
    (row,) = until("the culprit is parked", lambda: stage.parked(event_id=culprit))
    assert row["reason"] == "bug"
    assert "bus_subject.py" in row["detail"]
    until("the refusal is recorded", lambda: stage.database["refused_events"].find_one({"_id": refused}))
    assert not stage.has_effect(culprit)
    assert not stage.has_effect(refused)


def test_a_batch_listener_gets_batches(stage: Stage) -> None:
    """What comes while a batch runs makes the next batch."""
    stage.wait_effects(stage.post.events(a_decline() for _ in range(300)))
    assert max(row["size"] for row in stage.database["batches"].find()) > 5


def test_timers_run(stage: Stage) -> None:
    """A method marked `every` runs again and again."""
    count = stage.database["ticks"].count_documents({})
    until("the timer ran", lambda: stage.database["ticks"].count_documents({}) > count + 2)


def poison(post: Post) -> dict[str, str]:
    """Every way a message can be bad on its own (F-25); returns the reason each must be parked with, by a mark."""
    good = {"content_type": "application/protobuf"}
    post.raw(b'{"name": "' + SECRET.encode(), content_type="application/json")
    post.raw(SECRET.encode())
    post.raw(b"", application_headers={"cloudEvents:id": 7, "cloudEvents:type": ["x"]}, **good)
    post.raw(SECRET.encode(), message_id=b"\xff\xfe", content_type=b"\xff")
    post.raw(SECRET.encode(), application_headers={"cloudEvents:id": b"\xff", b"\xfe": 1}, **good)
    return {
        post.event(an_offer(), type="nobody.knows.v1"): "unknown-type",
        post.event(an_offer(), type="offer.made.v9"): "unknown-type",
        post.event(an_offer(), data=b"\x12\x04\xff\xfe\xfd\xfc"): "undecodable",
        post.event(an_offer(), data=SECRET.encode()): "undecodable",
        post.event(an_offer(), data=b""): "undecodable",
        post.event(an_offer(), data=SECRET.encode() * 350_000): "too-large",
        post.event(an_offer("bug", offer_id=SECRET)): "bug",
        post.event(a_decline("bug")): "bug",
    }


def test_poison_is_parked_and_its_neighbors_are_handled(stage: Stage) -> None:
    """F-25: whatever is wrong with a message, it is parked with the reason, and nobody else suffers."""
    before = stage.database["parked_events"].count_documents({"event_id": ""})
    neighbors = stage.post.events(an_offer() for _ in range(10))
    wanted = poison(stage.post)
    neighbors += stage.post.events(an_acceptance() for _ in range(10))
    stage.wait_effects(neighbors)
    until("all poison is parked", lambda: len(stage.parked(event_id={"$in": sorted(wanted)})) == len(wanted))
    assert {
        row["event_id"]: row["reason"] for row in stage.parked(event_id={"$in": sorted(wanted)})
    } == wanted
    until(
        "what has no id too",
        lambda: stage.database["parked_events"].count_documents({"event_id": ""}) == before + 5,
    )
    assert {row["reason"] for row in stage.parked(event_id="")} == {"undecodable"}
    until("the inbox is empty", lambda: stage.post.depth() == 0)
    assert stage.subject.is_alive()
    assert stage.subject.starts == 1


def test_no_body_is_in_the_logs(stage: Stage) -> None:
    """What a message holds is in no log line, also where it made the listener fail."""
    event_id = stage.post.event(an_offer("bug", offer_id=SECRET))
    until("it is parked", lambda: stage.parked(event_id=event_id))
    text = stage.subject.text()
    assert event_id in text
    assert not [word for word in SECRET.split() if word in text]


def test_a_large_event_is_kept_whole(stage: Stage) -> None:
    """Parked bytes larger than one database document come back unchanged."""
    body = SECRET.encode() * 600_000
    event_id = stage.post.event(an_offer(), data=body)
    (row,) = until("it is parked", lambda: stage.parked(event_id=event_id))
    assert row["pieces"] > 1
    ((_, delivery),) = stage.parked_events().open([row["_id"]])
    assert delivery.body == body


def test_dead_letters_are_drained_into_parked_events(stage: Stage) -> None:
    """What the broker gave up delivering is kept where an engineer looks."""
    stage.post.raw(b"dead", queue=topology.dead_name(stage.service), message_id="dead-1")
    until("it is parked", lambda: stage.parked(reason="delivery-limit"))
    until("the dead queue is empty", lambda: stage.post.depth(topology.dead_name(stage.service)) == 0)


def test_what_was_only_counted_out_is_handled(stage: Stage) -> None:
    """An event that came back with ten broken connections, never started, has its effect; a bad one is parked.

    A cluster whose connections were closed again and again made dead letters of 289 events that nothing was wrong with.
    """
    sound, bad = enveloped(an_offer()), enveloped(an_offer("bug"))
    for envelope in (sound, bad):
        properties, headers = to_amqp(envelope)
        counted = {**headers, "x-first-death-reason": "delivery_limit", "x-delivery-count": 11}
        dead = topology.dead_name(stage.service)
        stage.post.raw(envelope.data, queue=dead, application_headers=counted, **properties)
    stage.wait_effects([sound.id])
    until("the bad one is parked", lambda: stage.parked(event_id=bad.id, reason="bug"))
    assert not stage.parked(event_id=sound.id)


def test_a_replayed_event_is_handled(stage: Stage, amqp_uri: str) -> None:
    """After the bug is mended a parked event has its effect, once."""
    event_id = stage.post.event(an_offer("early:9"))
    (row,) = until("it is parked", lambda: stage.parked(event_id=event_id, state="parked"))
    ((parked_id, delivery),) = stage.parked_events().open([row["_id"]])
    message = Outgoing(
        parked_id, parked_id, "", topology.inbox_name(stage.service),
        {**delivery.properties, "delivery_mode": 2}, delivery.headers, delivery.body,
    )  # fmt: skip
    publisher = Publisher(amqp_uri)
    assert publisher.publish([message], window=1).confirmed == [parked_id]
    publisher.drop()
    assert stage.parked_events().close(parked_id, "replayed", "engineer-1", "")
    stage.wait_effects([event_id])


def test_order_does_not_matter_and_nothing_is_lost(stage: Stage) -> None:
    """Reordered and repeated events all have their one effect."""
    ids = []
    for n in reversed(range(40)):
        ids.append(stage.post.event(an_acceptance(), aggregate_seq=n + 1, times=1 + n % 3))
    stage.wait_effects(ids)
    assert stage.database["effects"].count_documents({"_id": {"$in": [f"eff_{each}" for each in ids]}}) == 40


def test_the_worker_ends_in_time_and_leaves_the_rest_to_the_next(stage: Stage) -> None:
    """SIGTERM with a backlog: exit code 0, and what was not handled is handled after the next start."""
    ids = stage.post.events(an_acceptance() for _ in range(200))
    stage.subject.signal(signal.SIGTERM)
    assert stage.subject.stop() == 0
    stage.subject.ready()
    stage.wait_effects(ids)
