"""The demonstration's HL7 v2 messages are ones that intake, and somebody else's parser, read as meant."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cli.demo import messages
from cli.demo.people import STORIES, Story
from cli.local.processes import HL7_SOURCES
from services.intake import taxonomy
from services.intake.domain.submission import faults_of
from services.intake.hl7v2 import message, reading, senders

NOW = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
SENT = [story for story in STORIES if story.door == "hl7v2"]


@pytest.mark.parametrize("story", SENT, ids=lambda story: story.key)
def test_a_story_arrives_as_it_was_told(story: Story) -> None:
    """Person, hospital, wishes and consent are read without a fault and without a warning."""
    sent = message.parse(messages.referral(story, "run", NOW))
    header = sent.first("MSH")
    assert header is not None
    sender = senders.read(HL7_SOURCES, "UTC").of(header)
    assert sender.source_id == story.hospital.source_id
    read = reading.read(sent, sender, taxonomy.load(), NOW)
    submission = read.new(sender.source_id, "key")
    assert faults_of(submission, NOW, taxonomy.load().codes) == [] and read.warnings == ()
    assert (submission.person.family_name, submission.person.birth_date) == (story.family, story.birth_date)
    assert {(one.code, one.strength.value) for one in submission.preferences} == set(story.preferences)
    assert (submission.facility_zip, submission.payer_code) == (story.hospital.zip, story.payer)
    assert submission.consent is not None and submission.consent.is_permitted
    assert submission.visit is not None and submission.source_contact.email
