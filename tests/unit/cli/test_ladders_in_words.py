"""The ladder in words, and what nobody can read: told in a line, never a traceback."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from cli.app import app


def _invoke(*words: str):
    return CliRunner().invoke(app, list(words))


@pytest.mark.parametrize("waves", ["nonsense", "3", "3:300,", "0:300", "3:0", "3:300,x:1", "²:300"])
def test_a_ladder_nobody_can_read_is_told_in_a_line(waves):
    """`kindred simulate` says how a ladder is written and ends with 2; nothing is simulated."""
    answer = _invoke("simulate", "--waves", waves)
    assert answer.exit_code == 2 and isinstance(answer.exception, SystemExit)
