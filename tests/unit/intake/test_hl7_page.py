"""The page for hospitals says what the code does: its example is a referral, its tables name everything."""

from __future__ import annotations

import re
from pathlib import Path

from services.intake.domain.submission import Strength, faults_of
from services.intake.hl7v2 import topics
from services.intake.hl7v2.events import ACTS
from services.intake.hl7v2.status import STATUS
from services.intake.taxonomy import load
from tests.unit.intake.hl7_builders import NOW, SOURCE, read

PAGE = Path(__file__).resolve().parents[3] / "docs/connect-your-hospital.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_the_example_is_a_referral_that_is_taken():
    """Whoever copies the first message of the page sends a whole referral."""
    sent = re.findall(r"```text\n(MSH.*?)```", TEXT, re.DOTALL)[0]
    reading = read(sent.encode())
    told = reading.new(SOURCE, "key")
    assert reading.warnings == ()
    assert faults_of(told, NOW, load().codes) == []
    assert told.visit is None and told.arrived_at is not None
    assert (told.person.given_name, told.languages, told.facility_zip) == ("WREN", ("es",), "12208")
    assert [(one.code, one.strength) for one in told.preferences] == [("military.veteran", Strength.STRONG)]


def test_every_topic_is_on_the_page():
    """A topic that nobody can read about does not exist."""
    rows = TEXT.partition("| topic | values |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`([a-z-]+)`", "\n".join(row.split("|")[1] for row in rows.splitlines() if row)))
    spelled = {f"preference{one}" if one.startswith("-") else one for one in named}
    assert spelled == topics.TOPICS


def test_every_state_and_message_is_on_the_page():
    """The states stand beside the status they are sent with; every message that does something is described."""
    for status, text in re.findall(r"^\| ([PARE]) \w+ \| (.*) \|$", TEXT, re.MULTILINE):
        assert {state.value for state, code in STATUS.items() if code == status} == set(
            re.findall(r"`([a-z-]+)`", text)
        )
    assert [event for _, event in ACTS if event not in TEXT] == []
