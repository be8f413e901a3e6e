"""The roster: import a file with progress and a table of its bad rows, or write a fictional one."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli import reach as reaching
from cli import show
from cli.reach import Reach

LINES_PER_CHUNK = 100
IMPORT_S = 600.0
AGAIN_AFTER_S = (1.0, 3.0)

app = typer.Typer(no_args_is_help=True)


@app.command("import")
def bring_in(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV with a header line, JSON lines, or FHIR Bundles one a line (.fhir.ndjson).", exists=True
        ),
    ],
    as_json: show.AsJson = False,
) -> None:
    """Import specialists and supervisors; good rows are stored, each bad row is listed. Exit code 1 if any was bad."""
    reach: Reach = context.obj
    with reaching.plain_errors():
        summary = import_file(reach, file, is_quiet=as_json)
    faults = summary.pop("faults")
    if as_json:
        show.record(summary | {"faults": faults}, as_json=True)
    else:
        show.record(summary, as_json=False)
        if faults:
            show.rows(faults, ("line", "column", "code", "message"), as_json=False, title="Rows not taken")
    if faults:
        raise typer.Exit(1)


def import_file(
    reach: Reach, file: Path, *, is_quiet: bool = False, role: str = "engineer", organization: str = ""
) -> dict[str, Any]:
    """Streams the file to matching and returns counts and faults; raises grpc.RpcError.

    Where a part of matching is away for a moment it is sent again from its beginning: a row that is there by then counts
    as unchanged.
    """
    import grpc

    for pause_s in AGAIN_AFTER_S:
        try:
            return _streamed(reach, file, is_quiet=is_quiet, role=role, organization=organization)
        except grpc.RpcError as failed:
            if failed.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            time.sleep(pause_s)
    return _streamed(reach, file, is_quiet=is_quiet, role=role, organization=organization)


def _streamed(reach: Reach, file: Path, *, is_quiet: bool, role: str, organization: str) -> dict[str, Any]:
    total = sum(1 for line in file.read_bytes().splitlines() if line.strip())
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=show.errors, disable=is_quiet or not show.errors.is_terminal,
    )  # fmt: skip
    summary: dict[str, Any] = {"rows_read": 0, "rows_stored": 0, "rows_unchanged": 0, "faults": []}
    with bar:
        task = bar.add_task("Importing the roster", total=total)
        answers = reach.matching().ImportRoster(
            _chunks(file),
            timeout=IMPORT_S,
            metadata=reach.metadata(role, "cli-roster", organization, purpose="HOPERAT"),
        )
        for answer in answers:
            for count in ("rows_read", "rows_stored", "rows_unchanged"):
                summary[count] = getattr(answer, count)
            summary["faults"] += [
                {"line": fault.line, "column": fault.column, "code": fault.code, "message": fault.message}
                for fault in answer.faults
            ]
            bar.update(task, completed=answer.rows_read)
    return summary


@app.command("export")
def bring_out(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Where to write; .csv, .jsonl or .fhir.ndjson")],
    programme: Annotated[str, typer.Option(help="Only this programme's; everybody's where empty.")] = "",
    as_json: show.AsJson = False,
) -> None:
    """Write the roster to a file that, imported again, changes nothing. What is private is not in it, and stays."""
    from kindred.matching.v1 import roster_pb2

    reach: Reach = context.obj
    with reaching.plain_errors():
        answers = reach.roster().ExportRoster(
            roster_pb2.ExportRosterRequest(format=_format(file), programme_id=programme),
            timeout=IMPORT_S,
            metadata=reach.metadata("engineer", "cli-roster", "", purpose="HOPERAT"),
        )
        with file.open("wb") as sink:
            written = sum(sink.write(answer.chunk) for answer in answers)
    show.record({"file": str(file), "bytes": written}, as_json=as_json)


@app.command()
def generate(
    file: Annotated[Path, typer.Argument(help="Where to write; .csv or .jsonl")],
    count: Annotated[int, typer.Option(help="How many specialists.", min=1)] = 500,
    seed: Annotated[int, typer.Option(help="The same seed gives the same file.")] = 7,
    as_json: show.AsJson = False,
) -> None:
    """Write a roster of plainly fictional specialists."""
    from cli.demo import roster

    roster.write(file, roster.specialists(count, seed))
    show.record({"file": str(file), "specialists": count, "seed": seed}, as_json=as_json)


def _chunks(file: Path) -> Iterator[Any]:
    """Requests of whole lines; the format comes from the file's name."""
    from kindred.matching.v1 import matching_pb2

    form = _format(file)
    lines = file.read_bytes().splitlines(keepends=True)
    for start in range(0, len(lines), LINES_PER_CHUNK):
        chunk = b"".join(lines[start : start + LINES_PER_CHUNK])
        yield matching_pb2.ImportRosterRequest(chunk=chunk, format=form)


def _format(file: Path) -> str:
    """The format comes from the file's name."""
    if ".fhir" in file.suffixes:
        return "fhir"
    return "jsonl" if file.suffix in {".jsonl", ".ndjson"} else "csv"
