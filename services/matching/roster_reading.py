"""Opens a roster file of any format Kindred reads: CSV, JSON lines, FHIR Bundles one on each line."""

from __future__ import annotations

from services.matching import roster_fhir
from services.matching.roster_file import RosterFile


def reader(file_format: str) -> RosterFile:
    """What reads a file of this format; raises Refusal INVALID format-unknown."""
    if file_format == "fhir":
        return RosterFile("jsonl", roster_fhir.rows)
    return RosterFile(file_format)
