"""Marks on workers, failpoints, messages at rest, waits: the small parts of the bus."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st

from chassis import failpoints
from chassis.at_rest import AtRest
from chassis.delivery import Delivery, unpack
from chassis.envelope import PREFIX
from chassis.failpoints import FailpointRaised, failpoint
from chassis.hearing import Heard, ears_of, every, hears, hears_all
from chassis.hosts.beat import EXIT_CODE, Heart
from chassis.publishing import NACKED, Outgoing, Publisher
from chassis.receiving.ends import place
from chassis.retries import RetryPolicy, jittered


class Base:
    @hears("offer.made.v1")
    def on_offer_made(self, heard: Heard) -> None: ...


class Full(Base):
    @hears_all(batch=10, wait_s=0.1)
    def on_event(self, heards: Sequence[Heard]) -> None: ...

    @every(5)
    def look(self) -> None: ...


def test_marks_add_up_also_inherited_ones() -> None:
    """A named type goes to its own method, all others to the one that hears everything."""
    ears = ears_of(Full)
    assert ears.listening("offer.made.v1").method == "on_offer_made"
    assert ears.listening("nobody.knows.v1").method == "on_event"
    assert ears.binding_keys() == ["#"]
    assert [(timer.method, timer.seconds) for timer in ears.timers] == [("look", 5)]
    assert ears_of(Base).binding_keys() == ["offer.made.v1"]
    assert ears_of(Base).listening("nobody.knows.v1") is None


def test_two_methods_never_hear_the_same() -> None:
    """Who would handle it would be luck."""

    class Twice(Base):
        @hears("offer.made.v1")
        def also(self, heard: Heard) -> None: ...

    with pytest.raises(ValueError, match="twice"):
        ears_of(Twice)


@pytest.fixture
def armed() -> Any:
    yield failpoints.enable
    failpoints.enable("")


def test_a_failpoint_acts_only_where_and_when_it_was_told(armed: Any) -> None:
    """Only the second passing of the named place raises."""
    armed("here=raise@2; there=sleep:0")
    failpoint("here")
    failpoint("elsewhere")
    failpoint("there")
    with pytest.raises(FailpointRaised):
        failpoint("here")
    failpoint("here")


@pytest.mark.parametrize("spec", ["here", "here=explode", "=kill", "here=sleep:x"])
def test_a_bad_failpoint_is_refused(spec: str) -> None:
    """A typing error must not look like a passed test."""
    with pytest.raises(ValueError):
        failpoints.enable(spec)


HEADER = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text() | st.binary() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.binary(), st.dictionaries(st.text(), HEADER, max_size=4))
def test_a_message_at_rest_comes_back_whole(body: bytes, headers: dict[str, Any]) -> None:
    """Body unchanged; headers too, but for what the broker adds and forms that only AMQP has."""
    packed = Delivery(7, 1, body, {"message_id": "m"}, headers).pack()
    again = unpack(packed)
    assert again.body == body
    assert again.pack() == unpack(again.pack()).pack()
    plain = {key: value for key, value in headers.items() if isinstance(value, str | int | bytes)}
    assert {key: again.headers.get(key) for key in plain if not key.startswith("x-")} == {
        key: value for key, value in plain.items() if not key.startswith("x-")
    }


def test_the_fingerprint_ignores_what_the_broker_added() -> None:
    """The same message delivered again is the same parked row."""
    first = Delivery(1, 1, b"x", {}, {"a": 1})
    again = Delivery(9, 3, b"x", {}, {"a": 1, "x-delivery-count": 4, "x-death": [{"count": 1}]}, True, 4)
    assert first.fingerprint() == again.fingerprint()
    assert first.fingerprint() != Delivery(1, 1, b"y", {}, {"a": 1}).fingerprint()


@pytest.mark.parametrize("claimed", ["Maria Gonzalez", "", "x" * 200, 7, b"\xff", "\ud800"])
def test_an_id_that_could_be_a_sentence_is_not_stored_in_clear(claimed: object) -> None:
    """Whoever sends rubbish might send a name."""
    assert Delivery(1, 1, b"", {}, {PREFIX + "id": claimed}).event_id() == ""
    assert Delivery(1, 1, b"", {}, {PREFIX + "id": "evt_0192"}).event_id() == "evt_0192"


def test_bytes_at_rest_open_only_with_key_and_context() -> None:
    """A row copied under another id, or another service's key, does not open."""
    sealed = AtRest(b"a" * 96).seal(b"plain", "row-1")
    assert AtRest(b"a" * 96).open(sealed, "row-1") == b"plain"
    assert b"plain" not in sealed
    for key, context in ((b"a" * 96, "row-2"), (b"b" * 96, "row-1")):
        with pytest.raises(InvalidTag):
            AtRest(key).open(sealed, context)


