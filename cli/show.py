"""How the command line answers: tables for people, JSON for programs, one clear line for an error."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer
from rich.console import Console
from rich.table import Table

AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON instead of a table.")]

# Where nobody watches (a pipe, a log), tables are as wide as they need to be to stay readable.
console = Console(highlight=False, width=None if sys.stdout.isatty() else 150)
errors = Console(stderr=True, highlight=False)


def rows(found: Sequence[dict[str, Any]], columns: Sequence[str], *, as_json: bool, title: str = "") -> None:
    """A table of the named columns, or all facts of each row as a JSON array."""
    if as_json:
        print(json.dumps(list(found), indent=1, default=str))
        return
    if not found:
        console.print(f"[dim]{title + ': ' if title else ''}nothing found[/]")
        return
    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    cells = [[plain(row.get(column)) for column in columns] for row in found]
    needed = 2 * len(columns)
    for place, column in enumerate(columns):
        name = column.replace("_", " ")
        whole = max([_longest_id(name), *(_longest_id(row[place]) for row in cells)])
        # An id that is cut or folded cannot be copied; words may fold.
        table.add_column(name, overflow="fold", min_width=whole)
        needed += whole
    for row_cells in cells:
        table.add_row(*row_cells)
    is_too_wide = needed > console.width  # then the terminal breaks the lines, and copies them whole
    console.print(table, width=max(console.width, needed), crop=False, soft_wrap=is_too_wide)


def _longest_id(text: str) -> int:
    """The length of the longest word: what must stand on one line."""
    return max((len(word) for word in text.replace("\\[", "[").split()), default=0)


def record(facts: dict[str, Any], *, as_json: bool) -> None:
    """One thing: a name and a value on each line, or a JSON object."""
    if as_json:
        print(json.dumps(facts, indent=1, default=str))
        return
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        text = "none" if value == [] else plain(value)
        console.print(f"[dim]{name.replace('_', ' '):<{width}}[/]  {text}", soft_wrap=True)


def plain(value: Any) -> str:
    """A cell's text, without markup taken from the value."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        value = [f"{name} {one}" for name, one in value.items()] or ["none"]
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text.replace("[", r"\[")


def fail(line: str, *details: str, code: int = 1) -> typer.Exit:
    """Prints what went wrong to stderr; `raise` what it returns."""
    errors.print(f"[bold red]Error:[/] {plain(line)}", soft_wrap=True)
    for detail in details:
        errors.print(f"  {plain(detail)}", soft_wrap=True)
    sys.stderr.flush()
    return typer.Exit(code)


@contextmanager
def written(to: Path) -> Iterator[BinaryIO]:
    """A file to write into that is `to` when all is well, and nothing else; exit code 2 where it cannot be."""
    draft = to.with_name(f"{to.name}.part")
    try:
        with draft.open("wb") as file:
            yield file
        draft.replace(to)
    except OSError as wrong:
        raise fail(f"{to} cannot be written: {wrong.strerror}.", code=2) from None
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
