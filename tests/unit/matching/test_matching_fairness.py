"""The fairness report, checked against a case counted by hand; small numbers are withheld whatever they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.matching.domain import fairness
from services.matching.domain.case import ACCEPTED, ENDED, UNFILLED, Case, Handoff, Offer
from services.matching.domain.fairness import FEWEST_SHOWN, FIGURES, report
from services.matching.domain.need import Need

CAME = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)


def _offer(number: int, minutes: float | None, state: str = ACCEPTED) -> Offer:
    answered = CAME + timedelta(minutes=minutes) if minutes is not None else None
    return Offer(
        offer_id=f"off_{number}",
        specialist_id=f"s{number}",
        programme_id="bronx-peers",
        time_zone="America/New_York",
        wave=1,
        made_at=CAME,
        deadline_at=CAME,
        terms=(),
        ways=frozenset(),
        token_sha256=b"",
        state=state if minutes is not None else "expired",
        answered_at=answered,
    )


def _case(number: int, language: str, minutes: float | None = None, **facts: object) -> Case:
    """A referral that two were asked for; somebody said yes after so many minutes, or nobody did."""
    codes = frozenset(facts.pop("codes", ()))
    need = Need(
        f"ref_{number}", f"peer_{number}", "st-brigid", "immediate", experience=codes, languages=(language,)
    )
    state = "assigned" if minutes is not None else UNFILLED
    return Case(need, CAME, state=state, offers=(_offer(number, minutes), _offer(number, None)), **facts)


def _by_hand() -> list[Case]:
    """24 in English: 12 yes after 2 minutes, 12 after 20.  24 in Spanish: 12 yes after 30 minutes, 12 nobody."""
    met = Handoff("met", "bedside", CAME, "k")
    return [
        *(_case(n, "en", 2, handoff=met) for n in range(12)),
        *(_case(n, "en", 20) for n in range(12, 24)),
        *(_case(n, "es", 30) for n in range(24, 36)),
        *(_case(n, "es") for n in range(36, 48)),
    ]


def test_the_report_is_what_was_counted_by_hand():
    """48 referrals: 36 yes, 12 in time, 12 unfilled, 12 met; English waits 20 minutes at the median, Spanish 30."""
    found = report(_by_hand())
    assert {f: found.total.counts[f] for f in ("referrals", "yes", "in-time", "unfilled", "met")} == {
        "referrals": 48,
        "yes": 36,
        "in-time": 12,
        "unfilled": 12,
        "met": 12,
    }
    table = next(one for one in found.tables if one.dimension == "language")
    rows = {row.group: row for row in table.rows}
    assert (rows["en"].counts["yes"], rows["es"].counts["yes"]) == (24, 12)
    assert (rows["en"].counts["unfilled"], rows["es"].counts["unfilled"]) == (0, 12)
    assert (rows["en"].median_min, rows["es"].median_min) == (20.0, 30.0)
    assert rows["es"].share("unfilled") == 0.5
    assert found.total.offers_per_yes == 2.7  # 96 asked for 36 yes
    assert len(found.behind("language", "es", "unfilled")) == 12
    assert found.behind("language", "xx", "unfilled") == []


def test_a_group_of_ten_and_what_would_give_it_away_are_withheld():
    """Ten in Russian hide beside the next smallest group; no figure of either is told, and none opens its referrals."""
    cases = [*_by_hand(), *(_case(n, "ru") for n in range(100, 110))]
    found = report(cases)
    table = next(one for one in found.tables if one.dimension == "language")
    rows = {row.group: row for row in table.rows}
    assert set(rows["ru"].counts.values()) == {None} and rows["ru"].median_min is None
    hidden = [group for group, row in rows.items() if row.counts["referrals"] is None]
    assert len(hidden) == 2
    assert found.behind("language", "ru", "referrals") == []


def test_what_nearly_all_share_is_withheld_too():
    """Eleven of twelve said yes: to tell it tells of the one."""
    found = report([*(_case(n, "en", 5) for n in range(11)), _case(11, "en")])
    assert found.total.counts["referrals"] == 12 and found.total.counts["yes"] is None


def test_an_identity_is_what_was_told_and_never_a_wish():
    """Of two ethnicities told the group is "several", of none "not said", whatever was wished for."""
    need = Need("ref_1", "peer_1", "st-brigid", "urgent", preferences={"ethnicity.black": "strong"})
    assert fairness.story(Case(need, CAME)).groups["ethnicity"] == "not-said"
    told = _case(1, "en", codes=("ethnicity.black", "ethnicity.white", "gender.woman", "gender"))
    assert fairness.story(told).groups["ethnicity"] == "several"
    assert fairness.story(told).groups["gender"] == "gender.woman"


def test_an_assignment_that_ended_keeps_the_moment_of_its_yes():
    """What a case came to later does not change how long somebody waited."""
    one = _case(1, "en")
    ended = Case(one.need, CAME, offers=(_offer(1, 7, ENDED),))
    assert fairness.story(ended).wait == timedelta(minutes=7)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["en", "es", "ru", "zh"]), st.none() | st.integers(0, 90)), max_size=90
    )
)
def test_no_small_count_can_be_read_or_computed(drawn):
    """Of every figure of every table: no 1 to 10 is shown, and what is hidden together is never 1 to 10."""
    found = report([_case(n, language, minutes) for n, (language, minutes) in enumerate(drawn)])
    groups = {row.group: row for table in found.tables if table.dimension == "language" for row in table.rows}
    for figure in FIGURES:
        counts = {group: row.counts[figure] for group, row in groups.items()}
        shown = [count for count in counts.values() if count is not None]
        assert not any(0 < count < FEWEST_SHOWN for count in shown)
        total = found.total.counts[figure]
        if total is not None and len(shown) < len(counts):
            rest = total - sum(shown)
            assert rest == 0 or rest >= FEWEST_SHOWN, (figure, counts, total)
            assert rest == 0 or len(counts) - len(shown) > 1
    for row in (found.total, *groups.values()):
        yes, in_time = row.counts["yes"], row.counts["in-time"]
        assert yes is None or in_time is None or not 0 < yes - in_time < FEWEST_SHOWN
