"""A referral as FHIR shows it: read again it is the same submission, and every view of its state agrees."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.errors import Refusal
from services.intake import codec, taxonomy
from services.intake.domain import commands
from services.intake.domain import referral as referrals
from services.intake.domain.person import Person, RecordNumber, SafeContact
from services.intake.domain.referral import Assignment, Referral
from services.intake.domain.states import CLOSED, RULES, Command, State, next_state
from services.intake.domain.submission import (
    Answered,
    Characteristic,
    Code,
    Preference,
    Referrer,
    SourceContact,
    Strength,
    Submission,
    Urgency,
    faults_of,
)
from services.intake.fhir import names, reading, search_values, service_request, task
from services.intake.r4 import validator
from tests.unit.intake.intake_builders import NOW, SOURCE, a_consent, a_person, a_submission

TAXONOMY = taxonomy.load()
CODES = sorted(TAXONOMY.codes)
moments = st.integers(0, 500_000).map(lambda minutes: NOW - timedelta(minutes=minutes))
words = st.text("abcdefghij ÄÑ漢", min_size=1, max_size=12).map(str.strip).filter(bool)
codes = st.sampled_from(["F11.20", "T40.1X1A", "not mapped"])
numbers = st.builds(
    RecordNumber, st.sampled_from(["urn:oid:2.999.1", "urn:oid:2.999.2", f"source:{SOURCE}"]), words
)


def _several(of: st.SearchStrategy, most: int = 3) -> st.SearchStrategy:
    return st.lists(of, max_size=most, unique=True).map(tuple)


people = st.builds(
    Person,
    family_name=words,
    given_name=words,
    birth_date=st.sampled_from(["", "1988", "1988-04", "1988-04-01"]),
    record_numbers=_several(numbers),
    phones=_several(st.sampled_from(["+15185550100", "+15185550101"])),
    safe_contact=st.builds(
        SafeContact,
        st.sampled_from([None, True, False]),
        st.sampled_from([None, True, False]),
        st.sampled_from(["", "A sister"]),
    ),
    sex=st.sampled_from(["", "female", "male", "other"]),
    suffix=st.sampled_from(["", "Jr."]),
    home_zip=st.sampled_from(["", "12208"]),
    former_names=st.sampled_from([(), ("Zzyzx",)]),
)
characteristics = st.one_of(
    st.builds(Characteristic, st.just("faith"), st.just(Answered.STATED), st.sampled_from(CODES)),
    st.builds(
        Characteristic,
        st.just("gender"),
        st.sampled_from([Answered.DECLINED, Answered.UNKNOWN]),
        said_by=st.sampled_from(["peer", "family"]),
        how=st.sampled_from(["asked", "chart"]),
    ),
)
submissions = st.builds(
    Submission,
    door=st.just("fhir"),
    source_id=st.just(SOURCE),
    person=people,
    consent=st.none(),
    visit=st.none() | numbers,
    urgency=st.sampled_from(Urgency),
    experience_codes=_several(st.sampled_from(CODES)).map(lambda codes: tuple(sorted(codes))),
    codes=_several(st.builds(Code, st.just("urn:oid:2.999.9"), codes, st.just("") | words)),
    preferences=st.lists(
        st.builds(Preference, st.sampled_from(CODES), st.sampled_from(Strength)),
        max_size=3,
        unique_by=lambda one: one.code,
    ).map(tuple),
    languages=_several(st.sampled_from(["en", "es", "zh-Hant"])),
    interpreter_agreed=st.booleans(),
    interpreter_needed=st.booleans(),
    facility_zip=st.sampled_from(["", "12208"]),
    payer_code=st.sampled_from(["unknown", "medicaid"]),
    arrived_at=moments,
    expected_departure_at=st.none() | moments,
    modalities=_several(st.sampled_from(["bedside", "phone", "video"])),
    excluded_specialist_ids=_several(st.sampled_from(["spec-1", "spec-2"])).map(
        lambda ids: tuple(sorted(ids))
    ),
    source_contact=st.builds(
        SourceContact,
        st.just("er-desk@st-brigid.example"),
        st.sampled_from(["", "en"]),
        st.sampled_from(["", "America/New_York"]),
    )
    | st.just(SourceContact()),
    place=st.sampled_from(["", "ED, bed 4"]),
    note=st.just("") | words,
    placer_identifiers=_several(numbers),
    referrer=st.builds(
        Referrer, st.sampled_from(["", "Dr Odalys Quill"]), st.sampled_from(["", "+15185550111"])
    ),
    characteristics=_several(characteristics),
    is_naloxone_given=st.sampled_from([None, True, False]),
)


def a_referral(said: Submission, **given: object) -> Referral:
    made = Referral("ref-1", "peer_1", SOURCE, State.SUBMITTED, said.urgency.value, NOW, NOW)
    return replace(made, **given)


@settings(max_examples=50, deadline=None)
@given(submissions)
def test_what_was_said_is_shown_and_read_again_as_the_same(said: Submission):
    """A ServiceRequest is valid R4 and loses nothing: read again it is the submission it shows."""
    shown = service_request.of(a_referral(said), said)
    assert validator.check(shown) == []
    parcel = reading.open_single(json.dumps(shown).encode(), "ServiceRequest")
    again = reading.read(parcel, SOURCE, TAXONOMY)
    assert replace(again, idempotency_key="", where={}) == said


def test_a_number_without_a_system_is_shown_with_one_that_names_its_source():
    """Our name for a source's own numbers is read back as its own, and only by that source."""
    assert names.system_of(names.uri("source:er-a"), "er-a") == "source:er-a"
    assert names.system_of(names.uri("source:er-b"), "er-a") == names.uri("source:er-b")
    assert names.system_of("", "er-a") == "source:er-a"


