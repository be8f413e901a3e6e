"""What a Prometheus scrapes on this machine."""

import json

import typer

from cli import show
from cli.local import place, processes


def add_to(app: typer.Typer) -> None:
    """Adds this command to the top level."""
    app.command()(targets)


def targets() -> None:
    """Print the file that Prometheus reads its targets from (file_sd): every process that answers /metrics."""
    known = place.read_state(place.here())
    if known is None:
        raise show.fail("Nothing runs here.", "`make up` starts it.")
    parts = [part for part in processes.parts(place.here(), known, {}) if part.ready_url.startswith("http")]
    rows = [{"targets": [_address(part.ready_url)], "labels": {"process": part.name}} for part in parts]
    print(json.dumps(rows, indent=1))


def _address(url: str) -> str:
    return url.split("/")[2]
