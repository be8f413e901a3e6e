"""The rules of gRPC requests: no field without one, every violation found, every submission read again as it was."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Kind, Refusal
from kindred.intake.v1 import events_pb2, intake_pb2
from services.intake import codec, taxonomy
from services.intake.codec.paging import position_of, token_of
from services.intake.codec.rules import rule_of
from services.intake.domain.listing import Criteria, Position


def _messages(found: Descriptor, seen: dict[str, Descriptor]) -> None:
    if found.file.package != "kindred.intake.v1" or found.name in seen:
        return
    seen[found.name] = found
    for field in found.fields:
        if field.message_type is not None:
            _messages(field.message_type, seen)


def test_no_field_of_a_request_is_without_a_rule():
    """Whoever adds a text or a list to a request says beside it how long it may be."""
    service = intake_pb2.DESCRIPTOR.services_by_name["IntakeService"]
    asked: dict[str, Descriptor] = {}
    for method in service.methods:
        _messages(method.input_type, asked)
    assert len(asked) > 15
    for name, message in asked.items():
        for field in message.fields:
            rule = rule_of(field)
            if field.type == field.TYPE_STRING:
                assert rule.most_chars, f"{name}.{field.name} is a text without a longest length"
            if field.is_repeated:
                assert rule.most > 1, f"{name}.{field.name} is a list without a greatest number"


@pytest.mark.parametrize(
    ("given", "path", "code"),
    [
        ({"idempotency_key": "x" * 256}, "idempotency_key", "too-long"),
        ({"note": "x" * 20_001}, "note", "too-long"),
        ({"note": "a\x07b"}, "note", "control-character"),
        ({"place": "a\nb"}, "place", "control-character"),
        ({"languages": ["en"] * 201}, "languages", "too-many"),
        ({"urgency": 9}, "urgency", "urgency-unknown"),
        ({"person": {"phones": ["1", "2" * 65]}}, "person.phones[1]", "too-long"),
        ({"person": {"other_record_numbers": [{"system": "a"}]}}, "person.other_record_numbers[0].value", "missing"),
        ({"preferences": [{"code": "a", "strength": 1}, {"strength": 2}]}, "preferences[1].code", "missing"),
        ({"characteristics": [{"topic": "a", "answered": 1, "how": "x"}]}, "characteristics[0].how", "word-unknown"),
        ({"person": {"sex": "F"}}, "person.sex", "word-unknown"),
        ({"person": {"suffix": "x" * 21}}, "person.suffix", "too-long"),
        ({"consent": {"signed_at": {"seconds": 10**12}}}, "consent.signed_at", "time-unreadable"),
        ({"arrived_at": {"nanos": -1}}, "arrived_at", "time-unreadable"),
    ],
)  # fmt: skip
def test_a_violation_has_its_path_and_code(given: dict[str, Any], path: str, code: str):
    """Nothing else is found, and what was sent is not repeated."""
    faults = codec.faults_of(intake_pb2.SubmitReferralRequest(**given))
    assert [(fault.path, fault.code) for fault in faults] == [(path, code)]


def test_a_list_that_is_too_long_is_not_walked_to_its_end():
    """Half a million bad entries cost no more than the limit's worth of work."""
    request = intake_pb2.SubmitReferralRequest(preferences=[events_pb2.Preference()] * 5_000)
    assert len(codec.faults_of(request)) == 1 + 2 * 200


def test_nothing_said_is_nothing_wrong():
    """An empty submission breaks no rule; what it lacks is the domain's to say."""
    assert codec.faults_of(intake_pb2.SubmitReferralRequest()) == []


WORDS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]), min_size=1, max_size=20)
FLAGS = st.sampled_from([None, True, False])


@st.composite
def requests(draw: Any) -> intake_pb2.SubmitReferralRequest:
    """Submissions that break no rule, as a client would write them."""
    numbers = st.builds(intake_pb2.RecordNumber, system=WORDS, value=WORDS)
    return intake_pb2.SubmitReferralRequest(
        person=intake_pb2.Person(
            family_name=draw(WORDS),
            record_number=draw(WORDS),
            record_system=draw(WORDS),
            phones=draw(st.lists(WORDS, max_size=3)),
            safe_contact=intake_pb2.SafeContact(may_leave_message=draw(FLAGS), who_else_answers=draw(WORDS)),
            sex=draw(st.sampled_from(["", "female", "male", "other"])),
            suffix=draw(WORDS),
            home_zip=draw(st.sampled_from(["", "12208"])),
            former_names=draw(st.lists(WORDS.filter(bool), max_size=3, unique=True)),
        ),
        urgency=draw(st.sampled_from([1, 2, 3])),
        preferences=draw(
            st.lists(
                st.builds(events_pb2.Preference, code=WORDS, strength=st.sampled_from([1, 2, 3, 4, 5])),
                max_size=3,
            )
        ),
        languages=draw(st.lists(WORDS, max_size=3, unique=True)),
        payer_code=draw(WORDS),
        place=draw(WORDS),
        note=draw(WORDS),
        interpreter_needed=draw(st.booleans()),
        is_naloxone_given=draw(FLAGS),
        referrer=intake_pb2.Referrer(name=draw(WORDS), phone=draw(WORDS)),
        placer_identifiers=draw(st.lists(numbers, max_size=3)),
        characteristics=draw(
            st.lists(
                st.builds(
                    intake_pb2.Characteristic,
                    topic=WORDS,
                    answered=st.sampled_from([1, 2, 3]),
                    code=WORDS,
                    said_by=st.sampled_from(["peer", "family", "staff", "record"]),
                    how=st.sampled_from(["asked", "form", "chart"]),
                ),
                max_size=3,
            )
        ),
    )


@given(requests())
def test_what_is_read_is_said_again_unchanged(request: intake_pb2.SubmitReferralRequest):
    """A client that reads a referral, changes one thing and corrects it loses nothing on the way."""
    said = codec.submission_from_proto(request, "er", taxonomy.load())
    assert codec.submission_to_proto(said) == request


@given(st.binary(max_size=200))
def test_any_bytes_that_are_a_request_are_judged_and_read(sent: bytes):
    """No request makes the rules or the codec fail, whatever a client wrote."""
    request = intake_pb2.SubmitReferralRequest()
    try:
        request.MergeFromString(sent)
    except Exception:  # noqa: BLE001  not a request at all: grpc refuses it
        return
    codec.faults_of(request)
    codec.submission_from_proto(request, "er", taxonomy.load())


@given(st.datetimes(), WORDS, st.sampled_from(["", "submitted"]))
def test_a_page_token_leads_back_to_its_place(at: Any, referral_id: str, status: str):
    """By the millisecond, and only with the criteria it was made for."""
    from datetime import UTC

    moment = at.replace(tzinfo=UTC, microsecond=at.microsecond // 1000 * 1000)
    position, criteria = Position(moment, referral_id), Criteria(status=status)
    token = token_of(position, criteria)
    assert position_of(token, criteria) == position
    with pytest.raises(Refusal) as refused:
        position_of(token, Criteria(urgency="urgent"))
    assert refused.value.code == "page-token-of-another-search"


@given(st.text(max_size=100))
def test_any_text_is_a_token_or_refused(token: str):
    """Never a bug."""
    try:
        position_of(token, Criteria())
    except Refusal as refused:
        assert refused.kind is Kind.INVALID
