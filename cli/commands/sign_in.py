"""A personal sign-in link for the ER desk: it works once, for minutes, and its token is in no log."""

from typing import Annotated

import typer

from cli import show
from cli.reach import Reach

MINUTES = 10.0
ROLES = ("nurse", "clinician", "coordinator")


def add_to(app: typer.Typer) -> None:
    """Adds the command to the top level."""
    app.command("sign-in")(sign_in)


def sign_in(
    context: typer.Context,
    role: Annotated[str, typer.Option(help="nurse, clinician or coordinator.")] = "nurse",
    organization: Annotated[str, typer.Option(help="Their hospital, such as er-st-brigid.")] = "er-st-brigid",
    actor: Annotated[str, typer.Option(help="Whom the link is for, such as nurse-ada.")] = "cli-nurse",
    as_json: show.AsJson = False,
) -> None:
    """Print a link that signs somebody in at the ER desk, once, within ten minutes.

    The token stands behind the #, which a browser keeps for itself: it reaches no log and no proxy.
    """
    reach: Reach = context.obj
    if role not in ROLES:
        raise show.fail(f"The desk lets in: {', '.join(ROLES)}.", code=2)
    token = reach.handed_out(role, actor, organization, minutes=MINUTES)
    url = f"http://{reach.http_address('intake')}/desk/sign-in#token={token}"
    if as_json:
        show.record({"url": url, "minutes": MINUTES}, as_json=True)
    else:
        print(url)
