"""Saying again what services have published: for a broker that came back empty."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from cli import reach as reaching
from cli import show
from cli.local.ports import SERVICES
from cli.reach import Reach

# One statement over up to 30 days of events.
REPLAY_S = 300.0


def add_to(app: typer.Typer) -> None:
    """Adds this command to the top level."""
    app.command()(replay)


def replay(
    context: typer.Context,
    service: Annotated[str, typer.Argument(help="intake, matching, notifications, audit, or all")] = "all",
    since: Annotated[
        datetime | None, typer.Option(help="What happened from then on, UTC; else everything kept (30 days).")
    ] = None,
    as_json: show.AsJson = False,
) -> None:
    """Publish again what was published, after the broker lost its data; listeners absorb what they know."""
    from kindred.operations.v1 import operations_pb2

    if service not in (*SERVICES, "all"):
        raise show.fail(f"There is no service {service}.", f"Name one of {', '.join(SERVICES)}, or all.")
    reach: Reach = context.obj
    asked = operations_pb2.ReplayPublishedRequest()
    if since:
        asked.since.FromDatetime(since.astimezone(UTC) if since.tzinfo else since)
    rows = []
    for name in SERVICES if service == "all" else [service]:
        with reaching.plain_errors(of=name):
            answer = reach.operations(name).ReplayPublished(
                asked,
                timeout=REPLAY_S,
                metadata=reach.metadata("engineer", "cli-engineer", purpose="HOPERAT"),
            )
        rows.append({"service": name, "replayed": answer.replayed})
    show.rows(rows, ("service", "replayed"), as_json=as_json)
