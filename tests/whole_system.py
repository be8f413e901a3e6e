"""One whole system for the tests that look from outside: infrastructure of its own, eleven processes, a mail server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cli.local.place import Place
from tests.driving import Er, Officer, Roster, Running, a_specialist, a_supervisor, roster_csv

# Short waves, so that a ladder can be climbed in a test; the rules are the same.
OVERRIDES = {"KINDRED_WAVE_SECONDS": "6,6", "KINDRED_WAVE_SIZES": "3,5"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A system whose every part may be killed, since no other file of tests uses it."""
    var = tmp_path_factory.mktemp("kindred")
    running = Running(Place(var), OVERRIDES | {"KINDRED_SPANS_FILE": str(var / "spans.jsonl")})
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def roster(running: Running) -> Roster:
    """The harbor programme: a supervisor, and forty specialists who may serve anybody in Albany."""
    roster = Roster(running)
    rows = [a_supervisor(), *(a_specialist(f"spec-{n:03}") for n in range(40))]
    assert roster.load(roster_csv(rows)).rows_stored == len(rows)
    return roster


@pytest.fixture(scope="module")
def er(running: Running) -> Er:
    """The emergency room of St. Brigid."""
    return Er(running)


@pytest.fixture(scope="module")
def officer(running: Running) -> Officer:
    """The compliance officer."""
    return Officer(running)
