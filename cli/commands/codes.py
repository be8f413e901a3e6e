"""`kindred codes`: which clinical codes come often and mean nothing to the taxonomy yet."""

from typing import Annotated

import typer

from cli import reach as reaching
from cli import show
from cli.reach import Reach


def add_to(app: typer.Typer) -> None:
    """Adds the command to the top level."""
    app.command()(codes)


def codes(
    context: typer.Context,
    limit: Annotated[int, typer.Option(help="At most this many.", min=1, max=1_000)] = 50,
    as_json: show.AsJson = False,
) -> None:
    """List unmapped codes with how many referrals had them; fewer than five is only a number."""
    from kindred.intake.v1 import intake_pb2

    reach: Reach = context.obj
    with reaching.plain_errors():
        found = reach.intake().ListUnmappedCodes(
            intake_pb2.ListUnmappedCodesRequest(limit=limit),
            timeout=reach.deadline_s,
            metadata=reach.metadata("engineer", "cli-engineer", purpose="HOPERAT"),
        )
    rows = [{"system": one.system, "code": one.code, "referrals": one.referrals} for one in found.codes]
    facts = {
        "taxonomy_version": found.taxonomy_version,
        "rare_codes": found.rare_codes,
        "of_other_systems": found.of_other_systems,
    }
    if as_json:
        show.record(facts | {"codes": rows}, as_json=True)
        return
    show.rows(rows, ("system", "code", "referrals"), as_json=False, title="Codes without a meaning here")
    show.record(facts, as_json=False)
