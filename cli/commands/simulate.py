"""A simulation of days of referrals by the platform's own rules, on a turned clock; it needs no running system."""

import json
import os
import re
import subprocess
import sys
from typing import Annotated

import typer

from cli import show
from cli.demo import roster
from cli.local.place import ROOT

# One to six waves of 1 to 99 people for 1 to 99,999 seconds.
_LADDER = re.compile(r"[1-9]\d?:[1-9]\d{0,4}(,[1-9]\d?:[1-9]\d{0,4}){0,5}", re.ASCII)


def simulate(
    hospitals: Annotated[int, typer.Option(help="How many emergency rooms.", min=1, max=200)] = 5,
    specialists: Annotated[int, typer.Option(help="How many specialists.", min=1, max=20_000)] = 150,
    days: Annotated[int, typer.Option(help="How many days.", min=1, max=365)] = 14,
    seed: Annotated[int, typer.Option(help="The same seed gives the same numbers.")] = 7,
    per_day: Annotated[float, typer.Option(help="Referrals of each hospital a day.", min=0.1)] = 6.0,
    waves: Annotated[str, typer.Option(help="Immediate ladder: size:seconds,size:seconds")] = "3:300,5:300",
    faults: Annotated[
        bool, typer.Option("--faults", help="Things go wrong at random, by the same seed.")
    ] = False,
    plots: Annotated[str, typer.Option(help="A folder for the plots (SVG).")] = "",
    as_json: show.AsJson = False,
) -> None:
    """Simulate referrals, offers, answers and follow-up; print time to match, unfilled, load and fairness."""
    if not _LADDER.fullmatch(waves):
        raise show.fail(
            f"{waves}: write the ladder as size:seconds,size:seconds, such as 3:300,5:300", code=2
        )
    told = {
        "hospitals": hospitals,
        "specialists": specialists,
        "days": days,
        "seed": seed,
        "per_day": per_day,
        "waves": waves,
        "plots": plots,
        "faults": faults,
    }
    rows = roster.specialists(specialists, seed)
    command = [sys.executable, "-m", "services.matching.simulation", json.dumps(told)]
    environ = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'gen'}"}
    done = subprocess.run(
        command, env=environ, input=json.dumps(rows), stdout=subprocess.PIPE, text=True, check=False
    )
    if not done.stdout:
        raise show.fail("The simulation did not end; what it said stands above.")
    found = json.loads(done.stdout)
    if found["broken"]:
        raise show.fail("A hard rule was broken: this is a defect.", *found["broken"])
    if as_json:
        show.record(found, as_json=True)
        return
    show.record(found["summary"], as_json=False)
    for title, rows in found["tables"].items():
        show.rows(rows, tuple(rows[0]) if rows else ("nothing",), as_json=False, title=title)


def add_to(app: typer.Typer) -> None:
    """The command `kindred simulate`."""
    app.command()(simulate)
