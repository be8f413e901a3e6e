from kindred.bus.v1 import bus_pb2 as _bus_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class NoticeSent(_message.Message):
    __slots__ = ("provenance", "notice_id", "intent", "recipient_id", "referral_id", "channel", "attempt", "is_possible_repeat", "offer_id")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    NOTICE_ID_FIELD_NUMBER: _ClassVar[int]
    INTENT_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_ID_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    IS_POSSIBLE_REPEAT_FIELD_NUMBER: _ClassVar[int]
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    notice_id: str
    intent: str
    recipient_id: str
    referral_id: str
    channel: str
    attempt: int
    is_possible_repeat: bool
    offer_id: str
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., notice_id: _Optional[str] = ..., intent: _Optional[str] = ..., recipient_id: _Optional[str] = ..., referral_id: _Optional[str] = ..., channel: _Optional[str] = ..., attempt: _Optional[int] = ..., is_possible_repeat: _Optional[bool] = ..., offer_id: _Optional[str] = ...) -> None: ...

class NoticeFailed(_message.Message):
    __slots__ = ("provenance", "notice_id", "intent", "recipient_id", "referral_id", "channel", "reason_code", "offer_id")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    NOTICE_ID_FIELD_NUMBER: _ClassVar[int]
    INTENT_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_ID_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    notice_id: str
    intent: str
    recipient_id: str
    referral_id: str
    channel: str
    reason_code: str
    offer_id: str
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., notice_id: _Optional[str] = ..., intent: _Optional[str] = ..., recipient_id: _Optional[str] = ..., referral_id: _Optional[str] = ..., channel: _Optional[str] = ..., reason_code: _Optional[str] = ..., offer_id: _Optional[str] = ...) -> None: ...

class NoticeDelivered(_message.Message):
    __slots__ = ("provenance", "notice_id", "intent", "recipient_id", "referral_id", "offer_id", "channel", "attempt")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    NOTICE_ID_FIELD_NUMBER: _ClassVar[int]
    INTENT_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_ID_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    notice_id: str
    intent: str
    recipient_id: str
    referral_id: str
    offer_id: str
    channel: str
    attempt: int
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., notice_id: _Optional[str] = ..., intent: _Optional[str] = ..., recipient_id: _Optional[str] = ..., referral_id: _Optional[str] = ..., offer_id: _Optional[str] = ..., channel: _Optional[str] = ..., attempt: _Optional[int] = ...) -> None: ...

class NoticeBounced(_message.Message):
    __slots__ = ("provenance", "notice_id", "intent", "recipient_id", "referral_id", "offer_id", "channel", "attempt", "reason_code")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    NOTICE_ID_FIELD_NUMBER: _ClassVar[int]
    INTENT_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_ID_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    notice_id: str
    intent: str
    recipient_id: str
    referral_id: str
    offer_id: str
    channel: str
    attempt: int
    reason_code: str
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., notice_id: _Optional[str] = ..., intent: _Optional[str] = ..., recipient_id: _Optional[str] = ..., referral_id: _Optional[str] = ..., offer_id: _Optional[str] = ..., channel: _Optional[str] = ..., attempt: _Optional[int] = ..., reason_code: _Optional[str] = ...) -> None: ...

class NoticeReplied(_message.Message):
    __slots__ = ("provenance", "notice_id", "intent", "recipient_id", "referral_id", "offer_id", "channel", "kind")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    NOTICE_ID_FIELD_NUMBER: _ClassVar[int]
    INTENT_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_ID_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    notice_id: str
    intent: str
    recipient_id: str
    referral_id: str
    offer_id: str
    channel: str
    kind: str
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., notice_id: _Optional[str] = ..., intent: _Optional[str] = ..., recipient_id: _Optional[str] = ..., referral_id: _Optional[str] = ..., offer_id: _Optional[str] = ..., channel: _Optional[str] = ..., kind: _Optional[str] = ...) -> None: ...

class ContactChanged(_message.Message):
    __slots__ = ("provenance", "person_id", "fields")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    PERSON_ID_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    person_id: str
    fields: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., person_id: _Optional[str] = ..., fields: _Optional[_Iterable[str]] = ...) -> None: ...

class ContactErased(_message.Message):
    __slots__ = ("provenance", "person_id")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    PERSON_ID_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    person_id: str
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., person_id: _Optional[str] = ...) -> None: ...
