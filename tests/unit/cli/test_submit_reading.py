"""Files told apart by their content and read piece by piece; what is broken is told by line and column."""

from __future__ import annotations

import json
import re
import threading
import time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cli.importing import reading
from cli.importing.csv_rows import BY_NAME, COLUMNS, Reading, column_of
from cli.importing.journal import Journal
from cli.importing.pieces import End, Form, Outcome, Piece, Unavailable
from cli.importing.reading import Unreadable, form_of, pieces_of
from cli.importing.running import Run
from kindred.intake.v1 import intake_pb2

MSH = "MSH|^~\\&|ER|BRIGID|KINDRED|KINDRED|20261121||REF^I12|{}|P|2.5.1"


def _file(folder: Path, content: bytes | str, name: str = "given.dat") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def _pieces(folder: Path, content: bytes | str, zone: str = "") -> list[Piece]:
    given = Reading(ZoneInfo(zone)) if zone else Reading()
    return list(pieces_of(_file(folder, content), given))


@pytest.mark.parametrize(
    ("content", "form"),
    [
        ('{"resourceType":\n "Bundle"}', Form.FHIR),
        ('\ufeff\n {"resourceType": "Bundle"}\n', Form.FHIR),
        ('{"a": 1}\n{"a": 2}\n', Form.NDJSON),
        ('{"a": 1}\n\n\n', Form.FHIR),
        ('{"a": [\n{"b": 2}\n]}', Form.FHIR),
        (MSH.format(1) + "\rPID|1\r", Form.HL7),
        ("\x0b" + MSH.format(1) + "\rPID|1\r\x1c\r", Form.HL7),
        ("FHS|^~\\&|\rBHS|^~\\&|\r" + MSH.format(1), Form.HL7),
        ("MSH#^~\\&#ER", Form.HL7),
        ("family_name,given_name\nA,B\n", Form.CSV),
        ("Record_Number;urgency\n1;urgent\n", Form.CSV),
        ("record_number\turgency\n", Form.CSV),
    ],
)
def test_the_form_is_told_by_the_content(tmp_path: Path, content: str, form: Form):
    """Whatever a file is called."""
    assert form_of(_file(tmp_path, content, "misleading.csv")) is form


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "file-empty"),
        (b" \n\n", "file-empty"),
        (b"name,age\nA,1\n", "form-unknown"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "not-text"),
        (b"family_name,agde\nA,1\n", "column-unknown"),
        (b"family_name,family_name\n", "column-doubled"),
        ("family_name,Straße\n".encode("latin-1"), "not-text"),
    ],
)
def test_a_file_that_is_nothing_is_refused_whole(tmp_path: Path, content: bytes, code: str):
    """A misspelt column too: a "never" that is dropped silently would hurt somebody."""
    with pytest.raises(Unreadable) as refused:
        form_of(_file(tmp_path, content))
    assert refused.value.fault.code == code
    assert "agde" not in refused.value.fault.message


ROW = "MRN-1,Marlowe,Ada,1988-04-01,immediate,overdose;icd10:T40.1X1A,overdose:must,faith:declined,yes,{},no"
HEADER = (
    "record_number,family_name,given_name,birth_date,urgency,reasons,preferences,characteristics,"
    "consent,consent_signed_at,naloxone_given"
)


def test_a_row_becomes_a_submission(tmp_path: Path):
    """Every cell lands in its field; an empty cell says nothing; a time without offset takes the zone given."""
    (piece,) = _pieces(tmp_path, f"{HEADER}\n{ROW.format('2026-11-21T22:31')}\n", "America/New_York")
    assert (piece.line, piece.faults) == (2, [])
    row = piece.row
    assert (row.person.record_number, row.person.family_name) == ("MRN-1", "Marlowe")
    assert (list(row.experience_codes), row.codes[0].code) == (["overdose"], "T40.1X1A")
    assert row.preferences[0].strength == 4
    assert row.characteristics[0].answered == intake_pb2.ANSWERED_DECLINED
    assert row.consent.signed_at.ToJsonString() == "2026-11-22T03:31:00Z"
    assert row.HasField("is_naloxone_given")
    assert not row.is_naloxone_given
    assert not row.HasField("arrived_at")


