from google.protobuf import descriptor_pb2 as _descriptor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor
RULE_FIELD_NUMBER: _ClassVar[int]
rule: _descriptor.FieldDescriptor

class FieldRule(_message.Message):
    __slots__ = ("most_chars", "most", "words", "is_needed", "has_lines")
    MOST_CHARS_FIELD_NUMBER: _ClassVar[int]
    MOST_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    IS_NEEDED_FIELD_NUMBER: _ClassVar[int]
    HAS_LINES_FIELD_NUMBER: _ClassVar[int]
    most_chars: int
    most: int
    words: _containers.RepeatedScalarFieldContainer[str]
    is_needed: bool
    has_lines: bool
    def __init__(self, most_chars: _Optional[int] = ..., most: _Optional[int] = ..., words: _Optional[_Iterable[str]] = ..., is_needed: _Optional[bool] = ..., has_lines: _Optional[bool] = ...) -> None: ...
