"""A database is lost and comes back as it was some minutes ago: what vanished is named, and work goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from cli.local.place import Place
from kindred.intake.v1 import events_pb2
from tests.driving import Er, Roster, Running, a_referral, a_specialist, a_supervisor, roster_csv, until

pytestmark = pytest.mark.slow_faults


@dataclass
class Journal:
    """Referrals that were acknowledged before and after the backup and after the restore, and what was measured."""

    kept: list[str] = field(default_factory=list)
    vanished: list[str] = field(default_factory=list)
    since: list[str] = field(default_factory=list)
    told: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def kindred(running: Running, *words: str) -> subprocess.CompletedProcess[str]:
    """The command as an operator types it."""
    given = {name: value for name, value in os.environ.items() if name not in {"MONGO_URI", "AMQP_URI"}}
    environ = given | {"KINDRED_VAR": str(running.place.var)}
    argv = [sys.executable, "-m", "cli", *words]
    return subprocess.run(argv, env=environ, capture_output=True, text=True, check=False, timeout=300)


def _is_audited(running: Running) -> bool:
    """Every event of intake is in the log."""
    outbox = running.database("intake").outbox
    newest = outbox.find_one({}, {"seq": 1}, sort=[("seq", -1)])
    rows = running.database("audit").rows.find_one({"producer": "intake"}, sort=[("producer_seq", -1)])
    ringing = running.database("intake").referrals.count_documents({"ringing": {"$exists": True}})
    return bool(newest and rows and not ringing and rows["producer_seq"] == newest["seq"])


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(Place(tmp_path_factory.mktemp("kindred-restored")))
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def journal(running: Running, tmp_path_factory: pytest.TempPathFactory) -> Journal:
    """Intake's database is lost after a backup and four more referrals, and restored from it."""
    journal, er = Journal(), Er(running)
    Roster(running).load(roster_csv([a_supervisor(), *(a_specialist(f"spec-{n:03}") for n in range(20))]))
    to, keys_to = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("keys")

    journal.kept = [_submit(er, f"kept-{number}") for number in range(5)]
    until("all is audited", lambda: _is_audited(running))
    begun = time.monotonic()
    told = kindred(running, "backup", "--to", str(to), "--keys-to", str(keys_to), "--json")
    assert told.returncode == 0, told.stderr
    journal.seconds["backup"] = time.monotonic() - begun
    journal.told["backup"] = json.loads(told.stdout)
    journal.vanished = [_submit(er, f"vanished-{number}") for number in range(4)]
    until("all is audited", lambda: _is_audited(running))

    data, keys = journal.told["backup"]["data"], journal.told["backup"]["keys"]
    assert "Still running" in kindred(running, "restore", data, "--keys", keys, "--only", "intake").stderr
    running.stop()
    begun = time.monotonic()
    unasked = kindred(running, "restore", data, "--keys", keys, "--only", "intake")
    assert (unasked.returncode, "--replace" in unasked.stderr) == (1, True)
    told = kindred(running, "restore", data, "--keys", keys, "--only", "intake", "--replace", "--json")
    assert told.returncode == 0, told.stderr
    journal.told["restore"] = json.loads(told.stdout)
    running.start()
    journal.seconds["restore"] = time.monotonic() - begun
    journal.since = [_submit(Er(running), f"since-{number}") for number in range(3)]
    until("all is audited", lambda: _is_audited(running))
    return journal


def _submit(er: Er, name: str) -> str:
    return er.submit(a_referral(name, urgency=events_pb2.URGENCY_URGENT)).referral_id


def test_what_was_backed_up_is_there_and_what_came_later_is_not(running: Running, journal: Journal):
    """Referrals of the backup's moment can be read and are whole; the later ones are gone, as told."""
    there = set(running.database("intake").referrals.distinct("_id"))
    assert there >= {*journal.kept, *journal.since}
    assert not there & set(journal.vanished)
    assert all(Er(running).task(one).status_code == 200 for one in journal.kept)


def test_the_log_names_everything_that_vanished(running: Running, journal: Journal):
    """The restore says how many events are lost, and the log's check names each, by its number, and nothing else."""
    lost = journal.told["restore"]["lost_events"]["intake"]
    assert lost >= len(journal.vanished)
    told = kindred(running, "audit", "fsck", "--json")
    named = [row for row in json.loads(told.stdout)["findings"] if row["code"] == "entry-without-event"]
    assert len(named) == lost
    rows = running.database("audit").rows
    indexes = [row["entry"] for row in named]
    assert rows.count_documents({"index": {"$in": indexes}, "producer": "intake"}) == lost


def test_the_log_is_not_set_back_under_its_signer(running: Running, journal: Journal):
    """A restore of the log itself is refused while the signer remembers: it would sign nothing any more."""
    data, keys = journal.told["backup"]["data"], journal.told["backup"]["keys"]
    told = kindred(running, "restore", data, "--keys", keys, "--only", "audit", "--replace")
    assert (told.returncode, "signer remembers" in told.stderr) == (1, True)


def test_no_number_is_given_out_twice(running: Running, journal: Journal):
    """What is said after the restore is in the log under numbers of its own, and no event is missing."""
    rows = running.database("audit").rows
    since = list(running.database("intake").outbox.find({"aggregate_id": {"$in": journal.since}}))
    assert len(since) >= len(journal.since)
    assert rows.count_documents({"_id": {"$in": [event["_id"] for event in since]}}) == len(since)
    numbers = [row["producer_seq"] for row in rows.find({"producer": "intake"}, {"producer_seq": 1})]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))


def test_the_drill_was_measured(journal: Journal, record_property: Any):
    """How long a backup and a restore until everything is ready took is in the report."""
    for name, seconds in journal.seconds.items():
        record_property(name, round(seconds, 1))
        print(f"{name}: {seconds:.1f} s")
    assert journal.seconds.keys() == {"backup", "restore"}
