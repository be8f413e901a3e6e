import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from kindred.matching.v1 import matching_pb2 as _matching_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AssignByHandRequest(_message.Message):
    __slots__ = ("referral_id", "specialist_id", "idempotency_key", "promised_arrival_at", "modality", "reason_code", "specialist_agreed")
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    SPECIALIST_ID_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    PROMISED_ARRIVAL_AT_FIELD_NUMBER: _ClassVar[int]
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    SPECIALIST_AGREED_FIELD_NUMBER: _ClassVar[int]
    referral_id: str
    specialist_id: str
    idempotency_key: str
    promised_arrival_at: _timestamp_pb2.Timestamp
    modality: str
    reason_code: str
    specialist_agreed: bool
    def __init__(self, referral_id: _Optional[str] = ..., specialist_id: _Optional[str] = ..., idempotency_key: _Optional[str] = ..., promised_arrival_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., modality: _Optional[str] = ..., reason_code: _Optional[str] = ..., specialist_agreed: _Optional[bool] = ...) -> None: ...

class AssignByHandResponse(_message.Message):
    __slots__ = ("offer_id", "passed_over")
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    PASSED_OVER_FIELD_NUMBER: _ClassVar[int]
    offer_id: str
    passed_over: int
    def __init__(self, offer_id: _Optional[str] = ..., passed_over: _Optional[int] = ...) -> None: ...

class ListPoolRequest(_message.Message):
    __slots__ = ("limit",)
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    limit: int
    def __init__(self, limit: _Optional[int] = ...) -> None: ...

class ListPoolResponse(_message.Message):
    __slots__ = ("entries", "held_elsewhere")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    HELD_ELSEWHERE_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[PoolEntry]
    held_elsewhere: int
    def __init__(self, entries: _Optional[_Iterable[_Union[PoolEntry, _Mapping]]] = ..., held_elsewhere: _Optional[int] = ...) -> None: ...

