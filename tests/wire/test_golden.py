"""Stored samples of every event version, read by today's code (P10)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from google.protobuf import json_format

from chassis import catalog
from chassis.envelope import from_amqp

GOLDEN = Path(__file__).parent / "golden"
SAMPLES = sorted(GOLDEN.glob("*.json"))


def test_every_event_version_has_a_sample():
    """An event without a stored sample could change unseen."""
    assert {path.stem for path in SAMPLES} >= set(catalog.all_types())


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_an_old_event_is_read_as_it_was_meant(path):
    """What was written then reads the same today, field by field."""
    sample = json.loads(path.read_text())
    envelope = from_amqp(sample["properties"], sample["headers"], bytes.fromhex(sample["body_hex"]))
    assert envelope.type == path.stem
    message = catalog.message_class(envelope.type).FromString(envelope.data)
    assert json_format.MessageToDict(message, preserving_proto_field_name=True) == sample["reads_as"]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_field_from_the_future_does_not_disturb(path):
    """An event with a field this version does not know is read, and keeps what it knows."""
    sample = json.loads(path.read_text())
    future_field = b"\xba\x3e\x03new"  # field 999, length-delimited
    body = bytes.fromhex(sample["body_hex"]) + future_field
    message = catalog.message_class(path.stem).FromString(body)
    message.DiscardUnknownFields()
    assert json_format.MessageToDict(message, preserving_proto_field_name=True) == sample["reads_as"]
