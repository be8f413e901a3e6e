"""Keeping the privacy audit log: show, prove, export, fsck, monitor, health, erase, hold."""

import json
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import reach as reaching
from cli import show
from cli.local import place
from cli.reach import Reach
from cli.verify import NotVerified

Number = Annotated[int, typer.Argument(help="The entry's number, as a search shows it.", min=0)]
Reason = Annotated[str, typer.Option(help="The reference of the request or case; never a name.")]
CHECK_S = 600.0


def add_to(app: typer.Typer) -> None:
    """Adds these commands to the group."""
    for command in (prove, export, fsck, monitor, health, erase, hold, holds):
        app.command()(command)
    app.command("show")(show_entry)
    app.command("release")(release)


def _shown(reach: Reach, number: int) -> Any:
    from kindred.audit.v1 import custody_pb2 as pb

    with reaching.plain_errors():
        asked = pb.ShowEntryRequest(number=number)
        return reach.custody().ShowEntry(asked, timeout=reach.deadline_s, metadata=reach.officer())


def show_entry(context: typer.Context, number: Number, as_json: show.AsJson = False) -> None:
    """One entry, whole: who did what, about whom, why; or under which entry it was erased."""
    from google.protobuf.json_format import MessageToDict

    answer = _shown(context.obj, number)
    facts = {"index": 0} | MessageToDict(answer.entry, preserving_proto_field_name=True)
    facts["leaf"] = answer.entry.leaf.decode()
    body = facts.pop("fhir_json", "")
    facts["audit_event"] = json.loads(body) if body else f"erased under {answer.erased_under or 'no entry'}"
    if not as_json and body:
        facts["audit_event"] = body
    show.record(facts, as_json=as_json)


def prove(
    context: typer.Context,
    number: Number,
    out: Annotated[
        Path | None, typer.Option(help="The proof's file (C2SP tlog-proof), named by you.")
    ] = None,
    to: Annotated[
        Path, typer.Option(help="The folder to write proof and leaf into, else the one you are in.")
    ] = Path(),
    as_json: show.AsJson = False,
) -> None:
    """The proof that an entry is in the log, checked here, as two files for anybody: the proof and the leaf."""
    from cli import auditing

    answer = _shown(context.obj, number)
    try:
        facts = auditing.check_proof(answer.proof, answer.policy, answer.entry.leaf)
    except NotVerified as wrong:
        raise show.fail(f"The proof does not verify: {wrong}") from None
    path = (out or to / f"entry-{number}.tlog-proof").resolve()
    leaf = path.with_suffix(".leaf")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(answer.proof)
        leaf.write_bytes(answer.entry.leaf)
    except OSError as wrong:
        raise show.fail(f"{wrong.filename} cannot be written: {wrong.strerror}.", code=2) from None
    show.record({"proven": True, **facts, "proof": str(path), "leaf": str(leaf)}, as_json=as_json)


def export(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("kindred-audit-export.zip"),
    peer: Annotated[str, typer.Option(help="About this peer, by pseudonymous id.")] = "",
    referral: Annotated[str, typer.Option(help="About this referral.")] = "",
    actor: Annotated[str, typer.Option("--by", help="Done by this actor.")] = "",
    event_type: Annotated[str, typer.Option("--type", help="Such as record.read.v1.")] = "",
    since: Annotated[datetime | None, typer.Option(help="Recorded at or after, UTC.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Recorded before, UTC.")] = None,
    numbers: Annotated[str, typer.Option(help="Entries by number, such as 100-200 (200 not included).")] = "",
    known: Annotated[list[int] | None, typer.Option(help="A size that the reader saw before.")] = None,
    as_json: show.AsJson = False,
) -> None:
    """One file that proves what it shows: entries, proofs, checkpoint, policy and the program that verifies them."""
    from cli import auditing
    from kindred.audit.v1 import audit_pb2
    from kindred.audit.v1 import custody_pb2 as pb

    matching = audit_pb2.SearchEntriesRequest(
        peer_id=peer, referral_id=referral, actor_id=actor, event_type=event_type
    )
    if since:
        matching.recorded_from.FromDatetime(since)
    if until:
        matching.recorded_until.FromDatetime(until)
    asked = pb.ExportEntriesRequest(matching=matching)
    if numbers:
        first, _, last = numbers.partition("-")
        if not (first.isdigit() and last.isdigit()):
            raise show.fail("--numbers is a range such as 100-200.")
        asked.from_number, asked.until_number = int(first), int(last)
    asked.known_sizes.extend([*(known or []), *auditing.known_sizes(place.here().var)])
    with reaching.plain_errors():
        size = auditing.export(context.obj, asked, out)
    asked_for, count = auditing.told_by(out)
    told = {"entries": count or "none: nothing was found", "asked_for": asked_for or "everything"}
    told |= {"file": str(out.resolve()), "bytes": size, "verify_with": f"python {out}"}
    policy = place.here().keys / "audit" / "audit.policy"
    if policy.exists():
        told["policy_to_hand_over"] = str(policy)
    show.record(told, as_json=as_json)


