import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Wishes(_message.Message):
    __slots__ = ("is_do_not_contact", "email", "phone", "webhook_url", "language", "time_zone", "channels", "shared", "quiet", "unsafe", "digest_minute", "is_routine_only_here", "apprise_url")
    IS_DO_NOT_CONTACT_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    PHONE_FIELD_NUMBER: _ClassVar[int]
    WEBHOOK_URL_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    SHARED_FIELD_NUMBER: _ClassVar[int]
    QUIET_FIELD_NUMBER: _ClassVar[int]
    UNSAFE_FIELD_NUMBER: _ClassVar[int]
    DIGEST_MINUTE_FIELD_NUMBER: _ClassVar[int]
    IS_ROUTINE_ONLY_HERE_FIELD_NUMBER: _ClassVar[int]
    APPRISE_URL_FIELD_NUMBER: _ClassVar[int]
    is_do_not_contact: bool
    email: str
    phone: str
    webhook_url: str
    language: str
    time_zone: str
    channels: _containers.RepeatedScalarFieldContainer[str]
    shared: _containers.RepeatedScalarFieldContainer[str]
    quiet: _containers.RepeatedCompositeFieldContainer[Window]
    unsafe: _containers.RepeatedCompositeFieldContainer[Window]
    digest_minute: int
    is_routine_only_here: bool
    apprise_url: str
    def __init__(self, is_do_not_contact: _Optional[bool] = ..., email: _Optional[str] = ..., phone: _Optional[str] = ..., webhook_url: _Optional[str] = ..., language: _Optional[str] = ..., time_zone: _Optional[str] = ..., channels: _Optional[_Iterable[str]] = ..., shared: _Optional[_Iterable[str]] = ..., quiet: _Optional[_Iterable[_Union[Window, _Mapping]]] = ..., unsafe: _Optional[_Iterable[_Union[Window, _Mapping]]] = ..., digest_minute: _Optional[int] = ..., is_routine_only_here: _Optional[bool] = ..., apprise_url: _Optional[str] = ...) -> None: ...

class Window(_message.Message):
    __slots__ = ("from_minute", "until_minute", "days")
    FROM_MINUTE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_MINUTE_FIELD_NUMBER: _ClassVar[int]
    DAYS_FIELD_NUMBER: _ClassVar[int]
    from_minute: int
    until_minute: int
    days: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, from_minute: _Optional[int] = ..., until_minute: _Optional[int] = ..., days: _Optional[_Iterable[int]] = ...) -> None: ...

class GetContactRequest(_message.Message):
    __slots__ = ("person_id",)
    PERSON_ID_FIELD_NUMBER: _ClassVar[int]
    person_id: str
    def __init__(self, person_id: _Optional[str] = ...) -> None: ...

