import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from kindred.bus.v1 import bus_pb2 as _bus_pb2
from kindred.rules.v1 import rules_pb2 as _rules_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Urgency(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    URGENCY_UNSPECIFIED: _ClassVar[Urgency]
    URGENCY_ROUTINE: _ClassVar[Urgency]
    URGENCY_URGENT: _ClassVar[Urgency]
    URGENCY_IMMEDIATE: _ClassVar[Urgency]

class Strength(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STRENGTH_UNSPECIFIED: _ClassVar[Strength]
    STRENGTH_NONE: _ClassVar[Strength]
    STRENGTH_SOME: _ClassVar[Strength]
    STRENGTH_STRONG: _ClassVar[Strength]
    STRENGTH_MUST: _ClassVar[Strength]
    STRENGTH_AVOID: _ClassVar[Strength]
URGENCY_UNSPECIFIED: Urgency
URGENCY_ROUTINE: Urgency
URGENCY_URGENT: Urgency
URGENCY_IMMEDIATE: Urgency
STRENGTH_UNSPECIFIED: Strength
STRENGTH_NONE: Strength
STRENGTH_SOME: Strength
STRENGTH_STRONG: Strength
STRENGTH_MUST: Strength
STRENGTH_AVOID: Strength

class Preference(_message.Message):
    __slots__ = ("code", "strength")
    CODE_FIELD_NUMBER: _ClassVar[int]
    STRENGTH_FIELD_NUMBER: _ClassVar[int]
    code: str
    strength: Strength
    def __init__(self, code: _Optional[str] = ..., strength: _Optional[_Union[Strength, str]] = ...) -> None: ...

class ReferralSubmitted(_message.Message):
    __slots__ = ("provenance", "referral_id", "source_id", "urgency", "experience_codes", "preferences", "languages", "interpreter_agreed", "age_band", "facility_zip", "payer_code", "arrived_at", "expected_departure_at", "consent_id", "consent_version", "consent_expires_at", "modalities", "excluded_specialist_ids", "sealed_source_contact", "sealed_peer_contact")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    URGENCY_FIELD_NUMBER: _ClassVar[int]
    EXPERIENCE_CODES_FIELD_NUMBER: _ClassVar[int]
    PREFERENCES_FIELD_NUMBER: _ClassVar[int]
    LANGUAGES_FIELD_NUMBER: _ClassVar[int]
    INTERPRETER_AGREED_FIELD_NUMBER: _ClassVar[int]
    AGE_BAND_FIELD_NUMBER: _ClassVar[int]
    FACILITY_ZIP_FIELD_NUMBER: _ClassVar[int]
    PAYER_CODE_FIELD_NUMBER: _ClassVar[int]
    ARRIVED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_DEPARTURE_AT_FIELD_NUMBER: _ClassVar[int]
    CONSENT_ID_FIELD_NUMBER: _ClassVar[int]
    CONSENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    CONSENT_EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    MODALITIES_FIELD_NUMBER: _ClassVar[int]
    EXCLUDED_SPECIALIST_IDS_FIELD_NUMBER: _ClassVar[int]
    SEALED_SOURCE_CONTACT_FIELD_NUMBER: _ClassVar[int]
    SEALED_PEER_CONTACT_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    referral_id: str
    source_id: str
    urgency: Urgency
    experience_codes: _containers.RepeatedScalarFieldContainer[str]
    preferences: _containers.RepeatedCompositeFieldContainer[Preference]
    languages: _containers.RepeatedScalarFieldContainer[str]
    interpreter_agreed: bool
    age_band: str
    facility_zip: str
    payer_code: str
    arrived_at: _timestamp_pb2.Timestamp
    expected_departure_at: _timestamp_pb2.Timestamp
    consent_id: str
    consent_version: int
    consent_expires_at: _timestamp_pb2.Timestamp
    modalities: _containers.RepeatedScalarFieldContainer[str]
    excluded_specialist_ids: _containers.RepeatedScalarFieldContainer[str]
    sealed_source_contact: _bus_pb2.SealedField
    sealed_peer_contact: _bus_pb2.SealedField
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., referral_id: _Optional[str] = ..., source_id: _Optional[str] = ..., urgency: _Optional[_Union[Urgency, str]] = ..., experience_codes: _Optional[_Iterable[str]] = ..., preferences: _Optional[_Iterable[_Union[Preference, _Mapping]]] = ..., languages: _Optional[_Iterable[str]] = ..., interpreter_agreed: _Optional[bool] = ..., age_band: _Optional[str] = ..., facility_zip: _Optional[str] = ..., payer_code: _Optional[str] = ..., arrived_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expected_departure_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., consent_id: _Optional[str] = ..., consent_version: _Optional[int] = ..., consent_expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., modalities: _Optional[_Iterable[str]] = ..., excluded_specialist_ids: _Optional[_Iterable[str]] = ..., sealed_source_contact: _Optional[_Union[_bus_pb2.SealedField, _Mapping]] = ..., sealed_peer_contact: _Optional[_Union[_bus_pb2.SealedField, _Mapping]] = ...) -> None: ...

class SubmissionRejected(_message.Message):
    __slots__ = ("provenance", "source_id", "door", "reason_codes", "paths")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    DOOR_FIELD_NUMBER: _ClassVar[int]
    REASON_CODES_FIELD_NUMBER: _ClassVar[int]
    PATHS_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    source_id: str
    door: str
    reason_codes: _containers.RepeatedScalarFieldContainer[str]
    paths: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., source_id: _Optional[str] = ..., door: _Optional[str] = ..., reason_codes: _Optional[_Iterable[str]] = ..., paths: _Optional[_Iterable[str]] = ...) -> None: ...

