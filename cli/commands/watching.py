"""`kindred watch`: one referral followed live until it is closed."""

import json
import time
from typing import Annotated, Any

import typer

from cli import reach as reaching
from cli import show
from cli.reach import Reach

# A stream ends with its connection now and then (the server's connections have an age); it is simply opened again.
STREAM_S = 1_500.0
PATIENCE_S = 60.0
_PAUSE_S = 1.0


def add_to(app: typer.Typer) -> None:
    """Adds the command to the top level."""
    app.command()(watch)


def watch(
    context: typer.Context,
    referral: Annotated[str, typer.Argument(help="The referral's id, ref-...")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Follow a referral: how it stands, then each change, until it is closed."""
    reach: Reach = context.obj
    version, away_since = 0, None
    while True:
        try:
            for summary in _stream(reach, referral):
                away_since = None
                if summary.version > version:
                    version = summary.version
                    _tell(summary, as_json=as_json)
            return
        except reaching.Away:
            away_since = away_since or time.monotonic()
            if time.monotonic() - away_since > PATIENCE_S:
                raise show.fail(
                    "Intake does not answer.", "Run the same command again later.", code=3
                ) from None
            time.sleep(_PAUSE_S)


def _stream(reach: Reach, referral: str) -> Any:
    from kindred.intake.v1 import intake_pb2

    request = intake_pb2.WatchReferralRequest(referral_id=referral)
    metadata = reach.metadata("nurse", "cli-nurse", "er-st-brigid", purpose="TREAT")
    with reaching.plain_errors(may_be_away=True):
        for told in reach.intake().WatchReferral(request, timeout=STREAM_S, metadata=metadata):
            yield told.summary


def _tell(summary: Any, *, as_json: bool) -> None:
    from google.protobuf.json_format import MessageToDict

    facts = MessageToDict(summary, preserving_proto_field_name=True)
    if as_json:
        print(json.dumps(facts), flush=True)
        return
    at = summary.status_at.ToDatetime().strftime("%H:%M:%S")
    arrival = summary.promised_arrival_at
    is_coming = summary.status == "assigned" and arrival.seconds
    promise = f", arrival promised {arrival.ToDatetime():%H:%M} UTC" if is_coming else ""
    reason = f" ({summary.reason_code})" if summary.reason_code else ""
    show.console.print(f"{at} UTC  {show.plain(summary.status)}{show.plain(reason)}{promise}")
