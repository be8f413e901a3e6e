import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListParkedRequest(_message.Message):
    __slots__ = ("limit",)
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    limit: int
    def __init__(self, limit: _Optional[int] = ...) -> None: ...

class ListParkedResponse(_message.Message):
    __slots__ = ("parked",)
    PARKED_FIELD_NUMBER: _ClassVar[int]
    parked: _containers.RepeatedCompositeFieldContainer[ParkedEvent]
    def __init__(self, parked: _Optional[_Iterable[_Union[ParkedEvent, _Mapping]]] = ...) -> None: ...

class ParkedEvent(_message.Message):
    __slots__ = ("parked_id", "event_id", "event_type", "reason_code", "detail", "parked_at", "size_bytes")
    PARKED_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    PARKED_AT_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    parked_id: str
    event_id: str
    event_type: str
    reason_code: str
    detail: str
    parked_at: _timestamp_pb2.Timestamp
    size_bytes: int
    def __init__(self, parked_id: _Optional[str] = ..., event_id: _Optional[str] = ..., event_type: _Optional[str] = ..., reason_code: _Optional[str] = ..., detail: _Optional[str] = ..., parked_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class ReplayParkedRequest(_message.Message):
    __slots__ = ("parked_ids",)
    PARKED_IDS_FIELD_NUMBER: _ClassVar[int]
    parked_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, parked_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class ReplayParkedResponse(_message.Message):
    __slots__ = ("replayed",)
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    replayed: int
    def __init__(self, replayed: _Optional[int] = ...) -> None: ...

class DiscardParkedRequest(_message.Message):
    __slots__ = ("parked_id", "reason")
    PARKED_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    parked_id: str
    reason: str
    def __init__(self, parked_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class DiscardParkedResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReplayPublishedRequest(_message.Message):
    __slots__ = ("since",)
    SINCE_FIELD_NUMBER: _ClassVar[int]
    since: _timestamp_pb2.Timestamp
    def __init__(self, since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ReplayPublishedResponse(_message.Message):
    __slots__ = ("replayed",)
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    replayed: int
    def __init__(self, replayed: _Optional[int] = ...) -> None: ...
