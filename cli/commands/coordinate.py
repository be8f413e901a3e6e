"""Outside the ladder of offers: who could come, the open pool, by hand, the way there, somebody else, a caseload."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from cli import reach as reaching
from cli import show
from cli.commands.referrals import explained
from cli.reach import Reach

# The service counts no further: a larger count would say more about people than an ER needs.
_MOST_COUNTED = 10
Referral = Annotated[str, typer.Argument(help="The referral's id.")]
Specialist = Annotated[str, typer.Option("--as", help="The specialist, by the roster's id.")]
Programme = Annotated[str, typer.Option(help="The programme they work for.")]
Lead = Annotated[str, typer.Option(help="The supervisor or coordinator who decides.")]
Minutes = Annotated[int, typer.Option(help="Minutes until they are there, or ring.", min=0)]
Modality = Annotated[str, typer.Option(help="bedside, phone or video")]
Key = Annotated[str, typer.Option(help="Idempotency key; a retry with the same one is safe.")]


def capacity(
    context: typer.Context,
    zip_code: Annotated[str, typer.Argument(metavar="ZIP", help="Where the person is.")],
    language: Annotated[list[str], typer.Option(help="BCP 47; repeat for more.")] = ["en"],  # noqa: B006
    urgency: Annotated[str, typer.Option(help="immediate, urgent or routine")] = "immediate",
    leaves_in: Annotated[int, typer.Option(help="Minutes until the person leaves; 0 if unknown.")] = 0,
    as_json: show.AsJson = False,
) -> None:
    """Who could come now, and how soon: counts up to ten, never who. An estimate by distance, no promise."""
    from kindred.matching.v1 import coordination_pb2 as pb

    reach: Reach = context.obj
    asked = pb.QueryCapacityRequest(
        facility_zip=zip_code, urgency=urgency, languages=language, minutes_until_departure=leaves_in
    )
    found = _call(reach, "QueryCapacity", asked, ("system", "cli-operator", ""))
    told = {f"bedside within {band.minutes} min": band.specialists for band in found.bedside}
    told |= {"by phone": found.by_phone, "by video": found.by_video}
    if as_json:
        show.record(told, as_json=True)
        return
    show.record(
        {name: f"{n} or more" if n >= _MOST_COUNTED else n for name, n in told.items()}, as_json=False
    )


def pool(
    context: typer.Context,
    programme: Programme,
    specialist: Annotated[str, typer.Option("--as", help="Only what this specialist could take.")] = "",
    as_json: show.AsJson = False,
) -> None:
    """Unfilled referrals, the most urgent first, then who waits longest."""
    from google.protobuf.json_format import MessageToDict

    from kindred.matching.v1 import coordination_pb2 as pb

    reach: Reach = context.obj
    who = ("specialist", specialist, programme) if specialist else ("coordinator", "cli-lead", programme)
    found = _call(reach, "ListPool", pb.ListPoolRequest(), who)
    rows = [MessageToDict(one, preserving_proto_field_name=True) for one in found.entries]
    rows = [row | {"why": explained(row), "kept_out": _kept_out(row)} for row in rows]
    show.rows(rows, ("referral_id", "urgency", "opened_at", "ways", "why", "kept_out"), as_json=as_json)


def claim(
    context: typer.Context,
    referral: Referral,
    specialist: Specialist,
    programme: Programme,
    minutes: Minutes = 20,
    modality: Modality = "bedside",
    key: Key = "",
    as_json: show.AsJson = False,
) -> None:
    """Take a referral from the open pool; the first claim wins."""
    from kindred.matching.v1 import coordination_pb2 as pb

    asked = pb.ClaimReferralRequest(referral_id=referral, idempotency_key=_key(key), modality=modality)
    asked.promised_arrival_at.FromDatetime(_in(minutes))
    answer = _call(context.obj, "ClaimReferral", asked, ("specialist", specialist, programme))
    show.record({"claimed": referral, "offer_id": answer.offer_id}, as_json=as_json)


def assign(
    context: typer.Context,
    referral: Referral,
    specialist: Annotated[str, typer.Argument(help="The specialist who said yes to you.")],
    programme: Programme,
    agreed: Annotated[
        bool, typer.Option("--agreed", help="They have agreed; nobody is sent without.")
    ] = False,
    reason: Annotated[
        str,
        typer.Option(help="nobody-in-time, peer-asked-for-them, continuity, local-knowledge or other"),
    ] = "nobody-in-time",
    lead: Lead = "cli-lead",
    minutes: Minutes = 20,
    modality: Modality = "bedside",
    key: Key = "",
    as_json: show.AsJson = False,
) -> None:
    """Assign a referral by hand; every hard rule holds, and the override is audited with its reason."""
    from kindred.matching.v1 import coordination_pb2 as pb

    asked = pb.AssignByHandRequest(
        referral_id=referral,
        specialist_id=specialist,
        idempotency_key=_key(key),
        modality=modality,
        reason_code=reason,
        specialist_agreed=agreed,
    )
    asked.promised_arrival_at.FromDatetime(_in(minutes))
    answer = _call(context.obj, "AssignByHand", asked, ("supervisor", lead, programme))
    told = {"assigned": referral, "specialist_id": specialist, "passed_over": answer.passed_over}
    show.record(told, as_json=as_json)


def arrival(
    context: typer.Context,
    referral: Referral,
    specialist: Specialist,
    programme: Programme,
    step: Annotated[str, typer.Option(help="en-route, delayed, arrived or by-phone")] = "en-route",
    minutes: Annotated[int, typer.Option(help="For delayed and by-phone: minutes from now.", min=-1)] = -1,
    key: Key = "",
    as_json: show.AsJson = False,
) -> None:
    """Say that you are on the way, late, there, or will ring instead."""
    from google.protobuf.json_format import MessageToDict

    from kindred.matching.v1 import coordination_pb2 as pb

    asked = pb.ReportArrivalRequest(referral_id=referral, idempotency_key=_key(key), step=step)
    if minutes >= 0:
        asked.promised_arrival_at.FromDatetime(_in(minutes))
    answer = _call(context.obj, "ReportArrival", asked, ("specialist", specialist, programme))
    show.record(MessageToDict(answer, preserving_proto_field_name=True), as_json=as_json)


def rematch(
    context: typer.Context,
    referral: Referral,
    programme: Programme,
    side: Annotated[str, typer.Option(help="Whose wish: peer or specialist")],
    reason: Annotated[
        str,
        typer.Option(help="better-fit, schedule, distance, language, know-each-other or prefer-not-to-say"),
    ] = "prefer-not-to-say",
    lead: Lead = "cli-lead",
    key: Key = "",
    as_json: show.AsJson = False,
) -> None:
    """Somebody else, at the wish of either side and without blame; the two are never matched again."""
    from kindred.matching.v1 import coordination_pb2 as pb

    asked = pb.RequestRematchRequest(
        referral_id=referral, idempotency_key=_key(key), side=side, reason_code=reason
    )
    _call(context.obj, "RequestRematch", asked, ("coordinator", lead, programme))
    show.record({"sought_again": referral}, as_json=as_json)


def caseload(
    context: typer.Context,
    specialist: Annotated[str, typer.Argument(help="By the roster's id.")],
    programme: Programme,
    takers: Annotated[bool, typer.Option("--takers", help="With who could take each over.")] = False,
    lead: Lead = "cli-lead",
    as_json: show.AsJson = False,
) -> None:
    """What a specialist carries; before a vacation, with who could take over."""
    from google.protobuf.json_format import MessageToDict

    from kindred.matching.v1 import coordination_pb2 as pb

    asked = pb.ListCaseloadRequest(specialist_id=specialist, with_takers=takers)
    found = _call(context.obj, "ListCaseload", asked, ("supervisor", lead, programme))
    rows = [MessageToDict(one, preserving_proto_field_name=True) for one in found.entries]
    columns = ("referral_id", "state", "urgency", "taker_ids", "asked_taker_id")
    title = f"{found.load_milli / 1000:g} of {found.capacity_milli / 1000:g}"
    show.rows(rows, columns, as_json=as_json, title=title)


def move(
    context: typer.Context,
    referral: Referral,
    programme: Programme,
    to: Annotated[str, typer.Option(help="Who is asked to take over; without it, the best who could.")] = "",
    reason: Annotated[
        str, typer.Option(help="vacation, leave, leaving-the-programme, caseload or other")
    ] = "vacation",
    peer_agreed: Annotated[
        bool, typer.Option("--peer-agreed", help="The peer was asked and agreed.")
    ] = False,
    lead: Lead = "cli-lead",
    key: Key = "",
    as_json: show.AsJson = False,
) -> None:
    """Ask somebody to take a case over; it moves when they say yes."""
    from google.protobuf.json_format import MessageToDict

    from kindred.matching.v1 import coordination_pb2 as pb

    asked = pb.ProposeMoveRequest(
        referral_id=referral,
        idempotency_key=_key(key),
        to_specialist_id=to,
        reason_code=reason,
        peer_agreed=peer_agreed,
    )
    answer = _call(context.obj, "ProposeMove", asked, ("supervisor", lead, programme))
    show.record(MessageToDict(answer, preserving_proto_field_name=True), as_json=as_json)


def _call(reach: Reach, method: str, asked: Any, who: tuple[str, str, str]) -> Any:
    with reaching.plain_errors():
        role, actor, programme = who
        metadata = reach.metadata(role, actor, programme, purpose="COC")
        return getattr(reach.coordination(), method)(asked, timeout=reach.deadline_s, metadata=metadata)


def _key(given: str) -> str:
    return given or secrets.token_hex(16)


def _in(minutes: int) -> datetime:
    return datetime.now(UTC) + timedelta(minutes=minutes)


def _kept_out(row: dict[str, Any]) -> str:
    return ", ".join(f"{one['rule']} {one['specialists']}" for one in row.get("exclusions", ()))


def add_to(app: typer.Typer) -> None:
    """The commands of coordination."""
    for command in (capacity, pool, claim, assign, arrival, rematch, caseload, move):
        app.command()(command)
