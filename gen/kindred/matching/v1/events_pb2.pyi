import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from kindred.bus.v1 import bus_pb2 as _bus_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SpecialistEnrolled(_message.Message):
    __slots__ = ("provenance", "specialist_id", "programme_id", "role", "revision", "sealed_contact")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    SPECIALIST_ID_FIELD_NUMBER: _ClassVar[int]
    PROGRAMME_ID_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    SEALED_CONTACT_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    specialist_id: str
    programme_id: str
    role: str
    revision: int
    sealed_contact: _bus_pb2.SealedField
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., specialist_id: _Optional[str] = ..., programme_id: _Optional[str] = ..., role: _Optional[str] = ..., revision: _Optional[int] = ..., sealed_contact: _Optional[_Union[_bus_pb2.SealedField, _Mapping]] = ...) -> None: ...

class OfferMade(_message.Message):
    __slots__ = ("provenance", "offer_id", "referral_id", "specialist_id", "wave", "deadline_at", "urgency", "sealed_link_token")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    SPECIALIST_ID_FIELD_NUMBER: _ClassVar[int]
    WAVE_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_AT_FIELD_NUMBER: _ClassVar[int]
    URGENCY_FIELD_NUMBER: _ClassVar[int]
    SEALED_LINK_TOKEN_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    offer_id: str
    referral_id: str
    specialist_id: str
    wave: int
    deadline_at: _timestamp_pb2.Timestamp
    urgency: str
    sealed_link_token: _bus_pb2.SealedField
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., offer_id: _Optional[str] = ..., referral_id: _Optional[str] = ..., specialist_id: _Optional[str] = ..., wave: _Optional[int] = ..., deadline_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., urgency: _Optional[str] = ..., sealed_link_token: _Optional[_Union[_bus_pb2.SealedField, _Mapping]] = ...) -> None: ...

class OfferAccepted(_message.Message):
    __slots__ = ("provenance", "offer_id", "referral_id", "specialist_id", "promised_arrival_at", "modality", "programme_id")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    SPECIALIST_ID_FIELD_NUMBER: _ClassVar[int]
    PROMISED_ARRIVAL_AT_FIELD_NUMBER: _ClassVar[int]
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    PROGRAMME_ID_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    offer_id: str
    referral_id: str
    specialist_id: str
    promised_arrival_at: _timestamp_pb2.Timestamp
    modality: str
    programme_id: str
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., offer_id: _Optional[str] = ..., referral_id: _Optional[str] = ..., specialist_id: _Optional[str] = ..., promised_arrival_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., modality: _Optional[str] = ..., programme_id: _Optional[str] = ...) -> None: ...

class OfferDeclined(_message.Message):
    __slots__ = ("provenance", "offer_id", "referral_id", "specialist_id", "reason_code")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    SPECIALIST_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    offer_id: str
    referral_id: str
    specialist_id: str
    reason_code: str
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., offer_id: _Optional[str] = ..., referral_id: _Optional[str] = ..., specialist_id: _Optional[str] = ..., reason_code: _Optional[str] = ...) -> None: ...

class OfferExpired(_message.Message):
    __slots__ = ("provenance", "offer_id", "referral_id", "specialist_id")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    SPECIALIST_ID_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    offer_id: str
    referral_id: str
    specialist_id: str
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., offer_id: _Optional[str] = ..., referral_id: _Optional[str] = ..., specialist_id: _Optional[str] = ...) -> None: ...

class OfferWithdrawn(_message.Message):
    __slots__ = ("provenance", "offer_id", "referral_id", "specialist_id", "reason_code")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    SPECIALIST_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    offer_id: str
    referral_id: str
    specialist_id: str
    reason_code: str
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., offer_id: _Optional[str] = ..., referral_id: _Optional[str] = ..., specialist_id: _Optional[str] = ..., reason_code: _Optional[str] = ...) -> None: ...

class ReferralEscalated(_message.Message):
    __slots__ = ("provenance", "referral_id", "wave", "is_exhausted", "reason_code", "supervisor_id")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    WAVE_FIELD_NUMBER: _ClassVar[int]
    IS_EXHAUSTED_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    SUPERVISOR_ID_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    referral_id: str
    wave: int
    is_exhausted: bool
    reason_code: str
    supervisor_id: str
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., referral_id: _Optional[str] = ..., wave: _Optional[int] = ..., is_exhausted: _Optional[bool] = ..., reason_code: _Optional[str] = ..., supervisor_id: _Optional[str] = ...) -> None: ...

