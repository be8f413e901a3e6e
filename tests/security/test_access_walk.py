"""Who may do what is walked, door by door, against the running doors, and is what was reviewed."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import typer

from chassis import policy
from chassis.policy import DoorWithoutPolicy
from chassis.policy.reading import TableUnreadable, read
from tests.security import access_walk
from tests.security.walk_rooms import Stage


@pytest.mark.timeout(900)  # seconds of work, and minutes where the machine is shared by many
def test_everybody_at_every_door_gets_what_was_reviewed(stages: dict[str, Stage]):
    """Each route, RPC and page, asked by each persona of its own and of another organization, answers as reviewed."""
    walk = access_walk.walked(stages)
    found = access_walk.told(walk)
    if os.environ.get("KINDRED_REVIEW"):
        access_walk.REVIEWED.write_text(found, encoding="utf-8")
    reviewed = access_walk.REVIEWED.read_text(encoding="utf-8")
    access_walk.count(walk)
    assert "\n".join(walk.untrue) == ""
    assert found.splitlines() == reviewed.splitlines()
    denied = sum(_denials(stage) for stage in stages.values())
    assert denied >= walk.asked["own"] // 3  # whoever was turned away for who they are is on record


def _denials(stage: Stage) -> int:
    database = stage.sessions._sessions.database
    rows = (row for one in database["accesses"].find({}, {"outbox": 1}) for row in one.get("outbox", ()))
    return sum(row["type"] == "access.denied.v1" for row in rows)


def test_no_door_is_in_the_table_that_nobody_serves(stages: dict[str, Stage]):
    """A line without a door is a decision about nothing, and a door without a line does not open."""
    served = {door for stage in stages.values() for door in (*stage.routes(), *stage.methods())}
    spoken_of = set(policy.ours().table.rows)
    optional = {one for one in spoken_of if one.startswith(("POST /sms/", "GET /log/")) or "/sign-in" in one}
    assert spoken_of - served <= optional
    assert served <= spoken_of
    with pytest.raises(DoorWithoutPolicy):
        policy.ours().rows("GET /new/page")


def test_every_command_is_in_the_table():
    """A new command says which doors it asks."""
    from cli.app import app

    def named(command: Any, path: list[str]) -> Iterator[str]:
        if isinstance(command, click.Group) or hasattr(command, "commands"):
            for name, one in command.commands.items():
                yield from named(one, [*path, name])
        else:
            yield " ".join(path)

    assert set(named(typer.main.get_command(app), ["kindred"])) == set(policy.commands())


def test_every_need_is_decided_somewhere():
    """What a line needs beyond its door names the function that decides it, and the code it is refused with is told."""
    root = Path(__file__).resolve().parents[2]
    text = "\n".join(
        path.read_text(encoding="utf-8")
        for top in ("services", "chassis")
        for path in (root / top).rglob("*.py")
    )
    for need in policy.ours().table.needs.values():
        found: Any = None
        parts = need.decided_by.split(".")
        for cut in range(len(parts), 0, -1):
            try:
                found = importlib.import_module(".".join(parts[:cut]))
            except ImportError:
                continue
            for name in parts[cut:]:
                found = getattr(found, name)
            break
        assert callable(found), need.decided_by
        assert f'"{need.refused_as}"' in text, need.refused_as


@pytest.mark.parametrize(
    "line",
    [
        "GET /x | token | nurse | any",
        "GET /x | cookie | nurse | any |",
        "GET /x | token | nobody | any |",
        "GET /x | open | nurse | any |",
        "GET /x | token | | any |",
        "GET /x | token | nurse | FUN |",
        "GET /x | token | nurse | any | whatever",
    ],
)
def test_a_line_that_says_nothing_certain_is_refused(line: str):
    """A table with a slip of the pen is no table: nothing starts."""
    wrong = line if line.endswith("any") is False else "GET /x | token | nurse"
    with pytest.raises(TableUnreadable, match="line 2"):
        read(f"## a section\n{wrong}\n")


def test_forbidding_wins():
    """A line of `never` holds whatever a door's line permits."""
    table = "\n".join(
        (
            "## needs",
            "own | own | chassis.policy.ours | none",
            "## never",
            "engineer | any | needs own | role-not-allowed",
            "## doors",
            "GET /x | token | engineer nurse | any | own",
        )
    )
    asked = policy.Policy(read(table))
    decisions = {
        role: asked.decide("GET /x", _somebody(role)).reason for role in ("engineer", "nurse", "system")
    }
    assert decisions == {"engineer": "role-not-allowed", "nurse": "permitted", "system": "role-not-allowed"}
    assert asked.decide("GET /x", _somebody("nurse", "BTG")).reason == "purpose-not-allowed"


def _somebody(role: str, purpose: str = "") -> Any:
    from chassis.identity import Caller

    return Caller("one", role, "org", purpose)
