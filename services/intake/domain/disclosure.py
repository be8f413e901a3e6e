"""Telling the assigned specialist who and where the peer is: who may be told what, with which notice."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from services.intake.domain import labels
from services.intake.domain.consent import Consent, Decision
from services.intake.domain.events import DisclosureMade
from services.intake.domain.labels import Labels
from services.intake.domain.person import SafeContact
from services.intake.domain.referral import Referral
from services.intake.domain.sensitivity import SUBSTANCE
from services.intake.domain.states import State
from services.intake.domain.submission import Submission

RECIPIENT_CLASS = "peer-support-specialist"
PURPOSES = ("TREAT", "COC", "CAREMGT")
STATES = frozenset({State.ASSIGNED, State.MET, State.NOT_MET, State.ENGAGED})
NOT_YOURS = "not-your-assignment"
# Who leads the specialist's programme is told only past the policy: with a reason, and a second look within a day.
LEADS = frozenset({"supervisor", "coordinator"})
LEADERS_CLASS = "peer-support-supervisor"
BREAKING = "BTG"


@dataclass(frozen=True, slots=True)
class Notice:
    """A wording of the notice that goes with a disclosure; `version` names the statement and its date."""

    version: str
    text: str

    @property
    def sha256(self) -> bytes:
        """What the log keeps as proof of which words went along."""
        return sha256(self.text.encode()).digest()


# 42 CFR 2.32(a)(1) and (2), as amended by 89 FR 12472 (16 February 2024); the words are the rule's own.
STATEMENT_1 = Notice(
    "2.32(a)(1)/2024-02-16",
    "This record which has been disclosed to you is protected by Federal confidentiality rules (42 CFR part 2). "
    "These rules prohibit you from using or disclosing this record, or testimony that describes the information "
    "contained in this record, in any civil, criminal, administrative, or legislative proceedings by any Federal, "
    "State, or local authority, against the patient, unless authorized by the consent of the patient, except as "
    "provided at 42 CFR 2.12(c)(5) or as authorized by a court in accordance with 42 CFR 2.64 or 2.65. In addition, "
    "the Federal rules prohibit you from making any other use or disclosure of this record unless at least one of "
    "the following applies: (i) Further use or disclosure is expressly permitted by the written consent of the "
    "individual whose information is being disclosed in this record or as otherwise permitted by 42 CFR part 2. "
    "(ii) You are a covered entity or business associate and have received the record for treatment, payment, or "
    "health care operations, or (iii) You have received the record from a covered entity or business associate as "
    "permitted by 45 CFR part 164, subparts A and E. A general authorization for the release of medical or other "
    "information is NOT sufficient to meet the required elements of written consent to further use or redisclose "
    "the record (see 42 CFR 2.31).",
)
STATEMENT_2 = Notice(
    "2.32(a)(2)/2024-02-16", "42 CFR part 2 prohibits unauthorized use or disclosure of these records."
)


@dataclass(frozen=True, slots=True, repr=False)  # printed by mistake, it shows nothing
class Disclosure:
    """What leaves to the specialist, and what goes along with it; never a record number or a birth date."""

    referral_id: str
    given_name: str
    family_name: str
    phones: tuple[str, ...]
    safe_contact: SafeContact
    place: str
    note: str
    notice: Notice | None
    consent_version: int
    consent_scope: str
    labels: Labels
    withheld: tuple[str, ...] = ()


def notice_for(labelled: Labels) -> Notice | None:
    """The full statement where the data say what somebody is treated for; the short one for other Part 2 data.

    None where the data are not Part 2 data.
    """
    if not labelled.is_part_2:
        return None
    return STATEMENT_1 if labelled.sensitivities & SUBSTANCE else STATEMENT_2


def denial_of_caller(role: str, purpose: str) -> str:
    """Why this caller may be told of nobody at all, or an empty text."""
    if role in LEADS:
        return "" if purpose == BREAKING else "disclosure-not-for-role"
    if role != "specialist":
        return "role-not-allowed"
    return "" if purpose in PURPOSES else "purpose-not-allowed"


def denial(referral: Referral, role: str, actor_id: str, programme_id: str) -> str:
    """Why this caller may not be told, or an empty text: only who accepted, while they are with it, or who leads them.

    Ids of specialists are a programme's own, so the programme is theirs, too, where the assignment names it.
    """
    if role in LEADS:
        is_theirs = bool(referral.programme_id) and referral.programme_id == programme_id
    else:
        is_theirs = bool(referral.specialist_id) and referral.specialist_id == actor_id
    if not is_theirs or referral.programme_id not in ("", programme_id):
        return NOT_YOURS
    if referral.is_consent_revoked:
        return "consent-revoked"
    return "" if referral.state in STATES else "referral-not-assigned"


def disclose(
    referral: Referral,
    submission: Submission,
    decision: Decision,
    recipient_id: str,
    recipient_class: str = RECIPIENT_CLASS,
) -> tuple[Disclosure, DisclosureMade]:
    """What leaves under a decision that permits it, and what is said of it."""
    labelled = labels.of(submission)
    consent, person = submission.consent, submission.person
    assert consent is not None and decision.is_permitted
    notice = notice_for(labelled)
    may_call = person.safe_contact.do_not_contact is not True
    withheld = tuple(one for one in decision.obligations if one.startswith("withhold-"))
    made = DisclosureMade(
        peer_id=referral.peer_id,
        referral_id=referral.referral_id,
        consent_version=consent.version,
        recipient_id=recipient_id,
        recipient_class=recipient_class,
        notice_sha256=notice.sha256 if notice else b"",
        confidentiality=labelled.confidentiality,
    )
    told = Disclosure(
        referral_id=referral.referral_id,
        given_name=person.given_name,
        family_name=person.family_name,
        phones=person.phones if may_call else (),
        safe_contact=person.safe_contact,
        place="" if "withhold-encounter" in withheld else submission.place,
        note="" if "withhold-annotation" in withheld else submission.note,
        notice=notice,
        consent_version=consent.version,
        consent_scope=scope_of(consent),
        labels=labelled,
        withheld=withheld,
    )
    return told, made


def scope_of(consent: Consent) -> str:
    """A clear explanation of the scope of the consent (42 CFR 2.32(b)): purposes, what, whom, and until when."""
    purposes = ", ".join(_PURPOSE_WORDS.get(one, one) for one in consent.purposes) or "treatment and care"
    what = {
        "": "what the referral says",
        "full": "everything in the referral",
        "described": "a part of the record",
    }
    until = (
        f"until {consent.expires_at:%Y-%m-%d %H:%M} UTC"
        if consent.expires_at is not None
        else f"until {consent.expiry_event}"
        if consent.expiry_event not in ("", "none")
        else "until it is taken back"
    )
    whom = "to " + ", ".join(consent.recipients) if consent.recipients else "to the peer support service"
    return (
        f"The person consented to the use and disclosure of {what.get(consent.scope, consent.scope)}, {whom}, "
        f"for {purposes}, {until}. They may take it back at any time."
    )


_PURPOSE_WORDS = {
    "TREAT": "treatment",
    "ETREAT": "emergency treatment",
    "COC": "coordination of care",
    "CAREMGT": "care management",
    "HPAYMT": "payment",
    "HOPERAT": "health care operations",
}