SAID = a_submission()
_ROLES = ("nurse", "specialist", "coordinator", "system")


def _by_table(command: Command, role: str) -> Callable[[Referral, datetime], Referral]:
    """A command whose own door is another service's: as the table of states has it."""

    def move(known: Referral, now: datetime) -> Referral:
        target = next_state(known.state, command, role)
        return known if target is known.state else referrals.changed(known, target, now)

    return move


def _first(changed: object) -> Referral:
    return changed[0]  # type: ignore[index]


MOVES: dict[str, Callable[[Referral, datetime], Referral]] = {
    "cancel": lambda one, now: _first(commands.cancel(one, "nurse", "transferred", now)),
    "decline": lambda one, now: _first(commands.decline_by_peer(one, "nurse", "not-now", now)),
    "error": lambda one, now: _first(commands.enter_in_error(one, "nurse", now)),
    "revoke": lambda one, now: _first(commands.revoke_consent(one, "nurse", now)),
    "expire": lambda one, now: _first(commands.expire_consent(one, now)),
    "correct": lambda one, now: _first(commands.correct(one, "nurse", SAID, NOW, now)),
    "leave": lambda one, now: _first(
        commands.report_departure(one, "nurse", replace(SAID, expected_departure_at=now), NOW, now)
    ),
    "seek": lambda one, now: _first(referrals.seek(one, now, now)),
    "unfilled": lambda one, now: _first(referrals.mark_unfilled(one, "no-one", now, now)),
    "assign": lambda one, now: _first(
        referrals.assign(one, Assignment("off-1", now, "bedside", "spec-1"), now, now)
    ),
    "close": lambda one, now: _first(referrals.close(one, now, now)),
} | {
    f"{command}-{role}": _by_table(command, role)
    for command, rule in RULES.items()
    for role in _ROLES
    if role in rule.roles
}

