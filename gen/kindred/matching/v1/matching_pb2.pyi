import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ImportRosterRequest(_message.Message):
    __slots__ = ("chunk", "format")
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    chunk: bytes
    format: str
    def __init__(self, chunk: _Optional[bytes] = ..., format: _Optional[str] = ...) -> None: ...

class ImportRosterResponse(_message.Message):
    __slots__ = ("rows_read", "rows_stored", "rows_unchanged", "faults", "is_final")
    ROWS_READ_FIELD_NUMBER: _ClassVar[int]
    ROWS_STORED_FIELD_NUMBER: _ClassVar[int]
    ROWS_UNCHANGED_FIELD_NUMBER: _ClassVar[int]
    FAULTS_FIELD_NUMBER: _ClassVar[int]
    IS_FINAL_FIELD_NUMBER: _ClassVar[int]
    rows_read: int
    rows_stored: int
    rows_unchanged: int
    faults: _containers.RepeatedCompositeFieldContainer[RowFault]
    is_final: bool
    def __init__(self, rows_read: _Optional[int] = ..., rows_stored: _Optional[int] = ..., rows_unchanged: _Optional[int] = ..., faults: _Optional[_Iterable[_Union[RowFault, _Mapping]]] = ..., is_final: _Optional[bool] = ...) -> None: ...

class RowFault(_message.Message):
    __slots__ = ("line", "column", "code", "message")
    LINE_FIELD_NUMBER: _ClassVar[int]
    COLUMN_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    line: int
    column: str
    code: str
    message: str
    def __init__(self, line: _Optional[int] = ..., column: _Optional[str] = ..., code: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class Offer(_message.Message):
    __slots__ = ("offer_id", "referral_id", "specialist_id", "state", "wave", "made_at", "deadline_at", "answered_at", "urgency", "explanation", "programme_id", "ways")
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    SPECIALIST_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    WAVE_FIELD_NUMBER: _ClassVar[int]
    MADE_AT_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_AT_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_AT_FIELD_NUMBER: _ClassVar[int]
    URGENCY_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    PROGRAMME_ID_FIELD_NUMBER: _ClassVar[int]
    WAYS_FIELD_NUMBER: _ClassVar[int]
    offer_id: str
    referral_id: str
    specialist_id: str
    state: str
    wave: int
    made_at: _timestamp_pb2.Timestamp
    deadline_at: _timestamp_pb2.Timestamp
    answered_at: _timestamp_pb2.Timestamp
    urgency: str
    explanation: Explanation
    programme_id: str
    ways: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, offer_id: _Optional[str] = ..., referral_id: _Optional[str] = ..., specialist_id: _Optional[str] = ..., state: _Optional[str] = ..., wave: _Optional[int] = ..., made_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., deadline_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., answered_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., urgency: _Optional[str] = ..., explanation: _Optional[_Union[Explanation, _Mapping]] = ..., programme_id: _Optional[str] = ..., ways: _Optional[_Iterable[str]] = ...) -> None: ...

class Explanation(_message.Message):
    __slots__ = ("score_milli", "terms")
    SCORE_MILLI_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    score_milli: int
    terms: _containers.RepeatedCompositeFieldContainer[Term]
    def __init__(self, score_milli: _Optional[int] = ..., terms: _Optional[_Iterable[_Union[Term, _Mapping]]] = ...) -> None: ...

class Term(_message.Message):
    __slots__ = ("code", "points_milli", "text")
    CODE_FIELD_NUMBER: _ClassVar[int]
    POINTS_MILLI_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    code: str
    points_milli: int
    text: str
    def __init__(self, code: _Optional[str] = ..., points_milli: _Optional[int] = ..., text: _Optional[str] = ...) -> None: ...

class ListOffersRequest(_message.Message):
    __slots__ = ("specialist_id", "referral_id", "only_open")
    SPECIALIST_ID_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    ONLY_OPEN_FIELD_NUMBER: _ClassVar[int]
    specialist_id: str
    referral_id: str
    only_open: bool
    def __init__(self, specialist_id: _Optional[str] = ..., referral_id: _Optional[str] = ..., only_open: _Optional[bool] = ...) -> None: ...

class ListOffersResponse(_message.Message):
    __slots__ = ("offers",)
    OFFERS_FIELD_NUMBER: _ClassVar[int]
    offers: _containers.RepeatedCompositeFieldContainer[Offer]
    def __init__(self, offers: _Optional[_Iterable[_Union[Offer, _Mapping]]] = ...) -> None: ...

class AcceptOfferRequest(_message.Message):
    __slots__ = ("offer_id", "idempotency_key", "promised_arrival_at", "modality")
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    PROMISED_ARRIVAL_AT_FIELD_NUMBER: _ClassVar[int]
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    offer_id: str
    idempotency_key: str
    promised_arrival_at: _timestamp_pb2.Timestamp
    modality: str
    def __init__(self, offer_id: _Optional[str] = ..., idempotency_key: _Optional[str] = ..., promised_arrival_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., modality: _Optional[str] = ...) -> None: ...

class AcceptOfferResponse(_message.Message):
    __slots__ = ("referral_id",)
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    referral_id: str
    def __init__(self, referral_id: _Optional[str] = ...) -> None: ...

