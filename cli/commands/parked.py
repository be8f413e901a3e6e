"""Parked events: what a service could not handle, put back or given up with a reason."""

from typing import Annotated, Any

import typer

from cli import reach as reaching
from cli import show
from cli.local.ports import SERVICES
from cli.reach import Reach

app = typer.Typer(no_args_is_help=True)

Service = Annotated[str, typer.Argument(help="intake, matching, notifications or audit")]


@app.command("list")
def list_parked(
    context: typer.Context,
    service: Annotated[str, typer.Argument(help="One service; nothing for all four.")] = "",
    limit: Annotated[int, typer.Option(help="At most this many of each.", min=1)] = 100,
    as_json: show.AsJson = False,
) -> None:
    """The parked events, oldest first, without their bodies."""
    from google.protobuf.json_format import MessageToDict

    from kindred.operations.v1 import operations_pb2

    reach: Reach = context.obj
    rows: list[dict[str, Any]] = []
    for name in [service] if service else SERVICES:
        with reaching.plain_errors(of=name):
            found = reach.operations(name).ListParked(
                operations_pb2.ListParkedRequest(limit=limit),
                timeout=reach.deadline_s,
                metadata=_engineer(reach),
            )
            for parked in found.parked:
                rows.append({"service": name} | MessageToDict(parked, preserving_proto_field_name=True))
    columns = ("service", "parked_id", "event_type", "reason_code", "detail", "parked_at", "size_bytes")
    show.rows(rows, columns, as_json=as_json)


@app.command()
def replay(
    context: typer.Context,
    service: Service,
    parked_ids: Annotated[list[str], typer.Argument(help="Ids from `kindred parked list`.")],
    as_json: show.AsJson = False,
) -> None:
    """Put parked events back into the service's inbox."""
    from kindred.operations.v1 import operations_pb2

    reach: Reach = context.obj
    with reaching.plain_errors():
        answer = reach.operations(service).ReplayParked(
            operations_pb2.ReplayParkedRequest(parked_ids=parked_ids),
            timeout=reach.deadline_s,
            metadata=_engineer(reach),
        )
    show.record({"replayed": answer.replayed}, as_json=as_json)


@app.command()
def discard(
    context: typer.Context,
    service: Service,
    parked_id: Annotated[str, typer.Argument(help="An id from `kindred parked list`.")],
    reason: Annotated[str, typer.Option(help="Why it is given up; it is kept in the audit log.")],
    as_json: show.AsJson = False,
) -> None:
    """Give a parked event up, with a reason."""
    from kindred.operations.v1 import operations_pb2

    reach: Reach = context.obj
    with reaching.plain_errors():
        reach.operations(service).DiscardParked(
            operations_pb2.DiscardParkedRequest(parked_id=parked_id, reason=reason),
            timeout=reach.deadline_s,
            metadata=_engineer(reach),
        )
    show.record({"discarded": parked_id}, as_json=as_json)


def _engineer(reach: Reach) -> Any:
    return reach.metadata("engineer", "cli-engineer", purpose="HOPERAT")
