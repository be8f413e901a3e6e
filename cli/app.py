"""What `kindred` offers, put together."""

from typing import Annotated

import typer

from cli.commands import (
    audit,
    backups,
    certs,
    clients,
    codes,
    contact,
    coordinate,
    doctor,
    emergency,
    example,
    follow_up,
    machine,
    monitoring,
    notices,
    offers,
    overseers,
    parked,
    planning,
    referrals,
    replay,
    roster,
    sign_in,
    simulate,
    submit,
    watching,
    wrapping_keys,
)
from cli.reach import Reach, Who

app = typer.Typer(
    help="Carries a person in crisis from an emergency room to someone who has walked the same road.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    rich_markup_mode="rich",
)


@app.callback()
def identify(
    context: typer.Context,
    token: Annotated[
        str, typer.Option(help="Bearer token; else of who signed in, else one minted here.")
    ] = "",
    role: Annotated[str, typer.Option(help="Role of the minted token.")] = "",
    actor: Annotated[str, typer.Option(help="Actor id of the minted token.")] = "",
    org: Annotated[str, typer.Option(help="Organization of the minted token.")] = "",
    purpose: Annotated[str, typer.Option(help="HL7 PurposeOfUse: TREAT, HOPERAT, HCOMPL ...")] = "",
) -> None:
    """Whom the command speaks for; every command has a sensible suggestion of its own."""
    reach = Reach(Who(token, role, actor, org, purpose), is_personal=True)
    context.obj = reach
    context.call_on_close(reach.close)


machine.add_to(app)
doctor.add_to(app)
monitoring.add_to(app)
backups.add_to(app)
app.add_typer(wrapping_keys.app, name="keys", help="What wraps the keys of people: show, rotate, retire.")
app.add_typer(certs.app, name="certs", help="Certificates of this system: show, renew.")
example.add_to(app)
submit.add_to(app)
watching.add_to(app)
codes.add_to(app)
referrals.add_to(app)
emergency.add_to(app)
sign_in.add_to(app)
app.add_typer(
    clients.app, name="client", help="Systems that sign in at the FHIR door: add, list, remove, token."
)
app.add_typer(
    roster.app, name="roster", help="The specialists: bring them in, or make plainly fictional ones."
)
app.add_typer(offers.app, name="offers", help="Offers of a specialist: list, accept, decline.")
follow_up.add_to(app)
coordinate.add_to(app)
app.add_typer(planning.backlog, name="backlog", help="What is unfilled, assigned as a whole: preview, apply.")
app.add_typer(planning.ladder, name="ladder", help="A programme's own ladder of offers: show, set.")
simulate.add_to(app)
notices.add_to(app)
app.add_typer(contact.app, name="contact", help="How somebody is reached: show, erase.")
app.add_typer(
    overseers.app, name="overseers", help="Who is told when somebody reads past a policy: set, list."
)
app.add_typer(
    audit.app, name="audit", help="The privacy audit log: search, prove, export, check, watch, erase."
)
replay.add_to(app)
app.add_typer(parked.app, name="parked", help="Events that could not be handled: list, replay, discard.")
