"""The parser: every delimiter, line end, escape and character set that HL7 v2 allows, and what it makes of the rest."""

from __future__ import annotations

import string

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from services.intake.hl7v2 import delimiters as separators
from services.intake.hl7v2 import message, stream
from services.intake.hl7v2.charset import Charset
from services.intake.hl7v2.delimiters import Delimiters
from services.intake.hl7v2.escapes import escaped, unescaped
from services.intake.hl7v2.faults import Unacceptable, located
from services.intake.hl7v2.writing import Pen
from tests.unit.intake.hl7_builders import a_referral, joined, msh

SIGNS = [sign for sign in string.punctuation if sign != '"']
any_delimiters = st.lists(st.sampled_from(SIGNS), min_size=5, max_size=6, unique=True).map(
    lambda signs: Delimiters(*signs)
)
words = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
UTF_8 = Charset("utf-8")


def refused(raw: bytes) -> str:
    """The code the parser refuses with."""
    with pytest.raises(Unacceptable) as caught:
        message.parse(raw)
    return caught.value.code


@given(words, any_delimiters)
def test_what_is_escaped_comes_back(text: str, signs: Delimiters):
    """Any words survive a field, whatever separates its parts, and none of them separates anything."""
    written = escaped(text, signs)
    assert unescaped(written, signs, UTF_8) == text
    held = set(signs.by_letter().values()) - {signs.escape}
    assert not held & set(written.replace(signs.escape, "")) - set("FSTREPX0DA")
    assert "\r" not in written and "\n" not in written


@given(any_delimiters, st.lists(words, min_size=1, max_size=4))
def test_a_message_is_read_as_it_was_written(signs: Delimiters, texts: list[str]):
    """Components written with any set of delimiters are read back one by one."""
    pen = Pen("2.8", signs)
    raw = pen.message([pen.header(("A", "B", "C", "D"), ("REF", "I12"), _now()), pen.segment("ZZZ", texts)])
    read = message.parse(raw)
    assert read.delimiters == signs
    assert [read.text("ZZZ", 1, part) for part in range(1, len(texts) + 1)] == [
        text.strip() for text in texts
    ]


def _now():
    from tests.unit.intake.hl7_builders import NOW

    return NOW


@given(st.binary(max_size=300))
@example(b"MSH")
@example(b"MSH|")
@example(b"\xff\xfeM\x00S\x00H\x00")
@example(b"M\x00S\x00H\x00|\x00^")
def test_any_bytes_are_a_message_or_are_refused(raw: bytes):
    """The parser ends in a message or in a refusal with a code, never in another error."""
    for start in (b"", b"MSH|^~\\&|"):
        try:
            message.parse(start + raw)
        except Unacceptable as refusal:
            assert refusal.faults


@given(st.binary(max_size=400), st.integers(0, 3))
def test_splitting_loses_nothing(noise: bytes, count: int):
    """Every message of a stream is found, whatever stands between."""
    assume(b"MSH" not in noise and not noise.startswith((b"\xff\xfe", b"\xfe\xff")))
    assume(noise[1:2] != b"\0" and noise[:1] != b"\0")
    one = a_referral()
    parts = stream.split(b"\r".join([noise, *[one] * count]))
    assert [part.strip() for part in parts].count(one.strip()) == count


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_every_line_end_ends_a_segment(end: str):
    """CR, LF and CRLF separate segments alike."""
    read = message.parse(joined([msh(), "PID|1||77", "NTE|1||x"], end))
    assert [segment.name for segment in read.segments] == ["MSH", "PID", "NTE"]


def test_a_line_feed_inside_a_field_is_part_of_it():
    """In a message of CRs, an LF that no segment follows belongs to the words."""
    read = message.parse(joined([msh(), "NTE|1||first\nsecond", "PID|1\nPV1|1|E"]))
    assert read.text("NTE", 3) == "first\nsecond"
    assert read.text("PV1", 2) == "E"


def test_marks_before_and_behind_a_message_are_no_part_of_it():
    """A BOM, framing bytes and zeros around a message change nothing."""
    bare = message.parse(a_referral())
    for raw in (
        b"\xef\xbb\xbf" + a_referral(),
        b"\x0b" + a_referral() + b"\x1c\r",
        b"\r\n" + a_referral() + b"\x00\x00\x1a",
    ):
        assert [one.fields for one in message.parse(raw).segments] == [one.fields for one in bare.segments]


def test_trailing_garbage_is_refused_with_its_place():
    """A line that is no segment is not passed over: it may be half of one."""
    with pytest.raises(Unacceptable) as caught:
        message.parse(a_referral() + b"garbage here\r")
    assert (caught.value.code, caught.value.faults[0].path) == ("segment-unreadable", "NTE")


def test_absent_empty_and_null_are_three_things():
    """Nothing said, and "delete", are told apart."""
    pid = message.parse(joined([msh(), 'PID|1||""||A^""^C'])).first("PID")
    assert (pid.is_said(2), pid.is_said(3), pid.is_null(3)) == (False, True, True)
    assert (pid.text(3), pid.text(5, 2), pid.text(5, 3)) == ("", "", "C")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"a\F\b\S\c\T\d\R\e\E\f", "a|b^c&d~e\\f"),
        (r"one\.br\two\.sp\three", "one\ntwo\nthree"),
        (r"\H\loud\N\ again", "loud again"),
        (r"caf\XC3A9\ open", "café open"),
        (r"\X0D\x", "x"),
        (r"\Zwhatever\ stays", r"\Zwhatever\ stays"),
        (r"C:\dir", r"C:\dir"),
        (r"\.in+4\indented\.fi\ ", "indented"),
    ],
)
def test_escape_sequences_mean_what_the_standard_says(written: str, meant: str):
    """Delimiters, hexadecimal, lines and highlighting; an unknown sequence stays as it came."""
    assert message.parse(joined([msh(), f"NTE|1||{written}"])).text("NTE", 3) == meant