def fsck(
    context: typer.Context,
    without_bodies: Annotated[
        bool, typer.Option(help="Tree, tiles, heads, signer and witnesses only.")
    ] = False,
    as_json: show.AsJson = False,
) -> None:
    """Recompute every log; compare every copy, index, signature, witness and outbox. Exit code 1 if anything is wrong."""
    from kindred.audit.v1 import custody_pb2 as pb

    reach: Reach = context.obj
    asked = pb.CheckAllLogsRequest(without_bodies=without_bodies)
    started = time.monotonic()
    with reaching.plain_errors():
        report = reach.custody().CheckAllLogs(asked, timeout=CHECK_S, metadata=reach.officer()).report
    findings = [
        {"code": one.code, "entry": one.index if one.index >= 0 else "", "detail": one.detail}
        for one in report.findings
    ]
    if as_json:
        facts = {"entries": report.tree_size, "entries_checked": report.entries_checked, "findings": findings}
        show.record({"whole": not findings, **facts}, as_json=True)
    else:
        seconds = time.monotonic() - started
        show.console.print(
            f"{report.entries_checked} entries of {report.tree_size} checked in {seconds:.1f} s"
        )
        show.rows(findings, ("code", "entry", "detail"), as_json=False, title="wrong")
    if findings:
        raise typer.Exit(1)


def monitor(
    context: typer.Context,
    url: Annotated[str, typer.Option(help="Where the tiles are; else this system's audit service.")] = "",
    policy: Annotated[Path | None, typer.Option(help="The policy file; else this system's.")] = None,
    log: Annotated[
        str, typer.Option(help="first, a later quarter such as 2027Q1, or root; else the newest.")
    ] = "",
    every_s: Annotated[
        float, typer.Option("--every", help="Look again after so many seconds; 0 for once.")
    ] = 0.0,
    as_json: show.AsJson = False,
) -> None:
    """Watch the log from outside: signed, cosigned, fresh, and growing from what was seen before. Exit code 1 if not."""
    from cli import monitoring

    reach: Reach = context.obj
    var = place.here().var
    where = url or f"http://{reach.http_address('audit')}/log"
    file = policy or place.here().keys / "audit" / "audit.policy"
    try:
        believed = monitoring.read_policy(file.read_text(encoding="utf-8"))
        while True:
            name = "" if log == "first" else log or monitoring.newest_log(where)
            watching = monitoring.Monitor(where, believed, var, name)
            show.record(monitoring.told(watching.look()), as_json=as_json)
            if not every_s:
                return
            time.sleep(every_s)
    except NotVerified as wrong:
        if as_json:
            show.record({"verified": False, "code": wrong.code, "detail": wrong.detail}, as_json=True)
            raise typer.Exit(1) from None
        raise show.fail(f"The log does not verify: {wrong}") from None
    except monitoring.NoSuchLog as missing:
        hint = (
            "`kindred audit health` lists them; --log takes first, a later quarter such as 2027Q1, or root."
        )
        raise show.fail(str(missing), hint) from None
    except OSError as away:
        raise show.fail(f"The log cannot be reached: {away}") from None


