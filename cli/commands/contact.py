"""How a person is reached: looked at by staff, and erased by compliance or the person."""

from typing import Annotated

import typer

from cli import reach as reaching
from cli import show
from cli.reach import Reach

app = typer.Typer(no_args_is_help=True)

Person = Annotated[str, typer.Argument(help="The id of the roster, or the one they sign in with.")]


@app.command("show")
def show_one(context: typer.Context, person: Person, as_json: show.AsJson = False) -> None:
    """What a person said of how they want to be reached; the look is in the audit log first."""
    from google.protobuf.json_format import MessageToDict

    from kindred.notifications.v1 import notifications_pb2 as pb

    reach: Reach = context.obj
    with reaching.plain_errors():
        told = reach.notifications().GetContact(
            pb.GetContactRequest(person_id=person),
            timeout=reach.deadline_s,
            metadata=reach.metadata("specialist", person, purpose="PATRQT"),
        )
    row = MessageToDict(told, preserving_proto_field_name=True)
    wishes = row.pop("wishes", {})
    show.record({**row, **wishes}, as_json=as_json)


@app.command()
def erase(
    context: typer.Context,
    person: Person,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: show.AsJson = False,
) -> None:
    """Destroy a person's key: no address of theirs can be read any more, and what waits for them is not sent."""
    from kindred.notifications.v1 import notifications_pb2 as pb

    reach: Reach = context.obj
    if not yes:
        typer.confirm(
            f"Nobody will be able to write to {person} any more, and this cannot be undone. Go on?",
            abort=True,
        )
    with reaching.plain_errors():
        answer = reach.notifications().EraseContact(
            pb.EraseContactRequest(person_id=person),
            timeout=reach.deadline_s,
            metadata=reach.officer(),
        )
    show.record({"person": person, "silenced": answer.silenced}, as_json=as_json)
