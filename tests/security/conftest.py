"""The running doors that the tests of this folder walk through and attack, opened once; and what was tried, counted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.security import trail
from tests.security.walk_rooms import TRIED, Stage, the_rooms

_MARK = "security: "
_ATTACK = "attack: "


@pytest.fixture(scope="session")
def stages(
    mongo_uri: str, mongo_client: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Stage]]:
    """The doors of all four services, on real stores."""
    with pytest.MonkeyPatch.context() as patching:
        folder = tmp_path_factory.mktemp("walk")
        with the_rooms(mongo_uri, mongo_client, folder, patching.setattr) as opened:
            yield opened


@pytest.fixture(autouse=True)
def counted(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test tried and what was refused travels with its report, also from another process."""
    before = TRIED.copy()
    yield
    request.node.user_properties += [(_MARK + what, count) for what, count in (TRIED - before).items()]


@pytest.fixture(autouse=True)
def trailed(request: pytest.FixtureRequest) -> Iterator[None]:
    """What it got at the running doors and which audit entries it left; whoever is turned away leaves one."""
    if "stages" not in request.fixturenames:
        yield
        return
    watch = trail.Watch(request.getfixturevalue("stages"))
    yield
    what = (request.function.__doc__ or request.function.__name__).split("\n")[0]
    request.node.user_properties.append((_ATTACK + what, json.dumps(watch.told())))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The counts of all tests together, as `make security` prints them."""
    told: Counter[str] = Counter()
    attacks: list[tuple[str, str]] = []
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "teardown" or getattr(report, "when", "") == "call":
                told.update(
                    {
                        what: count
                        for what, count in getattr(report, "user_properties", ())
                        if what.startswith(_MARK)
                    }
                )
                attacks += [
                    (what.removeprefix(_ATTACK), str(found))
                    for what, found in getattr(report, "user_properties", ())
                    if what.startswith(_ATTACK)
                ]
    if attacks:
        terminalreporter.write_line(
            "security: each attack at the running doors, what it got, what the audit log has"
        )
    for line in trail.table(attacks):
        terminalreporter.write_line(line)
    for what, count in sorted(told.items()):
        terminalreporter.write_line(f"{what}: {count}")
