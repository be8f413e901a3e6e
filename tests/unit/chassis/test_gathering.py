"""Which messages go together, when, and what never runs at once."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from chassis.delivery import Delivery
from chassis.gathering import Gatherer, Unit, Work
from chassis.hearing import Heard, ears_of, hears


class Both:
    @hears("offer.made.v1")
    def single(self, heard: Heard) -> None: ...

    @hears("offer.declined.v1", batch=3, wait_s=1.0)
    def batch(self, heards: Sequence[Heard]) -> None: ...


EARS = ears_of(Both)


def a_unit(event_type: str | None = "offer.made.v1", *, deliveries: int = 0, tag: int = 1) -> Unit:
    listening = EARS.listening(event_type) if event_type else None
    return Unit(Delivery(tag, 1, b"", {}, {}, deliveries=deliveries), listening=listening)


def test_single_events_start_at_once_as_long_as_a_slot_is_free() -> None:
    """Two slots: the third waits until one is done."""
    gatherer = Gatherer(EARS, 2)
    for _ in range(3):
        gatherer.put(a_unit(), 0.0)
    works = gatherer.ready(0.0)
    assert [len(work.units) for work in works] == [1, 1]
    assert gatherer.ready(0.0) == []
    gatherer.done(works[0])
    assert len(gatherer.ready(0.0)) == 1


def test_a_batch_starts_when_it_is_full_or_old_enough() -> None:
    """Three at once, or what there is after a second."""
    gatherer = Gatherer(EARS, 4)
    gatherer.put(a_unit("offer.declined.v1"), 0.0)
    assert gatherer.ready(0.5) == []
    assert gatherer.seconds_to_next(0.5) == 0.5
    (old,) = gatherer.ready(1.0)
    assert len(old.units) == 1
    gatherer.done(old)
    for _ in range(4):
        gatherer.put(a_unit("offer.declined.v1"), 2.0)
    (full,) = gatherer.ready(2.0)
    assert len(full.units) == 3


def test_a_batch_method_runs_one_batch_at_a_time() -> None:
    """What comes while it runs makes the next batch."""
    gatherer = Gatherer(EARS, 4)
    for _ in range(6):
        gatherer.put(a_unit("offer.declined.v1"), 0.0)
    (first,) = gatherer.ready(0.0)
    assert gatherer.ready(5.0) == []
    gatherer.done(first)
    assert len(gatherer.ready(5.0)) == 1


def test_suspects_run_alone() -> None:
    """One redelivered message at a time in the whole process, beside fresh ones."""
    gatherer = Gatherer(EARS, 8)
    for unit in (
        a_unit(deliveries=1),
        a_unit(deliveries=2),
        a_unit("offer.declined.v1", deliveries=1),
        a_unit(),
    ):
        gatherer.put(unit, 0.0)
    works = gatherer.ready(10.0)
    assert sum(work.is_suspect for work in works) == 1
    assert sum(not work.is_suspect for work in works) == 1


def test_what_was_not_started_is_forgotten_with_its_connection() -> None:
    """It will come again over the next one."""
    gatherer = Gatherer(EARS, 1)
    gatherer.put(a_unit(), 0.0)
    gatherer.put(a_unit(None), 0.0)
    (running,) = gatherer.ready(0.0)
    gatherer.forget()
    gatherer.done(running)
    assert gatherer.ready(9.0) == []
    assert gatherer.waiting() == 0


@given(
    st.lists(
        st.tuples(st.sampled_from(["offer.made.v1", "offer.declined.v1", None, "done"]), st.integers(0, 1)),
        max_size=60,
    )
)
def test_nothing_is_lost_or_started_twice(steps: list[tuple[str | None, int]]) -> None:
    """Whatever comes in whatever order, every message is in exactly one work."""
    gatherer = Gatherer(EARS, 3)
    running: list[Work] = []
    started: list[int] = []
    put = 0
    for now, (what, deliveries) in enumerate(steps):
        if what == "done":
            if running:
                gatherer.done(running.pop(0))
        else:
            put += 1
            gatherer.put(a_unit(what, deliveries=deliveries, tag=put), float(now))
        works = gatherer.ready(float(now))
        running += works
        started += [unit.delivery.tag for work in works for unit in work.units]
        assert len(running) <= 3
    now = 1000.0
    while running or gatherer.waiting():
        works = gatherer.ready(now)
        started += [unit.delivery.tag for work in works for unit in work.units]
        running += works
        now += 10
        gatherer.done(running.pop(0))
    assert sorted(started) == list(range(1, put + 1))
