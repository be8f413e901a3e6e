"""Notices: what was sent to whom, without any address."""

from typing import Annotated

import typer

from cli import reach as reaching
from cli import show
from cli.reach import Reach


def add_to(app: typer.Typer) -> None:
    """Adds these commands to the top level."""
    app.command()(notices)


def notices(
    context: typer.Context,
    referral: Annotated[str, typer.Option(help="Notices about this referral.")] = "",
    recipient: Annotated[str, typer.Option(help="Notices to this recipient, by id.")] = "",
    limit: Annotated[int, typer.Option(help="At most this many.", min=1)] = 100,
    as_json: show.AsJson = False,
) -> None:
    """The notices of a referral or of a recipient, newest first, with every attempt."""
    from google.protobuf.json_format import MessageToDict

    from kindred.notifications.v1 import notifications_pb2

    reach: Reach = context.obj
    asked = notifications_pb2.ListNoticesRequest(referral_id=referral, recipient_id=recipient, limit=limit)
    with reaching.plain_errors():
        found = reach.notifications().ListNotices(
            asked,
            timeout=reach.deadline_s,
            metadata=reach.metadata("coordinator", "cli-coordinator", purpose="COC"),
        )
    rows = [MessageToDict(notice, preserving_proto_field_name=True) for notice in found.notices]
    for row in rows:
        row["tries"] = [attempt.get("outcome", "") for attempt in row.get("attempts", [])]
        row["since"] = row.get("opened_at", "")[:19].replace("T", " ")
    shown = ("since", "notice_id", "intent", "recipient_id", "channel", "state", "reason_code", "tries")
    show.rows(rows, shown, as_json=as_json)
