"""Files and folders as pieces, one after the other: the form is told by the content, and a big file is never whole."""

import codecs
import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from cli.importing import csv_rows
from cli.importing.csv_rows import BY_NAME, Reading
from cli.importing.pieces import Form, Piece, PieceFault

LONGEST_PIECE = 16_000_000
_SNIFFED = 65_536
_BUFFER = 65_536
_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_HL7_BEGINS = re.compile(rb"(MSH|FHS|BHS)[^A-Za-z0-9\s]")
_ENVELOPES = (b"FHS", b"BHS", b"BTS", b"FTS")
_FRAMING = b"\x0b\x1c"
_NOT_TEXT = re.compile("[\udc80-\udcff]")  # bytes that are no UTF-8, as Python escapes them
_DELIMITERS = (",", ";", "\t", "|")


class Unreadable(Exception):  # noqa: N818
    """The whole file cannot be read as anything we take."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.fault = PieceFault(code, message)


def files_in(given: Iterable[Path]) -> list[Path]:
    """The files, and those in the folders in the order of their names; hidden ones are passed over."""
    found: list[Path] = []
    for path in given:
        inner = sorted(path.rglob("*")) if path.is_dir() else [path]
        found += [
            one
            for one in inner
            if one.is_file() and not any(part.startswith(".") for part in one.relative_to(path).parts)
        ]
    return list(dict.fromkeys(found))


def form_of(file: Path) -> Form:
    """What the file is; raises Unreadable."""
    with file.open("rb") as opened:
        head = opened.read(_SNIFFED)
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n" + _FRAMING)
    if not start:
        raise Unreadable("file-empty", "There is nothing in it.")
    if _HL7_BEGINS.match(start):
        return Form.HL7
    if start[:1] in b"{[":
        return _form_of_json(file)
    _header(file)
    return Form.CSV


def pieces_of(file: Path, reading: Reading) -> Iterator[Piece]:
    """Each thing to submit, in the file's order; raises Unreadable."""
    form = form_of(file)
    if form is Form.CSV:
        yield from _rows(file, reading)
    elif form is Form.HL7:
        yield from _messages(file)
    elif form is Form.NDJSON:
        yield from _lines(file)
    else:
        yield _whole(file)


def _form_of_json(file: Path) -> Form:
    """Several JSON objects, one a line, are NDJSON; one object, however it is laid out, is a resource."""
    with file.open("rb") as opened:
        filled = (line for line in opened if line.strip(b"\xef\xbb\xbf \t\r\n"))
        first, second = next(filled, b""), next(filled, b"")
    if not second:
        return Form.FHIR
    try:
        return Form.NDJSON if isinstance(json.loads(first.decode("utf-8-sig")), dict) else Form.FHIR
    except ValueError:
        return Form.FHIR


def _whole(file: Path) -> Piece:
    size = file.stat().st_size
    if size > LONGEST_PIECE:
        return Piece(file, Form.FHIR, 1, faults=[_too_long()], end_offset=size)
    return Piece(file, Form.FHIR, 1, file.read_bytes().removeprefix(codecs.BOM_UTF8), end_offset=size)


def _too_long() -> PieceFault:
    return PieceFault("body-too-large", f"At most {LONGEST_PIECE // 1_000_000} MB are read as one piece.")


def _lines(file: Path) -> Iterator[Piece]:
    offset = 0
    with file.open("rb") as opened:
        number = 0
        while line := opened.readline(LONGEST_PIECE):
            number += 1
            offset += len(line)
            content = line.strip(b"\xef\xbb\xbf \t\r\n") if number == 1 else line.strip()
            is_cut = len(line) == LONGEST_PIECE and not line.endswith(b"\n")
            while is_cut and line and not line.endswith(b"\n"):
                line = opened.readline(LONGEST_PIECE)
                offset += len(line)
            if is_cut:
                yield Piece(file, Form.NDJSON, number, faults=[_too_long()], end_offset=offset)
            elif content:
                yield Piece(file, Form.NDJSON, number, content, end_offset=offset)


def _messages(file: Path) -> Iterator[Piece]:
    """Each message with its segments, without the envelope of a batch file; segments end by CR, LF or both."""
    segments: list[bytes] = []
    begins, size, offset = 0, 0, 0
    for number, segment, offset in _segments(file):
        if segment.startswith(b"MSH") and segments:
            yield _message(file, begins, segments, size, offset - len(segment))
            segments, size = [], 0
        if not segments:
            begins = number
        size += len(segment)
        if size <= LONGEST_PIECE:
            segments.append(segment)
    if segments:
        yield _message(file, begins, segments, size, offset)


