"""Who is told when somebody reads past a policy, and erasing how somebody is reached: compliance's commands."""

import csv
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import reach as reaching
from cli import show
from cli.reach import Reach

app = typer.Typer(no_args_is_help=True)

COLUMNS = ("person_id", "part", "email", "phone", "language", "time_zone")
Organization = Annotated[
    str, typer.Argument(help='A unit or programme; "*" for all that have nobody of their own.')
]


@app.command("set")
def set_all(
    context: typer.Context,
    organization: Organization,
    file: Annotated[
        Path, typer.Argument(help=f"CSV with {', '.join(COLUMNS)}.", exists=True, dir_okay=False)
    ],
    as_json: show.AsJson = False,
) -> None:
    """Name who is told; the file's people take the place of whoever was named before."""
    from kindred.notifications.v1 import notifications_pb2 as pb

    reach: Reach = context.obj
    rows = [pb.Overseer(**row) for row in _read(file)]
    with reaching.plain_errors():
        request = pb.NameOverseersRequest(organization_id=organization, overseers=rows)
        answer = reach.notifications().NameOverseers(
            request, timeout=reach.deadline_s, metadata=_officer(reach)
        )
    show.record({"organization": organization, "told": answer.count}, as_json=as_json)


@app.command("list")
def list_all(context: typer.Context, organization: Organization, as_json: show.AsJson = False) -> None:
    """Who is told, without any address."""
    from google.protobuf.json_format import MessageToDict

    from kindred.notifications.v1 import notifications_pb2 as pb

    reach: Reach = context.obj
    with reaching.plain_errors():
        found = reach.notifications().ListOverseers(
            pb.ListOverseersRequest(organization_id=organization),
            timeout=reach.deadline_s,
            metadata=_officer(reach),
        )
    rows = [MessageToDict(one, preserving_proto_field_name=True) for one in found.overseers]
    show.rows(rows, ("person_id", "part", "channels", "language", "time_zone"), as_json=as_json)


def _read(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8-sig") as lines:
        reader = csv.DictReader(lines, skipinitialspace=True)
        names = [name.strip() for name in reader.fieldnames or ()]
        if unknown := sorted(set(names) - set(COLUMNS)):
            raise show.fail(
                f"{file.name} has columns nobody knows: {', '.join(unknown)}.",
                f"Known are {', '.join(COLUMNS)}.",
            )
        if missing := sorted({"person_id", "part"} - set(names)):
            raise show.fail(
                f"{file.name} lacks {', '.join(missing)}.", f"Its first line names {', '.join(COLUMNS)}."
            )
        reader.fieldnames = names
        return [{name: (value or "").strip() for name, value in row.items() if name} for row in reader]


def _officer(reach: Reach) -> Any:
    return reach.officer()
