"""Protos on one side, the domain on the other; pure."""

from services.intake.codec.consents import disclosure_to_proto
from services.intake.codec.events import Speller, consent_id
from services.intake.codec.protos import (
    assignment_from_proto,
    criteria_of,
    handoff_from_proto,
    page_to_proto,
    summary_to_proto,
    unmapped_to_proto,
    word_from_proto,
)
from services.intake.codec.rules import check, faults_of
from services.intake.codec.submissions import person_to_proto, submission_from_proto, submission_to_proto
from services.intake.codec.words import moment

__all__ = [
    "Speller",
    "assignment_from_proto",
    "check",
    "consent_id",
    "criteria_of",
    "disclosure_to_proto",
    "faults_of",
    "handoff_from_proto",
    "moment",
    "page_to_proto",
    "person_to_proto",
    "submission_from_proto",
    "submission_to_proto",
    "summary_to_proto",
    "unmapped_to_proto",
    "word_from_proto",
]
