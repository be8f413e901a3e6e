"""A roster on its way to matching while a part of matching is away for a moment."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from cli.commands import roster

ANSWER = SimpleNamespace(rows_read=1, rows_stored=1, rows_unchanged=0, faults=())


class Failed(grpc.RpcError):
    """What gRPC raises."""

    def __init__(self, code: grpc.StatusCode) -> None:
        super().__init__()
        self._code = code

    def code(self) -> grpc.StatusCode:
        """Why."""
        return self._code


class Far:
    """Matching, as the command reaches it: each try is answered by the next of these."""

    def __init__(self, *ends: grpc.StatusCode | None) -> None:
        self._ends = list(ends)
        self.tries = 0

    def matching(self) -> Far:
        """The stub."""
        return self

    def metadata(self, *_: str, **__: str) -> list[Any]:
        """Nobody in particular."""
        return []

    def ImportRoster(self, *_: Any, **__: Any) -> list[Any]:
        """The call."""
        self.tries += 1
        end = self._ends.pop(0)
        if end is not None:
            raise Failed(end)
        return [ANSWER]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A roster of one row, and nobody who waits."""
    monkeypatch.setattr(roster, "AGAIN_AFTER_S", (0.0, 0.0))
    path = tmp_path / "roster.csv"
    path.write_text("specialist_id\nsp-1\n")
    return path


def test_a_roster_is_sent_again_where_a_part_was_away(file: Path):
    """A database that is slow for a moment costs a second, not the demonstration."""
    far = Far(grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAVAILABLE, None)
    assert roster.import_file(far, file, is_quiet=True)["rows_stored"] == 1  # type: ignore[arg-type]
    assert far.tries == 3


@pytest.mark.parametrize(
    ("end", "tries"), [(grpc.StatusCode.UNAVAILABLE, 3), (grpc.StatusCode.PERMISSION_DENIED, 1)]
)
def test_what_stays_away_or_refuses_is_told(file: Path, end: grpc.StatusCode, tries: int):
    """It is tried three times where trying may help, and once where it cannot."""
    far = Far(end, end, end)
    with pytest.raises(grpc.RpcError):
        roster.import_file(far, file, is_quiet=True)  # type: ignore[arg-type]
    assert far.tries == tries
