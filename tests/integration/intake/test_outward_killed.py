"""A worker that dies between telling and noting it: the next one tells again, under the same id, and says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.intake.intake_processes import Bus, Er, running, until
from tests.integration.intake.outward_driving import PACE, Desk, move, refer
from tests.integration.intake.outward_sides import EngineSide, Subscriber, control_id

SOURCE = "er-of-the-killed"


@pytest.fixture(scope="module")
def engine() -> Iterator[EngineSide]:
    """The hospital's engine."""
    side = EngineSide().start()
    yield side
    side.stop()


@pytest.fixture(scope="module")
def intake_environ(
    mongo_uri: str, amqp_uri: str, intake_database: Any, intake_keys: Path, engine: EngineSide
) -> dict[str, str]:
    """Both kinds of receivers."""
    return {
        "KINDRED_MONGO_URI": mongo_uri,
        "KINDRED_MONGO_DATABASE": intake_database.name,
        "KINDRED_AMQP_URI": amqp_uri,
        "KINDRED_KEYS_DIR": str(intake_keys),
        "KINDRED_HL7_RECEIVERS": f"{SOURCE}=127.0.0.1:{engine.port}",
        **PACE,
    }


def test_both_kinds_of_receivers_are_told_once_more_and_marked(
    er: Er, bus: Bus, engine: EngineSide, intake_environ: dict[str, str], tmp_path: Path
) -> None:
    """Each try is written down before it is made, so that whoever comes after a kill -9 knows it may be a repeat."""
    desk, side = Desk(er, SOURCE), Subscriber().start()
    with running("worker", intake_environ, tmp_path) as first:
        first.ready()
        desk.active(side)
    doomed = {**intake_environ, "KINDRED_FAILPOINTS": "outward.after_send_before_settle=kill@2"}
    with running("worker", doomed, tmp_path) as process:
        process.ready()
        referral_id = refer(desk, "killed")
        move(bus, referral_id)
        until("its end", lambda: process.popen.poll() is not None)
    assert process.popen.returncode == -9
    before = len(side.of(referral_id)), len(engine.taken)
    assert sum(before) >= 2
    with running("worker", {**intake_environ, "KINDRED_WORKER_HOST": "threads"}, tmp_path) as next_one:
        next_one.ready()
        until("one repeat at least", lambda: len(side.of(referral_id)) + len(engine.taken) > sum(before))
        until("nothing is left", lambda: _is_quiet(er, intake_environ))
    hooks, messages = side.of(referral_id), engine.taken
    assert len({one.headers["webhook-id"] for one in hooks}) == 1
    assert len({control_id(one) for one in messages}) == 1
    marks = [one.headers["x-kindred-attempt"] for one in hooks]
    assert marks in (["1"], ["1", "2; possible-repeat"])
    assert len(hooks) == 2 or len(messages) == 2
    side.stop()


def _is_quiet(er: Er, environ: dict[str, str]) -> bool:
    from chassis import mongo

    rows = mongo.connect(environ["KINDRED_MONGO_URI"])[environ["KINDRED_MONGO_DATABASE"]]["deliveries"]
    return rows.count_documents({"due_at": {"$exists": True}}) == 0
