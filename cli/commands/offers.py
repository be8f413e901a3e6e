"""Offers: what is put to a specialist, and their answer."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from cli import reach as reaching
from cli import show
from cli.commands.referrals import explained
from cli.reach import Reach

app = typer.Typer(no_args_is_help=True)

Specialist = Annotated[
    str, typer.Option("--as", help="The specialist who asks or answers, by the roster's id.")
]
Programme = Annotated[
    str, typer.Option(help="The specialist's programme; without it, the one of their offer.")
]


@app.command("list")
def list_offers(
    context: typer.Context,
    specialist: Annotated[str, typer.Option(help="Offers of this specialist.")] = "",
    referral: Annotated[str, typer.Option(help="Offers of this referral.")] = "",
    only_open: Annotated[bool, typer.Option("--open", help="Only those that can be answered.")] = False,
    as_json: show.AsJson = False,
) -> None:
    """The offers of a specialist or of a referral, with why each fits."""
    from google.protobuf.json_format import MessageToDict

    from kindred.matching.v1 import matching_pb2

    reach: Reach = context.obj
    asked = matching_pb2.ListOffersRequest(
        specialist_id=specialist, referral_id=referral, only_open=only_open
    )
    with reaching.plain_errors():
        found = reach.matching().ListOffers(
            asked,
            timeout=reach.deadline_s,
            metadata=reach.metadata("system", "cli-operator", purpose="COC"),
        )
    rows = [MessageToDict(offer, preserving_proto_field_name=True) for offer in found.offers]
    rows = [row | {"ways": ", ".join(row.get("ways", ())), "why": explained(row)} for row in rows]
    named = [name for name, given in (("referral_id", referral), ("specialist_id", specialist)) if not given]
    columns = ("offer_id", *named, "programme_id", "state", "wave", "ways", "deadline_at", "why")
    show.rows(rows, columns, as_json=as_json)


@app.command()
def accept(
    context: typer.Context,
    offer: Annotated[str, typer.Argument(help="The offer's id.")],
    specialist: Specialist,
    programme: Programme = "",
    minutes: Annotated[int, typer.Option(help="Minutes until you are there, or ring.", min=0)] = 20,
    modality: Annotated[str, typer.Option(help="bedside, phone or video")] = "bedside",
    key: Annotated[str, typer.Option(help="Idempotency key; sent again it never accepts twice.")] = "",
    as_json: show.AsJson = False,
) -> None:
    """Accept an offer and say when you will be there; the first acceptance wins."""
    from kindred.matching.v1 import matching_pb2

    reach: Reach = context.obj
    asked = matching_pb2.AcceptOfferRequest(
        offer_id=offer, idempotency_key=key or secrets.token_hex(16), modality=modality
    )
    asked.promised_arrival_at.FromDatetime(datetime.now(UTC) + timedelta(minutes=minutes))
    with reaching.plain_errors():
        answer = reach.matching().AcceptOffer(
            asked, timeout=reach.deadline_s, metadata=_as(reach, offer, specialist, programme)
        )
    show.record({"accepted": offer, "referral_id": answer.referral_id}, as_json=as_json)


@app.command()
def decline(
    context: typer.Context,
    offer: Annotated[str, typer.Argument(help="The offer's id.")],
    specialist: Specialist,
    programme: Programme = "",
    reason: Annotated[str, typer.Option(help="A coded reason; declining costs nothing.")] = "other",
    key: Annotated[str, typer.Option(help="Idempotency key; a retry with the same one is safe.")] = "",
    as_json: show.AsJson = False,
) -> None:
    """Decline an offer."""
    from kindred.matching.v1 import matching_pb2

    reach: Reach = context.obj
    asked = matching_pb2.DeclineOfferRequest(
        offer_id=offer, idempotency_key=key or secrets.token_hex(16), reason_code=reason
    )
    with reaching.plain_errors():
        reach.matching().DeclineOffer(
            asked, timeout=reach.deadline_s, metadata=_as(reach, offer, specialist, programme)
        )
    show.record({"declined": offer}, as_json=as_json)


def _as(reach: Reach, offer: str, specialist: str, programme: str) -> Any:
    return reach.metadata(
        "specialist", specialist, programme or _programme(reach, offer, specialist), purpose="COC"
    )


def _programme(reach: Reach, offer: str, specialist: str) -> str:
    """The programme the specialist was asked in; empty where there is no such offer of theirs."""
    from kindred.matching.v1 import matching_pb2

    found = reach.matching().ListOffers(
        matching_pb2.ListOffersRequest(specialist_id=specialist),
        timeout=reach.deadline_s,
        metadata=reach.metadata("system", "cli-operator", purpose="COC"),
    )
    return next((one.programme_id for one in found.offers if one.offer_id == offer), "")
