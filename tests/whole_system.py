"""One whole system for the tests that look from outside: infrastructure of its own, eleven processes, a mail server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cli.local.place import Place
from tests.driving import Er, Officer, Roster, Running, a_specialist, a_supervisor, roster_csv
from tests.running_order import WHOLE_SYSTEM

# Short waves, so that a ladder can be climbed in a test; the rules are the same.  Whoever must not climb it is
# submitted as urgent: those waves last hours.
OVERRIDES = {"KINDRED_WAVE_SECONDS": "6,6", "KINDRED_WAVE_SIZES": "3,5"}


@pytest.fixture(scope="session")
def whole_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Started once for all: ten processes, a database and a broker take twelve seconds of a core to come up."""
    var = tmp_path_factory.mktemp("kindred")
    running = Running(Place(var), OVERRIDES | {"KINDRED_SPANS_FILE": str(var / "spans.jsonl")})
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def running(request: pytest.FixtureRequest, whole_system: Running) -> Iterator[Running]:
    """A system of which everything runs, and any part may be killed: the next file gets it whole again.

    What other files have left in it stays there: people, referrals, a longer log.  After the last of them it is
    stopped at once: a whole system that is idle still takes its share of a core.
    """
    file = request.node.nodeid.partition("::")[0]
    assert file in WHOLE_SYSTEM, f"{file} shares the whole system and has no place in tests/running_order.py"
    whole_system.start()
    yield whole_system
    wanted = {item.nodeid.partition("::")[0] for item in request.session.items}
    if file == [each for each in WHOLE_SYSTEM if each in wanted][-1]:
        whole_system.stop()


@pytest.fixture(scope="module")
def roster(running: Running) -> Roster:
    """The harbor programme: a supervisor, and forty specialists who may serve anybody in Albany."""
    roster = Roster(running)
    rows = [a_supervisor(), *(a_specialist(f"spec-{n:03}") for n in range(40))]
    told = roster.load(roster_csv(rows))
    assert told.rows_stored + told.rows_unchanged == len(rows)
    return roster


@pytest.fixture(scope="module")
def er(running: Running) -> Er:
    """The emergency room of St. Brigid."""
    return Er(running)


@pytest.fixture(scope="module")
def officer(running: Running) -> Officer:
    """The compliance officer."""
    return Officer(running)
