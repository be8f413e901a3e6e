"""Every promise the demonstration shows, as a named check with its evidence."""

from cli.demo.promises import record, referrals
from cli.demo.promises.seen import Seen, Verdict, read_mails

__all__ = ["Seen", "Verdict", "judge", "read_mails"]

PROMISES = (
    referrals.ended_as_expected,
    referrals.nothing_lost,
    referrals.refused_without_trace,
    referrals.one_visit_one_referral,
    referrals.one_winner,
    referrals.capacity,
    referrals.wishes_kept,
    referrals.explanations_add_up,
    referrals.waves_expire,
    record.noticed_once,
    record.source_is_told,
    record.stopped_is_silent,
    record.audited_once,
    record.reads_are_entries,
    record.denied_is_an_entry,
    record.unreadable,
    record.log_verifies,
)


def judge(seen: Seen) -> list[Verdict]:
    """All promises, in the order they are told."""
    return [promise(seen) for promise in PROMISES]