@given(st.integers(0, 100_000))
def test_waits_grow_and_are_bounded(tries: int) -> None:
    """Never longer than the longest, never nothing."""
    assert 0 < jittered(0.5, tries, 30.0) <= 30.0
    assert 0 < RetryPolicy().row_wait(tries) <= RetryPolicy().longest_row_wait_s


def test_the_place_of_an_error_holds_no_value() -> None:
    """Type and line, not the text of the error."""
    try:
        raise ValueError("Maria Gonzalez")
    except ValueError as exc:
        told = place(exc)
    assert "test_bus_small_parts.py" in told
    assert "ValueError" in told
    assert "Maria" not in told


def test_a_heart_that_nobody_beats_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub that hangs looks alive from outside, so the process ends itself."""
    ended: list[int] = []
    monkeypatch.setattr("chassis.hosts.beat._LOOK_EVERY_S", 0.01)
    heart = Heart(longest_s=0.05, end=lambda code: (ended.append(code), heart.stop()))
    heart._watch()
    assert ended == [EXIT_CODE]


class Channel:
    """Only remembers what is published; the test says what the broker answers."""

    def __init__(self) -> None:
        self.published: list[str] = []

    def basic_publish(self, content: Any, **_: Any) -> None:
        self.published.append(content.properties["message_id"])


@given(st.data())
def test_every_answer_goes_to_the_message_of_its_tag(data: st.DataObject) -> None:
    """Acks and nacks, single and multiple, in any order: each message has its own answer and no other."""
    publisher, channel = Publisher("amqp://nobody/"), Channel()
    publisher._channel = channel
    count = data.draw(st.integers(1, 20))
    nacked: set[int] = set()
    left = list(range(1, count + 1))

    class Raw:
        def drain_events(self, timeout: float) -> None:
            tag = data.draw(st.sampled_from(left))
            is_multiple = data.draw(st.booleans())
            gone = [each for each in left if each == tag or (is_multiple and each < tag)]
            if data.draw(st.booleans()):
                nacked.update(gone)
                publisher._on_nack(tag, is_multiple)
            else:
                publisher._on_ack(tag, is_multiple)
            for each in gone:
                left.remove(each)

    publisher._raw = Raw()
    messages = [Outgoing(f"m{n}", f"line{n}", "", "", {"message_id": f"m{n}"}, {}, b"") for n in range(count)]
    outcome = publisher.publish(messages)
    assert outcome.trouble is None
    assert outcome.refused == {f"m{tag - 1}": NACKED for tag in nacked}
    assert sorted(outcome.confirmed) == sorted(f"m{n}" for n in range(count) if n + 1 not in nacked)
    assert channel.published == [message.key for message in messages]


def test_an_instant_without_a_zone_is_kept_as_utc() -> None:
    """AMQP timestamps have none."""
    again = unpack(Delivery(1, 1, b"", {"timestamp": datetime(2026, 11, 21)}, {}).pack())  # noqa: DTZ001
    assert again.properties["timestamp"].isoformat() == "2026-11-21T00:00:00+00:00"
