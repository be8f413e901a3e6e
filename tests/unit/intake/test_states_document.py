"""docs/referral-states.md says what the table of states does."""

from __future__ import annotations

from pathlib import Path

from services.intake.domain.states import CLOSED, RULES, Command, State
from services.intake.fhir.task import STATUS

DOCUMENT = Path(__file__).parents[3] / "docs" / "referral-states.md"


def rows(columns: int) -> dict[str, list[str]]:
    """The lines of the document's tables with this many columns, by their first one."""
    lines = [
        line.strip().strip("|").split("|")
        for line in DOCUMENT.read_text().splitlines()
        if line.startswith("| ")
    ]
    cells = [[cell.strip() for cell in line] for line in lines if len(line) == columns]
    return {first: [first, *rest] for first, *rest in cells}


def named(states: str) -> set[State]:
    """The states of a list in the document."""
    return {State(one.strip()) for one in states.split(",")}


def moves_of(cell: str) -> dict[State, State]:
    """Where the document lets a command lead, from each state."""
    found: dict[State, State] = {}
    for part in cell.split(";"):
        sources, arrow, target = part.partition("→")
        if arrow:
            found |= dict.fromkeys(named(sources), State(target.strip()))
        else:
            found |= {state: state for state in named(part.partition(":")[2])}
    return found


def test_every_command_is_documented_as_it_is() -> None:
    """Roles, moves and what says nothing new: the page and the code are the same table."""
    told = {first: row for first, row in rows(4).items() if first in set(Command)}
    assert set(told) == set(Command)
    for command, rule in RULES.items():
        _, roles, moves, stays = told[command]
        assert {role.strip() for role in roles.split(",")} == rule.roles, command
        assert moves_of(moves) == rule.moves, command
        assert (set() if stays == "-" else named(stays)) == rule.stays, command


def test_every_state_is_shown_as_documented() -> None:
    """Task.status and business status of each state, and whether it is an end."""
    told = {first: row for first, row in rows(4).items() if first in set(State)}
    assert set(told) == set(State)
    for state, (status, business) in STATUS.items():
        assert told[state] == [state, status, business or "-", "yes" if state in CLOSED else "no"]
