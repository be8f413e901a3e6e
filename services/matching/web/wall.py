"""What several parts of the board ask of a case."""

from __future__ import annotations

from datetime import datetime

from services.matching.domain.case import ASSIGNED, Case


def is_overdue(case: Case, now: datetime) -> bool:
    """Nobody heard of an arrival that was promised for long enough ago."""
    if not case.assigned_specialist_id or case.state != ASSIGNED:
        return False
    due = case.overdue_at
    return due is not None and due <= now
