"""ATNA: frames out of a stream of bytes, headers off them, and DICOM's audit message as FHIR's."""

from __future__ import annotations

import base64
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.settings import SettingsFaults, read
from services.audit.atna.door import AtnaSettings
from services.audit.atna.frames import MOST_BYTES, Frame, frames, said
from services.audit.atna.messages import ORIGINAL, NoAuditMessage, converted
from services.audit.fhir import profiles
from services.audit.search import marks
from tests.atna_messages import HEADER, QUERIED, SHOWN, counted


def of(stream: bytes) -> list[Frame]:
    """The stream's frames."""
    return list(frames(io.BytesIO(stream)))


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=60), st.booleans()), max_size=6))
@settings(max_examples=60)
def test_whatever_was_framed_comes_out_whole_and_in_order(messages):
    """By octet count any bytes; by line what begins with a priority and has no line break: mixed on one connection."""
    lines = [(b"<85>" + one.replace(b"\n", b"").replace(b"\r", b""), is_line) for one, is_line in messages]
    stream = b"".join(one + b"\n" if is_line else counted(one) for one, is_line in lines)
    assert [frame.content for frame in of(stream)] == [one for one, _ in lines]
    assert not any(frame.is_odd or frame.is_cut for frame in of(stream))


@given(st.binary(max_size=80))
@settings(max_examples=80)
def test_no_stream_of_bytes_breaks_the_reader(noise):
    """Whatever comes is handed on, flagged, or the end."""
    for frame in of(noise):
        said(frame)


def test_a_message_beyond_the_limit_is_cut_and_the_next_one_is_whole():
    """Nothing is refused for its length, and nothing after it is lost."""
    long = b"<85>" + b"x" * (MOST_BYTES + 70_000)
    for stream in (counted(long) + counted(b"next"), long + b"\n" + counted(b"next")):
        first, second = of(stream)
        assert first.is_cut and abs(len(first.content) - MOST_BYTES) <= 1
        assert second == Frame(b"next")


def test_a_header_is_taken_off_and_its_absence_is_seen():
    """RFC 5424 with and without structured data and byte order mark; old BSD syslog has no such header."""
    for header in (HEADER, b'<13>1 - host app - ID [a@1 b="c\\]d"] '):
        found = said(Frame(header + SHOWN))
        assert found.has_header and found.content == SHOWN
    assert said(Frame(HEADER + SHOWN)).application == "PACS1"
    assert not said(Frame(b"<13>Nov 21 22:00:04 host app: " + SHOWN)).has_header


@pytest.mark.parametrize(("message", "odd"), [(SHOWN, []), (QUERIED, ["no-time-zone"])])
def test_a_dicom_message_is_an_r4_audit_event_with_the_original_inside(message, odd):
    """Both spellings, with and without a zone: conforming R4, and every byte that came."""
    document, flags = converted(message)
    assert profiles.faults_of(document) == [] and flags == odd
    original = next(one for one in document["extension"] if one["url"] == ORIGINAL)
    assert base64.b64decode(original["valueBase64Binary"]) == message


def test_what_a_pacs_says_is_found_by_what_an_officer_asks():
    """Person, user, address, site, purpose and study are where FHIR's search parameters look."""
    document, _ = converted(SHOWN)
    found = marks.marks(document)
    for wanted in (
        ("patient", "975cac30"), ("agent", "dr-lund"), ("altid", "1203"), ("site", "st-brigid"),
        ("type", "110103"), ("entity", "2.999.77.1"),
    ):  # fmt: skip
        assert wanted in found, wanted
    query, _ = converted(QUERIED)
    assert query["entity"][0]["query"] == "UGF0aWVudA==" and "name" not in query["entity"][0]


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"<AuditMessage>",
        b"<Other/>",
        b"<AuditMessage/>",
        b"<!DOCTYPE a><AuditMessage/>",
        '<!DOCTYPE a [<!ENTITY b "c">]><AuditMessage>&b;</AuditMessage>'.encode("utf-16"),
        b"\xff\xfe",
        b"{}",
    ],
)
def test_what_is_no_audit_message_is_told_and_never_parsed_on(message):
    """Other documents, broken ones, and documents that declare entities."""
    with pytest.raises(NoAuditMessage):
        converted(message)


def test_the_door_does_not_open_without_certificates(tmp_path):
    """Nobody is heard who has not shown a certificate of our authority."""
    environ = {
        "KINDRED_MONGO_URI": "mongodb://x/", "KINDRED_MONGO_DATABASE": "d", "KINDRED_AMQP_URI": "amqp://x/",
        "KINDRED_KEYS_DIR": str(tmp_path),
    }  # fmt: skip
    with pytest.raises(SettingsFaults) as told:
        read(AtnaSettings, environ)
    assert "KINDRED_AUDIT_ATNA_TLS_CLIENT_CA is needed" in str(told.value)
