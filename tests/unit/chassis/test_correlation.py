"""What a caller may put on the bus as its request id: an id, never words."""

from __future__ import annotations

import pytest

from chassis import telemetry

UUID = "0192f3a4-0000-7000-8000-00000000c0de"


@pytest.mark.parametrize("sent", [UUID, UUID.upper(), "req_" + "0a" * 16])
def test_an_id_is_carried_on(sent):
    """A UUID, or an id of ours, travels from the request to the audit entry."""
    with telemetry.correlated(sent) as carried:
        assert carried == sent


@pytest.mark.parametrize("sent", ["", "Quillfeather", "req_quillfeather", UUID + "x", "5185550163"])
def test_words_are_not(sent):
    """A name or a number in X-Request-Id reaches neither the bus nor a log (P9)."""
    with telemetry.correlated(sent) as carried:
        assert carried.startswith("req_")
        assert "quill" not in carried
