"""After the acceptance: record the handoff and the check-ins, complete the case."""

import secrets
from typing import Annotated, Any

import typer

from cli import reach as reaching
from cli import show
from cli.reach import Reach

Referral = Annotated[str, typer.Argument(help="The referral's id.")]
Specialist = Annotated[str, typer.Option("--as", help="The assigned specialist, by the roster's id.")]
Key = Annotated[str, typer.Option(help="Idempotency key; a retry with the same one is safe.")]


def handoff(
    context: typer.Context,
    referral: Referral,
    specialist: Specialist,
    outcome: Annotated[str, typer.Option(help="met, left-before-seen or unreachable")] = "met",
    modality: Annotated[str, typer.Option(help="bedside, phone or video")] = "bedside",
    key: Key = "",
    as_json: show.AsJson = False,
) -> None:
    """Record the first meeting, or why there was none; the check-ins are planned from it."""
    from google.protobuf.json_format import MessageToDict

    from kindred.matching.v1 import matching_pb2

    reach: Reach = context.obj
    asked = matching_pb2.RecordHandoffRequest(
        referral_id=referral, idempotency_key=key or secrets.token_hex(16), outcome=outcome, modality=modality
    )
    answer = _call(reach, "RecordHandoff", asked, specialist)
    rows = [MessageToDict(one, preserving_proto_field_name=True) for one in answer.checkins]
    show.rows(rows, ("number", "due_at", "state"), as_json=as_json, title="Check-ins")


def checkin(
    context: typer.Context,
    referral: Referral,
    specialist: Specialist,
    outcome: Annotated[str, typer.Option(help="reached, no-answer or asked-to-stop")] = "reached",
    number: Annotated[int, typer.Option(help="Which one; 0 is the earliest not recorded yet.", min=0)] = 0,
    key: Key = "",
    as_json: show.AsJson = False,
) -> None:
    """Record what came of a follow-up contact."""
    from google.protobuf.json_format import MessageToDict

    from kindred.matching.v1 import matching_pb2

    reach: Reach = context.obj
    asked = matching_pb2.RecordCheckinRequest(
        referral_id=referral, idempotency_key=key or secrets.token_hex(16), outcome=outcome, number=number
    )
    answer = _call(reach, "RecordCheckin", asked, specialist)
    show.record(MessageToDict(answer.checkin, preserving_proto_field_name=True), as_json=as_json)


def complete(
    context: typer.Context,
    referral: Referral,
    specialist: Specialist,
    outcome: Annotated[
        str,
        typer.Option(
            help="engaged, connected-to-treatment, declined-further, lost-contact, moved-away or died"
        ),
    ],
    as_json: show.AsJson = False,
) -> None:
    """End the work for a referral, with an outcome."""
    from kindred.matching.v1 import matching_pb2

    reach: Reach = context.obj
    asked = matching_pb2.CompleteCaseRequest(referral_id=referral, outcome=outcome)
    _call(reach, "CompleteCase", asked, specialist)
    show.record({"completed": referral, "outcome": outcome}, as_json=as_json)


def _call(reach: Reach, method: str, asked: Any, specialist: str) -> Any:
    with reaching.plain_errors():
        who = reach.metadata(
            "specialist", specialist, _programme(reach, asked.referral_id, specialist), purpose="COC"
        )
        return getattr(reach.matching(), method)(asked, timeout=reach.deadline_s, metadata=who)


def _programme(reach: Reach, referral: str, specialist: str) -> str:
    """The programme the specialist was asked in; empty where they were not."""
    from kindred.matching.v1 import matching_pb2

    found = reach.matching().ListOffers(
        matching_pb2.ListOffersRequest(referral_id=referral),
        timeout=reach.deadline_s,
        metadata=reach.metadata("system", "cli-operator", purpose="COC"),
    )
    return next((one.programme_id for one in found.offers if one.specialist_id == specialist), "")


def add_to(app: typer.Typer) -> None:
    """The commands `kindred handoff`, `checkin` and `complete`."""
    for command in (handoff, checkin, complete):
        app.command()(command)