class CaseClosed(_message.Message):
    __slots__ = ("provenance", "referral_id", "stop_code", "specialist_id")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    STOP_CODE_FIELD_NUMBER: _ClassVar[int]
    SPECIALIST_ID_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    referral_id: str
    stop_code: str
    specialist_id: str
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., referral_id: _Optional[str] = ..., stop_code: _Optional[str] = ..., specialist_id: _Optional[str] = ...) -> None: ...

class AssignmentEnded(_message.Message):
    __slots__ = ("provenance", "offer_id", "referral_id", "specialist_id", "reason_code")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    SPECIALIST_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    offer_id: str
    referral_id: str
    specialist_id: str
    reason_code: str
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., offer_id: _Optional[str] = ..., referral_id: _Optional[str] = ..., specialist_id: _Optional[str] = ..., reason_code: _Optional[str] = ...) -> None: ...

class HandoffRecorded(_message.Message):
    __slots__ = ("provenance", "referral_id", "offer_id", "specialist_id", "outcome", "modality", "occurred_at")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    SPECIALIST_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    referral_id: str
    offer_id: str
    specialist_id: str
    outcome: str
    modality: str
    occurred_at: _timestamp_pb2.Timestamp
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., referral_id: _Optional[str] = ..., offer_id: _Optional[str] = ..., specialist_id: _Optional[str] = ..., outcome: _Optional[str] = ..., modality: _Optional[str] = ..., occurred_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CheckinDue(_message.Message):
    __slots__ = ("provenance", "referral_id", "specialist_id", "number", "due_at", "missed_at")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    SPECIALIST_ID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    DUE_AT_FIELD_NUMBER: _ClassVar[int]
    MISSED_AT_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    referral_id: str
    specialist_id: str
    number: int
    due_at: _timestamp_pb2.Timestamp
    missed_at: _timestamp_pb2.Timestamp
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., referral_id: _Optional[str] = ..., specialist_id: _Optional[str] = ..., number: _Optional[int] = ..., due_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., missed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CheckinRecorded(_message.Message):
    __slots__ = ("provenance", "referral_id", "specialist_id", "number", "outcome", "occurred_at")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    SPECIALIST_ID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    referral_id: str
    specialist_id: str
    number: int
    outcome: str
    occurred_at: _timestamp_pb2.Timestamp
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., referral_id: _Optional[str] = ..., specialist_id: _Optional[str] = ..., number: _Optional[int] = ..., outcome: _Optional[str] = ..., occurred_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CheckinMissed(_message.Message):
    __slots__ = ("provenance", "referral_id", "specialist_id", "number", "supervisor_id")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    SPECIALIST_ID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    SUPERVISOR_ID_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    referral_id: str
    specialist_id: str
    number: int
    supervisor_id: str
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., referral_id: _Optional[str] = ..., specialist_id: _Optional[str] = ..., number: _Optional[int] = ..., supervisor_id: _Optional[str] = ...) -> None: ...

class CaseCompleted(_message.Message):
    __slots__ = ("provenance", "referral_id", "specialist_id", "outcome")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    SPECIALIST_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    referral_id: str
    specialist_id: str
    outcome: str
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., referral_id: _Optional[str] = ..., specialist_id: _Optional[str] = ..., outcome: _Optional[str] = ...) -> None: ...

class AssignmentChosen(_message.Message):
    __slots__ = ("provenance", "offer_id", "referral_id", "specialist_id", "how", "reason_code", "passed_over")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    SPECIALIST_ID_FIELD_NUMBER: _ClassVar[int]
    HOW_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    PASSED_OVER_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    offer_id: str
    referral_id: str
    specialist_id: str
    how: str
    reason_code: str
    passed_over: int
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., offer_id: _Optional[str] = ..., referral_id: _Optional[str] = ..., specialist_id: _Optional[str] = ..., how: _Optional[str] = ..., reason_code: _Optional[str] = ..., passed_over: _Optional[int] = ...) -> None: ...

