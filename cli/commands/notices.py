"""Notices: what was sent to whom, without any address."""

from typing import Annotated, Any

import typer

from cli import reach as reaching
from cli import show
from cli.reach import Reach


def add_to(app: typer.Typer) -> None:
    """Adds these commands to the top level."""
    app.command()(notices)
    app.command()(resend)


def notices(
    context: typer.Context,
    referral: Annotated[str, typer.Option(help="Notices about this referral.")] = "",
    recipient: Annotated[str, typer.Option(help="Notices to this recipient, by id.")] = "",
    dead: Annotated[bool, typer.Option("--dead", help="Notices that were given up, whoever's.")] = False,
    limit: Annotated[int, typer.Option(help="At most this many.", min=1)] = 100,
    as_json: show.AsJson = False,
) -> None:
    """The notices of a referral or of a recipient, or all that were given up, newest first, with every attempt."""
    from kindred.notifications.v1 import notifications_pb2 as pb

    reach: Reach = context.obj
    if dead and (referral or recipient):
        raise show.fail("--dead lists everybody's.", "Leave --referral and --recipient out.")
    with reaching.plain_errors():
        answer = (
            _asked(reach, "ListDeadNotices", pb.ListDeadNoticesRequest(limit=limit))
            if dead
            else _asked(
                reach,
                "ListNotices",
                pb.ListNoticesRequest(referral_id=referral, recipient_id=recipient, limit=limit),
            )
        )
    shown = (
        "since",
        "notice_id",
        "intent",
        "recipient_id",
        "channel",
        "state",
        "reason_code",
        "next",
        "tries",
    )
    show.rows([_row(notice) for notice in answer.notices], shown, as_json=as_json)


def resend(
    context: typer.Context,
    notice_ids: Annotated[list[str], typer.Argument(help="Ids from `kindred notices --dead`.")],
    as_json: show.AsJson = False,
) -> None:
    """Send notices again that were given up; one whose moment is over is refused, for nobody waits for it."""
    from kindred.notifications.v1 import notifications_pb2 as pb

    reach: Reach = context.obj
    rows = []
    for notice_id in notice_ids:
        with reaching.plain_errors(of=notice_id):
            answer = _asked(reach, "ReplayNotice", pb.ReplayNoticeRequest(notice_id=notice_id))
        rows.append(_row(answer.notice))
    show.rows(rows, ("notice_id", "intent", "recipient_id", "state", "tries"), as_json=as_json)


def _asked(reach: Reach, method: str, request: Any) -> Any:
    metadata = reach.metadata("coordinator", "cli-coordinator", purpose="COC")
    return getattr(reach.notifications(), method)(request, timeout=reach.deadline_s, metadata=metadata)


def _row(notice: Any) -> dict[str, Any]:
    from google.protobuf.json_format import MessageToDict

    row = MessageToDict(notice, preserving_proto_field_name=True)
    tries = [attempt.get("outcome", "") for attempt in row.get("attempts", [])]
    since, due_at = (row.get(name, "")[:19].replace("T", " ") for name in ("opened_at", "due_at"))
    return {**row, "tries": tries, "since": since, "next": due_at}
