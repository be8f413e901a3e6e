"""A whole system of a bench's own: stores as everybody's does, and asks nobody a second time while it is measured."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.local.place import Place
from cli.local.shape import Shape
from tests.driving import Running

_OVERRIDES = {"KINDRED_WAVE_SECONDS": "3600,3600", "KINDRED_LOG_LEVEL": "warning"}


@contextmanager
def a_whole_system(shape: Shape | None = None) -> Iterator[Running]:
    """It runs, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="kindred-bench-") as folder:
        running = Running(Place(Path(folder)), _OVERRIDES, shape, mongod_args=())
        try:
            running.start()
            yield running
        finally:
            running.stop()