class SubmissionRepeated(_message.Message):
    __slots__ = ("provenance", "referral_id", "source_id", "door")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    DOOR_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    referral_id: str
    source_id: str
    door: str
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., referral_id: _Optional[str] = ..., source_id: _Optional[str] = ..., door: _Optional[str] = ...) -> None: ...

class ReferralStatusChanged(_message.Message):
    __slots__ = ("provenance", "referral_id", "source_id", "status", "previous_status", "reason_code", "promised_arrival_at", "modality", "version")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    PROMISED_ARRIVAL_AT_FIELD_NUMBER: _ClassVar[int]
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    referral_id: str
    source_id: str
    status: str
    previous_status: str
    reason_code: str
    promised_arrival_at: _timestamp_pb2.Timestamp
    modality: str
    version: int
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., referral_id: _Optional[str] = ..., source_id: _Optional[str] = ..., status: _Optional[str] = ..., previous_status: _Optional[str] = ..., reason_code: _Optional[str] = ..., promised_arrival_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., modality: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class ReferralRevised(_message.Message):
    __slots__ = ("provenance", "referral_id", "source_id", "revision", "reason_code", "urgency", "experience_codes", "preferences", "languages", "interpreter_agreed", "age_band", "facility_zip", "payer_code", "arrived_at", "expected_departure_at", "consent_id", "consent_version", "consent_expires_at", "modalities", "excluded_specialist_ids", "sealed_source_contact", "sealed_peer_contact")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    URGENCY_FIELD_NUMBER: _ClassVar[int]
    EXPERIENCE_CODES_FIELD_NUMBER: _ClassVar[int]
    PREFERENCES_FIELD_NUMBER: _ClassVar[int]
    LANGUAGES_FIELD_NUMBER: _ClassVar[int]
    INTERPRETER_AGREED_FIELD_NUMBER: _ClassVar[int]
    AGE_BAND_FIELD_NUMBER: _ClassVar[int]
    FACILITY_ZIP_FIELD_NUMBER: _ClassVar[int]
    PAYER_CODE_FIELD_NUMBER: _ClassVar[int]
    ARRIVED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_DEPARTURE_AT_FIELD_NUMBER: _ClassVar[int]
    CONSENT_ID_FIELD_NUMBER: _ClassVar[int]
    CONSENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    CONSENT_EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    MODALITIES_FIELD_NUMBER: _ClassVar[int]
    EXCLUDED_SPECIALIST_IDS_FIELD_NUMBER: _ClassVar[int]
    SEALED_SOURCE_CONTACT_FIELD_NUMBER: _ClassVar[int]
    SEALED_PEER_CONTACT_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    referral_id: str
    source_id: str
    revision: int
    reason_code: str
    urgency: Urgency
    experience_codes: _containers.RepeatedScalarFieldContainer[str]
    preferences: _containers.RepeatedCompositeFieldContainer[Preference]
    languages: _containers.RepeatedScalarFieldContainer[str]
    interpreter_agreed: bool
    age_band: str
    facility_zip: str
    payer_code: str
    arrived_at: _timestamp_pb2.Timestamp
    expected_departure_at: _timestamp_pb2.Timestamp
    consent_id: str
    consent_version: int
    consent_expires_at: _timestamp_pb2.Timestamp
    modalities: _containers.RepeatedScalarFieldContainer[str]
    excluded_specialist_ids: _containers.RepeatedScalarFieldContainer[str]
    sealed_source_contact: _bus_pb2.SealedField
    sealed_peer_contact: _bus_pb2.SealedField
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., referral_id: _Optional[str] = ..., source_id: _Optional[str] = ..., revision: _Optional[int] = ..., reason_code: _Optional[str] = ..., urgency: _Optional[_Union[Urgency, str]] = ..., experience_codes: _Optional[_Iterable[str]] = ..., preferences: _Optional[_Iterable[_Union[Preference, _Mapping]]] = ..., languages: _Optional[_Iterable[str]] = ..., interpreter_agreed: _Optional[bool] = ..., age_band: _Optional[str] = ..., facility_zip: _Optional[str] = ..., payer_code: _Optional[str] = ..., arrived_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expected_departure_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., consent_id: _Optional[str] = ..., consent_version: _Optional[int] = ..., consent_expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., modalities: _Optional[_Iterable[str]] = ..., excluded_specialist_ids: _Optional[_Iterable[str]] = ..., sealed_source_contact: _Optional[_Union[_bus_pb2.SealedField, _Mapping]] = ..., sealed_peer_contact: _Optional[_Union[_bus_pb2.SealedField, _Mapping]] = ...) -> None: ...

