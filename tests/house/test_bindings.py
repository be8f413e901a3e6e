"""The broker's definitions file and the workers' own ears say the same."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

from chassis import topology
from chassis.hearing import ears_of

DEFINITIONS = json.loads(
    (Path(__file__).resolve().parents[2] / "deploy" / "rabbitmq" / "definitions.json").read_text()
)
SERVICES = ("intake", "matching", "notifications", "audit")


@pytest.mark.parametrize("service", SERVICES)
def test_the_inbox_is_bound_to_what_the_worker_hears(service: str) -> None:
    """Before any process starts every event has a queue at everybody who hears it, so that none is lost at first."""
    worker = importlib.import_module(f"services.{service}.worker").Worker
    bound = {
        binding["routing_key"]
        for binding in DEFINITIONS["bindings"]
        if binding["destination"] == topology.inbox_name(service)
        and binding["source"] == topology.EVENTS.name
    }
    assert bound == set(ears_of(worker).binding_keys())
    assert worker.name == service


@pytest.mark.parametrize("service", SERVICES)
def test_queues_are_as_the_code_declares_them(service: str) -> None:
    """Quorum and durable; a difference would close the worker's channel at its first declaration."""
    queues = {queue["name"]: queue for queue in DEFINITIONS["queues"]}
    for name in (topology.inbox_name(service), topology.dead_name(service)):
        assert queues[name]["durable"]
        assert queues[name]["arguments"] == {"x-queue-type": "quorum"}


@pytest.mark.parametrize("service", SERVICES)
def test_what_was_parked_comes_back_into_its_own_inbox_alone(service: str) -> None:
    """The exchange that an api may write to besides that of all events reaches one queue."""
    found = [each for each in DEFINITIONS["bindings"] if each["source"] == topology.again_name(service)]
    assert [(each["destination"], each["routing_key"]) for each in found] == [
        (topology.inbox_name(service),) * 2
    ]


@pytest.mark.parametrize("service", SERVICES)
def test_an_inbox_never_drops_a_message(service: str) -> None:
    """Its policy sends what was delivered too often to the dead letters, and refuses what does not fit."""
    (policy,) = [each for each in DEFINITIONS["policies"] if each["name"] == f"{service}-inbox"]
    assert policy["definition"]["dead-letter-exchange"] == topology.DEAD.name
    assert policy["definition"]["dead-letter-routing-key"] == topology.dead_name(service)
    assert policy["definition"]["dead-letter-strategy"] == "at-least-once"
    assert policy["definition"]["overflow"] == "reject-publish"
