"""A matching room for each test, on the real mongod."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.matching.bootstrap import Room
from tests.matching_room import a_room


@pytest.fixture
def database(emptied_database):
    """Emptied between the tests, not made anew."""
    return emptied_database


@pytest.fixture
def room(mongo_uri, database, clock, tmp_path) -> Iterator[Room]:
    """A prepared room with a turned clock and keys of its own."""
    with a_room(mongo_uri, database, clock, tmp_path / "keys") as built:
        yield built
