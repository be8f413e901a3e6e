"""Which rules may be told to somebody who asks why a specialist was not offered a referral."""

from __future__ import annotations

from collections.abc import Sequence

from services.matching.domain.rules import LIMIT, PREFERENCE, SAFETY, Question
from services.matching.domain.specialist import Specialist

# Stands for a safety exclusion of either side, a limit of their own, and an "avoid" of what they keep to themselves:
# whoever reads it cannot tell which (DOMAIN 4: only the yes/no leaves).
KEPT_APART = "kept-apart"


def told(rules: Sequence[str], asked: Question, specialist: Specialist) -> tuple[str, ...]:
    """The rules as they may be told, each once, in their order."""
    return tuple(dict.fromkeys(KEPT_APART if _is_private(r, asked, specialist) else r for r in rules))


def _is_private(rule: str, asked: Question, specialist: Specialist) -> bool:
    if rule == PREFERENCE:
        return asked.must <= specialist.released and not asked.avoid & specialist.released
    return rule in (SAFETY, LIMIT)
