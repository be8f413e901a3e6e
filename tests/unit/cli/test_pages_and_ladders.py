"""Links to matching's pages, the ladder in words, and what nobody can read: told in a line, never a traceback."""

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


@pytest.mark.parametrize(
    "words",
    [
        ("--role", "specialist", "--programme", "lantern-road"),
        ("--role", "supervisor"),
        ("--role", "nurse", "--programme", "lantern-road"),
        ("--role", "compliance"),
    ],
)
def test_a_link_nobody_could_use_is_not_made(words):
    """A specialist without an id, a lead without a programme, a nurse at a programme's pages, a stranger: exit code 2."""
    assert _invoke("sign-in", *words).exit_code == 2


def test_a_coordinator_with_a_programme_is_led_to_its_board(monkeypatch):
    """The link leads to matching's door with a token behind the #; without a programme to the desk's."""
    monkeypatch.setenv("KINDRED_TOKEN", "a.b.c")
    monkeypatch.setenv("KINDRED_MATCHING_HTTP", "matching.example:1")
    monkeypatch.setenv("KINDRED_INTAKE_HTTP", "intake.example:1")
    monkeypatch.setattr("cli.reach.Reach.handed_out", lambda *_, **__: "a.b.c")
    board = _invoke("sign-in", "--role", "coordinator", "--programme", "lantern-road")
    assert board.stdout.strip() == "http://matching.example:1/matching/sign-in#token=a.b.c"
    desk = _invoke("sign-in", "--role", "coordinator")
    assert desk.stdout.strip() == "http://intake.example:1/desk/sign-in#token=a.b.c"
