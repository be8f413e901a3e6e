from kindred.intake.v1 import intake_pb2 as _intake_pb2
from kindred.rules.v1 import rules_pb2 as _rules_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DiscloseInEmergencyRequest(_message.Message):
    __slots__ = ("referral_id", "recipient_id", "recipient_affiliation", "nature_code")
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_ID_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_AFFILIATION_FIELD_NUMBER: _ClassVar[int]
    NATURE_CODE_FIELD_NUMBER: _ClassVar[int]
    referral_id: str
    recipient_id: str
    recipient_affiliation: str
    nature_code: str
    def __init__(self, referral_id: _Optional[str] = ..., recipient_id: _Optional[str] = ..., recipient_affiliation: _Optional[str] = ..., nature_code: _Optional[str] = ...) -> None: ...

class DiscloseInEmergencyResponse(_message.Message):
    __slots__ = ("person", "place", "note")
    PERSON_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    person: _intake_pb2.Person
    place: str
    note: str
    def __init__(self, person: _Optional[_Union[_intake_pb2.Person, _Mapping]] = ..., place: _Optional[str] = ..., note: _Optional[str] = ...) -> None: ...
