"""The running doors that the tests of this folder walk through and attack, opened once; and what was tried, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.security.walk_rooms import TRIED, Stage, the_rooms

_MARK = "security: "


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


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The counts of all tests together, as `make security` prints them."""
    told: Counter[str] = Counter()
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
    for what, count in sorted(told.items()):
        terminalreporter.write_line(f"{what}: {count}")
