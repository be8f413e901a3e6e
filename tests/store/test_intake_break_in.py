"""What somebody tried who wanted to get past a consent, or to put one person in another's place."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from services.intake import handlers
from services.intake.bootstrap import Room
from services.intake.domain.errors import SubmissionRejected
from services.intake.domain.person import RecordNumber
from services.intake.domain.states import State
from tests.store.test_intake_store import CAUSE, NURSE, keys_dir, room  # noqa: F401
from tests.unit.intake.intake_builders import NOW, a_consent, a_person, a_submission


def test_a_consent_that_was_taken_back_is_not_given_again_by_sending_it_again(room: Room) -> None:  # noqa: F811
    """P7: the same document under another key is refused; one that was signed after the revocation is a new yes."""
    first = handlers.submit(room, NURSE, a_submission(), CAUSE).referral
    handlers.revoke_consent(room, NURSE, first.referral_id, cause=CAUSE)
    again = a_submission(idempotency_key="key-2", note="sent again by a feed", visit=None)
    with pytest.raises(SubmissionRejected) as refused:
        handlers.submit(room, NURSE, again, CAUSE)
    assert [fault.code for fault in refused.value.faults] == ["consent-revoked"]
    room.clock.turn(timedelta(hours=1))  # type: ignore[attr-defined]
    signed = a_consent(signed_at=NOW + timedelta(minutes=30))
    anew = a_submission(idempotency_key="key-3", consent=signed, visit=None)
    assert handlers.submit(room, NURSE, anew, CAUSE).referral.state is State.SUBMITTED


def test_a_held_referral_is_not_released_by_a_consent_that_was_taken_back(room: Room) -> None:  # noqa: F811
    """P7: neither does a correction bring it back."""
    first = handlers.submit(room, NURSE, a_submission(), CAUSE).referral
    handlers.revoke_consent(room, NURSE, first.referral_id, cause=CAUSE)
    held = a_submission(idempotency_key="key-2", consent=None, may_wait_for_consent=True, visit=None)
    waiting = handlers.submit(room, NURSE, held, CAUSE).referral
    assert waiting.state is State.NEEDS_INFORMATION
    supplied = replace(held, consent=a_consent(), idempotency_key="key-3")
    with pytest.raises(SubmissionRejected) as refused:
        handlers.correct(room, NURSE, waiting.referral_id, supplied, cause=CAUSE)
    assert "consent-revoked" in [fault.code for fault in refused.value.faults]


@pytest.mark.parametrize("door", ["hl7v2", "fhir", "grpc"])
def test_nobody_is_put_in_another_persons_place(room: Room, door: str) -> None:  # noqa: F811
    """A correction with another person's identity is refused, also where it carries the visit that is here."""
    first = handlers.submit(room, NURSE, a_submission(), CAUSE).referral
    other = a_person(
        family_name="Zebrowski",
        given_name="Hannelore",
        birth_date="1951-12-31",
        record_numbers=(RecordNumber("urn:oid:2.999.1", "OY3"),),
    )
    wrong = a_submission(person=other, idempotency_key="key-2", door=door)
    with pytest.raises(SubmissionRejected) as refused:
        handlers.correct(room, NURSE, first.referral_id, wrong, cause=CAUSE)
    assert [fault.code for fault in refused.value.faults] == ["person-differs"]
    _, kept = handlers.read_referral(room, NURSE, first.referral_id, "Referral", CAUSE)
    assert kept.person == a_person()


def test_an_older_consent_widens_nothing(room: Room) -> None:  # noqa: F811
    """A feed that repeats the consent it keeps does not undo a newer, narrower one."""
    first = handlers.submit(room, NURSE, a_submission(), CAUSE).referral
    repeated = a_consent(signed_at=NOW - timedelta(days=3), expires_at=None)
    corrected = a_submission(consent=repeated, idempotency_key="key-2", note="a new telephone")
    moved = handlers.correct(room, NURSE, first.referral_id, corrected, cause=CAUSE)
    _, kept = handlers.read_referral(room, NURSE, first.referral_id, "Referral", CAUSE)
    assert kept.submission.consent == a_consent() and kept.note == "a new telephone"
    assert moved.consent_expires_at == a_consent().expires_at
