"""What an event is found by: whatever a search looks at has a mark, and a search without a mark cannot miss it."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Refusal
from services.audit.domain.classes import CLASSES
from services.audit.fhir import audit_event, shown
from services.audit.search import asked, joins, marks, matching, narrowing
from services.audit.search.asked import Asked, Criterion, Value
from tests.audit_facts import GOLDEN, facts_of, golden

NOW = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
TYPES = sorted(set(CLASSES) & {path.stem for path in GOLDEN.glob("*.json")})


@pytest.mark.parametrize("event_type", TYPES)
def test_every_value_a_parameter_looks_at_has_a_mark(event_type):
    """One pass over the event finds what each parameter by itself would find."""
    document = shown(json.loads(audit_event(facts_of(golden(event_type)))))
    found = marks.marks(document)
    for parameter in marks.PARAMETERS - marks.DATES:
        for value in marks.values(document, parameter):
            wanted: set[marks.Mark] = set()
            marks._add(wanted, parameter, value)
            for name, text in wanted - marks.COMMON:
                assert found & {(under, text) for under in marks.under(name)}, (name, text)


@pytest.mark.parametrize("event_type", TYPES)
def test_what_has_a_mark_is_what_was_asked_for(event_type):
    """Searching a token or an id by any of an event's own marks matches the event again."""
    document = shown(json.loads(audit_event(facts_of(golden(event_type)))))
    for parameter, text in marks.marks(document):
        if parameter in marks.TOKENS | marks.REFERENCES:
            criterion = Criterion(parameter, "", (Value(text),))
            assert matching.is_asked_for(document, Asked((criterion,)))
            assert not matching.holds(document, Criterion(parameter, "not", (Value(text),)))


@pytest.mark.parametrize("event_type", TYPES)
def test_a_rare_thing_a_user_did_is_found_by_both_together(event_type):
    """Whoever asks for a user and one rare value is led to a mark, and every entry that has both has it."""
    document = shown(json.loads(audit_event(facts_of(golden(event_type)))))
    told = marks.marks(document)
    together = told | set(joins.joined(told))
    users = [value for one in marks.values(document, "agent") for value in marks.identities(one)]
    rare = [(name, text) for name, text in told if joins.is_joined(name, text)]
    for user in users:
        for name, text in rare:
            asked_for = [Criterion("agent", "", (Value(user),)), Criterion(name, "", (Value(text),))]
            for each in narrowing.joined(asked_for):
                places = {
                    (under, user if "agent" in each.parameter else text)
                    for under in marks.under(each.parameter)
                }
                assert places & together or (each.parameter, user) in marks.COMMON, (each, user)


def test_what_another_system_sent_without_content_is_found_by_its_flags():
    """The answer said that it was flagged: an officer who looks for the flag finds it."""
    empty = replace(facts_of(golden("event.received.v1")), flags=("outside", "not-json"), unread=b"")
    found = marks.marks(shown(json.loads(audit_event(empty))))
    assert {("_tag", "outside"), ("_tag", "not-json")} <= found


@pytest.mark.parametrize("name", ["Referral", "Offer", "AuditEvent", "Dr. Ángela Ruiz"])
def test_a_string_is_found_by_every_beginning(name):
    """However many of a name's characters are given, one of the marks asked for is one it has."""
    has = set(marks.beginnings("entity-name", name))
    for length in range(2, len(name) + 1):
        assert has & set(marks.beginning_with("entity-name", name[:length].upper(), is_whole=False)), length
    assert has & set(marks.beginning_with("entity-name", name, is_whole=True))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_NAMES = st.sampled_from(["type", "subtype", "agent", "source", "entity", "meta", "outcome", "id", "action"])


@given(st.dictionaries(_NAMES, _JSON))
def test_no_event_is_too_odd_to_be_marked_and_compared(document):
    """Whatever another system sends is indexed and compared, never an error."""
    for parameter, text in marks.marks(document):
        if text:
            matching.holds(document, Criterion(parameter, "", (Value(text),)))


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_search_is_read_or_refused_with_the_parameters_name(name, value):
    """Any two texts are a search, or a refusal that repeats none of the value."""
    try:
        asked.read([(name, value)], NOW)
    except Refusal as refusal:
        assert refusal.faults and (len(value) < 4 or value not in refusal.message)


@pytest.mark.parametrize("value", ["8", "8,12", "|8", "http://hl7.org/fhir/audit-event-outcome|8", "urn:x|"])
def test_a_code_of_a_closed_list_is_read_in_every_spelling_and_another_is_refused(value):
    """R4 closes the lists of outcomes and of actions: outcome=99 is a slip, and nothing found would hide it."""
    assert asked.read([("outcome", value), ("action", "r")], NOW).names() == ["action", "outcome"]
    for wrong in (f"{value},99", "99", "|9"):
        with pytest.raises(Refusal) as refused:
            asked.read([("outcome", wrong)], NOW)
        assert refused.value.message == "One of these codes is read: 0, 4, 8, 12."


@given(st.integers(0, 7_000_000_000_000), st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_pages_cursor_is_read_back_as_it_was_written(millis, size, number):
    """To the millisecond, which is what the log keeps."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=millis)
    cursor = asked.Cursor(size, moment, number)
    assert asked.read([("_cursor", cursor.text())], NOW).cursor == cursor
