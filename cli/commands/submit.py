"""`kindred submit`: files of any form we take, each piece sent exactly once, with progress and a summary."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from cli import show
from cli.importing import reading
from cli.importing.csv_rows import COLUMNS, Reading
from cli.importing.journal import Journal
from cli.importing.pieces import End, Outcome, told
from cli.importing.running import Run
from cli.importing.sending import Doors
from cli.local import place
from cli.reach import Reach

EXIT_REFUSED = 1
EXIT_UNSENT = 3
MOST_SHOWN = 50
MOST_TAKEN = 20  # of so few each is named; --json names all


def add_to(app: typer.Typer) -> None:
    """Adds the command to the top level."""
    app.command()(submit)


def submit(
    context: typer.Context,
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="FHIR R4 JSON or NDJSON, HL7 v2, CSV, or folders of them.", exists=True),
    ] = None,
    as_json: show.AsJson = False,
    senders: Annotated[int, typer.Option("--senders", help="How many are sent at once.", min=1, max=64)] = 8,
    time_zone: Annotated[str, typer.Option(help="IANA zone of CSV times that name none.")] = "",
    columns: Annotated[bool, typer.Option("--columns", help="Print what a CSV may hold, and end.")] = False,
) -> None:
    """Send files of referrals to intake; what each file is, is told by its content.

    The same piece twice makes no second referral, so an interrupted run is simply run again.
    Exit code 0: everything is there. 1: some were refused. 3: intake went away; run it again to go on.
    """
    if columns:
        facts = [{"column": one.name, "meaning": one.meaning, "example": one.example} for one in COLUMNS]
        show.rows(facts, ("column", "meaning", "example"), as_json=as_json)
        return
    if not files:
        raise show.fail("Name a file or a folder.", code=2)
    reach: Reach = context.obj
    found = reading.files_in(files)
    doors = Doors(reach, actor="cli-nurse", organization="er-st-brigid")
    folder, target = place.here().var / "submitted", _target(reach)
    journal, messages = Journal(folder, target), Journal(folder, f"{reach.http_address('intake')} hl7")
    run = Run(doors, journal, messages, Reading(_zone(time_zone)), senders)
    try:
        tally = _json_of(run.over(found)) if as_json else _shown(run, found)
    finally:
        journal.close()
        messages.close()
    if not as_json:
        _summary(tally)
    if run.is_stopped:
        line = f"{tally.of(End.UNSENT)} were not sent: intake does not answer ({run.is_stopped})."
        raise show.fail(line, "Nothing is lost or doubled: run the same command again.", code=EXIT_UNSENT)
    if tally.of(End.REFUSED):
        raise typer.Exit(EXIT_REFUSED)


@dataclass
class Tally:
    """Counts by file, and the first of what was refused; never the words of a piece."""

    counts: dict[Path, Counter[str]] = field(default_factory=dict)
    forms: dict[Path, str] = field(default_factory=dict)
    refused: list[dict[str, Any]] = field(default_factory=list)
    taken: list[dict[str, Any]] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """One more piece has ended."""
        file = outcome.piece.file
        self.counts.setdefault(file, Counter())[outcome.end.value] += 1
        self.forms.setdefault(file, outcome.piece.form.value)
        if outcome.referral_id and len(self.taken) <= MOST_TAKEN:
            facts = {"file": file.name, "line": outcome.piece.line, "status": outcome.status}
            self.taken.append(facts | {"referral": outcome.referral_id, "end": outcome.end.value})
        if outcome.end is End.REFUSED and len(self.refused) < MOST_SHOWN:
            why = "; ".join(map(told, outcome.faults))
            self.refused.append({"file": file.name, "line": outcome.piece.line, "why": why})

    def of(self, end: End) -> int:
        """How many ended so, over all files."""
        return sum(counted[end.value] for counted in self.counts.values())


def _json_of(outcomes: Iterator[Outcome]) -> Tally:
    """A JSON array that is written as the pieces end, so that a big file needs no memory."""
    tally, before = Tally(), "[\n"
    for outcome in outcomes:
        tally.add(outcome)
        print(before + json.dumps(outcome.record()), end="")
        before = ",\n"
    print("\n]" if tally.counts else "[]")
    return tally


def _shown(run: Run, files: list[Path]) -> Tally:
    tally, done = Tally(), 0
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[counts]}"), console=show.errors, disable=not show.errors.is_terminal,
    )  # fmt: skip
    with bar:
        task = bar.add_task("Submitting", total=sum(one.stat().st_size for one in files), counts="")
        at: Path | None = None
        for outcome in run.over(files):
            piece = outcome.piece
            if at is not None and piece.file != at:
                done += at.stat().st_size
            at = piece.file
            tally.add(outcome)
            counts = f"{tally.of(End.STORED)} stored, {tally.of(End.REFUSED)} refused"
            bar.update(task, completed=done + piece.end_offset, counts=counts)
        bar.update(task, completed=sum(one.stat().st_size for one in files))
    return tally


def _summary(tally: Tally) -> None:
    if len(tally.taken) <= MOST_TAKEN:
        show.rows(tally.taken, ("referral", "end", "file", "line"), as_json=False, title="Referrals")
    if tally.refused:
        show.rows(tally.refused, ("file", "line", "why"), as_json=False, title="Refused")
        more = tally.of(End.REFUSED) - len(tally.refused)
        if more > 0:
            show.console.print(f"[dim]and {more} more; --json lists all of them[/]")
    rows = [
        {"file": file.name, "form": tally.forms[file], **{end.value: counted[end.value] for end in End}}
        for file, counted in tally.counts.items()
    ]
    show.rows(rows, ("file", "form", *(end.value for end in End)), as_json=False, title="Submitted")


def _target(reach: Reach) -> str:
    return f"{reach.http_address('intake')}|{reach.who.organization or 'er-st-brigid'}|{reach.who.token}"


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError):
        raise show.fail(
            "There is no such time zone.", "Give an IANA name, such as America/New_York.", code=2
        ) from None
