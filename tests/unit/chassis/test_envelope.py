"""The envelope: what goes out comes back; what is malformed is named, never guessed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.envelope import PREFIX, Envelope, Undecodable, from_amqp, to_amqp

text = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=60)
traceparents = st.one_of(
    st.just(""), st.from_regex(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", fullmatch=True)
)
moments = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)).map(  # noqa: DTZ001
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000, tzinfo=UTC)
)
envelopes = st.builds(
    Envelope,
    id=text,
    type=st.sampled_from(["offer.made.v1", "referral.status-changed.v12"]),
    source=text,
    time=moments,
    aggregate_id=text,
    aggregate_seq=st.integers(0, 2**62),
    producer_seq=st.integers(0, 2**62),
    correlation_id=text,
    causation_id=st.one_of(st.just(""), text),
    traceparent=traceparents,
    data=st.binary(max_size=200),
)
junk = st.one_of(st.none(), st.integers(), st.text(max_size=300), st.binary(max_size=10), st.booleans())


@given(envelopes)
def test_what_goes_out_comes_back(envelope):
    """An envelope survives the wire unchanged."""
    properties, headers = to_amqp(envelope)
    assert from_amqp(properties, headers, envelope.data) == envelope


@given(envelopes, st.dictionaries(text, junk, max_size=4))
def test_unknown_attributes_do_not_disturb(envelope, extra):
    """A newer producer's attributes do not break an older listener (P10)."""
    properties, headers = to_amqp(envelope)
    added = {f"{PREFIX}x{key}": value for key, value in extra.items()}
    assert from_amqp(properties, {**headers, **added}, envelope.data) == envelope


@given(envelopes, st.data())
def test_junk_is_refused_by_name(envelope, data):
    """Whatever stands in a header, decoding gives an envelope or names the attribute; it never raises otherwise."""
    properties, headers = to_amqp(envelope)
    key = data.draw(st.sampled_from(sorted(headers)))
    try:
        from_amqp(properties, {**headers, key: data.draw(junk)}, envelope.data)
    except Undecodable as exc:
        assert exc.reason == key.removeprefix(PREFIX)


@pytest.mark.parametrize(
    "name",
    [
        "specversion",
        "id",
        "type",
        "source",
        "time",
        "subject",
        "aggregateseq",
        "producerseq",
        "correlationid",
    ],
)
def test_each_required_attribute_is_missed_by_name(name):
    """A missing attribute is named."""
    envelope = Envelope(
        "e", "offer.made.v1", "matching", datetime(2026, 1, 1, tzinfo=UTC), "a", 1, 1, "c", "", "", b""
    )
    properties, headers = to_amqp(envelope)
    del headers[PREFIX + name]
    with pytest.raises(Undecodable, match=name):
        from_amqp(properties, headers, b"")