def test_the_truncation_sign_of_version_2_7_is_one_more_delimiter():
    """MSH-2 may have a fifth sign, and its escape is P."""
    raw = joined([msh().replace("^~\\&", "^~\\&#"), r"NTE|1||a\P\b"])
    assert message.parse(raw).text("NTE", 3) == "a#b"


@pytest.mark.parametrize(
    ("sign", "written", "meant"),
    [
        ("", "Nuñez".encode(), "Nuñez"),
        ("", "Nuñez".encode("latin-1"), "Nuñez"),
        ("UNICODE UTF-8", "Łucja".encode(), "Łucja"),
        ("8859/2", "Łucja".encode("iso8859-2"), "Łucja"),
        ("8859/15", "5 €".encode("iso8859-15"), "5 €"),
        ("ASCII", b"Plain", "Plain"),
    ],
)
def test_the_character_set_is_what_the_sender_declares(sign: str, written: bytes, meant: str):
    """MSH-18 decides; without it UTF-8 where the bytes are that, else ISO 8859-1."""
    raw = joined([msh(charset=sign)]) + b"PID|1||7||" + written + b"\r"
    assert message.parse(raw).text("PID", 5) == meant


def test_utf_16_is_known_by_its_mark():
    """A file in UTF-16 is read, and its answer would be written in it."""
    raw = "﻿".encode("utf-16-le") + joined([msh(), "PID|1||7||Łucja"]).decode().encode("utf-16-le")
    read = message.parse(raw)
    assert (read.text("PID", 5), read.charset.codec) == ("Łucja", "utf-16-le")


@pytest.mark.parametrize("sign", ["ISO IR87", "GB 18030-2000", "IBM037", "8859/1~ISO IR87", "UNICODE UTF-32"])
def test_a_character_set_we_cannot_read_is_refused(sign: str):
    """Nothing is guessed where the sender said what it is."""
    assert refused(joined([msh(charset=sign), "PID|1"])) == "character-set-unsupported"


def test_bytes_that_belie_the_declared_character_set_are_refused():
    """ASCII has no ñ."""
    assert refused(joined([msh(charset="ASCII"), "PID|1||||Nuñez"])) == "character-set-broken"


@pytest.mark.parametrize("signs", ["||~\\&", "^^~\\&", "A~\\&", "^~ &", '^~"&', "^~\\&#!", ""])
def test_delimiters_that_cannot_be_told_apart_are_refused(signs: str):
    """Doubled signs, letters, spaces and quotation marks separate nothing."""
    with pytest.raises(Unacceptable):
        separators.declared(f"MSH|{signs}|A|B")


def test_an_escape_sign_written_twice_is_read_as_one():
    r"""Some programs write ^~\\& where they mean ^~\&."""
    assert separators.declared("MSH|^~\\\\&|A") == Delimiters()


def test_a_message_without_msh_is_refused():
    """Whatever does not begin with MSH is no message."""
    assert refused(b"PID|1||7\r") == "message-unreadable"


def test_envelopes_of_a_batch_are_no_messages():
    """FHS, BHS, BTS and FTS hold messages together; what is in them comes out one by one."""
    one, other = a_referral(control_id="1").strip(), a_referral(control_id="2").strip()
    batch = b"\r\n".join([b"FHS|^~\\&|A", b"BHS|^~\\&|A", one, other, b"BTS|2", b"FTS|1", b""])
    assert stream.split(batch) == [one, other]


def test_framed_messages_of_a_recorded_stream_come_out_one_by_one():
    """MLLP's bytes around each message are no part of it, and neither is a BOM."""
    one, other = a_referral(control_id="1").strip(), a_referral(control_id="2").strip()
    framed = b"".join(b"\x0b\xef\xbb\xbf" + part + b"\r\x1c\r" for part in (one, other))
    assert stream.split(framed) == [one, other]


def test_messages_that_share_a_block_come_out_one_by_one():
    """The second patient of a block is discharged too: nothing behind a first message is passed over unseen."""
    one, other = a_referral(control_id="1").strip(), a_referral(control_id="2").strip()
    assert stream.of_block(one + b"\r" + other + b"\r") == [one, other]
    assert stream.of_block(b"BHS|^~\\&|A\r" + one + b"\rBTS|1\r") == [one]


@pytest.mark.parametrize(
    "block", [b"MSH|^~\\&|A\rNTE|1||MSH MSH", b"noise\rMSH|^~\\&|A\rMSH|^~\\&|B", b"BTS|1", b"x"]
)
def test_a_block_that_is_no_row_of_messages_stays_one(block):
    """Words in a field begin no message, and what begins with something else is refused as a whole."""
    assert stream.of_block(block) == [block]


def test_what_is_no_message_is_handed_over_to_be_refused():
    """A file of something else is one thing that will be refused; an empty one is none."""
    assert stream.split(b"not hl7") == [b"not hl7"]
    assert stream.split(b" \r\n") == []


def test_an_ampersand_is_found_below_a_component():
    """Subcomponents are counted from one."""
    read = message.parse(joined([msh(), "PID|1||7^^^A&1.2&ISO"]))
    assert [read.first("PID").text(3, 4, part) for part in (1, 2, 3)] == ["A", "1.2", "ISO"]


def test_a_place_is_told_in_hl7s_own_numbers():
    """A path is segment, which of them, field, repetition, component."""
    place = located("PID[2]-5[3].1.2")
    assert (place.segment, place.sequence, place.field, place.repetition) == ("PID", "2", "5", "3")
    assert (place.component, place.subcomponent) == ("1", "2")
    assert located("leaves_at").segment == ""
