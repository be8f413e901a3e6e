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
