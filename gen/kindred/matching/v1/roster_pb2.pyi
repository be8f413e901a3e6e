import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from kindred.matching.v1 import matching_pb2 as _matching_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExportRosterRequest(_message.Message):
    __slots__ = ("format", "programme_id")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    PROGRAMME_ID_FIELD_NUMBER: _ClassVar[int]
    format: str
    programme_id: str
    def __init__(self, format: _Optional[str] = ..., programme_id: _Optional[str] = ...) -> None: ...

class ExportRosterResponse(_message.Message):
    __slots__ = ("chunk",)
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    chunk: bytes
    def __init__(self, chunk: _Optional[bytes] = ...) -> None: ...

class GetSpecialistRequest(_message.Message):
    __slots__ = ("specialist_id",)
    SPECIALIST_ID_FIELD_NUMBER: _ClassVar[int]
    specialist_id: str
    def __init__(self, specialist_id: _Optional[str] = ...) -> None: ...

class GetSpecialistResponse(_message.Message):
    __slots__ = ("columns", "revision", "load_milli", "strain_milli", "capacity_milli", "rests_until", "is_available_now")
    class ColumnsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    LOAD_MILLI_FIELD_NUMBER: _ClassVar[int]
    STRAIN_MILLI_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_MILLI_FIELD_NUMBER: _ClassVar[int]
    RESTS_UNTIL_FIELD_NUMBER: _ClassVar[int]
    IS_AVAILABLE_NOW_FIELD_NUMBER: _ClassVar[int]
    columns: _containers.ScalarMap[str, str]
    revision: int
    load_milli: int
    strain_milli: int
    capacity_milli: int
    rests_until: _timestamp_pb2.Timestamp
    is_available_now: bool
    def __init__(self, columns: _Optional[_Mapping[str, str]] = ..., revision: _Optional[int] = ..., load_milli: _Optional[int] = ..., strain_milli: _Optional[int] = ..., capacity_milli: _Optional[int] = ..., rests_until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., is_available_now: _Optional[bool] = ...) -> None: ...

