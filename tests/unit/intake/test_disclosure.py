"""Who may be told who the peer is, what leaves, and what goes along with it."""

from __future__ import annotations

from dataclasses import fields, replace
from hashlib import sha256
from typing import Any

import pytest

from services.intake.domain import asking, disclosure
from services.intake.domain import consent as consents
from services.intake.domain.disclosure import STATEMENT_1, STATEMENT_2, Disclosure
from services.intake.domain.labels import Labels
from services.intake.domain.person import SafeContact
from services.intake.domain.provisions import Actor, Coding, Provision
from services.intake.domain.referral import Referral
from services.intake.domain.states import State
from services.intake.domain.submission import Submission
from tests.unit.intake.intake_builders import NOW, a_consent, a_person, a_submission


def assigned(**given: Any) -> Referral:
    """A referral that Ruth accepted."""
    referral = Referral(
        "ref-1", "peer_1", "er-st-brigid", State.ASSIGNED, "immediate", NOW, NOW, specialist_id="spec-ruth"
    )
    return replace(referral, **given)


@pytest.mark.parametrize(
    ("given", "role", "purpose", "reason"),
    [
        ({}, "specialist", "TREAT", ""),
        ({}, "specialist", "COC", ""),
        ({}, "specialist", "CAREMGT", ""),
        ({"state": State.MET}, "specialist", "TREAT", ""),
        ({"state": State.NOT_MET}, "specialist", "TREAT", ""),
        ({"state": State.ENGAGED}, "specialist", "TREAT", ""),
        ({"state": State.SEEKING}, "specialist", "TREAT", "referral-not-assigned"),
        ({"state": State.CANCEL_REQUESTED}, "specialist", "TREAT", "referral-not-assigned"),
        ({"state": State.COMPLETED}, "specialist", "TREAT", "referral-not-assigned"),
        ({"specialist_id": "spec-omar"}, "specialist", "TREAT", "not-your-assignment"),
        ({"specialist_id": ""}, "specialist", "TREAT", "not-your-assignment"),
        ({"is_consent_revoked": True}, "specialist", "TREAT", "consent-revoked"),
        ({}, "specialist", "HRESCH", "purpose-not-allowed"),
        ({}, "specialist", "", "purpose-not-allowed"),
        ({}, "supervisor", "TREAT", "disclosure-not-for-role"),
        ({}, "coordinator", "CAREMGT", "disclosure-not-for-role"),
        ({"programme_id": "harbor"}, "supervisor", "BTG", ""),
        ({"programme_id": "harbor"}, "coordinator", "BTG", ""),
        ({"programme_id": "elsewhere"}, "supervisor", "BTG", "not-your-assignment"),
        ({"programme_id": ""}, "supervisor", "BTG", "not-your-assignment"),
        ({"programme_id": "harbor", "is_consent_revoked": True}, "supervisor", "BTG", "consent-revoked"),
        ({"programme_id": "harbor", "state": State.SEEKING}, "supervisor", "BTG", "referral-not-assigned"),
        ({}, "specialist", "BTG", "purpose-not-allowed"),
        ({}, "nurse", "TREAT", "role-not-allowed"),
        ({}, "compliance", "HCOMPL", "role-not-allowed"),
        ({}, "system", "TREAT", "role-not-allowed"),
    ],
)
def test_only_the_assigned_specialist_is_told(given: dict[str, Any], role: str, purpose: str, reason: str):
    """P7: while they are with the person, and for care, or past the glass who leads them; else a reason of its own."""
    told = disclosure.denial_of_caller(role, purpose)
    actor = "spec-ruth" if role == "specialist" else "a-lead"
    assert (told or disclosure.denial(assigned(**given), role, actor, "harbor")) == reason


@pytest.mark.parametrize(("programme_id", "is_told"), [("harbor", True), ("", True), ("elsewhere", False)])
def test_the_assignments_programme_counts_where_it_is_known(programme_id: str, is_told: bool):
    """Two programmes may call somebody by one id; an assignment of before programmes were told names none."""
    told = disclosure.denial(assigned(programme_id=programme_id), "specialist", "spec-ruth", "harbor")
    assert (told == "") is is_told


def told(submission: Submission, purpose: str = "TREAT") -> Disclosure:
    """What Ruth of Harbor is told."""
    ask = asking.for_specialist(submission, ("Kindred",), ("spec-ruth", "harbor"), purpose)
    decision = consents.decide(submission.consent, ask, NOW)
    assert decision.is_permitted, decision.reasons
    return disclosure.disclose(assigned(), submission, decision, "spec-ruth")[0]