class GetContactResponse(_message.Message):
    __slots__ = ("person_id", "wishes", "version", "is_erased", "standings")
    class StandingsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PERSON_ID_FIELD_NUMBER: _ClassVar[int]
    WISHES_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    IS_ERASED_FIELD_NUMBER: _ClassVar[int]
    STANDINGS_FIELD_NUMBER: _ClassVar[int]
    person_id: str
    wishes: Wishes
    version: int
    is_erased: bool
    standings: _containers.ScalarMap[str, str]
    def __init__(self, person_id: _Optional[str] = ..., wishes: _Optional[_Union[Wishes, _Mapping]] = ..., version: _Optional[int] = ..., is_erased: _Optional[bool] = ..., standings: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ChangeContactRequest(_message.Message):
    __slots__ = ("person_id", "wishes", "fields", "version", "rotate_webhook_secret")
    PERSON_ID_FIELD_NUMBER: _ClassVar[int]
    WISHES_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ROTATE_WEBHOOK_SECRET_FIELD_NUMBER: _ClassVar[int]
    person_id: str
    wishes: Wishes
    fields: _containers.RepeatedScalarFieldContainer[str]
    version: int
    rotate_webhook_secret: bool
    def __init__(self, person_id: _Optional[str] = ..., wishes: _Optional[_Union[Wishes, _Mapping]] = ..., fields: _Optional[_Iterable[str]] = ..., version: _Optional[int] = ..., rotate_webhook_secret: _Optional[bool] = ...) -> None: ...

class ChangeContactResponse(_message.Message):
    __slots__ = ("version", "changed", "webhook_secret")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    WEBHOOK_SECRET_FIELD_NUMBER: _ClassVar[int]
    version: int
    changed: _containers.RepeatedScalarFieldContainer[str]
    webhook_secret: str
    def __init__(self, version: _Optional[int] = ..., changed: _Optional[_Iterable[str]] = ..., webhook_secret: _Optional[str] = ...) -> None: ...

class EraseContactRequest(_message.Message):
    __slots__ = ("person_id",)
    PERSON_ID_FIELD_NUMBER: _ClassVar[int]
    person_id: str
    def __init__(self, person_id: _Optional[str] = ...) -> None: ...

class EraseContactResponse(_message.Message):
    __slots__ = ("silenced",)
    SILENCED_FIELD_NUMBER: _ClassVar[int]
    silenced: int
    def __init__(self, silenced: _Optional[int] = ...) -> None: ...

class ListDeadNoticesRequest(_message.Message):
    __slots__ = ("limit",)
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    limit: int
    def __init__(self, limit: _Optional[int] = ...) -> None: ...

class ListDeadNoticesResponse(_message.Message):
    __slots__ = ("notices",)
    NOTICES_FIELD_NUMBER: _ClassVar[int]
    notices: _containers.RepeatedCompositeFieldContainer[Notice]
    def __init__(self, notices: _Optional[_Iterable[_Union[Notice, _Mapping]]] = ...) -> None: ...

class ReplayNoticeRequest(_message.Message):
    __slots__ = ("notice_id",)
    NOTICE_ID_FIELD_NUMBER: _ClassVar[int]
    notice_id: str
    def __init__(self, notice_id: _Optional[str] = ...) -> None: ...

class ReplayNoticeResponse(_message.Message):
    __slots__ = ("notice",)
    NOTICE_FIELD_NUMBER: _ClassVar[int]
    notice: Notice
    def __init__(self, notice: _Optional[_Union[Notice, _Mapping]] = ...) -> None: ...

class ListNoticesRequest(_message.Message):
    __slots__ = ("referral_id", "recipient_id", "limit")
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_ID_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    referral_id: str
    recipient_id: str
    limit: int
    def __init__(self, referral_id: _Optional[str] = ..., recipient_id: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class ListNoticesResponse(_message.Message):
    __slots__ = ("notices",)
    NOTICES_FIELD_NUMBER: _ClassVar[int]
    notices: _containers.RepeatedCompositeFieldContainer[Notice]
    def __init__(self, notices: _Optional[_Iterable[_Union[Notice, _Mapping]]] = ...) -> None: ...

class Notice(_message.Message):
    __slots__ = ("notice_id", "intent", "recipient_id", "referral_id", "channel", "state", "attempts", "reason_code", "opened_at", "expires_at", "due_at")
    NOTICE_ID_FIELD_NUMBER: _ClassVar[int]
    INTENT_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_ID_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    OPENED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    DUE_AT_FIELD_NUMBER: _ClassVar[int]
    notice_id: str
    intent: str
    recipient_id: str
    referral_id: str
    channel: str
    state: str
    attempts: _containers.RepeatedCompositeFieldContainer[Attempt]
    reason_code: str
    opened_at: _timestamp_pb2.Timestamp
    expires_at: _timestamp_pb2.Timestamp
    due_at: _timestamp_pb2.Timestamp
    def __init__(self, notice_id: _Optional[str] = ..., intent: _Optional[str] = ..., recipient_id: _Optional[str] = ..., referral_id: _Optional[str] = ..., channel: _Optional[str] = ..., state: _Optional[str] = ..., attempts: _Optional[_Iterable[_Union[Attempt, _Mapping]]] = ..., reason_code: _Optional[str] = ..., opened_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., due_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Attempt(_message.Message):
    __slots__ = ("number", "at", "outcome", "is_possible_repeat", "channel")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    IS_POSSIBLE_REPEAT_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    number: int
    at: _timestamp_pb2.Timestamp
    outcome: str
    is_possible_repeat: bool
    channel: str
    def __init__(self, number: _Optional[int] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., outcome: _Optional[str] = ..., is_possible_repeat: _Optional[bool] = ..., channel: _Optional[str] = ...) -> None: ...

class Overseer(_message.Message):
    __slots__ = ("person_id", "part", "email", "phone", "language", "time_zone", "channels")
    PERSON_ID_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    PHONE_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    person_id: str
    part: str
    email: str
    phone: str
    language: str
    time_zone: str
    channels: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, person_id: _Optional[str] = ..., part: _Optional[str] = ..., email: _Optional[str] = ..., phone: _Optional[str] = ..., language: _Optional[str] = ..., time_zone: _Optional[str] = ..., channels: _Optional[_Iterable[str]] = ...) -> None: ...

class NameOverseersRequest(_message.Message):
    __slots__ = ("organization_id", "overseers")
    ORGANIZATION_ID_FIELD_NUMBER: _ClassVar[int]
    OVERSEERS_FIELD_NUMBER: _ClassVar[int]
    organization_id: str
    overseers: _containers.RepeatedCompositeFieldContainer[Overseer]
    def __init__(self, organization_id: _Optional[str] = ..., overseers: _Optional[_Iterable[_Union[Overseer, _Mapping]]] = ...) -> None: ...

class NameOverseersResponse(_message.Message):
    __slots__ = ("count",)
    COUNT_FIELD_NUMBER: _ClassVar[int]
    count: int
    def __init__(self, count: _Optional[int] = ...) -> None: ...

class ListOverseersRequest(_message.Message):
    __slots__ = ("organization_id",)
    ORGANIZATION_ID_FIELD_NUMBER: _ClassVar[int]
    organization_id: str
    def __init__(self, organization_id: _Optional[str] = ...) -> None: ...

class ListOverseersResponse(_message.Message):
    __slots__ = ("overseers",)
    OVERSEERS_FIELD_NUMBER: _ClassVar[int]
    overseers: _containers.RepeatedCompositeFieldContainer[Overseer]
    def __init__(self, overseers: _Optional[_Iterable[_Union[Overseer, _Mapping]]] = ...) -> None: ...