def test_who_they_are_is_told_by_more_than_a_name(tmp_path: Path):
    """Generation, sex, ZIP and names from before: what tells namesakes apart."""
    header, row = "family_name,suffix,sex,home_zip,former_names", "Marlowe,Jr.,male,12208,Ash; Birch"
    (piece,) = _pieces(tmp_path, f"{header}\n{row}\n")
    person = piece.row.person
    assert (person.suffix, person.sex, person.home_zip) == ("Jr.", "male", "12208")
    assert list(person.former_names) == ["Ash", "Birch"]


@pytest.mark.parametrize(
    ("column", "cell", "code"),
    [
        ("urgency", "soon", "urgency-unknown"),
        ("consent", "maybe", "yes-or-no-wanted"),
        ("arrived_at", "21.11.2026", "time-unreadable"),
        ("arrived_at", "2026-11-21", "time-unreadable"),
        ("arrived_at", "2026-11-21T22:31", "time-without-zone"),
        ("reasons", "icd9:304", "reason-unreadable"),
        ("preferences", "overdose", "strength-unknown"),
        ("preferences", "overdose:very", "strength-unknown"),
        ("characteristics", "faith", "characteristic-unreadable"),
    ],
)
def test_a_bad_cell_is_told_with_line_and_column(tmp_path: Path, column: str, cell: str, code: str):
    """The rows around it are read."""
    lines = ["record_number," + column, "MRN-1,", "MRN-2," + cell, "MRN-3,"]
    first, bad, last = _pieces(tmp_path, "\n".join(lines))
    assert [(bad.line, fault.column, fault.code) for fault in bad.faults] == [(3, column, code)]
    assert (first.faults, last.faults) == ([], [])


def test_all_bad_cells_of_a_row_are_told_at_once(tmp_path: Path):
    """Nobody mends a file one cell a run."""
    (piece,) = _pieces(tmp_path, "urgency,consent,arrived_at\nsoon,maybe,never\n")
    assert [fault.column for fault in piece.faults] == ["urgency", "consent", "arrived_at"]


def test_broken_rows_do_not_stop_the_file(tmp_path: Path):
    """Cells too many or too few, a byte that is no text, lines within quotes: each row stands for itself."""
    content = b'record_number,note\nA,1\nB\nC,1,2\n"D","two\nlines"\nE,"\xff"\n\nF,"a ""b"""\nG,"open" quote\nH,ok\n'
    told = [
        (one.line, one.faults[0].code if one.faults else one.row.note) for one in _pieces(tmp_path, content)
    ]
    assert told == [
        (2, "1"),
        (3, "cells-wrong-number"),
        (4, "cells-wrong-number"),
        (5, "two\nlines"),
        (7, "not-text"),
        (9, 'a "b"'),
        (10, "row-unreadable"),
        (11, "ok"),
    ]


def test_a_quote_that_never_ends_says_how_far_it_went(tmp_path: Path):
    """The lines it swallowed are named, so that nobody thinks they were sent."""
    good, bad = _pieces(tmp_path, 'record_number,note\nA,1\nB,"open\nC,1\nD,1\n')
    assert (good.row.note, bad.faults[0].code) == ("1", "row-unreadable")
    assert "lines 3 to 5" in bad.faults[0].message


def test_excel_and_its_relatives_are_read(tmp_path: Path):
    """UTF-8 with a mark, UTF-16, semicolons, CRLF: what spreadsheets write."""
    text = "record_number;family_name\r\n1;Núñez\r\n"
    for content in (text.encode("utf-8-sig"), text.encode("utf-16")):
        (piece,) = _pieces(tmp_path, content)
        assert piece.row.person.family_name == "Núñez"