def test_the_minimum_leaves_with_the_notice_and_the_scope():
    """Names, place, note and how to call safely; no record number, no birth date; 2.32(a) and (b) go along."""
    submission = a_submission(
        place="Bay 4", consent=a_consent(purposes=("TREAT",), recipients=("Kindred",), expires_at=None)
    )
    given = told(submission)
    assert (given.given_name, given.family_name, given.place) == ("Wren", "Quillfeather", "Bay 4")
    assert given.note == "Likes to be called Wren."
    assert given.phones == ("+15185550177",)
    everything = repr(given)
    assert "MRN-70077" not in everything and "1988" not in everything and "V-1" not in everything
    assert given.notice == STATEMENT_1
    assert given.consent_scope == (
        "The person consented to the use and disclosure of what the referral says, to Kindred, for treatment, "
        "until it is taken back. They may take it back at any time."
    )


def test_what_is_said_of_it_proves_which_notice_went_along():
    """The event names version, recipient, class, the mark of the whole and the notice's SHA-256."""
    submission = a_submission(consent=a_consent(version=2))
    ask = asking.for_specialist(submission, ("Kindred",), ("spec-ruth", "harbor"), "TREAT")
    decision = consents.decide(submission.consent, ask, NOW)
    _, made = disclosure.disclose(assigned(), submission, decision, "spec-ruth")
    assert made.notice_sha256 == sha256(STATEMENT_1.text.encode()).digest()
    assert (made.consent_version, made.recipient_id, made.recipient_class, made.confidentiality) == (
        2,
        "spec-ruth",
        "peer-support-specialist",
        "R",
    )
    assert not any("Quillfeather" in str(getattr(made, field.name)) for field in fields(made))


@pytest.mark.parametrize(
    ("labelled", "notice"),
    [
        (Labels("R", frozenset({"OPIOIDUD"}), frozenset({"42CFRPart2"})), STATEMENT_1),
        (Labels("R", frozenset(), frozenset({"42CFRPart2"})), STATEMENT_2),
        (Labels("R", frozenset({"PSY"})), None),
        (Labels("N"), None),
    ],
)
def test_the_wording_is_chosen_by_the_data(labelled: Labels, notice: disclosure.Notice | None):
    """The full statement where the data say what somebody is treated for; none for what Part 2 does not protect."""
    assert disclosure.notice_for(labelled) == notice


def test_the_words_of_the_notices_do_not_change_unseen():
    """A changed word is another version: the log's proof would no longer fit (89 FR 12472)."""
    assert STATEMENT_1.sha256.hex()[:16] == "d82205a18044f9f4"
    assert STATEMENT_2.text == "42 CFR part 2 prohibits unauthorized use or disclosure of these records."


def test_who_must_not_be_called_gives_no_number():
    """ "Do not contact" holds for whoever comes, too; the rest of safe contact goes along."""
    safe = SafeContact(may_leave_message=False, do_not_contact=True, who_else_answers="her brother")
    given = told(a_submission(person=a_person(safe_contact=safe)))
    assert (given.phones, given.safe_contact) == ((), safe)


def test_what_the_consent_excepts_is_withheld():
    """A consent without HIV: nobody knows what the note says, so it stays; the rest leaves."""
    hiv = Provision(
        is_permit=False, labels=(Coding("http://terminology.hl7.org/CodeSystem/v3-ActCode", "HIV"),)
    )
    given = told(a_submission(place="Bay 4", consent=a_consent(rule=Provision(is_permit=True, inner=(hiv,)))))
    assert (given.note, given.place, given.withheld) == ("", "Bay 4", ("withhold-annotation",))


@pytest.mark.parametrize("named", ["spec-ruth", "harbor"])
def test_a_consent_may_except_one_specialist_or_programme(named: str):
    """The referral may go on, and this one is not told."""
    but_not = Provision(is_permit=False, actors=(Actor("IRCP", "other", (named,)),))
    submission = a_submission(consent=a_consent(rule=Provision(is_permit=True, inner=(but_not,))))
    ask = asking.for_specialist(submission, ("Kindred",), ("spec-ruth", "harbor"), "TREAT")
    assert consents.decide(submission.consent, ask, NOW).reason_code == "consent-restricted"
    assert consents.decide(
        submission.consent, asking.for_referral(submission, ("Kindred",)), NOW
    ).is_permitted


def test_a_purpose_the_consent_does_not_name_is_not_ours():
    """A consent to treatment tells nobody for care management, which R4 counts as operations."""
    submission = a_submission(consent=a_consent(purposes=("TREAT",)))
    ask = asking.for_specialist(submission, ("Kindred",), ("spec-ruth", "harbor"), "CAREMGT")
    assert consents.decide(submission.consent, ask, NOW).reason_code == "consent-restricted"
    assert told(submission, "COC").referral_id == "ref-1"
