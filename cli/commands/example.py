"""Write an example referral of a plainly fictional person, to try the system by hand."""

import json
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cli import show


def example(
    file: Annotated[Path, typer.Argument(help="Where to write the R4 Bundle.")] = Path("bundle.json"),
    story: Annotated[str, typer.Option(help="Who it is about; `list` tells.")] = "veteran",
    as_json: show.AsJson = False,
) -> None:
    """Write an R4 Bundle that `kindred submit` takes: one of the demonstration's people, with a visit of today."""
    from cli.demo import bundles
    from cli.demo.people import STORIES

    told = {one.key: one for one in STORIES}
    if story not in told:
        rows = [{"story": one.key, "who": one.title} for one in STORIES]
        show.rows(rows, ("story", "who"), as_json=as_json)
        raise typer.Exit(0 if story == "list" else 1)
    made = bundles.bundle(told[story], secrets.token_hex(3), datetime.now(UTC))
    try:
        file.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    except OSError as trouble:
        raise show.fail(f"{file} cannot be written: {trouble.strerror}.", code=2) from None
    show.record({"file": str(file), "about": told[story].title}, as_json=as_json)


def add_to(app: typer.Typer) -> None:
    """The command `kindred example`."""
    app.command()(example)
