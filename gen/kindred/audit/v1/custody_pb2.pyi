import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from kindred.audit.v1 import audit_pb2 as _audit_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ShowEntryRequest(_message.Message):
    __slots__ = ("number",)
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    number: int
    def __init__(self, number: _Optional[int] = ...) -> None: ...

class ShowEntryResponse(_message.Message):
    __slots__ = ("entry", "proof", "policy", "erased_under")
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    ERASED_UNDER_FIELD_NUMBER: _ClassVar[int]
    entry: _audit_pb2.Entry
    proof: bytes
    policy: str
    erased_under: str
    def __init__(self, entry: _Optional[_Union[_audit_pb2.Entry, _Mapping]] = ..., proof: _Optional[bytes] = ..., policy: _Optional[str] = ..., erased_under: _Optional[str] = ...) -> None: ...

class ExportEntriesRequest(_message.Message):
    __slots__ = ("matching", "from_number", "until_number", "known_sizes")
    MATCHING_FIELD_NUMBER: _ClassVar[int]
    FROM_NUMBER_FIELD_NUMBER: _ClassVar[int]
    UNTIL_NUMBER_FIELD_NUMBER: _ClassVar[int]
    KNOWN_SIZES_FIELD_NUMBER: _ClassVar[int]
    matching: _audit_pb2.SearchEntriesRequest
    from_number: int
    until_number: int
    known_sizes: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, matching: _Optional[_Union[_audit_pb2.SearchEntriesRequest, _Mapping]] = ..., from_number: _Optional[int] = ..., until_number: _Optional[int] = ..., known_sizes: _Optional[_Iterable[int]] = ...) -> None: ...

class ExportEntriesResponse(_message.Message):
    __slots__ = ("content",)
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    content: bytes
    def __init__(self, content: _Optional[bytes] = ...) -> None: ...

class GetLogHealthRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetLogHealthResponse(_message.Message):
    __slots__ = ("entries", "logs", "producers", "witnesses", "holds")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    LOGS_FIELD_NUMBER: _ClassVar[int]
    PRODUCERS_FIELD_NUMBER: _ClassVar[int]
    WITNESSES_FIELD_NUMBER: _ClassVar[int]
    HOLDS_FIELD_NUMBER: _ClassVar[int]
    entries: int
    logs: _containers.RepeatedCompositeFieldContainer[LogState]
    producers: _containers.RepeatedCompositeFieldContainer[_audit_pb2.ProducerState]
    witnesses: _containers.RepeatedCompositeFieldContainer[WitnessState]
    holds: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, entries: _Optional[int] = ..., logs: _Optional[_Iterable[_Union[LogState, _Mapping]]] = ..., producers: _Optional[_Iterable[_Union[_audit_pb2.ProducerState, _Mapping]]] = ..., witnesses: _Optional[_Iterable[_Union[WitnessState, _Mapping]]] = ..., holds: _Optional[_Iterable[str]] = ...) -> None: ...

class LogState(_message.Message):
    __slots__ = ("origin", "first_number", "size", "cosigned_size", "cosigned_at", "checkpoint", "pruned_at")
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    FIRST_NUMBER_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    COSIGNED_SIZE_FIELD_NUMBER: _ClassVar[int]
    COSIGNED_AT_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    PRUNED_AT_FIELD_NUMBER: _ClassVar[int]
    origin: str
    first_number: int
    size: int
    cosigned_size: int
    cosigned_at: _timestamp_pb2.Timestamp
    checkpoint: bytes
    pruned_at: _timestamp_pb2.Timestamp
    def __init__(self, origin: _Optional[str] = ..., first_number: _Optional[int] = ..., size: _Optional[int] = ..., cosigned_size: _Optional[int] = ..., cosigned_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., checkpoint: _Optional[bytes] = ..., pruned_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class WitnessState(_message.Message):
    __slots__ = ("name", "verifier_key", "cosigned_at")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERIFIER_KEY_FIELD_NUMBER: _ClassVar[int]
    COSIGNED_AT_FIELD_NUMBER: _ClassVar[int]
    name: str
    verifier_key: str
    cosigned_at: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., verifier_key: _Optional[str] = ..., cosigned_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CheckAllLogsRequest(_message.Message):
    __slots__ = ("without_bodies",)
    WITHOUT_BODIES_FIELD_NUMBER: _ClassVar[int]
    without_bodies: bool
    def __init__(self, without_bodies: _Optional[bool] = ...) -> None: ...

class EraseSubjectRequest(_message.Message):
    __slots__ = ("peer_id", "reason")
    PEER_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    peer_id: str
    reason: str
    def __init__(self, peer_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class EraseSubjectResponse(_message.Message):
    __slots__ = ("erased_periods", "kept_periods", "last_due")
    ERASED_PERIODS_FIELD_NUMBER: _ClassVar[int]
    KEPT_PERIODS_FIELD_NUMBER: _ClassVar[int]
    LAST_DUE_FIELD_NUMBER: _ClassVar[int]
    erased_periods: _containers.RepeatedScalarFieldContainer[str]
    kept_periods: _containers.RepeatedScalarFieldContainer[str]
    last_due: _timestamp_pb2.Timestamp
    def __init__(self, erased_periods: _Optional[_Iterable[str]] = ..., kept_periods: _Optional[_Iterable[str]] = ..., last_due: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PlaceHoldRequest(_message.Message):
    __slots__ = ("peer_id", "reason")
    PEER_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    peer_id: str
    reason: str
    def __init__(self, peer_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class PlaceHoldResponse(_message.Message):
    __slots__ = ("hold_id",)
    HOLD_ID_FIELD_NUMBER: _ClassVar[int]
    hold_id: str
    def __init__(self, hold_id: _Optional[str] = ...) -> None: ...

class ReleaseHoldRequest(_message.Message):
    __slots__ = ("hold_id", "reason")
    HOLD_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    hold_id: str
    reason: str
    def __init__(self, hold_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class ReleaseHoldResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListHoldsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListHoldsResponse(_message.Message):
    __slots__ = ("holds",)
    HOLDS_FIELD_NUMBER: _ClassVar[int]
    holds: _containers.RepeatedCompositeFieldContainer[Hold]
    def __init__(self, holds: _Optional[_Iterable[_Union[Hold, _Mapping]]] = ...) -> None: ...

class Hold(_message.Message):
    __slots__ = ("hold_id", "is_for_everybody", "reason", "placed_by", "placed_at")
    HOLD_ID_FIELD_NUMBER: _ClassVar[int]
    IS_FOR_EVERYBODY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PLACED_BY_FIELD_NUMBER: _ClassVar[int]
    PLACED_AT_FIELD_NUMBER: _ClassVar[int]
    hold_id: str
    is_for_everybody: bool
    reason: str
    placed_by: str
    placed_at: _timestamp_pb2.Timestamp
    def __init__(self, hold_id: _Optional[str] = ..., is_for_everybody: _Optional[bool] = ..., reason: _Optional[str] = ..., placed_by: _Optional[str] = ..., placed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CheckAllLogsResponse(_message.Message):
    __slots__ = ("report",)
    REPORT_FIELD_NUMBER: _ClassVar[int]
    report: _audit_pb2.CheckLogResponse
    def __init__(self, report: _Optional[_Union[_audit_pb2.CheckLogResponse, _Mapping]] = ...) -> None: ...