class ReferralStopped(_message.Message):
    __slots__ = ("provenance", "referral_id", "source_id", "stop_code", "reason_code", "consent_version")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    STOP_CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    CONSENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    referral_id: str
    source_id: str
    stop_code: str
    reason_code: str
    consent_version: int
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., referral_id: _Optional[str] = ..., source_id: _Optional[str] = ..., stop_code: _Optional[str] = ..., reason_code: _Optional[str] = ..., consent_version: _Optional[int] = ...) -> None: ...

class ConsentRecorded(_message.Message):
    __slots__ = ("provenance", "referral_id", "consent_id", "consent_version", "is_permitted", "reason_code", "expires_at")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    CONSENT_ID_FIELD_NUMBER: _ClassVar[int]
    CONSENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    IS_PERMITTED_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    referral_id: str
    consent_id: str
    consent_version: int
    is_permitted: bool
    reason_code: str
    expires_at: _timestamp_pb2.Timestamp
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., referral_id: _Optional[str] = ..., consent_id: _Optional[str] = ..., consent_version: _Optional[int] = ..., is_permitted: _Optional[bool] = ..., reason_code: _Optional[str] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ConsentRevoked(_message.Message):
    __slots__ = ("provenance", "referral_id", "consent_id", "consent_version")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    CONSENT_ID_FIELD_NUMBER: _ClassVar[int]
    CONSENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    referral_id: str
    consent_id: str
    consent_version: int
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., referral_id: _Optional[str] = ..., consent_id: _Optional[str] = ..., consent_version: _Optional[int] = ...) -> None: ...

class DisclosureMade(_message.Message):
    __slots__ = ("provenance", "referral_id", "consent_id", "consent_version", "recipient_id", "recipient_class", "notice_sha256", "confidentiality")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    CONSENT_ID_FIELD_NUMBER: _ClassVar[int]
    CONSENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_ID_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_CLASS_FIELD_NUMBER: _ClassVar[int]
    NOTICE_SHA256_FIELD_NUMBER: _ClassVar[int]
    CONFIDENTIALITY_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    referral_id: str
    consent_id: str
    consent_version: int
    recipient_id: str
    recipient_class: str
    notice_sha256: bytes
    confidentiality: str
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., referral_id: _Optional[str] = ..., consent_id: _Optional[str] = ..., consent_version: _Optional[int] = ..., recipient_id: _Optional[str] = ..., recipient_class: _Optional[str] = ..., notice_sha256: _Optional[bytes] = ..., confidentiality: _Optional[str] = ...) -> None: ...

class PersonMerged(_message.Message):
    __slots__ = ("provenance", "surviving_peer_id", "merged_peer_id", "reason_code")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    SURVIVING_PEER_ID_FIELD_NUMBER: _ClassVar[int]
    MERGED_PEER_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    surviving_peer_id: str
    merged_peer_id: str
    reason_code: str
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., surviving_peer_id: _Optional[str] = ..., merged_peer_id: _Optional[str] = ..., reason_code: _Optional[str] = ...) -> None: ...

class PersonUnmerged(_message.Message):
    __slots__ = ("provenance", "surviving_peer_id", "unmerged_peer_id", "reason_code")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    SURVIVING_PEER_ID_FIELD_NUMBER: _ClassVar[int]
    UNMERGED_PEER_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    surviving_peer_id: str
    unmerged_peer_id: str
    reason_code: str
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., surviving_peer_id: _Optional[str] = ..., unmerged_peer_id: _Optional[str] = ..., reason_code: _Optional[str] = ...) -> None: ...

class ReferralClosed(_message.Message):
    __slots__ = ("provenance", "referral_id", "source_id", "outcome")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    provenance: _bus_pb2.Provenance
    referral_id: str
    source_id: str
    outcome: str
    def __init__(self, provenance: _Optional[_Union[_bus_pb2.Provenance, _Mapping]] = ..., referral_id: _Optional[str] = ..., source_id: _Optional[str] = ..., outcome: _Optional[str] = ...) -> None: ...
