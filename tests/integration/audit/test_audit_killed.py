"""kill -9 of the audit worker at each step of the write path, in the middle of a load: 0 lost, 0 twice."""

import random
from datetime import timedelta

import pytest

from tests.audit_builders import a_read, a_submission, an_envelope
from tests.integration.audit.processes import running, until

STEPS = [
    "audit.after_stage",
    "audit.after_sign",
    "audit.after_swap",
    "audit.after_entries",
    "audit.before_ack",
]
LOAD = 400


def _events(first: int, number: int) -> list:
    return [
        an_envelope(
            a_read(peer_id=f"peer_{each % 7}") if each % 3 else a_submission(f"peer_{each % 7}"),
            producer_seq=each,
            after=timedelta(milliseconds=each),
        )
        for each in range(first, first + number)
    ]


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_any_step_loses_nothing_and_repeats_nothing(step, under_each_host, broker, log, tmp_path):
    """Every event of the load is one entry, the log is whole, and the sequence has no gap."""
    events = _events(1, LOAD)
    broker.say(events[: LOAD // 2])
    with running("worker", under_each_host, tmp_path, KINDRED_FAILPOINTS=f"{step}=kill@1") as worker:
        until(f"killed at {step}", worker.killed)
    broker.say(events[LOAD // 2 :])
    with running("worker", under_each_host, tmp_path):
        until("every event is an entry", lambda: log.size >= LOAD)
    assert log.size == LOAD
    assert set(log.room.store.rows.distinct("_id")) == {each.id for each in events}
    assert log.findings() == []
    assert log.room.inspection.check().producers == {"intake": ((1, LOAD),)}


def test_duplicates_and_disorder_end_in_one_whole_log(environ, broker, log, tmp_path):
    """Every event three times, shuffled, to two workers at once: each is one entry."""
    events = _events(1, LOAD)
    shuffled = events * 3
    random.Random(17).shuffle(shuffled)
    with (
        running("worker", environ, tmp_path),
        running("worker", environ, tmp_path, KINDRED_WORKER_HOST="threads"),
    ):
        broker.say(shuffled)
        until("every event is an entry", lambda: log.size >= LOAD)
        until("the inbox is empty", lambda: broker.waiting() == 0)
    assert log.size == LOAD
    assert log.findings() == []
