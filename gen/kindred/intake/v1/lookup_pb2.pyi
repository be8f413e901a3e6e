from kindred.rules.v1 import rules_pb2 as _rules_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FindPeopleRequest(_message.Message):
    __slots__ = ("family_name", "given_name", "birth_date", "record_number", "record_system")
    FAMILY_NAME_FIELD_NUMBER: _ClassVar[int]
    GIVEN_NAME_FIELD_NUMBER: _ClassVar[int]
    BIRTH_DATE_FIELD_NUMBER: _ClassVar[int]
    RECORD_NUMBER_FIELD_NUMBER: _ClassVar[int]
    RECORD_SYSTEM_FIELD_NUMBER: _ClassVar[int]
    family_name: str
    given_name: str
    birth_date: str
    record_number: str
    record_system: str
    def __init__(self, family_name: _Optional[str] = ..., given_name: _Optional[str] = ..., birth_date: _Optional[str] = ..., record_number: _Optional[str] = ..., record_system: _Optional[str] = ...) -> None: ...

class FindPeopleResponse(_message.Message):
    __slots__ = ("people",)
    PEOPLE_FIELD_NUMBER: _ClassVar[int]
    people: _containers.RepeatedCompositeFieldContainer[FoundPerson]
    def __init__(self, people: _Optional[_Iterable[_Union[FoundPerson, _Mapping]]] = ...) -> None: ...

class FoundPerson(_message.Message):
    __slots__ = ("peer_id", "family_name", "given_name", "birth_date", "also_known_as", "likeness", "sources")
    PEER_ID_FIELD_NUMBER: _ClassVar[int]
    FAMILY_NAME_FIELD_NUMBER: _ClassVar[int]
    GIVEN_NAME_FIELD_NUMBER: _ClassVar[int]
    BIRTH_DATE_FIELD_NUMBER: _ClassVar[int]
    ALSO_KNOWN_AS_FIELD_NUMBER: _ClassVar[int]
    LIKENESS_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    peer_id: str
    family_name: str
    given_name: str
    birth_date: str
    also_known_as: _containers.RepeatedScalarFieldContainer[str]
    likeness: str
    sources: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, peer_id: _Optional[str] = ..., family_name: _Optional[str] = ..., given_name: _Optional[str] = ..., birth_date: _Optional[str] = ..., also_known_as: _Optional[_Iterable[str]] = ..., likeness: _Optional[str] = ..., sources: _Optional[_Iterable[str]] = ...) -> None: ...
