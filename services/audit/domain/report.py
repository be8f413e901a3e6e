"""What a check of the log found."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.audit.domain import sequences
from services.audit.domain.entry import Finding

# A log that is wrong everywhere is said to be so; the answer must fit into one message.
MOST_FINDINGS = 1_000


@dataclass
class Report:
    """What a check found. `missing` holds, per producer, the sequence ranges that never came."""

    tree_size: int = 0
    entries_checked: int = 0
    findings: list[Finding] = field(default_factory=list)
    producers: dict[str, sequences.Ranges] = field(default_factory=dict)
    # Of periods that were deleted under the retention policy; and entries whose subject was erased.
    pruned_sequences: dict[str, sequences.Ranges] = field(default_factory=dict)
    erased: int = 0

    def note(self, code: str, index: int = -1, detail: str = "") -> None:
        """One more thing is wrong; beyond MOST_FINDINGS only that there is more."""
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(Finding(code, index, detail))
        elif len(self.findings) == MOST_FINDINGS:
            self.findings.append(Finding("more-findings", -1, "the rest is not listed"))

    def take(self, part: Report, log: str = "", first: int = 0) -> None:
        """What a check of one log found is part of this; indexes are numbered through all logs."""
        self.entries_checked += part.entries_checked
        self.erased += part.erased
        for each in part.findings:
            index = each.index + first if each.index >= 0 else each.index
            self.note(each.code, index, f"{log}: {each.detail}" if log else each.detail)