class PoolEntry(_message.Message):
    __slots__ = ("referral_id", "urgency", "opened_at", "ways", "explanation", "exclusions", "expected_departure_at")
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    URGENCY_FIELD_NUMBER: _ClassVar[int]
    OPENED_AT_FIELD_NUMBER: _ClassVar[int]
    WAYS_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    EXCLUSIONS_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_DEPARTURE_AT_FIELD_NUMBER: _ClassVar[int]
    referral_id: str
    urgency: str
    opened_at: _timestamp_pb2.Timestamp
    ways: _containers.RepeatedScalarFieldContainer[str]
    explanation: _matching_pb2.Explanation
    exclusions: _containers.RepeatedCompositeFieldContainer[_matching_pb2.Exclusion]
    expected_departure_at: _timestamp_pb2.Timestamp
    def __init__(self, referral_id: _Optional[str] = ..., urgency: _Optional[str] = ..., opened_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ways: _Optional[_Iterable[str]] = ..., explanation: _Optional[_Union[_matching_pb2.Explanation, _Mapping]] = ..., exclusions: _Optional[_Iterable[_Union[_matching_pb2.Exclusion, _Mapping]]] = ..., expected_departure_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ClaimReferralRequest(_message.Message):
    __slots__ = ("referral_id", "idempotency_key", "promised_arrival_at", "modality")
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    PROMISED_ARRIVAL_AT_FIELD_NUMBER: _ClassVar[int]
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    referral_id: str
    idempotency_key: str
    promised_arrival_at: _timestamp_pb2.Timestamp
    modality: str
    def __init__(self, referral_id: _Optional[str] = ..., idempotency_key: _Optional[str] = ..., promised_arrival_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., modality: _Optional[str] = ...) -> None: ...

class ClaimReferralResponse(_message.Message):
    __slots__ = ("offer_id",)
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    offer_id: str
    def __init__(self, offer_id: _Optional[str] = ...) -> None: ...

class QueryCapacityRequest(_message.Message):
    __slots__ = ("facility_zip", "urgency", "languages", "interpreter_agreed", "age_band", "payer_code", "minutes_until_departure")
    FACILITY_ZIP_FIELD_NUMBER: _ClassVar[int]
    URGENCY_FIELD_NUMBER: _ClassVar[int]
    LANGUAGES_FIELD_NUMBER: _ClassVar[int]
    INTERPRETER_AGREED_FIELD_NUMBER: _ClassVar[int]
    AGE_BAND_FIELD_NUMBER: _ClassVar[int]
    PAYER_CODE_FIELD_NUMBER: _ClassVar[int]
    MINUTES_UNTIL_DEPARTURE_FIELD_NUMBER: _ClassVar[int]
    facility_zip: str
    urgency: str
    languages: _containers.RepeatedScalarFieldContainer[str]
    interpreter_agreed: bool
    age_band: str
    payer_code: str
    minutes_until_departure: int
    def __init__(self, facility_zip: _Optional[str] = ..., urgency: _Optional[str] = ..., languages: _Optional[_Iterable[str]] = ..., interpreter_agreed: _Optional[bool] = ..., age_band: _Optional[str] = ..., payer_code: _Optional[str] = ..., minutes_until_departure: _Optional[int] = ...) -> None: ...

class QueryCapacityResponse(_message.Message):
    __slots__ = ("bedside", "by_phone", "by_video", "answered_at")
    BEDSIDE_FIELD_NUMBER: _ClassVar[int]
    BY_PHONE_FIELD_NUMBER: _ClassVar[int]
    BY_VIDEO_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_AT_FIELD_NUMBER: _ClassVar[int]
    bedside: _containers.RepeatedCompositeFieldContainer[BedsideWithin]
    by_phone: int
    by_video: int
    answered_at: _timestamp_pb2.Timestamp
    def __init__(self, bedside: _Optional[_Iterable[_Union[BedsideWithin, _Mapping]]] = ..., by_phone: _Optional[int] = ..., by_video: _Optional[int] = ..., answered_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class BedsideWithin(_message.Message):
    __slots__ = ("minutes", "specialists")
    MINUTES_FIELD_NUMBER: _ClassVar[int]
    SPECIALISTS_FIELD_NUMBER: _ClassVar[int]
    minutes: int
    specialists: int
    def __init__(self, minutes: _Optional[int] = ..., specialists: _Optional[int] = ...) -> None: ...

class ReportArrivalRequest(_message.Message):
    __slots__ = ("referral_id", "idempotency_key", "step", "promised_arrival_at")
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    PROMISED_ARRIVAL_AT_FIELD_NUMBER: _ClassVar[int]
    referral_id: str
    idempotency_key: str
    step: str
    promised_arrival_at: _timestamp_pb2.Timestamp
    def __init__(self, referral_id: _Optional[str] = ..., idempotency_key: _Optional[str] = ..., step: _Optional[str] = ..., promised_arrival_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ReportArrivalResponse(_message.Message):
    __slots__ = ("promised_arrival_at", "modality")
    PROMISED_ARRIVAL_AT_FIELD_NUMBER: _ClassVar[int]
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    promised_arrival_at: _timestamp_pb2.Timestamp
    modality: str
    def __init__(self, promised_arrival_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., modality: _Optional[str] = ...) -> None: ...

class RequestRematchRequest(_message.Message):
    __slots__ = ("referral_id", "idempotency_key", "side", "reason_code")
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    referral_id: str
    idempotency_key: str
    side: str
    reason_code: str
    def __init__(self, referral_id: _Optional[str] = ..., idempotency_key: _Optional[str] = ..., side: _Optional[str] = ..., reason_code: _Optional[str] = ...) -> None: ...

class RequestRematchResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListCaseloadRequest(_message.Message):
    __slots__ = ("specialist_id", "with_takers")
    SPECIALIST_ID_FIELD_NUMBER: _ClassVar[int]
    WITH_TAKERS_FIELD_NUMBER: _ClassVar[int]
    specialist_id: str
    with_takers: bool
    def __init__(self, specialist_id: _Optional[str] = ..., with_takers: _Optional[bool] = ...) -> None: ...

class ListCaseloadResponse(_message.Message):
    __slots__ = ("entries", "load_milli", "capacity_milli")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    LOAD_MILLI_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_MILLI_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[CaseloadEntry]
    load_milli: int
    capacity_milli: int
    def __init__(self, entries: _Optional[_Iterable[_Union[CaseloadEntry, _Mapping]]] = ..., load_milli: _Optional[int] = ..., capacity_milli: _Optional[int] = ...) -> None: ...

class CaseloadEntry(_message.Message):
    __slots__ = ("referral_id", "state", "urgency", "promised_arrival_at", "checkins", "taker_ids", "asked_taker_id")
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    URGENCY_FIELD_NUMBER: _ClassVar[int]
    PROMISED_ARRIVAL_AT_FIELD_NUMBER: _ClassVar[int]
    CHECKINS_FIELD_NUMBER: _ClassVar[int]
    TAKER_IDS_FIELD_NUMBER: _ClassVar[int]
    ASKED_TAKER_ID_FIELD_NUMBER: _ClassVar[int]
    referral_id: str
    state: str
    urgency: str
    promised_arrival_at: _timestamp_pb2.Timestamp
    checkins: _containers.RepeatedCompositeFieldContainer[_matching_pb2.Checkin]
    taker_ids: _containers.RepeatedScalarFieldContainer[str]
    asked_taker_id: str
    def __init__(self, referral_id: _Optional[str] = ..., state: _Optional[str] = ..., urgency: _Optional[str] = ..., promised_arrival_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., checkins: _Optional[_Iterable[_Union[_matching_pb2.Checkin, _Mapping]]] = ..., taker_ids: _Optional[_Iterable[str]] = ..., asked_taker_id: _Optional[str] = ...) -> None: ...

class ProposeMoveRequest(_message.Message):
    __slots__ = ("referral_id", "idempotency_key", "to_specialist_id", "reason_code", "peer_agreed")
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    TO_SPECIALIST_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    PEER_AGREED_FIELD_NUMBER: _ClassVar[int]
    referral_id: str
    idempotency_key: str
    to_specialist_id: str
    reason_code: str
    peer_agreed: bool
    def __init__(self, referral_id: _Optional[str] = ..., idempotency_key: _Optional[str] = ..., to_specialist_id: _Optional[str] = ..., reason_code: _Optional[str] = ..., peer_agreed: _Optional[bool] = ...) -> None: ...

class ProposeMoveResponse(_message.Message):
    __slots__ = ("offer_id", "to_specialist_id", "deadline_at")
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    TO_SPECIALIST_ID_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_AT_FIELD_NUMBER: _ClassVar[int]
    offer_id: str
    to_specialist_id: str
    deadline_at: _timestamp_pb2.Timestamp
    def __init__(self, offer_id: _Optional[str] = ..., to_specialist_id: _Optional[str] = ..., deadline_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PreviewBacklogRequest(_message.Message):
    __slots__ = ("referral_ids", "variant")
    REFERRAL_IDS_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    referral_ids: _containers.RepeatedScalarFieldContainer[str]
    variant: str
    def __init__(self, referral_ids: _Optional[_Iterable[str]] = ..., variant: _Optional[str] = ...) -> None: ...

class PreviewBacklogResponse(_message.Message):
    __slots__ = ("plan_id", "matches", "left_over", "total_milli", "greedy_served", "greedy_total_milli", "expires_at", "is_proven_best", "stable_served", "stable_total_milli", "variant")
    PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    MATCHES_FIELD_NUMBER: _ClassVar[int]
    LEFT_OVER_FIELD_NUMBER: _ClassVar[int]
    TOTAL_MILLI_FIELD_NUMBER: _ClassVar[int]
    GREEDY_SERVED_FIELD_NUMBER: _ClassVar[int]
    GREEDY_TOTAL_MILLI_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    IS_PROVEN_BEST_FIELD_NUMBER: _ClassVar[int]
    STABLE_SERVED_FIELD_NUMBER: _ClassVar[int]
    STABLE_TOTAL_MILLI_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    plan_id: str
    matches: _containers.RepeatedCompositeFieldContainer[PlannedMatch]
    left_over: _containers.RepeatedCompositeFieldContainer[LeftOver]
    total_milli: int
    greedy_served: int
    greedy_total_milli: int
    expires_at: _timestamp_pb2.Timestamp
    is_proven_best: bool
    stable_served: int
    stable_total_milli: int
    variant: str
    def __init__(self, plan_id: _Optional[str] = ..., matches: _Optional[_Iterable[_Union[PlannedMatch, _Mapping]]] = ..., left_over: _Optional[_Iterable[_Union[LeftOver, _Mapping]]] = ..., total_milli: _Optional[int] = ..., greedy_served: _Optional[int] = ..., greedy_total_milli: _Optional[int] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., is_proven_best: _Optional[bool] = ..., stable_served: _Optional[int] = ..., stable_total_milli: _Optional[int] = ..., variant: _Optional[str] = ...) -> None: ...

class PlannedMatch(_message.Message):
    __slots__ = ("referral_id", "specialist_id", "score_milli", "choice", "so_that_referral_id", "so_that_is_served_at_all", "explanation")
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    SPECIALIST_ID_FIELD_NUMBER: _ClassVar[int]
    SCORE_MILLI_FIELD_NUMBER: _ClassVar[int]
    CHOICE_FIELD_NUMBER: _ClassVar[int]
    SO_THAT_REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    SO_THAT_IS_SERVED_AT_ALL_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    referral_id: str
    specialist_id: str
    score_milli: int
    choice: int
    so_that_referral_id: str
    so_that_is_served_at_all: bool
    explanation: _matching_pb2.Explanation
    def __init__(self, referral_id: _Optional[str] = ..., specialist_id: _Optional[str] = ..., score_milli: _Optional[int] = ..., choice: _Optional[int] = ..., so_that_referral_id: _Optional[str] = ..., so_that_is_served_at_all: _Optional[bool] = ..., explanation: _Optional[_Union[_matching_pb2.Explanation, _Mapping]] = ...) -> None: ...

class LeftOver(_message.Message):
    __slots__ = ("referral_id", "reason_code", "exclusions")
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    EXCLUSIONS_FIELD_NUMBER: _ClassVar[int]
    referral_id: str
    reason_code: str
    exclusions: _containers.RepeatedCompositeFieldContainer[_matching_pb2.Exclusion]
    def __init__(self, referral_id: _Optional[str] = ..., reason_code: _Optional[str] = ..., exclusions: _Optional[_Iterable[_Union[_matching_pb2.Exclusion, _Mapping]]] = ...) -> None: ...

class ApplyBacklogRequest(_message.Message):
    __slots__ = ("plan_id", "idempotency_key")
    PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    plan_id: str
    idempotency_key: str
    def __init__(self, plan_id: _Optional[str] = ..., idempotency_key: _Optional[str] = ...) -> None: ...

class ApplyBacklogResponse(_message.Message):
    __slots__ = ("offers_made",)
    OFFERS_MADE_FIELD_NUMBER: _ClassVar[int]
    offers_made: int
    def __init__(self, offers_made: _Optional[int] = ...) -> None: ...

class LadderSteps(_message.Message):
    __slots__ = ("urgency", "sizes", "seconds", "preference_milli")
    URGENCY_FIELD_NUMBER: _ClassVar[int]
    SIZES_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    PREFERENCE_MILLI_FIELD_NUMBER: _ClassVar[int]
    urgency: str
    sizes: _containers.RepeatedScalarFieldContainer[int]
    seconds: _containers.RepeatedScalarFieldContainer[int]
    preference_milli: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, urgency: _Optional[str] = ..., sizes: _Optional[_Iterable[int]] = ..., seconds: _Optional[_Iterable[int]] = ..., preference_milli: _Optional[_Iterable[int]] = ...) -> None: ...

class GetLadderRequest(_message.Message):
    __slots__ = ("programme_id",)
    PROGRAMME_ID_FIELD_NUMBER: _ClassVar[int]
    programme_id: str
    def __init__(self, programme_id: _Optional[str] = ...) -> None: ...

class GetLadderResponse(_message.Message):
    __slots__ = ("programme_id", "version", "ladders", "source_ids", "changes")
    PROGRAMME_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LADDERS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_IDS_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    programme_id: str
    version: int
    ladders: _containers.RepeatedCompositeFieldContainer[LadderSteps]
    source_ids: _containers.RepeatedScalarFieldContainer[str]
    changes: _containers.RepeatedCompositeFieldContainer[LadderChange]
    def __init__(self, programme_id: _Optional[str] = ..., version: _Optional[int] = ..., ladders: _Optional[_Iterable[_Union[LadderSteps, _Mapping]]] = ..., source_ids: _Optional[_Iterable[str]] = ..., changes: _Optional[_Iterable[_Union[LadderChange, _Mapping]]] = ...) -> None: ...

class LadderChange(_message.Message):
    __slots__ = ("version", "changed_at", "changed_by", "reason")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CHANGED_AT_FIELD_NUMBER: _ClassVar[int]
    CHANGED_BY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    version: int
    changed_at: _timestamp_pb2.Timestamp
    changed_by: str
    reason: str
    def __init__(self, version: _Optional[int] = ..., changed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., changed_by: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class SetLadderRequest(_message.Message):
    __slots__ = ("programme_id", "ladders", "source_ids", "reason", "expected_version")
    PROGRAMME_ID_FIELD_NUMBER: _ClassVar[int]
    LADDERS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_IDS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    programme_id: str
    ladders: _containers.RepeatedCompositeFieldContainer[LadderSteps]
    source_ids: _containers.RepeatedScalarFieldContainer[str]
    reason: str
    expected_version: int
    def __init__(self, programme_id: _Optional[str] = ..., ladders: _Optional[_Iterable[_Union[LadderSteps, _Mapping]]] = ..., source_ids: _Optional[_Iterable[str]] = ..., reason: _Optional[str] = ..., expected_version: _Optional[int] = ...) -> None: ...

class SetLadderResponse(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: int
    def __init__(self, version: _Optional[int] = ...) -> None: ...