def _message(file: Path, begins: int, segments: Sequence[bytes], size: int, offset: int) -> Piece:
    if size > LONGEST_PIECE:
        return Piece(file, Form.HL7, begins, faults=[_too_long()], end_offset=offset)
    if not segments[0].startswith(b"MSH"):
        fault = PieceFault("segment-before-header", "A message begins with MSH.")
        return Piece(file, Form.HL7, begins, faults=[fault], end_offset=offset)
    return Piece(file, Form.HL7, begins, b"\r".join(segments) + b"\r", end_offset=offset)


def _segments(file: Path) -> Iterator[tuple[int, bytes, int]]:
    """The number of each segment's line, the segment, and how far the reader is."""
    number, rest, offset = 0, b"", 0
    with file.open("rb") as opened:
        while chunk := opened.read(_BUFFER):
            offset += len(chunk)
            *whole, rest = re.split(rb"\r\n|\r(?!\Z)|\n", rest + chunk)
            for line in whole:
                number += 1
                if segment := _plain(line):
                    yield number, segment, offset
    if segment := _plain(rest):
        yield number + 1, segment, offset


def _plain(line: bytes) -> bytes:
    segment = line.strip(b"\xef\xbb\xbf\r" + _FRAMING)
    return b"" if segment.startswith(_ENVELOPES) or not segment.strip() else segment


def _rows(file: Path, reading: Reading) -> Iterator[Piece]:
    encoding, delimiter, names = _header(file)
    with file.open("rb") as raw, _text(raw, encoding) as text:
        rows = csv.reader(text, delimiter=delimiter, strict=True)
        next(rows)
        begins = rows.line_num + 1
        for cells in _read(rows, begins):
            if isinstance(cells, PieceFault):
                yield Piece(file, Form.CSV, begins, faults=[cells], end_offset=raw.tell())
            elif any(cell.strip() for cell in cells):
                yield _row(Piece(file, Form.CSV, begins, end_offset=raw.tell()), names, cells, reading)
            begins = rows.line_num + 1


def _read(rows: Any, begins: int) -> Iterator[list[str] | PieceFault]:
    """Rows, and what stands between them that is none; after a broken quote it goes on where a row can begin."""
    while True:
        try:
            cells = next(rows, None)
        except csv.Error:
            lines = f"lines {begins} to {rows.line_num} were" if rows.line_num > begins else "the line was"
            yield PieceFault("row-unreadable", f"Quotes or delimiters do not fit; {lines} not read.")
            begins = rows.line_num + 1
            continue
        except UnicodeError:
            yield PieceFault("not-text", "From here on this is not UTF-16; the rest was not read.")
            return
        if cells is None:
            return
        yield cells
        begins = rows.line_num + 1


def _row(place: Piece, names: list[str], cells: list[str], reading: Reading) -> Piece:
    if len(cells) != len(names):
        fault = PieceFault("cells-wrong-number", f"The header has {len(names)} cells, the row {len(cells)}.")
        return replace(place, faults=[fault])
    plain = {name: cell.strip() for name, cell in zip(names, cells, strict=True)}
    broken = [name for name, cell in plain.items() if _NOT_TEXT.search(cell)]
    if broken:
        return replace(place, faults=[PieceFault("not-text", "This is not UTF-8.", name) for name in broken])
    request, faults = csv_rows.request_of(plain, reading)
    content = json.dumps({name: cell for name, cell in plain.items() if cell}, sort_keys=True).encode()
    return replace(place, content=content, row=request, faults=faults)


def _header(file: Path) -> tuple[str, str, list[str]]:
    """Encoding, delimiter and the names of the columns; raises Unreadable."""
    with file.open("rb") as raw:
        head = raw.read(_SNIFFED)
    encoding = next((name for bom, name in _BOMS.items() if head.startswith(bom)), "utf-8")
    line = head if encoding == "utf-16" else head.splitlines()[0]
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(line)
    except UnicodeError:
        raise Unreadable("not-text", "This is neither UTF-8 nor UTF-16; save it as UTF-8.") from None
    first = text.lstrip("\ufeff").splitlines()[0] if text.strip() else ""
    for delimiter in _DELIMITERS:
        names = [name.strip().casefold() for name in next(csv.reader([first], delimiter=delimiter), [])]
        if BY_NAME.keys() & set(names):
            return encoding, delimiter, _checked(names)
    raise Unreadable("form-unknown", "This is neither FHIR JSON, HL7 v2 nor a CSV with our header line.")


def _checked(names: list[str]) -> list[str]:
    """A misspelt column would silently drop a "never"; so it refuses the file."""
    unknown = [str(place) for place, name in enumerate(names, 1) if name not in BY_NAME]
    if unknown:
        raise Unreadable("column-unknown", f"No column of ours is called as number {', '.join(unknown)}.")
    if len(set(names)) < len(names):
        raise Unreadable("column-doubled", "A column stands in the header twice.")
    return names


def _text(raw: BinaryIO, encoding: str) -> io.TextIOWrapper:
    errors = "strict" if encoding == "utf-16" else "surrogateescape"
    return io.TextIOWrapper(raw, encoding=encoding, errors=errors, newline="")
