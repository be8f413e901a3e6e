"""What happens to an offer and a case, in the past tense; codec.py turns each into its proto."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class OfferMade:
    """A referral was put to a specialist. `token` opens their answer page; it is sealed before it leaves."""

    offer_id: str
    referral_id: str
    specialist_id: str
    wave: int
    deadline_at: datetime
    urgency: str
    token: str = field(repr=False)


@dataclass(frozen=True)
class OfferAccepted:
    """The first acceptance won. The promise is what the specialist said, never computed."""

    offer_id: str
    referral_id: str
    specialist_id: str
    promised_arrival_at: datetime
    modality: str
    programme_id: str = ""


@dataclass(frozen=True)
class OfferDeclined:
    """A specialist said no; it costs them nothing."""

    offer_id: str
    referral_id: str
    specialist_id: str
    reason_code: str


@dataclass(frozen=True)
class OfferExpired:
    """The deadline passed without an answer."""

    offer_id: str
    referral_id: str
    specialist_id: str


@dataclass(frozen=True)
class OfferWithdrawn:
    """The offer closed because somebody else accepted or the referral ended."""

    offer_id: str
    referral_id: str
    specialist_id: str
    reason_code: str


@dataclass(frozen=True)
class ReferralEscalated:
    """A wider net, or the end of the ladder: then the supervisor is told and the referral stays in the open pool."""

    referral_id: str
    wave: int
    is_exhausted: bool
    reason_code: str
    supervisor_id: str = ""


@dataclass(frozen=True)
class AssignmentEnded:
    """A specialist's assignment ended before it was carried out; it costs them nothing."""

    offer_id: str
    referral_id: str
    specialist_id: str
    reason_code: str


@dataclass(frozen=True)
class HandoffRecorded:
    """The first meeting, or why there was none."""

    referral_id: str
    offer_id: str
    specialist_id: str
    outcome: str
    modality: str
    occurred_at: datetime


@dataclass(frozen=True)
class CheckinDue:
    """A follow-up contact is due now; it counts as missed from `missed_at`."""

    referral_id: str
    specialist_id: str
    number: int
    due_at: datetime
    missed_at: datetime


@dataclass(frozen=True)
class CheckinRecorded:
    """What came of a follow-up contact."""

    referral_id: str
    specialist_id: str
    number: int
    outcome: str
    occurred_at: datetime


@dataclass(frozen=True)
class CheckinMissed:
    """Nobody recorded a follow-up contact in time."""

    referral_id: str
    specialist_id: str
    number: int
    supervisor_id: str


@dataclass(frozen=True)
class CaseCompleted:
    """The specialist ended their work for the referral, with an outcome."""

    referral_id: str
    specialist_id: str
    outcome: str


@dataclass(frozen=True)
class CaseClosed:
    """A stopped referral has no open offer and no assignment any more."""

    referral_id: str
    stop_code: str
    specialist_id: str


@dataclass(frozen=True)
class AssignmentChosen:
    """Not the ladder decided: a supervisor assigned by hand, or a specialist claimed from the pool."""

    offer_id: str
    referral_id: str
    specialist_id: str
    how: str
    reason_code: str
    passed_over: int


@dataclass(frozen=True)
class ArrivalUpdated:
    """The assigned specialist is on the way, late, there, or rings instead of coming."""

    offer_id: str
    referral_id: str
    specialist_id: str
    step: str
    promised_arrival_at: datetime
    modality: str
    reason_code: str = ""


@dataclass(frozen=True)
class ArrivalOverdue:
    """Nobody said that the specialist came, or they cannot be in time; the supervisor is told."""

    offer_id: str
    referral_id: str
    specialist_id: str
    promised_arrival_at: datetime
    reason_code: str
    supervisor_id: str


@dataclass(frozen=True)
class RematchRequested:
    """Either side asked for somebody else, without blame."""

    offer_id: str
    referral_id: str
    specialist_id: str
    side: str
    reason_code: str


@dataclass(frozen=True)
class CaseMoved:
    """Somebody else carries the case from now on, with the peer's consent."""

    offer_id: str
    referral_id: str
    from_specialist_id: str
    specialist_id: str
    reason_code: str


@dataclass(frozen=True)
class LadderChanged:
    """A programme's own ladder of offers has a new version."""

    programme_id: str
    version: int


Event = (
    OfferMade
    | OfferAccepted
    | OfferDeclined
    | OfferExpired
    | OfferWithdrawn
    | ReferralEscalated
    | AssignmentEnded
    | HandoffRecorded
    | CheckinDue
    | CheckinRecorded
    | CheckinMissed
    | CaseCompleted
    | CaseClosed
    | AssignmentChosen
    | ArrivalUpdated
    | ArrivalOverdue
    | RematchRequested
    | CaseMoved
    | LadderChanged
)