def test_equal_content_has_an_equal_key(tmp_path: Path):
    """Spaces, the order of columns and empty cells change nothing; another word does."""
    (one,) = _pieces(tmp_path, "record_number,family_name,note\n1, A ,\n")
    (two,) = _pieces(tmp_path, "family_name;record_number\nA;1\n")
    (other,) = _pieces(tmp_path, "family_name;record_number\nB;1\n")
    assert one.key == two.key != other.key


def test_messages_of_a_batch_are_parted(tmp_path: Path):
    """Envelopes and MLLP framing are left out; CR, LF and CRLF end a segment; the line is where MSH stands."""
    content = (
        f"FHS|x\rBHS|x\r\n{MSH.format(1)}\rPID|1\r\n\x0b{MSH.format(2)}\nPID|2\nNTE|1\n\x1c\rBTS|2\rFTS|1\r"
    )
    first, second = _pieces(tmp_path, content)
    assert first.content.decode() == MSH.format(1) + "\rPID|1\r"
    assert second.content.decode() == MSH.format(2) + "\rPID|2\rNTE|1\r"
    assert (first.line, second.line) == (3, 5)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_where_a_buffer_ends_changes_no_message(tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch):
    """Also between CR and LF."""
    content = "".join(f"{MSH.format(number)}\r\nPID|{number}\r\n" for number in range(3))
    whole = [one.content for one in _pieces(tmp_path, content)]
    monkeypatch.setattr(reading, "_BUFFER", size)
    assert [one.content for one in _pieces(tmp_path, content)] == whole
    assert len(whole) == 3


def test_lines_of_ndjson_are_pieces(tmp_path: Path):
    """Empty lines are passed over; the number is the line's."""
    pieces = _pieces(tmp_path, '\ufeff{"a": 1}\r\n\n {"a": 2}\n')
    assert [(one.line, one.content) for one in pieces] == [(1, b'{"a": 1}'), (3, b'{"a": 2}')]


def test_a_piece_too_long_is_refused_and_the_next_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A line, a message or a file beyond the limit costs no memory."""
    monkeypatch.setattr(reading, "LONGEST_PIECE", 300)
    long = '{"a": "' + "x" * 1_000 + '"}'
    told = _pieces(tmp_path, '{"a": 1}\n' + long + '\n{"a": 2}\n')
    assert [one.faults[0].code if one.faults else one.line for one in told] == [1, "body-too-large", 3]
    messages = MSH.format(1) + "\rNTE|" + "x" * 1_000 + "\r" + MSH.format(2) + "\r"
    assert [bool(one.faults) for one in _pieces(tmp_path, messages)] == [True, False]
    assert [bool(one.faults) for one in _pieces(tmp_path, long)] == [True]


def test_a_big_file_is_never_whole(tmp_path: Path):
    """The first row comes when no more than one buffer of megabytes was read."""
    big = _file(tmp_path, "record_number,note\n" + "1,a note of some words\n" * 200_000)
    assert big.stat().st_size > 4_000_000
    first = next(pieces_of(big, Reading()))
    assert first.end_offset < 100_000


def test_folders_are_walked_in_order_without_hidden_files(tmp_path: Path):
    """Names decide; a file named twice is sent once."""
    (tmp_path / "b").mkdir()
    (tmp_path / ".git").mkdir()
    names = ["b/2.csv", "a.csv", ".hidden", ".git/x", "c.json"]
    for name in names:
        _file(tmp_path, "x", name)
    found = reading.files_in([tmp_path, tmp_path / "a.csv"])
    assert [str(one.relative_to(tmp_path)) for one in found] == ["a.csv", "b/2.csv", "c.json"]


def test_every_field_has_a_column_and_every_fault_finds_its_column():
    """What gRPC takes can be said in a row, and what it refuses is told by the row's column."""
    fields = set(intake_pb2.SubmitReferralRequest.DESCRIPTOR.fields_by_name) - {
        "idempotency_key",
        "person",
        "consent",
        "source_contact",
    }
    fields -= {"codes", "referrer"}
    assert fields <= {column.path.split(".")[0] for column in COLUMNS}
    assert column_of("preferences[3].code") == "preferences"
    assert column_of("person.birth_date") == "birth_date"
    assert column_of("codes[0].code") == "reasons"
    assert column_of("person") == "person"


