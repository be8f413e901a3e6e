"""F-20, the worker's part: mongod stands still for 25 s while events are consumed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tests.bus_driving import Subject, a_decline, an_acceptance, until
from tests.faults.worker_stage import WorkerStage, worker_stages

FREEZE_S = 25.0


def test_a_frozen_database_loses_nothing_but_the_stock_consumers_messages(
    own: Any, own_client: Any, tmp_path: Path
) -> None:
    """Both hosts keep every event and give it its one effect; nameko's stock consumer loses some in the same freeze."""
    with (
        worker_stages(own, own_client, tmp_path) as stages,
        worker_stages(own, own_client, tmp_path, hosts=["nameko"]) as (control,),
    ):
        control.subject = Subject(
            control.subject.environ, tmp_path / "stock.log", argv=("-m", "tests.faults.stock_consumer")
        )
        for each in (*stages, control):
            each.subject.start()
        for each in (*stages, control):
            until("it listens", each.subject.is_listening, 60.0)
        frozen_at = time.monotonic()
        own.freeze(own.mongod)
        try:
            sent = {stage.host: send(stage) for stage in stages}
            for number in range(100):
                control.post.raw(str(number).encode(), content_type="text/plain", content_encoding="utf-8")
            until("25 s are over", lambda: time.monotonic() - frozen_at > FREEZE_S, FREEZE_S + 1)
            assert all(stage.subject.is_alive() for stage in stages)
        finally:
            own.thaw(own.mongod)
        for stage in stages:
            stage.wait_all(sent[stage.host], 60)
            assert stage.subject.starts == 1
            assert stage.database["effects"].count_documents({}) == len(sent[stage.host])
            assert stage.database["parked_events"].count_documents({}) == 0
            stage.wait_empty()
        until("the stock consumer has acknowledged all", lambda: control.post.depth() == 0, 30)
        control.subject.process.kill()
        control.subject.process.wait()
        until("nothing comes back", lambda: control.post.depth() == 0, 5)
        assert control.database["effects"].count_documents({}) < 100


def send(stage: WorkerStage) -> list[str]:
    """Events for the single and for the batch listener."""
    singles = stage.post.events(an_acceptance() for _ in range(60))
    return singles + stage.post.events(a_decline() for _ in range(60))
