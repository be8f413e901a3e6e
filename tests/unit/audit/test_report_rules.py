"""The rules of the reports, each on a few entries that read like what happened."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from services.audit.domain import rules
from services.audit.domain.sights import Sight

NOON = datetime(2026, 11, 18, 17, 0, tzinfo=UTC)  # a Wednesday, noon in New York


class Story:
    """Entries one after the other."""

    def __init__(self) -> None:
        self.sights: list[Sight] = []

    def add(self, actor: str, *, person: str = "rosa", minutes: float = 1, **more) -> int:
        """One more entry, so many minutes after the last; a nurse's read unless said otherwise."""
        at = (self.sights[-1].at if self.sights else NOON) + timedelta(minutes=minutes)
        given = {
            "role": "nurse",
            "organization": "st-brigid",
            "purpose": "TREAT",
            "event_type": "record.read.v1",
            "action": "R",
            "record_type": "Referral",
        } | more
        self.sights.append(Sight(len(self.sights), at, actor, person=person, **given))
        return len(self.sights) - 1


def numbers(findings) -> list[int]:
    """The entries that were found."""
    return [each.number for each in findings]


def test_a_read_by_the_hospital_that_referred_needs_no_question_and_by_another_does():
    """The submission connects the hospital, an offer its specialist; before that, and anybody else, is found."""
    story = Story()
    early = story.add("nurse-17")
    story.add("client:ehr", event_type="referral.submitted.v1", action="C", role="system")
    story.add("nurse-17")
    other = story.add("nurse-99", organization="lakeside")
    story.add("system:matching", event_type="offer.made.v1", other="sp-1", role="system", organization="")
    story.add("sp-1", role="specialist", organization="haven")
    stranger = story.add("sp-2", role="specialist", organization="haven")
    assert numbers(rules.no_relationship(story.sights)) == [early, other, stranger]


def test_a_relation_to_one_person_is_none_to_another():
    """Rosa's nurse is nobody's to Ivan."""
    story = Story()
    story.add("client:ehr", event_type="referral.submitted.v1", action="C", role="system")
    found = story.add("nurse-17", person="ivan")
    assert numbers(rules.no_relationship(story.sights)) == [found]


def test_broken_glass_is_found_by_purpose_and_by_word():
    """Purpose BTG, and the event that says so; nothing else."""
    story = Story()
    story.add("nurse-17")
    by_purpose = story.add("nurse-17", purpose="BTG")
    by_word = story.add("nurse-17", event_type="glass.broken.v1")
    by_system = story.add("client:ehr", role="system", purpose="BTG")
    assert numbers(rules.break_glass(story.sights)) == [by_purpose, by_word, by_system]


def test_that_overseers_were_told_of_broken_glass_is_no_breaking_of_it():
    """A nurse's one breaking is one review, whatever our own services do for that purpose afterwards."""
    story = Story()
    broken = story.add("nurse-17", event_type="glass.broken.v1", purpose="BTG")
    for event_type in ("notice.sent.v1", "notice.delivered.v1", "record.read.v1"):
        story.add("system:notifications", role="system", event_type=event_type, purpose="BTG")
    assert numbers(rules.break_glass(story.sights)) == [broken]


def test_an_emergency_is_a_declaration_or_a_read_for_it():
    """42 CFR 2.51: declared, or read for emergency treatment."""
    story = Story()
    declared = story.add("nurse-17", event_type="emergency.declared.v1")
    read = story.add("nurse-17", purpose="ETREAT")
    story.add("nurse-17")
    assert numbers(rules.emergency(story.sights)) == [declared, read]


def test_only_office_roles_have_hours():
    """A coordinator at night is found, a nurse at night works; Saturday is found by day too."""
    story = Story()
    story.add("coordinator-ines", role="coordinator")
    night = story.add("coordinator-ines", role="coordinator", minutes=11 * 60)
    story.add("nurse-17")
    saturday = story.add("coordinator-ines", role="coordinator", minutes=61 * 60)
    found = rules.after_hours(
        story.sights,
        opens=time(7),
        closes=time(19),
        zone=ZoneInfo("America/New_York"),
        roles=frozenset({"coordinator"}),
    )
    assert [(each.number, each.why) for each in found] == [(night, "outside-hours"), (saturday, "weekend")]


def test_a_day_far_above_ones_own_and_ones_peers_days_is_found():
    """Four people a day for a week, then forty: found once; the same forty by everybody are not."""
    story = Story()
    for day in range(7):
        for patient in range(4):
            story.add("nurse-17", person=f"p{patient}", minutes=1 if patient else 60 * 24 - 3)
        story.add("nurse-18", person=f"q{day}", minutes=0)
    first = story.add("nurse-17", person="x0", minutes=60 * 24)
    for patient in range(1, 40):
        story.add("nurse-17", person=f"x{patient}", minutes=0.1)
        story.add("nurse-17", person="x0", minutes=0.1)  # again, which is no further person
    found = rules.volume(story.sights, since=NOON, times=3, at_least=20)
    assert numbers(found) == [
        first + 2 * 19 - 1
    ]  # the twentieth person's, so that the hour it came in finds it
    assert dict(found[0].figures)["persons"] == "40"
    assert rules.volume(story.sights, since=NOON, times=50, at_least=20) == []


