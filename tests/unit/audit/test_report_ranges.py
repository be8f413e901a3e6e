"""Of what time a report speaks where nobody said from when, and what a day at its end means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from chassis.errors import Refusal
from services.audit.reports import catalog

NOW = datetime(2026, 11, 22, 19, 0, tzinfo=UTC)
BEGINS = datetime(2021, 3, 4, 5, 6, tzinfo=UTC)


def told(name: str, **given: str) -> catalog.Told:
    given = {"from": given.pop("since", ""), **given}
    report = catalog.report_named(name)
    return catalog.told(report, {k: v for k, v in given.items() if v}, NOW, {}, {}, begins=BEGINS)


@pytest.mark.parametrize(
    ("name", "given", "since"),
    [
        ("who-saw-person", {"person": "peer_1"}, BEGINS.replace(hour=0, minute=0)),
        ("what-user-saw", {"user": "nurse-1"}, NOW - timedelta(days=30)),
        ("break-glass", {}, NOW - timedelta(days=30)),
        ("accounting-of-disclosures", {"person": "peer_1"}, NOW - timedelta(days=6 * 366)),
        ("part2-accounting", {"person": "peer_1"}, NOW - timedelta(days=3 * 366)),
    ],
)
def test_who_ever_saw_a_person_is_asked_of_the_whole_log(name, given, since):
    """A person means ever; the law its years; an officer's detection the last month."""
    assert (told(name, **given).since, told(name, **given).until) == (since, NOW)


def test_a_day_that_a_range_ends_with_is_in_it():
    """To say "until the 21st" means the 21st too; a moment is a moment."""
    assert told("break-glass", since="2026-11-01", until="2026-11-21").until == NOW.replace(hour=0)
    assert told("break-glass", until="2026-11-21T10:00").until == datetime(2026, 11, 21, 10, tzinfo=UTC)
    assert told("who-saw-person", person="p", until="2020-01-01").since < BEGINS
    assert told("who-saw-person", person="p", until="2021-03-04").since == BEGINS.replace(hour=0, minute=0)


@pytest.mark.parametrize("text", ["nonsense", "2026-02-31", "0001-01-01T00:00+14:00", "9999-12-31"])
def test_a_time_that_cannot_be_read_is_named(text):
    """With the parameter's name, never its value."""
    with pytest.raises(Refusal) as refused:
        told("break-glass", until=text, since="2026-01-01")
    assert [fault.path for fault in refused.value.faults] == ["until"]
