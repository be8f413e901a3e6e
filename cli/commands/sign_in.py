"""Signing in on the command line, out again, and the development issuer's keys."""

import typer

from cli import personal, show
from cli.local import place, sign_ins
from cli.reach import Reach

issuer = typer.Typer(help="The development issuer of sign-ins on this machine.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the top level."""
    app.command("sign-in")(sign_in)
    app.command("sign-out")(sign_out)
    app.add_typer(issuer, name="issuer")


def sign_in(context: typer.Context, as_json: show.AsJson = False) -> None:
    """Sign in as a person: a page and a code are shown, and this waits until somebody signed in there.

    The commands after it speak as that person, until `kindred sign-out`.  Sign in again where a command asks for a
    fresh sign-in.
    """
    reach: Reach = context.obj
    try:
        signed_in = personal.SignInService(reach.known).ask(_tell)
    except personal.NotSignedIn as no:
        raise show.fail(str(no)) from None
    personal.keep(signed_in)
    show.record({"person": signed_in.person, "role": signed_in.role}, as_json=as_json)


def sign_out(context: typer.Context, as_json: show.AsJson = False) -> None:
    """Sign out: the sign-in service forgets it, and so does this machine."""
    reach: Reach = context.obj
    found, is_revoked = personal.held(), False
    personal.forget()
    if found is not None:
        try:
            is_revoked = personal.SignInService(reach.known).revoke(found)
        except personal.NotSignedIn:
            is_revoked = False
    if found is None and not as_json:
        show.console.print("Nobody was signed in.")
        return
    told = {"signed_out": found.person if found else None, "is_revoked": is_revoked}
    show.record(told, as_json=as_json)


@issuer.command()
def rotate(as_json: show.AsJson = False) -> None:
    """Make the development issuer sign with a new key from now on; services find it by themselves."""
    from cli.local.issuer.signing import SigningKeys

    here = place.here()
    if not here.issuer.exists():
        raise show.fail("No development issuer is here.", "`make up` starts one.")
    show.record({"key_id": SigningKeys(here.issuer / sign_ins.SIGNING).rotate()}, as_json=as_json)


def _tell(asking: personal.Asking) -> None:
    show.errors.print(f"Open {asking.full_address}", soft_wrap=True)
    show.errors.print(f"and make sure that it shows this code: [bold]{asking.code}[/]")
