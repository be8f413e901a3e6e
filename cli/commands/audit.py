"""The privacy audit log: search it, and verify it without believing the service."""

from datetime import datetime
from typing import Annotated, Any

import typer

from cli import reach as reaching
from cli import show
from cli.commands import audit_custody, audit_reports
from cli.local import place
from cli.reach import Reach
from cli.verify import NotVerified

app = typer.Typer(no_args_is_help=True)
audit_reports.add_to(app)


# The rest of the commands of this group.
audit_custody.add_to(app)


@app.command()
def search(
    context: typer.Context,
    peer: Annotated[str, typer.Option(help="About this peer, by pseudonymous id.")] = "",
    referral: Annotated[str, typer.Option(help="About this referral.")] = "",
    actor: Annotated[str, typer.Option("--by", help="Done by this actor.")] = "",
    event_type: Annotated[str, typer.Option("--type", help="Such as record.read.v1.")] = "",
    since: Annotated[datetime | None, typer.Option(help="Recorded at or after, UTC.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Recorded before, UTC.")] = None,
    limit: Annotated[int, typer.Option(help="At most this many.", min=1)] = 100,
    as_json: show.AsJson = False,
) -> None:
    """Who saw what, newest first. The search itself becomes an entry, one for each page that is fetched."""
    from google.protobuf.json_format import MessageToDict

    from cli import auditing
    from kindred.audit.v1 import audit_pb2

    reach: Reach = context.obj
    asked = audit_pb2.SearchEntriesRequest(
        peer_id=peer, referral_id=referral, actor_id=actor, event_type=event_type
    )
    if since:
        asked.recorded_from.FromDatetime(since)
    if until:
        asked.recorded_until.FromDatetime(until)
    with reaching.plain_errors():
        found, checkpoint = auditing.found(reach, asked, limit)
    rows = [MessageToDict(entry, preserving_proto_field_name=True) for entry in found]
    for row in rows:
        row.setdefault("index", 0)
    columns = ("index", "recorded_at", "event_type", "actor_id", "actor_role", "purpose_of_use", "peer_id",
               "referral_id", "outcome")  # fmt: skip
    if as_json:
        told = {
            "entries": rows,
            "searched": _range(checkpoint, since, until),
            "checkpoint": checkpoint.decode(),
        }
        show.record(told, as_json=True)
        return
    show.rows(rows, columns, as_json=False)
    print(_searched(checkpoint, since, until))


def _range(checkpoint: bytes, since: datetime | None, until: datetime | None) -> dict[str, Any]:
    """The same as facts: an end that nobody chose is null."""
    origin, size = checkpoint.decode().split("\n")[:2]
    ends = {"from": since, "until": until}
    said = {name: moment.isoformat() if moment else None for name, moment in ends.items()}
    return {**said, "log": origin, "size": int(size)}


def _searched(checkpoint: bytes, since: datetime | None, until: datetime | None) -> str:
    """What the answer speaks for, also where nothing was found: which range, under which checkpoint."""
    origin, size = checkpoint.decode().split("\n")[:2]
    start = f" from {since.isoformat()}" if since else ""
    end = f" before {until.isoformat()}" if until else (" on" if since else " at any time")
    return f"Searched: recorded{start}{end}, under the checkpoint of size {size} of {origin}."


@app.command()
def verify(
    context: typer.Context,
    key: Annotated[str, typer.Option(help="The signer's verifier key, else the one pinned in var.")] = "",
    as_json: show.AsJson = False,
) -> None:
    """Recompute the whole log and check signature, growth and gaps. Exit code 1 if anything is wrong."""
    from cli import auditing

    reach: Reach = context.obj
    folder = place.here().var
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with reaching.plain_errors():
            verdict = auditing.verify_log(reach, folder, key)
    except NotVerified as wrong:
        if as_json:
            show.record({"verified": False, "code": wrong.code, "detail": wrong.detail}, as_json=True)
            raise typer.Exit(1) from None
        raise show.fail(f"The log does not verify: {wrong}") from None
    show.record(verdict, as_json=as_json)
    if not verdict["verified"]:
        raise typer.Exit(1)
