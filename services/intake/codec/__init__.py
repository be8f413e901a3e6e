"""Protos on one side, the domain on the other; pure."""

from services.intake.codec.events import Speller, consent_id
from services.intake.codec.protos import (
    assignment_from_proto,
    person_to_proto,
    submission_from_proto,
    summary_to_proto,
)

__all__ = [
    "Speller",
    "assignment_from_proto",
    "consent_id",
    "person_to_proto",
    "submission_from_proto",
    "summary_to_proto",
]