# DOMAIN 1 a second time and by hand: state -> (Task.status, BSeR, is it over).
AGREED = {
    "submitted": ("requested", "2.0", False),
    "needs-information": ("on-hold", "", False),
    "refused": ("rejected", "4.0", True),
    "seeking": ("accepted", "3.0", False),
    "unfilled": ("accepted", "3.0", False),
    "assigned": ("accepted", "5.1.1", False),
    "met": ("in-progress", "5.1.4", False),
    "not-met": ("in-progress", "5.1.2", False),
    "engaged": ("in-progress", "", False),
    "cancel-requested": ("cancelled", "5.2", False),
    "cancelled": ("cancelled", "6.0", True),
    "declined-by-peer": ("cancelled", "6.0", True),
    "referred-elsewhere": ("completed", "7.0", True),
    "completed": ("completed", "7.0", True),
    "expired": ("failed", "6.0", True),
    "entered-in-error": ("entered-in-error", "", True),
}
ORDERS = {
    "on-hold": {"needs-information"},
    "completed": {"completed", "referred-elsewhere"},
    "entered-in-error": {"entered-in-error"},
    "revoked": {"refused", "cancel-requested", "cancelled", "declined-by-peer", "expired"},
}


def _agrees(one: Referral) -> None:
    shown = task.of(one, ())
    summary = codec.summary_to_proto(one)
    status, business, is_over = AGREED[summary.status]
    codes = [coding["code"] for coding in shown["businessStatus"]["coding"]]
    assert shown["status"] == status
    assert codes == ([business] if business else []) + [summary.status]
    assert shown["businessStatus"]["text"] == summary.status
    assert shown["meta"]["versionId"] == str(summary.version)
    assert (one.state in CLOSED) == is_over
    request = service_request.of(one, SAID)
    assert request["status"] == next(
        (key for key, some in ORDERS.items() if summary.status in some), "active"
    )
    assert request["meta"]["versionId"] == shown["meta"]["versionId"]
    for name, resource in (("Task", shown), ("ServiceRequest", request)):
        assert one.state in search_values.states(name, "status", [resource["status"]])
    assert one.state in search_values.states("Task", "business-status", [codes[0]])


@settings(deadline=None)
@given(st.booleans(), st.lists(st.sampled_from(sorted(MOVES)), max_size=25))
def test_every_view_of_a_referral_agrees_after_any_commands(with_consent: bool, moves: list[str]):
    """Task.status, business status, ServiceRequest.status, search and gRPC's summary say the same, valid R4 each time."""
    said = SAID if with_consent else replace(SAID, consent=None, may_wait_for_consent=True)
    one, _ = commands.open_referral("ref-1", "peer_1", said, NOW, NOW)
    _agrees(one)
    for minutes, name in enumerate(moves):
        before = one
        try:
            one = MOVES[name](one, NOW + timedelta(minutes=minutes))
        except Refusal:
            one = before
        assert one.task_version == before.task_version + (one is not before)
        _agrees(one)
    assert validator.check(task.of(one, said.placer_identifiers)) == []


def test_the_builders_are_acceptable():
    """What these tests submit would be taken."""
    assert faults_of(replace(SAID, consent=a_consent(), person=a_person()), NOW, TAXONOMY.codes) == []


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026", "2026-01-01T00:00:00", "2027-01-01T00:00:00"),
        ("2026-02", "2026-02-01T00:00:00", "2026-03-01T00:00:00"),
        ("2026-12-31", "2026-12-31T00:00:00", "2027-01-01T00:00:00"),
        ("eq2026-11-21T10:00Z", "2026-11-21T10:00:00", "2026-11-21T10:01:00"),
        ("2026-11-21T10:00:05-05:00", "2026-11-21T15:00:05", "2026-11-21T15:00:06"),
        ("2026-11-21T10:00:05.120Z", "2026-11-21T10:00:05.120", "2026-11-21T10:00:05.121"),
    ],
)
def test_a_date_means_the_whole_time_it_can(text: str, start: str, end: str):
    """A search date covers all it can mean at its precision (R4 search.html#date)."""
    span = search_values.span(text, NOW)
    assert (span.start, span.end) == tuple(
        datetime.fromisoformat(one).replace(tzinfo=NOW.tzinfo) for one in (start, end)
    )


@settings(deadline=None)
@given(st.text(max_size=30))
def test_any_search_value_is_understood_or_refused(text: str):
    """Whatever stands in a date parameter is a span or a refusal, never an error."""
    try:
        search_values.span(text, NOW)
    except search_values.Unreadable as unreadable:
        assert text not in unreadable.message or len(text) < 3
