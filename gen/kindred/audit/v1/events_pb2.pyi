import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from kindred.bus.v1 import bus_pb2 as _bus_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EventReceived(_message.Message):
    __slots__ = ("provenance", "content_sha256", "sealed_content", "flags")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_SHA256_FIELD_NUMBER: _ClassVar[int]
    SEALED_CONTENT_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    content_sha256: bytes
    sealed_content: bytes
    flags: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., content_sha256: _Optional[bytes] = ..., sealed_content: _Optional[bytes] = ..., flags: _Optional[_Iterable[str]] = ...) -> None: ...

class ReviewOpened(_message.Message):
    __slots__ = ("provenance", "review_id", "rule", "due_at", "entries")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    REVIEW_ID_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    DUE_AT_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    review_id: str
    rule: str
    due_at: _timestamp_pb2.Timestamp
    entries: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., review_id: _Optional[str] = ..., rule: _Optional[str] = ..., due_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., entries: _Optional[_Iterable[int]] = ...) -> None: ...

class ReviewDecided(_message.Message):
    __slots__ = ("provenance", "review_id", "rule", "decision")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    REVIEW_ID_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    review_id: str
    rule: str
    decision: str
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., review_id: _Optional[str] = ..., rule: _Optional[str] = ..., decision: _Optional[str] = ...) -> None: ...

class LogChecked(_message.Message):
    __slots__ = ("provenance", "is_whole", "entries", "entries_checked", "findings", "codes", "with_bodies", "milliseconds")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    IS_WHOLE_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_CHECKED_FIELD_NUMBER: _ClassVar[int]
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    CODES_FIELD_NUMBER: _ClassVar[int]
    WITH_BODIES_FIELD_NUMBER: _ClassVar[int]
    MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    is_whole: bool
    entries: int
    entries_checked: int
    findings: int
    codes: _containers.RepeatedScalarFieldContainer[str]
    with_bodies: bool
    milliseconds: int
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., is_whole: _Optional[bool] = ..., entries: _Optional[int] = ..., entries_checked: _Optional[int] = ..., findings: _Optional[int] = ..., codes: _Optional[_Iterable[str]] = ..., with_bodies: _Optional[bool] = ..., milliseconds: _Optional[int] = ...) -> None: ...
