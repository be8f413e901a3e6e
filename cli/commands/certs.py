"""The certificates of this system: which there are, new ones, and from one authority to the next."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from cryptography import x509

from cli import show
from cli.local import authority, keys, place
from cli.local.place import Place

app = typer.Typer(no_args_is_help=True)


@app.command("show")
def show_all(as_json: show.AsJson = False) -> None:
    """Every certificate with its names and when it ends."""
    here = _here()
    found = [("authority", each) for each in authority.trusted(here.keys)]
    for holder in keys.HOLDERS:
        path = here.keys / authority.file_of(holder)
        found += [(holder, each) for each in x509.load_pem_x509_certificates(path.read_bytes())]
    show.rows([_row(*each) for each in found], ("holder", "names", "ends", "days_left"), as_json=as_json)


@app.command()
def renew(
    authority_too: Annotated[
        bool, typer.Option("--authority", help="The next step from one authority to another; see below.")
    ] = False,
    as_json: show.AsJson = False,
) -> None:
    """New keys and certificates now; processes take them without a restart.

    With --authority twice: the first time a new authority is trusted beside the old one, the second time it signs.
    In between, restart what calls others (audit's api); a week later `kindred up` does the second step by itself.
    """
    here = _here()
    if not authority_too:
        authority.renew(here.keys, keys.HOLDERS)
        said = "every certificate is new"
    elif authority.follow(here.keys, keys.HOLDERS):
        said = "the new authority signs now; the old one is trusted until it ends"
    else:
        said = "a new authority is trusted; say this again when every process has read it, and it signs"
    for service in keys.SERVICES:
        keys.portion(here.keys, service, here.keys / service)
    show.record({"done": said}, as_json=as_json)


def _here() -> Place:
    here = place.here()
    if not authority.trusted(here.keys):
        raise show.fail("There is no authority here.", "`make up` makes one.")
    return here


def _row(holder: str, certificate: x509.Certificate) -> dict[str, Any]:
    left = certificate.not_valid_after_utc - datetime.now(UTC)
    return {
        "holder": holder,
        "names": names_of(certificate),
        "ends": certificate.not_valid_after_utc.isoformat(),
        "days_left": left.days,
    }


def names_of(certificate: x509.Certificate) -> list[str]:
    """The names and addresses it is good for; an authority's has none."""
    try:
        held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for name in held]
