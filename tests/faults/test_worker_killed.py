"""F-18 and the killing poison of F-25: a worker that dies at the worst moment, under both hosts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.bus_driving import a_decline, an_acceptance, an_offer, until
from tests.faults.worker_stage import WorkerStage, worker_stages

KILL = "worker.after_handler_before_answer=kill@4"


def kill_again_and_again(own: Any, client: Any, folder: Path, count: int, within_s: float) -> None:
    """`count` events while every process dies at its fourth effect, before the broker is told."""
    with worker_stages(own, client, folder) as stages:
        sent = {stage.host: stage.post.events(an_acceptance() for _ in range(count)) for stage in stages}
        for stage in stages:
            stage.subject.environ = {**stage.subject.environ, "KINDRED_FAILPOINTS": KILL}
            stage.subject.start()
        for stage in stages:
            stage.wait_all(sent[stage.host], within_s, supervise=True)
        for stage in stages:
            let_finish(stage)
            assert stage.subject.starts > count // 6
            assert stage.effects() == set(sent[stage.host])
            assert stage.database["parked_events"].count_documents({}) == 0
            # The negative control, in the same run: without the mark in the effect's write there are doubles.
            assert stage.database["naive"].count_documents({}) > count
            assert stage.database["effects"].count_documents({}) == count


def let_finish(stage: WorkerStage) -> None:
    """What is left over is absorbed by a process that nobody kills."""
    stage.subject.process.kill()
    stage.subject.process.wait()
    stage.subject.environ = {**stage.subject.environ, "KINDRED_FAILPOINTS": ""}
    stage.subject.ready()
    until("the inbox is empty", lambda: stage.post.depth() == 0)
    stage.wait_empty()


def test_killed_after_the_effect_before_the_answer(own: Any, own_client: Any, tmp_path: Path) -> None:
    """F-18: no event is lost or has two effects, though every process dies between effect and answer."""
    kill_again_and_again(own, own_client, tmp_path, 12, 60)


@pytest.mark.slow_faults
@pytest.mark.timeout(1200)
def test_killed_a_hundred_times(own: Any, own_client: Any, tmp_path: Path) -> None:
    """F-18 with more than 66 deaths under each host, more than 130 in all."""
    kill_again_and_again(own, own_client, tmp_path, 400, 1000)


def test_an_event_that_kills_the_process_is_parked_alone(own: Any, own_client: Any, tmp_path: Path) -> None:
    """F-25: the third start without an end is the last; neighbors, also of the same batch, are handled."""
    with worker_stages(own, own_client, tmp_path) as stages:
        wanted, killers = {}, {}
        for stage in stages:
            neighbors = stage.post.events(a_decline() for _ in range(10))
            killers[stage.host] = {stage.post.event(an_offer("kill")), stage.post.event(a_decline("kill"))}
            neighbors += stage.post.events(an_offer() for _ in range(5))
            wanted[stage.host] = neighbors + stage.post.events(a_decline() for _ in range(10))
            stage.subject.start()
        for stage in stages:
            stage.wait_all(wanted[stage.host], 60, supervise=True)
            parked = until(
                f"{stage.host}: both killers are parked", lambda stage=stage: killers_parked(stage), 60
            )
            assert parked == dict.fromkeys(killers[stage.host], "kills-process")
            assert stage.subject.starts <= 8
            stage.wait_empty()


def killers_parked(stage: WorkerStage) -> dict[str, str] | None:
    stage.subject.keep_alive()
    rows = stage.database["parked_events"].find()
    found = {row["event_id"]: row["reason"] for row in rows}
    return found if len(found) >= 2 else None
