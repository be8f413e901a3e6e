import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from kindred.bus.v1 import bus_pb2 as _bus_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RecordRead(_message.Message):
    __slots__ = ("provenance", "record_type", "record_id", "action", "criteria", "referral_id")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    RECORD_TYPE_FIELD_NUMBER: _ClassVar[int]
    RECORD_ID_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    CRITERIA_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    record_type: str
    record_id: str
    action: str
    criteria: _containers.RepeatedScalarFieldContainer[str]
    referral_id: str
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., record_type: _Optional[str] = ..., record_id: _Optional[str] = ..., action: _Optional[str] = ..., criteria: _Optional[_Iterable[str]] = ..., referral_id: _Optional[str] = ...) -> None: ...

class AccessDenied(_message.Message):
    __slots__ = ("provenance", "record_type", "record_id", "action", "reason_code")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    RECORD_TYPE_FIELD_NUMBER: _ClassVar[int]
    RECORD_ID_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    record_type: str
    record_id: str
    action: str
    reason_code: str
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., record_type: _Optional[str] = ..., record_id: _Optional[str] = ..., action: _Optional[str] = ..., reason_code: _Optional[str] = ...) -> None: ...

class SessionBegan(_message.Message):
    __slots__ = ("provenance", "door", "reason_code")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    DOOR_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    door: str
    reason_code: str
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., door: _Optional[str] = ..., reason_code: _Optional[str] = ...) -> None: ...

class SessionEnded(_message.Message):
    __slots__ = ("provenance", "door", "reason_code")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    DOOR_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    door: str
    reason_code: str
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., door: _Optional[str] = ..., reason_code: _Optional[str] = ...) -> None: ...

class TokenIssued(_message.Message):
    __slots__ = ("provenance", "client_id", "scopes", "expires_at")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    client_id: str
    scopes: _containers.RepeatedScalarFieldContainer[str]
    expires_at: _timestamp_pb2.Timestamp
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., client_id: _Optional[str] = ..., scopes: _Optional[_Iterable[str]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RecordExported(_message.Message):
    __slots__ = ("provenance", "record_type", "record_id", "format", "criteria", "rows", "content_sha256", "referral_id")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    RECORD_TYPE_FIELD_NUMBER: _ClassVar[int]
    RECORD_ID_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    CRITERIA_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    CONTENT_SHA256_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    record_type: str
    record_id: str
    format: str
    criteria: _containers.RepeatedScalarFieldContainer[str]
    rows: int
    content_sha256: bytes
    referral_id: str
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., record_type: _Optional[str] = ..., record_id: _Optional[str] = ..., format: _Optional[str] = ..., criteria: _Optional[_Iterable[str]] = ..., rows: _Optional[int] = ..., content_sha256: _Optional[bytes] = ..., referral_id: _Optional[str] = ...) -> None: ...

class EmergencyDeclared(_message.Message):
    __slots__ = ("provenance", "referral_id", "recipient_id", "recipient_affiliation", "discloser_id", "occurred_at", "nature_code")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_ID_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_AFFILIATION_FIELD_NUMBER: _ClassVar[int]
    DISCLOSER_ID_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    NATURE_CODE_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    referral_id: str
    recipient_id: str
    recipient_affiliation: str
    discloser_id: str
    occurred_at: _timestamp_pb2.Timestamp
    nature_code: str
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., referral_id: _Optional[str] = ..., recipient_id: _Optional[str] = ..., recipient_affiliation: _Optional[str] = ..., discloser_id: _Optional[str] = ..., occurred_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., nature_code: _Optional[str] = ...) -> None: ...

class GlassBroken(_message.Message):
    __slots__ = ("provenance", "record_type", "record_id", "referral_id", "reason_code")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    RECORD_TYPE_FIELD_NUMBER: _ClassVar[int]
    RECORD_ID_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    record_type: str
    record_id: str
    referral_id: str
    reason_code: str
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., record_type: _Optional[str] = ..., record_id: _Optional[str] = ..., referral_id: _Optional[str] = ..., reason_code: _Optional[str] = ...) -> None: ...