class ReviseSpecialistRequest(_message.Message):
    __slots__ = ("specialist_id", "revision", "columns")
    class ColumnsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SPECIALIST_ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    specialist_id: str
    revision: int
    columns: _containers.ScalarMap[str, str]
    def __init__(self, specialist_id: _Optional[str] = ..., revision: _Optional[int] = ..., columns: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ReviseSpecialistResponse(_message.Message):
    __slots__ = ("revision", "faults")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    FAULTS_FIELD_NUMBER: _ClassVar[int]
    revision: int
    faults: _containers.RepeatedCompositeFieldContainer[_matching_pb2.RowFault]
    def __init__(self, revision: _Optional[int] = ..., faults: _Optional[_Iterable[_Union[_matching_pb2.RowFault, _Mapping]]] = ...) -> None: ...

class TakeRestRequest(_message.Message):
    __slots__ = ("specialist_id", "until")
    SPECIALIST_ID_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    specialist_id: str
    until: _timestamp_pb2.Timestamp
    def __init__(self, specialist_id: _Optional[str] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class TakeRestResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class KeepApartRequest(_message.Message):
    __slots__ = ("specialist_id", "referral_id", "is_taken_back")
    SPECIALIST_ID_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    IS_TAKEN_BACK_FIELD_NUMBER: _ClassVar[int]
    specialist_id: str
    referral_id: str
    is_taken_back: bool
    def __init__(self, specialist_id: _Optional[str] = ..., referral_id: _Optional[str] = ..., is_taken_back: _Optional[bool] = ...) -> None: ...

class KeepApartResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListExpiringCertificationsRequest(_message.Message):
    __slots__ = ("programme_id", "days")
    PROGRAMME_ID_FIELD_NUMBER: _ClassVar[int]
    DAYS_FIELD_NUMBER: _ClassVar[int]
    programme_id: str
    days: int
    def __init__(self, programme_id: _Optional[str] = ..., days: _Optional[int] = ...) -> None: ...

class ListExpiringCertificationsResponse(_message.Message):
    __slots__ = ("certifications",)
    CERTIFICATIONS_FIELD_NUMBER: _ClassVar[int]
    certifications: _containers.RepeatedCompositeFieldContainer[ExpiringCertification]
    def __init__(self, certifications: _Optional[_Iterable[_Union[ExpiringCertification, _Mapping]]] = ...) -> None: ...

class ExpiringCertification(_message.Message):
    __slots__ = ("specialist_id", "state", "valid_until", "supervisor_id")
    SPECIALIST_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    VALID_UNTIL_FIELD_NUMBER: _ClassVar[int]
    SUPERVISOR_ID_FIELD_NUMBER: _ClassVar[int]
    specialist_id: str
    state: str
    valid_until: str
    supervisor_id: str
    def __init__(self, specialist_id: _Optional[str] = ..., state: _Optional[str] = ..., valid_until: _Optional[str] = ..., supervisor_id: _Optional[str] = ...) -> None: ...

class WhyNotRequest(_message.Message):
    __slots__ = ("referral_id", "specialist_id")
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    SPECIALIST_ID_FIELD_NUMBER: _ClassVar[int]
    referral_id: str
    specialist_id: str
    def __init__(self, referral_id: _Optional[str] = ..., specialist_id: _Optional[str] = ...) -> None: ...

class WhyNotResponse(_message.Message):
    __slots__ = ("rules", "texts", "place", "eligible", "explanation", "offer_state", "wave")
    RULES_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    ELIGIBLE_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    OFFER_STATE_FIELD_NUMBER: _ClassVar[int]
    WAVE_FIELD_NUMBER: _ClassVar[int]
    rules: _containers.RepeatedScalarFieldContainer[str]
    texts: _containers.RepeatedScalarFieldContainer[str]
    place: int
    eligible: int
    explanation: _matching_pb2.Explanation
    offer_state: str
    wave: int
    def __init__(self, rules: _Optional[_Iterable[str]] = ..., texts: _Optional[_Iterable[str]] = ..., place: _Optional[int] = ..., eligible: _Optional[int] = ..., explanation: _Optional[_Union[_matching_pb2.Explanation, _Mapping]] = ..., offer_state: _Optional[str] = ..., wave: _Optional[int] = ...) -> None: ...

class WhatIfRequest(_message.Message):
    __slots__ = ("referral_id", "dropped_codes", "bedside_limit_minutes", "added_modalities", "is_interpreter_agreed")
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    DROPPED_CODES_FIELD_NUMBER: _ClassVar[int]
    BEDSIDE_LIMIT_MINUTES_FIELD_NUMBER: _ClassVar[int]
    ADDED_MODALITIES_FIELD_NUMBER: _ClassVar[int]
    IS_INTERPRETER_AGREED_FIELD_NUMBER: _ClassVar[int]
    referral_id: str
    dropped_codes: _containers.RepeatedScalarFieldContainer[str]
    bedside_limit_minutes: int
    added_modalities: _containers.RepeatedScalarFieldContainer[str]
    is_interpreter_agreed: bool
    def __init__(self, referral_id: _Optional[str] = ..., dropped_codes: _Optional[_Iterable[str]] = ..., bedside_limit_minutes: _Optional[int] = ..., added_modalities: _Optional[_Iterable[str]] = ..., is_interpreter_agreed: _Optional[bool] = ...) -> None: ...

class WhatIfResponse(_message.Message):
    __slots__ = ("before", "after")
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    before: Outlook
    after: Outlook
    def __init__(self, before: _Optional[_Union[Outlook, _Mapping]] = ..., after: _Optional[_Union[Outlook, _Mapping]] = ...) -> None: ...

class Outlook(_message.Message):
    __slots__ = ("eligible", "exclusions", "best")
    ELIGIBLE_FIELD_NUMBER: _ClassVar[int]
    EXCLUSIONS_FIELD_NUMBER: _ClassVar[int]
    BEST_FIELD_NUMBER: _ClassVar[int]
    eligible: int
    exclusions: _containers.RepeatedCompositeFieldContainer[_matching_pb2.Exclusion]
    best: _containers.RepeatedCompositeFieldContainer[RankedSpecialist]
    def __init__(self, eligible: _Optional[int] = ..., exclusions: _Optional[_Iterable[_Union[_matching_pb2.Exclusion, _Mapping]]] = ..., best: _Optional[_Iterable[_Union[RankedSpecialist, _Mapping]]] = ...) -> None: ...

class RankedSpecialist(_message.Message):
    __slots__ = ("place", "specialist_id", "explanation")
    PLACE_FIELD_NUMBER: _ClassVar[int]
    SPECIALIST_ID_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    place: int
    specialist_id: str
    explanation: _matching_pb2.Explanation
    def __init__(self, place: _Optional[int] = ..., specialist_id: _Optional[str] = ..., explanation: _Optional[_Union[_matching_pb2.Explanation, _Mapping]] = ...) -> None: ...

class GetPolicyRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetPolicyResponse(_message.Message):
    __slots__ = ("version", "document", "changes")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    version: str
    document: str
    changes: _containers.RepeatedCompositeFieldContainer[PolicyChange]
    def __init__(self, version: _Optional[str] = ..., document: _Optional[str] = ..., changes: _Optional[_Iterable[_Union[PolicyChange, _Mapping]]] = ...) -> None: ...

class PolicyChange(_message.Message):
    __slots__ = ("version", "changed_on", "changed_by", "reason")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CHANGED_ON_FIELD_NUMBER: _ClassVar[int]
    CHANGED_BY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    version: str
    changed_on: str
    changed_by: str
    reason: str
    def __init__(self, version: _Optional[str] = ..., changed_on: _Optional[str] = ..., changed_by: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...