class DeclineOfferRequest(_message.Message):
    __slots__ = ("offer_id", "idempotency_key", "reason_code")
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    offer_id: str
    idempotency_key: str
    reason_code: str
    def __init__(self, offer_id: _Optional[str] = ..., idempotency_key: _Optional[str] = ..., reason_code: _Optional[str] = ...) -> None: ...

class DeclineOfferResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetCaseRequest(_message.Message):
    __slots__ = ("referral_id",)
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    referral_id: str
    def __init__(self, referral_id: _Optional[str] = ...) -> None: ...

class GetCaseResponse(_message.Message):
    __slots__ = ("referral_id", "state", "wave", "assigned_specialist_id", "offers", "opened_at", "exclusions", "handoff_outcome", "checkins", "stop_code")
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    WAVE_FIELD_NUMBER: _ClassVar[int]
    ASSIGNED_SPECIALIST_ID_FIELD_NUMBER: _ClassVar[int]
    OFFERS_FIELD_NUMBER: _ClassVar[int]
    OPENED_AT_FIELD_NUMBER: _ClassVar[int]
    EXCLUSIONS_FIELD_NUMBER: _ClassVar[int]
    HANDOFF_OUTCOME_FIELD_NUMBER: _ClassVar[int]
    CHECKINS_FIELD_NUMBER: _ClassVar[int]
    STOP_CODE_FIELD_NUMBER: _ClassVar[int]
    referral_id: str
    state: str
    wave: int
    assigned_specialist_id: str
    offers: _containers.RepeatedCompositeFieldContainer[Offer]
    opened_at: _timestamp_pb2.Timestamp
    exclusions: _containers.RepeatedCompositeFieldContainer[Exclusion]
    handoff_outcome: str
    checkins: _containers.RepeatedCompositeFieldContainer[Checkin]
    stop_code: str
    def __init__(self, referral_id: _Optional[str] = ..., state: _Optional[str] = ..., wave: _Optional[int] = ..., assigned_specialist_id: _Optional[str] = ..., offers: _Optional[_Iterable[_Union[Offer, _Mapping]]] = ..., opened_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., exclusions: _Optional[_Iterable[_Union[Exclusion, _Mapping]]] = ..., handoff_outcome: _Optional[str] = ..., checkins: _Optional[_Iterable[_Union[Checkin, _Mapping]]] = ..., stop_code: _Optional[str] = ...) -> None: ...

class RecordHandoffRequest(_message.Message):
    __slots__ = ("referral_id", "idempotency_key", "outcome", "modality", "occurred_at")
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    referral_id: str
    idempotency_key: str
    outcome: str
    modality: str
    occurred_at: _timestamp_pb2.Timestamp
    def __init__(self, referral_id: _Optional[str] = ..., idempotency_key: _Optional[str] = ..., outcome: _Optional[str] = ..., modality: _Optional[str] = ..., occurred_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RecordHandoffResponse(_message.Message):
    __slots__ = ("checkins",)
    CHECKINS_FIELD_NUMBER: _ClassVar[int]
    checkins: _containers.RepeatedCompositeFieldContainer[Checkin]
    def __init__(self, checkins: _Optional[_Iterable[_Union[Checkin, _Mapping]]] = ...) -> None: ...

class RecordCheckinRequest(_message.Message):
    __slots__ = ("referral_id", "idempotency_key", "number", "outcome", "occurred_at")
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    referral_id: str
    idempotency_key: str
    number: int
    outcome: str
    occurred_at: _timestamp_pb2.Timestamp
    def __init__(self, referral_id: _Optional[str] = ..., idempotency_key: _Optional[str] = ..., number: _Optional[int] = ..., outcome: _Optional[str] = ..., occurred_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RecordCheckinResponse(_message.Message):
    __slots__ = ("checkin",)
    CHECKIN_FIELD_NUMBER: _ClassVar[int]
    checkin: Checkin
    def __init__(self, checkin: _Optional[_Union[Checkin, _Mapping]] = ...) -> None: ...

class CompleteCaseRequest(_message.Message):
    __slots__ = ("referral_id", "outcome")
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    referral_id: str
    outcome: str
    def __init__(self, referral_id: _Optional[str] = ..., outcome: _Optional[str] = ...) -> None: ...

class CompleteCaseResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Checkin(_message.Message):
    __slots__ = ("number", "due_at", "state", "outcome", "occurred_at")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    DUE_AT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    number: int
    due_at: _timestamp_pb2.Timestamp
    state: str
    outcome: str
    occurred_at: _timestamp_pb2.Timestamp
    def __init__(self, number: _Optional[int] = ..., due_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., state: _Optional[str] = ..., outcome: _Optional[str] = ..., occurred_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Exclusion(_message.Message):
    __slots__ = ("rule", "specialists")
    RULE_FIELD_NUMBER: _ClassVar[int]
    SPECIALISTS_FIELD_NUMBER: _ClassVar[int]
    rule: str
    specialists: int
    def __init__(self, rule: _Optional[str] = ..., specialists: _Optional[int] = ...) -> None: ...