def test_searching_again_and_again_and_opening_nothing_is_found_once():
    """Five searches in a row are one finding; with one record opened they are none."""
    story = Story()
    first = story.add("nurse-17", person="", action="E")
    for _ in range(5):
        story.add("nurse-17", person="", action="E")
        story.add("nurse-18", person="", action="E")
    story.add("nurse-18")
    found = rules.search_without_opening(story.sights, within=timedelta(minutes=15), at_least=5)
    assert numbers(found) == [first] and dict(found[0].figures)["searches"] == "6"


def test_a_denial_and_a_success_of_the_same_person_are_found_with_the_denial():
    """Within the hour, the same referral; another's record, and a day later, are not."""
    story = Story()
    denied = story.add("nurse-17", person="", referral="aa", event_type="access.denied.v1", outcome="8")
    story.add("nurse-17", person="ivan", referral="bb")
    found = story.add("nurse-17", referral="aa")
    story.add("nurse-17", referral="aa", minutes=60 * 24)
    result = rules.denied_then_succeeded(story.sights, within=timedelta(hours=1))
    assert numbers(result) == [found] and dict(result[0].figures)["denied-at-entry"] == str(denied)


def test_one_account_in_two_hospitals_within_minutes_is_found():
    """Two organizations or roles within ten minutes; an hour later it may be another shift."""
    story = Story()
    story.add("nurse-17")
    found = story.add("nurse-17", organization="lakeside", minutes=5)
    story.add("nurse-17", minutes=60)
    assert numbers(rules.shared_account(story.sights, within=timedelta(minutes=10))) == [found]


def test_an_account_after_its_end_is_found_and_before_it_is_not():
    """From the very moment its work ended."""
    story = Story()
    story.add("nurse-17")
    found = story.add("nurse-17", minutes=5)
    ended = {"nurse-17": NOON + timedelta(minutes=6)}
    assert numbers(rules.terminated(story.sights, ended)) == [found]


def test_a_tie_counts_for_its_two_people_and_a_mark_for_everybody():
    """Rosa's sister reads Rosa's record; everybody's reads of a VIP's."""
    story = Story()
    sister = story.add("nurse-17")
    story.add("nurse-18")
    vip = story.add("nurse-18", person="star")
    found = rules.related(story.sights, {("nurse-17", "rosa"): "same-surname", ("", "star"): "vip"})
    assert [(each.number, each.why) for each in found] == [(sister, "same-surname"), (vip, "vip")]


def test_a_purpose_the_role_does_not_have_is_found_and_so_is_none():
    """A specialist reads for research, a nurse for nothing at all."""
    story = Story()
    story.add("nurse-17")
    odd = story.add("sp-1", role="specialist", purpose="HRESCH")
    none = story.add("nurse-17", purpose="")
    assert numbers(rules.purpose_mismatch(story.sights)) == [odd, none]


_SIGHTS = st.lists(
    st.builds(
        Sight,
        number=st.integers(0, 99),
        at=st.integers(0, 10_000).map(lambda minutes: NOON + timedelta(minutes=minutes)),
        actor=st.sampled_from(["", "nurse-1", "sp-1", "system:intake"]),
        role=st.sampled_from(["", "nurse", "specialist", "compliance", "system"]),
        organization=st.sampled_from(["", "a", "b"]),
        purpose=st.sampled_from(["", "TREAT", "BTG", "ETREAT", "HRESCH"]),
        event_type=st.sampled_from(["record.read.v1", "access.denied.v1", "referral.submitted.v1", "x"]),
        outcome=st.sampled_from(["0", "4", "8"]),
        action=st.sampled_from(["R", "E", "C", ""]),
        record_type=st.sampled_from(["", "Referral", "AuditEvent"]),
        person=st.sampled_from(["", "rosa", "ivan"]),
        referral=st.sampled_from(["", "aa"]),
    ),
    max_size=30,
).map(lambda found: sorted(found, key=lambda sight: sight.at))


@given(_SIGHTS)
def test_no_rule_points_at_an_entry_it_was_not_shown_or_falls_over(sights):
    """Whatever happened, each finding is one of the entries, and each rule says the same twice."""
    known = {sight.number for sight in sights}
    hour = timedelta(hours=1)
    runs = [
        rules.no_relationship,
        rules.break_glass,
        rules.emergency,
        rules.exports,
        rules.purpose_mismatch,
        rules.log_readers,
        rules.disclosures,
        rules.everything,
        lambda given: rules.volume(given, since=NOON, times=1, at_least=1),
        lambda given: rules.search_without_opening(given, within=hour, at_least=2),
        lambda given: rules.denied_then_succeeded(given, within=hour),
        lambda given: rules.shared_account(given, within=hour),
    ]
    for rule in runs:
        found = rule(sights)
        assert {each.number for each in found} <= known and rule(sights) == found
