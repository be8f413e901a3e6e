"""A backlog assigned as a whole, and the ladders of programmes."""

import json
import secrets
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from cli import reach as reaching
from cli import show
from cli.reach import Reach

backlog = typer.Typer(no_args_is_help=True)
ladder = typer.Typer(no_args_is_help=True)

Programme = Annotated[str, typer.Argument(help="The programme's id.")]
OfProgramme = Annotated[str, typer.Option("--programme", help="The coordinator's programme.")]
PLAN_S = 60.0


@backlog.command()
def preview(
    context: typer.Context,
    programme: OfProgramme,
    referral: Annotated[list[str], typer.Argument(help="Only these; without, all that is unfilled.")] = [],  # noqa: B006
    stable: Annotated[
        bool, typer.Option(help="The assignment in which no two would rather have each other.")
    ] = False,
    as_json: show.AsJson = False,
) -> None:
    """The best joint assignment of what is unfilled, with its trades; nothing is changed."""
    from google.protobuf.json_format import MessageToDict

    from kindred.matching.v1 import coordination_pb2 as pb

    asked = pb.PreviewBacklogRequest(referral_ids=referral, variant="stable" if stable else "best")
    found = _call(context.obj, "PreviewBacklog", asked, programme)
    if as_json:
        show.record(MessageToDict(found, preserving_proto_field_name=True), as_json=True)
        return
    rows = [
        {
            "referral_id": one.referral_id,
            "specialist_id": one.specialist_id,
            "points": one.score_milli / 1000,
            "choice": _choice(one),
        }
        for one in found.matches
    ]
    show.rows(
        rows, ("referral_id", "specialist_id", "points", "choice"), as_json=False, title="Would be asked"
    )
    left = [{"referral_id": one.referral_id, "why": one.reason_code} for one in found.left_over]
    show.rows(left, ("referral_id", "why"), as_json=False, title="Left over")
    summary = {
        "plan_id": found.plan_id,
        "served": len(found.matches),
        "points": found.total_milli / 1000,
        "one after another": f"{found.greedy_served} served, {found.greedy_total_milli / 1000:g} points",
        "stable": f"{found.stable_served} served, {found.stable_total_milli / 1000:g} points",
        "proven best": found.is_proven_best,
    }
    show.record(summary, as_json=False)


@backlog.command()
def apply(
    context: typer.Context,
    plan: Annotated[str, typer.Argument(help="The id of a previewed plan.")],
    programme: OfProgramme,
    key: Annotated[str, typer.Option(help="Idempotency key; a retry with the same one is safe.")] = "",
    as_json: show.AsJson = False,
) -> None:
    """Put every offer of a plan out, or none where anything changed since."""
    from kindred.matching.v1 import coordination_pb2 as pb

    asked = pb.ApplyBacklogRequest(plan_id=plan, idempotency_key=key or secrets.token_hex(16))
    answer = _call(context.obj, "ApplyBacklog", asked, programme)
    show.record({"applied": plan, "offers_made": answer.offers_made}, as_json=as_json)


@ladder.command("show")
def show_ladder(context: typer.Context, programme: Programme, as_json: show.AsJson = False) -> None:
    """A programme's ladder (its own, or the platform's where it has none), whom it serves, who changed it why."""
    from google.protobuf.json_format import MessageToDict

    from kindred.matching.v1 import coordination_pb2 as pb

    found = _call(context.obj, "GetLadder", pb.GetLadderRequest(programme_id=programme), programme)
    told = MessageToDict(found, preserving_proto_field_name=True)
    if as_json:
        show.record(told, as_json=True)
        return
    if not found.version:
        told = {"programme_id": programme, "version": "none of its own: the platform's ladder holds"}
    own = {one.urgency: _steps(one.sizes, one.seconds) for one in found.ladders}
    told["ladders"] = [
        f"{urgency}={own.get(urgency) or f'{steps} (the platform)'}"
        for urgency, steps in _platform_ladder(context.obj, programme).items()
    ]
    show.record(told, as_json=False)


@ladder.command("set")
def set_ladder(
    context: typer.Context,
    programme: Programme,
    reason: Annotated[str, typer.Option(help="Why; kept with the change.")],
    step: Annotated[
        list[str], typer.Option(help="urgency=size:seconds,size:seconds ...; repeat for each urgency.")
    ] = [],  # noqa: B006
    source: Annotated[
        list[str], typer.Option(help="A source the programme serves; only for --role engineer.")
    ] = [],  # noqa: B006
    expected: Annotated[int, typer.Option(help="The version you read; 0 for the first.")] = 0,
    as_json: show.AsJson = False,
) -> None:
    """Set a programme's own ladder: `--step immediate=3:300,5:300`."""
    from kindred.matching.v1 import coordination_pb2 as pb

    asked = pb.SetLadderRequest(
        programme_id=programme, source_ids=source, reason=reason, expected_version=expected
    )
    for told in step:
        urgency, _, waves = told.partition("=")
        pairs = [wave.partition(":") for wave in waves.split(",")]
        if not all(size.isdigit() and seconds.isdigit() for size, _, seconds in pairs):
            raise show.fail(f"{told}: write urgency=size:seconds,size:seconds")
        asked.ladders.add(
            urgency=urgency,
            sizes=[int(size) for size, _, _ in pairs],
            seconds=[int(seconds) for _, _, seconds in pairs],
        )
    answer = _call(context.obj, "SetLadder", asked, programme)
    show.record({"programme_id": programme, "version": answer.version}, as_json=as_json)


def _platform_ladder(reach: Reach, programme: str) -> dict[str, str]:
    """The ladder of each urgency in the policy; that of immediate referrals may be set for a machine beside it."""
    from kindred.matching.v1 import roster_pb2

    with reaching.plain_errors():
        who = reach.metadata("coordinator", "cli-lead", programme, purpose="COC")
        answer = reach.roster().GetPolicy(roster_pb2.GetPolicyRequest(), timeout=PLAN_S, metadata=who)
    ladders = json.loads(answer.document)["ladders"]
    return {urgency: _steps(steps["sizes"], steps["seconds"]) for urgency, steps in ladders.items()}


def _steps(sizes: Iterable[int], seconds: Iterable[int]) -> str:
    """As `--step` takes it: size:seconds,size:seconds."""
    return ",".join(f"{size}:{wait}" for size, wait in zip(sizes, seconds, strict=True))


def _choice(one: Any) -> str:
    if one.choice == 1:
        return "best"
    because = f", so that {one.so_that_referral_id} " if one.so_that_referral_id else ""
    ends = "is served at all" if one.so_that_is_served_at_all else "is served better"
    return f"number {one.choice}{because}{ends if because else ''}"


def _call(reach: Reach, method: str, asked: Any, programme: str) -> Any:
    with reaching.plain_errors():
        who = reach.metadata("coordinator", "cli-lead", programme, purpose="COC")
        return getattr(reach.coordination(), method)(asked, timeout=PLAN_S, metadata=who)
