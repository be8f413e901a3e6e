"""`kindred doctor`: what is wrong with this deployment, and what to do about it."""

import typer

from cli import show
from cli.doctor import findings
from cli.doctor.examination import examine
from cli.local import place


def add_to(app: typer.Typer) -> None:
    """Adds this command to the top level."""
    app.command()(doctor)


def doctor(as_json: show.AsJson = False) -> None:
    """Examine keys, certificates, doors, users, database, broker and log; exit 0 good, 3 warnings only, 1 faults."""
    here = place.here()
    if not here.keys.exists():
        raise show.fail("Nothing was ever started here.", "`make up` starts it.")
    with show.console.status("looking") as status:
        found = examine(here, lambda what: status.update(f"looking at {what}"))
    rows = [
        {
            "severity": each.severity,
            "code": each.code,
            "where": each.where,
            "says": each.says,
            "what_to_do": each.remedy,
        }
        for each in found
    ]
    if rows or as_json:
        show.rows(rows, ("severity", "code", "where", "says", "what_to_do"), as_json=as_json)
    else:
        show.console.print("Nothing is wrong.")
    raise typer.Exit(findings.exit_code(found))
