"""`kindred emergency`: who a person is, for medical personnel in a medical emergency (42 CFR 2.51)."""

from enum import StrEnum
from typing import Annotated

import typer

from cli import reach as reaching
from cli import show
from cli.reach import Reach


class Nature(StrEnum):
    """What kind of emergency it is."""

    HEART = "cardiac-or-respiratory"
    INJURY = "injury"
    OTHER = "other-threat-to-life"
    OVERDOSE = "overdose"
    SELF_HARM = "self-harm"
    WITHDRAWAL = "withdrawal"


def add_to(app: typer.Typer) -> None:
    """Adds the command to the top level."""
    app.command()(emergency)


def emergency(
    context: typer.Context,
    referral: Annotated[str, typer.Argument(help="The referral's id, ref-...")],
    to: Annotated[
        str, typer.Option(help="Who receives it: a name, an account, a desk. Nothing of the person.")
    ],
    at: Annotated[str, typer.Option(help="The health care facility they work for.")],
    nature: Annotated[Nature, typer.Option(help="What kind of emergency it is.")],
    as_json: show.AsJson = False,
) -> None:
    """Say who receives it, where and why; that is on record first, then you see who and where the person is."""
    from kindred.intake.v1 import emergency_pb2
    from kindred.intake.v1.emergency_pb2_grpc import EmergencyServiceStub

    reach: Reach = context.obj
    asked = emergency_pb2.DiscloseInEmergencyRequest(
        referral_id=referral, recipient_id=to, recipient_affiliation=at, nature_code=nature.value
    )
    with reaching.plain_errors():
        told = EmergencyServiceStub(reach.channel("intake")).DiscloseInEmergency(
            asked,
            timeout=reach.deadline_s,
            metadata=reach.metadata("nurse", "cli-nurse", "er-st-brigid", purpose="ETREAT"),
        )
    person = told.person
    facts = {
        "name": f"{person.given_name} {person.family_name}".strip(),
        "birth_date": person.birth_date,
        "place": told.place,
        "note": told.note,
        "on_record": f"told to {to}, {at} ({nature.value}); reviewed within a day",
    }
    show.record({name: fact for name, fact in facts.items() if fact}, as_json=as_json)