def test_the_page_of_the_columns_tells_the_truth():
    """docs/csv-referrals.md lists exactly these columns with these words, and its example is read."""
    page = (Path(__file__).resolve().parents[3] / "docs" / "csv-referrals.md").read_text()
    rows = re.findall(r"^\| `([a-z_]+)` \| (.*?) \|", page, re.MULTILINE)
    assert rows == [(column.name, column.meaning) for column in COLUMNS]


def test_the_example_of_the_page_is_taken(tmp_path: Path):
    """Whoever copies it has a file that is read."""
    page = (Path(__file__).resolve().parents[3] / "docs" / "csv-referrals.md").read_text()
    example = re.search(r"```csv\n(.*?)```", page, re.DOTALL)
    assert example is not None
    pieces = _pieces(tmp_path, example[1])
    assert pieces
    assert all(not piece.faults for piece in pieces)


class _Doors:
    """Counts how many pieces are out at once, and goes away after some."""

    def __init__(self, most: int = 10**9) -> None:
        self.sent: list[Piece] = []
        self.out = self.most_out = 0
        self._most, self._lock = most, threading.Lock()

    def knows(self, _: str) -> bool:
        return True

    def knows_by_message(self, _: Piece, referral_id: str) -> bool:
        return True

    def send(self, piece: Piece) -> Outcome:
        with self._lock:
            self.out += 1
            self.most_out = max(self.most_out, self.out)
        time.sleep(0.001)
        with self._lock:
            self.out -= 1
            if len(self.sent) >= self._most:
                raise Unavailable("away")
            self.sent.append(piece)
        return Outcome(piece, End.STORED, f"ref-{len(self.sent)}", "submitted")


def _run(doors: Any, folder: Path, **given: Any) -> Run:
    return Run(doors, Journal(folder / "journal", "here"), Journal(folder / "journal", "here hl7"), **given)


def test_rows_go_side_by_side_and_messages_one_by_one(tmp_path: Path):
    """A cancellation must not overtake its order; rows are independent, and never more are out than senders."""
    rows = _file(tmp_path, "record_number\n" + "\n".join(map(str, range(60))), "rows")
    messages = _file(tmp_path, "".join(MSH.format(n) + "\r" for n in range(8)), "messages")
    doors = _Doors()
    list(_run(doors, tmp_path, senders=4).over([rows]))
    assert 1 < doors.most_out <= 4
    doors = _Doors()
    list(_run(doors, tmp_path, senders=4).over([messages]))
    assert doors.most_out == 1
    assert [piece.line for piece in doors.sent] == list(range(1, 9))


def test_a_run_that_stopped_goes_on_where_it_was(tmp_path: Path):
    """What was answered is not sent again, what was not is; another system gets everything."""
    rows = _file(tmp_path, "record_number\n" + "\n".join(map(str, range(30))), "rows")
    first = _run(_Doors(most=10), tmp_path, senders=2)
    ends = [outcome.end for outcome in first.over([rows])]
    assert (ends.count(End.STORED), ends.count(End.UNSENT), first.is_stopped) == (10, 20, "away")
    first.journal.close()
    doors = _Doors()
    second = _run(doors, tmp_path)
    ends = [outcome.end for outcome in second.over([rows])]
    assert (ends.count(End.KNOWN), ends.count(End.STORED), len(doors.sent)) == (10, 20, 20)
    assert Journal(tmp_path / "journal", "elsewhere").answer(doors.sent[0].key) is None