class ArrivalUpdated(_message.Message):
    __slots__ = ("provenance", "offer_id", "referral_id", "specialist_id", "step", "promised_arrival_at", "modality", "reason_code")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    SPECIALIST_ID_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    PROMISED_ARRIVAL_AT_FIELD_NUMBER: _ClassVar[int]
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    offer_id: str
    referral_id: str
    specialist_id: str
    step: str
    promised_arrival_at: _timestamp_pb2.Timestamp
    modality: str
    reason_code: str
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., offer_id: _Optional[str] = ..., referral_id: _Optional[str] = ..., specialist_id: _Optional[str] = ..., step: _Optional[str] = ..., promised_arrival_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., modality: _Optional[str] = ..., reason_code: _Optional[str] = ...) -> None: ...

class ArrivalOverdue(_message.Message):
    __slots__ = ("provenance", "offer_id", "referral_id", "specialist_id", "promised_arrival_at", "reason_code", "supervisor_id")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    SPECIALIST_ID_FIELD_NUMBER: _ClassVar[int]
    PROMISED_ARRIVAL_AT_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    SUPERVISOR_ID_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    offer_id: str
    referral_id: str
    specialist_id: str
    promised_arrival_at: _timestamp_pb2.Timestamp
    reason_code: str
    supervisor_id: str
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., offer_id: _Optional[str] = ..., referral_id: _Optional[str] = ..., specialist_id: _Optional[str] = ..., promised_arrival_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reason_code: _Optional[str] = ..., supervisor_id: _Optional[str] = ...) -> None: ...

class RematchRequested(_message.Message):
    __slots__ = ("provenance", "offer_id", "referral_id", "specialist_id", "side", "reason_code")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    SPECIALIST_ID_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    offer_id: str
    referral_id: str
    specialist_id: str
    side: str
    reason_code: str
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., offer_id: _Optional[str] = ..., referral_id: _Optional[str] = ..., specialist_id: _Optional[str] = ..., side: _Optional[str] = ..., reason_code: _Optional[str] = ...) -> None: ...

class CaseMoved(_message.Message):
    __slots__ = ("provenance", "offer_id", "referral_id", "from_specialist_id", "specialist_id", "reason_code")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    FROM_SPECIALIST_ID_FIELD_NUMBER: _ClassVar[int]
    SPECIALIST_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    offer_id: str
    referral_id: str
    from_specialist_id: str
    specialist_id: str
    reason_code: str
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., offer_id: _Optional[str] = ..., referral_id: _Optional[str] = ..., from_specialist_id: _Optional[str] = ..., specialist_id: _Optional[str] = ..., reason_code: _Optional[str] = ...) -> None: ...

class LadderChanged(_message.Message):
    __slots__ = ("provenance", "programme_id", "version")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    PROGRAMME_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    programme_id: str
    version: int
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., programme_id: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class SpecialistChanged(_message.Message):
    __slots__ = ("provenance", "specialist_id", "programme_id", "revision", "what")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    SPECIALIST_ID_FIELD_NUMBER: _ClassVar[int]
    PROGRAMME_ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    WHAT_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    specialist_id: str
    programme_id: str
    revision: int
    what: str
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., specialist_id: _Optional[str] = ..., programme_id: _Optional[str] = ..., revision: _Optional[int] = ..., what: _Optional[str] = ...) -> None: ...

class CertificationExpiring(_message.Message):
    __slots__ = ("provenance", "specialist_id", "programme_id", "supervisor_id", "state", "valid_until", "days_left")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    SPECIALIST_ID_FIELD_NUMBER: _ClassVar[int]
    PROGRAMME_ID_FIELD_NUMBER: _ClassVar[int]
    SUPERVISOR_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    VALID_UNTIL_FIELD_NUMBER: _ClassVar[int]
    DAYS_LEFT_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    specialist_id: str
    programme_id: str
    supervisor_id: str
    state: str
    valid_until: str
    days_left: int
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., specialist_id: _Optional[str] = ..., programme_id: _Optional[str] = ..., supervisor_id: _Optional[str] = ..., state: _Optional[str] = ..., valid_until: _Optional[str] = ..., days_left: _Optional[int] = ...) -> None: ...
