"""F-12, the worker's and the relay's part: the broker stands still; it is noticed, and nothing hangs."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from chassis.relay import Relay
from tests.bus_driving import an_acceptance, until
from tests.faults.relay_stage import Tap, say, unpublished
from tests.faults.worker_stage import WorkerStage, worker_stages

NOTICED_S = 30.0


def has_noticed(stage: WorkerStage) -> bool:
    return "bus.away" in stage.subject.text()


def freeze_and_thaw(
    own: Any, client: Any, database: Any, folder: Path, freeze_s: float, *, is_noticed: bool = True
) -> None:
    relay = Relay(database, collections=["things"], amqp_uri=own.amqp_uri, producer="subject")
    carrier = threading.Thread(target=relay.run, daemon=True)
    with worker_stages(own, client, folder) as stages, worker_stages(own, client, folder) as leavers:
        for stage in (*stages, *leavers):
            stage.subject.start()
        for stage in (*stages, *leavers):
            until("it listens", stage.subject.is_listening, 60.0)
        before = {stage.host: stage.post.events(an_acceptance() for _ in range(20)) for stage in stages}
        carrier.start()
        say(database, 5)
        until("the relay is connected", lambda: unpublished(database) == 0)
        assert not any(has_noticed(stage) for stage in stages)
        frozen_at = time.monotonic()
        own.freeze(own.broker)
        try:
            said = say(database, 5)  # what is stored does not wait for the broker
            for stage in leavers:
                stage.subject.signal(signal.SIGTERM)
            for stage in leavers:
                assert stage.subject.process.wait(25) == 0  # told once: a second TERM would end it at once
            for stage in stages if is_noticed else ():
                until(f"{stage.host} notices", lambda stage=stage: has_noticed(stage), NOTICED_S)
            assert time.monotonic() - frozen_at < NOTICED_S
            until("frozen long enough", lambda: time.monotonic() - frozen_at > freeze_s, freeze_s + 1)
        finally:
            own.thaw(own.broker)
        until("the relay has drained", lambda: unpublished(database) == 0, 40)
        assert said == 10
        for stage in stages:
            stage.post.__exit__()
            stage.post.__enter__()
            after = stage.post.events(an_acceptance() for _ in range(20))
            stage.wait_all(before[stage.host] + after, 40)
            assert stage.subject.starts == 1
            stage.wait_empty()
        relay.stop()
        carrier.join(15)
        assert not carrier.is_alive()


def test_a_frozen_broker_is_noticed(own: Any, own_client: Any, own_database: Any, tmp_path: Path) -> None:
    """Both hosts notice within 30 s and go on afterwards, SIGTERM is honored meanwhile, the relay drains."""
    with Tap(own.amqp_uri):
        freeze_and_thaw(own, own_client, own_database, tmp_path, 0)


@pytest.mark.slow_faults
@pytest.mark.timeout(400)
@pytest.mark.parametrize(("freeze_s", "is_noticed"), [(5, False), (90, True)])
def test_a_broker_frozen_for_longer_and_shorter(
    own: Any, own_client: Any, own_database: Any, tmp_path: Path, freeze_s: float, is_noticed: bool
) -> None:
    """F-12 with its other durations."""
    with Tap(own.amqp_uri):
        freeze_and_thaw(own, own_client, own_database, tmp_path, freeze_s, is_noticed=is_noticed)