def test_a_system_that_was_emptied_gets_everything_again(tmp_path: Path):
    """A journal of what a system no longer has would lose referrals silently."""
    rows = _file(tmp_path, "record_number\n1\n2\n", "rows")
    run = _run(_Doors(), tmp_path)
    assert len(list(run.over([rows]))) == 2
    run.journal.close()

    class Emptied(_Doors):
        def knows(self, _: str) -> bool:
            return False

    doors = Emptied()
    list(_run(doors, tmp_path).over([rows]))
    assert len(doors.sent) == 2


def test_a_system_that_was_set_back_gets_everything_again(tmp_path: Path):
    """A restored system still knows the older referrals: the newest says that something is missing."""
    run = _run(_Doors(), tmp_path)
    rows = _file(tmp_path, "record_number\n1\n2\n3\n", "rows")
    assert len(list(run.over([rows]))) == 3
    run.journal.close()

    class SetBack(_Doors):
        def knows(self, referral_id: str) -> bool:
            return referral_id != "ref-3"

    doors = SetBack()
    list(_run(doors, tmp_path).over([rows]))
    assert len(doors.sent) == 3


def test_a_run_reads_an_earlier_referral_only_where_it_believes_its_journal(tmp_path: Path):
    """Asking for a referral is an entry about its person: once, and never where every piece is new."""

    class Asked(_Doors):
        def knows(self, referral_id: str) -> bool:
            asked.append(referral_id)
            return True

    asked: list[str] = []
    for lines, times in (("1\n2\n", 0), ("3\n", 0), ("4\n1\n2\n3\n", 1)):
        run = _run(Asked(), tmp_path)
        list(run.over([_file(tmp_path, f"record_number\n{lines}", "rows")]))
        run.journal.close()
        assert len(asked) == times


def test_a_file_that_cannot_be_read_is_told_in_a_line(tmp_path: Path):
    """What is gone, or is another user's, is one refused piece; the other files go on."""
    rows = _file(tmp_path, "record_number\n1\n", "rows")
    told = list(_run(_Doors(), tmp_path).over([tmp_path / "gone.csv", rows]))
    assert [one.end for one in told] == [End.REFUSED, End.STORED]
    assert told[0].faults[0].code == "file-unreadable"


def test_messages_are_remembered_whoever_asks(tmp_path: Path):
    """Whose a message is its sender says: another organization at the keyboard forgets nothing; the listener may."""
    messages = _file(tmp_path, "".join(MSH.format(n) + "\r" for n in range(3)), "messages")
    list(_run(_Doors(), tmp_path).over([messages]))

    class Anothers(_Doors):
        def knows(self, _: str) -> bool:
            return False

    again = _run(Anothers(), tmp_path)
    assert [one.end for one in again.over([messages])] == [End.KNOWN] * 3

    class Emptied(Anothers):
        asked = 0

        def knows_by_message(self, _: Piece, referral_id: str) -> bool:
            self.asked += 1
            return False

    doors = Emptied()
    assert [one.end for one in _run(doors, tmp_path).over([messages])] == [End.STORED] * 3
    assert doors.asked == 1


def test_the_journal_holds_no_word_of_what_was_sent(tmp_path: Path):
    """Hashes, ids and states only, in a folder of its owner."""
    rows = _file(tmp_path, "record_number,family_name\nMRN-zyx,Zyxname\n", "rows")
    run = _run(_Doors(), tmp_path)
    list(run.over([rows]))
    run.journal.close()
    folder = tmp_path / "journal"
    assert folder.stat().st_mode & 0o077 == 0
    kept = b"".join(one.read_bytes() for one in folder.iterdir())
    assert b"ref-1" in kept
    assert b"zyx" not in kept.lower()
    assert json.dumps(sorted(BY_NAME)).encode() not in kept
