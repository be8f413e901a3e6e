"""A personal sign-in link, for the ER desk or matching's pages: it works once, for minutes, its token is in no log."""

from typing import Annotated

import typer

from cli import show
from cli.reach import Reach

MINUTES = 10.0
DESK_ROLES = ("nurse", "clinician", "coordinator")
WORK_ROLES = ("specialist", "supervisor", "coordinator")


def add_to(app: typer.Typer) -> None:
    """Adds the command to the top level."""
    app.command("sign-in")(sign_in)


def sign_in(
    context: typer.Context,
    role: Annotated[
        str,
        typer.Option(
            help="nurse or clinician (ER desk), specialist or supervisor (matching), coordinator (either)."
        ),
    ] = "nurse",
    organization: Annotated[
        str,
        typer.Option(help="Their hospital, such as er-st-brigid, or their programme, such as lantern-road."),
    ] = "",
    actor: Annotated[
        str, typer.Option(help="Whom the link is for, such as nurse-ada; a specialist by the roster's id.")
    ] = "",
    programme: Annotated[
        str, typer.Option(help="A programme's coordinator, supervisor or specialist: matching's pages.")
    ] = "",
    as_json: show.AsJson = False,
) -> None:
    """Print a link that signs somebody in at the ER desk or at matching's pages, once, within ten minutes.

    A coordinator with --programme sees the board of that programme, without it the desk of their hospital.
    The token stands behind the #, which a browser keeps for itself: it reaches no log and no proxy.
    """
    reach: Reach = context.obj
    is_work = bool(programme) or role in ("specialist", "supervisor")
    allowed = WORK_ROLES if is_work else DESK_ROLES
    if role not in allowed:
        raise show.fail(f"These pages let in: {', '.join(allowed)}.", code=2)
    if is_work and not (programme or organization):
        raise show.fail("Name their programme: --programme lantern-road", code=2)
    if role == "specialist" and not actor:
        raise show.fail("Name the specialist by the roster's id: --actor sp-...", code=2)
    whose = programme or organization or "er-st-brigid"
    token = reach.handed_out(role, actor or f"cli-{role}", whose, minutes=MINUTES)
    service, page = ("matching", "matching") if is_work else ("intake", "desk")
    url = f"http://{reach.http_address(service)}/{page}/sign-in#token={token}"
    if as_json:
        show.record({"url": url, "minutes": MINUTES}, as_json=True)
    else:
        print(url)
