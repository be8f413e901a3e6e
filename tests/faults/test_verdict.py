"""The checker sees what it is there to see: each loss, double and gap, made in evidence that is whole otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.journal import ACCEPT, READ, SUBMIT, TOLD, TRIED, UNKNOWN, Journal, read
from tests.faults.verdict import Case, Evidence, Load, Notice, Said, Verdict, judge

NOTICE = Notice("not-1", "ref-1", "offer-made", "off-1", "spec-1", "sent", possible_repeats=0, arrived=1)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """One referral: told after one answer that never came, accepted, read once."""
    journal = Journal(tmp_path / "journal.jsonl", now=lambda: 0.0)
    journal.write(SUBMIT, TRIED, visit="v-1")
    journal.write(SUBMIT, UNKNOWN, visit="v-1", code="UNAVAILABLE")
    journal.write(SUBMIT, TRIED, visit="v-1")
    journal.write(SUBMIT, TOLD, visit="v-1", referral="ref-1")
    journal.write(ACCEPT, TOLD, referral="ref-1", specialist="spec-1")
    journal.write(READ, TOLD, actor="nurse", referral="ref-1")
    return journal


def evidence() -> Evidence:
    """What a system that did everything right holds of it."""
    return Evidence(
        stored={"ref-1": "v-1"},
        cases={"ref-1": Case("ref-1", "assigned", "spec-1", {"off-1": ("spec-1", "accepted")})},
        said=[
            Said("e-1", "referral.submitted.v1", "ref-1", 1, "intake"),
            Said("e-2", "offer.made.v1", "ref-1", 1, "matching"),
            Said("e-3", "offer.accepted.v1", "ref-1", 2, "matching"),
        ],
        audited={"e-1", "e-2", "e-3"},
        reads_audited=Counter({("nurse", "ref-1"): 1}),
        notices=[NOTICE],
        loads=[Load("spec-1", 1_000, 5_000, 1_000)],
        heard=[("intake/ref-1", 1), ("matching/ref-1", 1), ("matching/ref-1", 1), ("matching/ref-1", 2)],
    )


def test_a_whole_run_is_clean_and_its_duplicate_is_counted(journal: Journal):
    """Nothing is wrong; what came twice and was absorbed is told, and is no fault."""
    verdict = judge(journal, evidence())
    assert verdict == Verdict(absorbed=1)
    assert verdict.is_clean


def test_an_answer_that_never_came_is_no_loss(journal: Journal):
    """A visit that was tried and never told may be there or not."""
    journal.write(SUBMIT, TRIED, visit="v-2")
    assert judge(journal, evidence()).is_clean


def without_case(found: Evidence) -> None:
    found.cases.clear()


def lost_at_intake(found: Evidence) -> None:
    found.stored.clear()


def somebody_elses(found: Evidence) -> None:
    found.cases["ref-1"] = replace(found.cases["ref-1"], assigned_to="spec-2")


def two_winners(found: Evidence) -> None:
    offers = {"off-1": ("spec-1", "accepted"), "off-2": ("spec-2", "accepted")}
    found.cases["ref-1"] = replace(found.cases["ref-1"], offers=offers)
    found.notices.append(replace(NOTICE, notice_id="not-2", about="off-2", recipient="spec-2"))


def stored_twice(found: Evidence) -> None:
    found.stored["ref-2"] = "v-1"
    found.cases["ref-2"] = Case("ref-2", "assigned", "spec-1", {})


def one_number_twice(found: Evidence) -> None:
    found.said.append(Said("e-4", "offer.declined.v1", "ref-1", 2, "matching"))
    found.audited.add("e-4")


def submitted_twice(found: Evidence) -> None:
    found.said.append(Said("e-4", "referral.submitted.v1", "ref-1", 3, "intake"))
    found.audited.add("e-4")
    found.heard.append(("intake/ref-1", 3))


def marked_and_never_sent(found: Evidence) -> None:
    found.heard = [("intake/ref-1", 1)]


def never_published(found: Evidence) -> None:
    found.said[0] = replace(found.said[0], is_published=False)


def parked(found: Evidence) -> None:
    found.parked = 1


def nobody_told(found: Evidence) -> None:
    found.notices.clear()


def notice_waits(found: Evidence) -> None:
    found.notices[0] = replace(NOTICE, state="due", arrived=0)


def mail_vanished(found: Evidence) -> None:
    found.notices[0] = replace(NOTICE, arrived=0)


def mail_twice(found: Evidence) -> None:
    found.notices[0] = replace(NOTICE, arrived=2)


def notice_twice(found: Evidence) -> None:
    found.notices.append(replace(NOTICE, notice_id="not-2"))


def swapped(found: Evidence) -> None:
    found.heard = [("intake/ref-1", 1), ("matching/ref-1", 1), ("matching/ref-1", 3), ("matching/ref-1", 2)]


def too_much(found: Evidence) -> None:
    found.loads[0] = Load("spec-1", 6_000, 5_000, 6_000)


def phantom_load(found: Evidence) -> None:
    found.loads[0] = Load("spec-1", 2_000, 5_000, 1_000)


def unaudited(found: Evidence) -> None:
    found.audited.discard("e-3")


def read_unaudited(found: Evidence) -> None:
    found.reads_audited.clear()


def gap(found: Evidence) -> None:
    found.gaps.append("intake misses [3]")


def broken_log(found: Evidence) -> None:
    found.log_findings.append("leaf-changed at 3")


SPOILED: list[tuple[Callable[[Evidence], None], str]] = [
    (lost_at_intake, "lost"),
    (somebody_elses, "lost"),
    (without_case, "missing"),
    (never_published, "missing"),
    (marked_and_never_sent, "missing"),
    (parked, "missing"),
    (nobody_told, "missing"),
    (notice_waits, "missing"),
    (mail_vanished, "missing"),
    (two_winners, "double"),
    (stored_twice, "double"),
    (one_number_twice, "double"),
    (submitted_twice, "double"),
    (mail_twice, "double"),
    (notice_twice, "double"),
    (swapped, "out_of_order"),
    (too_much, "over_capacity"),
    (phantom_load, "over_capacity"),
    (unaudited, "unaudited"),
    (read_unaudited, "unaudited"),
    (gap, "unaudited"),
    (broken_log, "unaudited"),
]


@pytest.mark.parametrize(("spoil", "where"), SPOILED, ids=[spoil.__name__ for spoil, _ in SPOILED])
def test_each_fault_is_seen_and_called_by_its_name(journal: Journal, spoil: Callable, where: str):
    """Evidence that is wrong in one place is not clean, and that place is named."""
    found = evidence()
    spoil(found)
    verdict = judge(journal, found)
    assert verdict.counts()[where] > 0
    assert not verdict.is_clean


def test_one_key_that_was_answered_with_two_ids_is_a_double(journal: Journal):
    """A retry must be told what the first try made."""
    journal.write(SUBMIT, TOLD, visit="v-1", referral="ref-2")
    found = evidence()
    found.stored["ref-2"] = "v-9"
    found.cases["ref-2"] = Case("ref-2", "assigned", "spec-1", {})
    assert judge(journal, found).double


def test_a_journal_outlives_its_writer(journal: Journal, tmp_path: Path):
    """Each line is in the file when it was written, and only ever added to."""
    rows = read(tmp_path / "journal.jsonl")
    assert [row["outcome"] for row in rows] == [TRIED, UNKNOWN, TRIED, TOLD, TOLD, TOLD]
    again = Journal(tmp_path / "journal.jsonl")
    again.write(SUBMIT, TRIED, visit="v-3")
    assert len(read(tmp_path / "journal.jsonl")) == len(rows) + 1