def health(context: typer.Context, as_json: show.AsJson = False) -> None:
    """How the logs stand: sizes, cosigned checkpoints, witnesses, missing events, holds."""
    from google.protobuf.json_format import MessageToDict

    from kindred.audit.v1 import custody_pb2 as pb

    reach: Reach = context.obj
    with reaching.plain_errors():
        asked = pb.GetLogHealthRequest()
        answer = reach.custody().GetLogHealth(asked, timeout=reach.deadline_s, metadata=reach.officer())
    if as_json:
        show.record(MessageToDict(answer, preserving_proto_field_name=True), as_json=True)
        return
    nothing = {"first_number": 0, "size": 0, "cosigned_size": 0}
    logs = [nothing | MessageToDict(one, preserving_proto_field_name=True) for one in answer.logs]
    show.rows(
        logs, ("origin", "first_number", "size", "cosigned_size", "cosigned_at", "pruned_at"), as_json=False
    )
    for witness in answer.witnesses:
        show.console.print(f"witness {witness.name}: cosigned {witness.cosigned_at.ToJsonString()}")
    missing = {one.producer: list(one.missing) for one in answer.producers if one.missing}
    show.console.print(f"events that never came: {show.plain(missing)}; legal holds: {len(answer.holds)}")


def erase(
    context: typer.Context,
    peer: Annotated[str, typer.Option(help="The peer, by pseudonymous id.")],
    reason: Reason,
    as_json: show.AsJson = False,
) -> None:
    """Destroy the keys of a person's entries whose retention is over; the rest is done when theirs is."""
    from google.protobuf.json_format import MessageToDict

    from kindred.audit.v1 import custody_pb2 as pb

    reach: Reach = context.obj
    with reaching.plain_errors():
        asked = pb.EraseSubjectRequest(peer_id=peer, reason=reason)
        answer = reach.custody().EraseSubject(asked, timeout=reach.deadline_s, metadata=reach.officer())
    if as_json:
        facts: dict[str, list[str]] = {"erased_periods": [], "kept_periods": []}
        show.record(facts | MessageToDict(answer, preserving_proto_field_name=True), as_json=True)
        return
    for line in _erased(answer):
        show.console.print(line, soft_wrap=True)


def _erased(answer: Any) -> list[str]:
    """What an erasure did and what is still to come, in sentences."""
    gone, kept = ", ".join(answer.erased_periods), ", ".join(answer.kept_periods)
    told = [f"Erased for good: {gone}." if gone else "Nothing is erased now."]
    if kept:
        due = answer.last_due.ToDatetime().date().isoformat()
        told.append(f"The law keeps {kept}; erased by itself when its time comes, the last on {due}.")
    elif not gone:
        told.append("All that was to be erased of this person was erased before.")
    return told


def hold(
    context: typer.Context,
    reason: Reason,
    peer: Annotated[str, typer.Option(help="Whose entries must be kept; else everybody's.")] = "",
    as_json: show.AsJson = False,
) -> None:
    """Place a legal hold: nothing it protects is erased or pruned until it is released."""
    from kindred.audit.v1 import custody_pb2 as pb

    reach: Reach = context.obj
    with reaching.plain_errors():
        asked = pb.PlaceHoldRequest(peer_id=peer, reason=reason)
        answer = reach.custody().PlaceHold(asked, timeout=reach.deadline_s, metadata=reach.officer())
    show.record({"hold": answer.hold_id}, as_json=as_json)


def release(
    context: typer.Context,
    hold_id: Annotated[str, typer.Argument(help="The hold's id.")],
    reason: Reason,
) -> None:
    """Release a legal hold."""
    from kindred.audit.v1 import custody_pb2 as pb

    reach: Reach = context.obj
    with reaching.plain_errors():
        asked = pb.ReleaseHoldRequest(hold_id=hold_id, reason=reason)
        reach.custody().ReleaseHold(asked, timeout=reach.deadline_s, metadata=reach.officer())


def holds(context: typer.Context, as_json: show.AsJson = False) -> None:
    """The legal holds that are placed; whom they protect is told nowhere."""
    from google.protobuf.json_format import MessageToDict

    from kindred.audit.v1 import custody_pb2 as pb

    reach: Reach = context.obj
    with reaching.plain_errors():
        answer = reach.custody().ListHolds(
            pb.ListHoldsRequest(), timeout=reach.deadline_s, metadata=reach.officer()
        )
    rows = [MessageToDict(one, preserving_proto_field_name=True) for one in answer.holds]
    show.rows(rows, ("hold_id", "is_for_everybody", "reason", "placed_by", "placed_at"), as_json=as_json)
