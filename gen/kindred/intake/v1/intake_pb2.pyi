import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from kindred.intake.v1 import events_pb2 as _events_pb2
from kindred.rules.v1 import rules_pb2 as _rules_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Answered(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ANSWERED_UNSPECIFIED: _ClassVar[Answered]
    ANSWERED_STATED: _ClassVar[Answered]
    ANSWERED_DECLINED: _ClassVar[Answered]
    ANSWERED_UNKNOWN: _ClassVar[Answered]
ANSWERED_UNSPECIFIED: Answered
ANSWERED_STATED: Answered
ANSWERED_DECLINED: Answered
ANSWERED_UNKNOWN: Answered

class Person(_message.Message):
    __slots__ = ("family_name", "given_name", "birth_date", "record_number", "record_system", "phones", "safe_contact", "other_record_numbers", "sex", "suffix", "home_zip", "former_names")
    FAMILY_NAME_FIELD_NUMBER: _ClassVar[int]
    GIVEN_NAME_FIELD_NUMBER: _ClassVar[int]
    BIRTH_DATE_FIELD_NUMBER: _ClassVar[int]
    RECORD_NUMBER_FIELD_NUMBER: _ClassVar[int]
    RECORD_SYSTEM_FIELD_NUMBER: _ClassVar[int]
    PHONES_FIELD_NUMBER: _ClassVar[int]
    SAFE_CONTACT_FIELD_NUMBER: _ClassVar[int]
    OTHER_RECORD_NUMBERS_FIELD_NUMBER: _ClassVar[int]
    SEX_FIELD_NUMBER: _ClassVar[int]
    SUFFIX_FIELD_NUMBER: _ClassVar[int]
    HOME_ZIP_FIELD_NUMBER: _ClassVar[int]
    FORMER_NAMES_FIELD_NUMBER: _ClassVar[int]
    family_name: str
    given_name: str
    birth_date: str
    record_number: str
    record_system: str
    phones: _containers.RepeatedScalarFieldContainer[str]
    safe_contact: SafeContact
    other_record_numbers: _containers.RepeatedCompositeFieldContainer[RecordNumber]
    sex: str
    suffix: str
    home_zip: str
    former_names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, family_name: _Optional[str] = ..., given_name: _Optional[str] = ..., birth_date: _Optional[str] = ..., record_number: _Optional[str] = ..., record_system: _Optional[str] = ..., phones: _Optional[_Iterable[str]] = ..., safe_contact: _Optional[_Union[SafeContact, _Mapping]] = ..., other_record_numbers: _Optional[_Iterable[_Union[RecordNumber, _Mapping]]] = ..., sex: _Optional[str] = ..., suffix: _Optional[str] = ..., home_zip: _Optional[str] = ..., former_names: _Optional[_Iterable[str]] = ...) -> None: ...

class RecordNumber(_message.Message):
    __slots__ = ("system", "value")
    SYSTEM_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    system: str
    value: str
    def __init__(self, system: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class SafeContact(_message.Message):
    __slots__ = ("may_leave_message", "do_not_contact", "who_else_answers")
    MAY_LEAVE_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    DO_NOT_CONTACT_FIELD_NUMBER: _ClassVar[int]
    WHO_ELSE_ANSWERS_FIELD_NUMBER: _ClassVar[int]
    may_leave_message: bool
    do_not_contact: bool
    who_else_answers: str
    def __init__(self, may_leave_message: _Optional[bool] = ..., do_not_contact: _Optional[bool] = ..., who_else_answers: _Optional[str] = ...) -> None: ...

class ClinicalCode(_message.Message):
    __slots__ = ("system", "code", "display")
    SYSTEM_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_FIELD_NUMBER: _ClassVar[int]
    system: str
    code: str
    display: str
    def __init__(self, system: _Optional[str] = ..., code: _Optional[str] = ..., display: _Optional[str] = ...) -> None: ...

class Characteristic(_message.Message):
    __slots__ = ("topic", "answered", "code", "said_by", "how")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    SAID_BY_FIELD_NUMBER: _ClassVar[int]
    HOW_FIELD_NUMBER: _ClassVar[int]
    topic: str
    answered: Answered
    code: str
    said_by: str
    how: str
    def __init__(self, topic: _Optional[str] = ..., answered: _Optional[_Union[Answered, str]] = ..., code: _Optional[str] = ..., said_by: _Optional[str] = ..., how: _Optional[str] = ...) -> None: ...

class Referrer(_message.Message):
    __slots__ = ("name", "phone")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PHONE_FIELD_NUMBER: _ClassVar[int]
    name: str
    phone: str
    def __init__(self, name: _Optional[str] = ..., phone: _Optional[str] = ...) -> None: ...

class Consent(_message.Message):
    __slots__ = ("consent_id", "is_permitted", "signed_at", "expires_at", "discloser", "scope", "recipients", "intermediary", "purposes", "expiry_event", "is_revocation_told", "signed_by", "signature_method", "witness", "policies")
    CONSENT_ID_FIELD_NUMBER: _ClassVar[int]
    IS_PERMITTED_FIELD_NUMBER: _ClassVar[int]
    SIGNED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    DISCLOSER_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    RECIPIENTS_FIELD_NUMBER: _ClassVar[int]
    INTERMEDIARY_FIELD_NUMBER: _ClassVar[int]
    PURPOSES_FIELD_NUMBER: _ClassVar[int]
    EXPIRY_EVENT_FIELD_NUMBER: _ClassVar[int]
    IS_REVOCATION_TOLD_FIELD_NUMBER: _ClassVar[int]
    SIGNED_BY_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_METHOD_FIELD_NUMBER: _ClassVar[int]
    WITNESS_FIELD_NUMBER: _ClassVar[int]
    POLICIES_FIELD_NUMBER: _ClassVar[int]
    consent_id: str
    is_permitted: bool
    signed_at: _timestamp_pb2.Timestamp
    expires_at: _timestamp_pb2.Timestamp
    discloser: str
    scope: str
    recipients: _containers.RepeatedScalarFieldContainer[str]
    intermediary: str
    purposes: _containers.RepeatedScalarFieldContainer[str]
    expiry_event: str
    is_revocation_told: bool
    signed_by: str
    signature_method: str
    witness: str
    policies: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, consent_id: _Optional[str] = ..., is_permitted: _Optional[bool] = ..., signed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., discloser: _Optional[str] = ..., scope: _Optional[str] = ..., recipients: _Optional[_Iterable[str]] = ..., intermediary: _Optional[str] = ..., purposes: _Optional[_Iterable[str]] = ..., expiry_event: _Optional[str] = ..., is_revocation_told: _Optional[bool] = ..., signed_by: _Optional[str] = ..., signature_method: _Optional[str] = ..., witness: _Optional[str] = ..., policies: _Optional[_Iterable[str]] = ...) -> None: ...

class Contact(_message.Message):
    __slots__ = ("email", "language", "time_zone")
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    email: str
    language: str
    time_zone: str
    def __init__(self, email: _Optional[str] = ..., language: _Optional[str] = ..., time_zone: _Optional[str] = ...) -> None: ...

class SubmitReferralRequest(_message.Message):
    __slots__ = ("idempotency_key", "person", "consent", "source_contact", "visit_number", "urgency", "experience_codes", "preferences", "languages", "interpreter_agreed", "facility_zip", "payer_code", "arrived_at", "expected_departure_at", "modalities", "excluded_specialist_ids", "note", "place", "interpreter_needed", "codes", "characteristics", "is_naloxone_given", "referrer", "placer_identifiers", "may_wait_for_consent")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    PERSON_FIELD_NUMBER: _ClassVar[int]
    CONSENT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_CONTACT_FIELD_NUMBER: _ClassVar[int]
    VISIT_NUMBER_FIELD_NUMBER: _ClassVar[int]
    URGENCY_FIELD_NUMBER: _ClassVar[int]
    EXPERIENCE_CODES_FIELD_NUMBER: _ClassVar[int]
    PREFERENCES_FIELD_NUMBER: _ClassVar[int]
    LANGUAGES_FIELD_NUMBER: _ClassVar[int]
    INTERPRETER_AGREED_FIELD_NUMBER: _ClassVar[int]
    FACILITY_ZIP_FIELD_NUMBER: _ClassVar[int]
    PAYER_CODE_FIELD_NUMBER: _ClassVar[int]
    ARRIVED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_DEPARTURE_AT_FIELD_NUMBER: _ClassVar[int]
    MODALITIES_FIELD_NUMBER: _ClassVar[int]
    EXCLUDED_SPECIALIST_IDS_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    INTERPRETER_NEEDED_FIELD_NUMBER: _ClassVar[int]
    CODES_FIELD_NUMBER: _ClassVar[int]
    CHARACTERISTICS_FIELD_NUMBER: _ClassVar[int]
    IS_NALOXONE_GIVEN_FIELD_NUMBER: _ClassVar[int]
    REFERRER_FIELD_NUMBER: _ClassVar[int]
    PLACER_IDENTIFIERS_FIELD_NUMBER: _ClassVar[int]
    MAY_WAIT_FOR_CONSENT_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    person: Person
    consent: Consent
    source_contact: Contact
    visit_number: str
    urgency: _events_pb2.Urgency
    experience_codes: _containers.RepeatedScalarFieldContainer[str]
    preferences: _containers.RepeatedCompositeFieldContainer[_events_pb2.Preference]
    languages: _containers.RepeatedScalarFieldContainer[str]
    interpreter_agreed: bool
    facility_zip: str
    payer_code: str
    arrived_at: _timestamp_pb2.Timestamp
    expected_departure_at: _timestamp_pb2.Timestamp
    modalities: _containers.RepeatedScalarFieldContainer[str]
    excluded_specialist_ids: _containers.RepeatedScalarFieldContainer[str]
    note: str
    place: str
    interpreter_needed: bool
    codes: _containers.RepeatedCompositeFieldContainer[ClinicalCode]
    characteristics: _containers.RepeatedCompositeFieldContainer[Characteristic]
    is_naloxone_given: bool
    referrer: Referrer
    placer_identifiers: _containers.RepeatedCompositeFieldContainer[RecordNumber]
    may_wait_for_consent: bool
    def __init__(self, idempotency_key: _Optional[str] = ..., person: _Optional[_Union[Person, _Mapping]] = ..., consent: _Optional[_Union[Consent, _Mapping]] = ..., source_contact: _Optional[_Union[Contact, _Mapping]] = ..., visit_number: _Optional[str] = ..., urgency: _Optional[_Union[_events_pb2.Urgency, str]] = ..., experience_codes: _Optional[_Iterable[str]] = ..., preferences: _Optional[_Iterable[_Union[_events_pb2.Preference, _Mapping]]] = ..., languages: _Optional[_Iterable[str]] = ..., interpreter_agreed: _Optional[bool] = ..., facility_zip: _Optional[str] = ..., payer_code: _Optional[str] = ..., arrived_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expected_departure_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., modalities: _Optional[_Iterable[str]] = ..., excluded_specialist_ids: _Optional[_Iterable[str]] = ..., note: _Optional[str] = ..., place: _Optional[str] = ..., interpreter_needed: _Optional[bool] = ..., codes: _Optional[_Iterable[_Union[ClinicalCode, _Mapping]]] = ..., characteristics: _Optional[_Iterable[_Union[Characteristic, _Mapping]]] = ..., is_naloxone_given: _Optional[bool] = ..., referrer: _Optional[_Union[Referrer, _Mapping]] = ..., placer_identifiers: _Optional[_Iterable[_Union[RecordNumber, _Mapping]]] = ..., may_wait_for_consent: _Optional[bool] = ...) -> None: ...

class SubmitReferralResponse(_message.Message):
    __slots__ = ("referral_id", "status", "was_known")
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    WAS_KNOWN_FIELD_NUMBER: _ClassVar[int]
    referral_id: str
    status: str
    was_known: bool
    def __init__(self, referral_id: _Optional[str] = ..., status: _Optional[str] = ..., was_known: _Optional[bool] = ...) -> None: ...

class GetReferralRequest(_message.Message):
    __slots__ = ("referral_id",)
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    referral_id: str
    def __init__(self, referral_id: _Optional[str] = ...) -> None: ...

class GetReferralResponse(_message.Message):
    __slots__ = ("summary", "person", "note", "submission")
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    PERSON_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    SUBMISSION_FIELD_NUMBER: _ClassVar[int]
    summary: ReferralSummary
    person: Person
    note: str
    submission: SubmitReferralRequest
    def __init__(self, summary: _Optional[_Union[ReferralSummary, _Mapping]] = ..., person: _Optional[_Union[Person, _Mapping]] = ..., note: _Optional[str] = ..., submission: _Optional[_Union[SubmitReferralRequest, _Mapping]] = ...) -> None: ...

class ReferralSummary(_message.Message):
    __slots__ = ("referral_id", "source_id", "status", "urgency", "submitted_at", "status_at", "promised_arrival_at", "modality", "version", "reason_code", "expected_departure_at")
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    URGENCY_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_AT_FIELD_NUMBER: _ClassVar[int]
    STATUS_AT_FIELD_NUMBER: _ClassVar[int]
    PROMISED_ARRIVAL_AT_FIELD_NUMBER: _ClassVar[int]
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_DEPARTURE_AT_FIELD_NUMBER: _ClassVar[int]
    referral_id: str
    source_id: str
    status: str
    urgency: _events_pb2.Urgency
    submitted_at: _timestamp_pb2.Timestamp
    status_at: _timestamp_pb2.Timestamp
    promised_arrival_at: _timestamp_pb2.Timestamp
    modality: str
    version: int
    reason_code: str
    expected_departure_at: _timestamp_pb2.Timestamp
    def __init__(self, referral_id: _Optional[str] = ..., source_id: _Optional[str] = ..., status: _Optional[str] = ..., urgency: _Optional[_Union[_events_pb2.Urgency, str]] = ..., submitted_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., status_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., promised_arrival_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., modality: _Optional[str] = ..., version: _Optional[int] = ..., reason_code: _Optional[str] = ..., expected_departure_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListReferralsRequest(_message.Message):
    __slots__ = ("limit", "status", "urgency", "submitted_from", "submitted_before", "page_token")
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    URGENCY_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_FROM_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_BEFORE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    limit: int
    status: str
    urgency: _events_pb2.Urgency
    submitted_from: _timestamp_pb2.Timestamp
    submitted_before: _timestamp_pb2.Timestamp
    page_token: str
    def __init__(self, limit: _Optional[int] = ..., status: _Optional[str] = ..., urgency: _Optional[_Union[_events_pb2.Urgency, str]] = ..., submitted_from: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., submitted_before: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListReferralsResponse(_message.Message):
    __slots__ = ("referrals", "next_page_token")
    REFERRALS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    referrals: _containers.RepeatedCompositeFieldContainer[ReferralSummary]
    next_page_token: str
    def __init__(self, referrals: _Optional[_Iterable[_Union[ReferralSummary, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class CancelReferralRequest(_message.Message):
    __slots__ = ("referral_id", "reason_code", "expected_version", "is_by_peer")
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    IS_BY_PEER_FIELD_NUMBER: _ClassVar[int]
    referral_id: str
    reason_code: str
    expected_version: int
    is_by_peer: bool
    def __init__(self, referral_id: _Optional[str] = ..., reason_code: _Optional[str] = ..., expected_version: _Optional[int] = ..., is_by_peer: _Optional[bool] = ...) -> None: ...

class CancelReferralResponse(_message.Message):
    __slots__ = ("summary",)
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    summary: ReferralSummary
    def __init__(self, summary: _Optional[_Union[ReferralSummary, _Mapping]] = ...) -> None: ...

class CorrectReferralRequest(_message.Message):
    __slots__ = ("referral_id", "expected_version", "submission")
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    SUBMISSION_FIELD_NUMBER: _ClassVar[int]
    referral_id: str
    expected_version: int
    submission: SubmitReferralRequest
    def __init__(self, referral_id: _Optional[str] = ..., expected_version: _Optional[int] = ..., submission: _Optional[_Union[SubmitReferralRequest, _Mapping]] = ...) -> None: ...

class CorrectReferralResponse(_message.Message):
    __slots__ = ("summary",)
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    summary: ReferralSummary
    def __init__(self, summary: _Optional[_Union[ReferralSummary, _Mapping]] = ...) -> None: ...

class ReportDepartureRequest(_message.Message):
    __slots__ = ("referral_id", "leaves_at")
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    LEAVES_AT_FIELD_NUMBER: _ClassVar[int]
    referral_id: str
    leaves_at: _timestamp_pb2.Timestamp
    def __init__(self, referral_id: _Optional[str] = ..., leaves_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ReportDepartureResponse(_message.Message):
    __slots__ = ("summary",)
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    summary: ReferralSummary
    def __init__(self, summary: _Optional[_Union[ReferralSummary, _Mapping]] = ...) -> None: ...

class RevokeConsentRequest(_message.Message):
    __slots__ = ("referral_id",)
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    referral_id: str
    def __init__(self, referral_id: _Optional[str] = ...) -> None: ...

class RevokeConsentResponse(_message.Message):
    __slots__ = ("summary",)
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    summary: ReferralSummary
    def __init__(self, summary: _Optional[_Union[ReferralSummary, _Mapping]] = ...) -> None: ...

class WatchReferralRequest(_message.Message):
    __slots__ = ("referral_id",)
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    referral_id: str
    def __init__(self, referral_id: _Optional[str] = ...) -> None: ...

class WatchReferralResponse(_message.Message):
    __slots__ = ("summary",)
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    summary: ReferralSummary
    def __init__(self, summary: _Optional[_Union[ReferralSummary, _Mapping]] = ...) -> None: ...

class ResolvePersonRequest(_message.Message):
    __slots__ = ("referral_id",)
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    referral_id: str
    def __init__(self, referral_id: _Optional[str] = ...) -> None: ...

class ResolvePersonResponse(_message.Message):
    __slots__ = ("person", "place", "note", "redisclosure_notice", "consent_id", "consent_version", "confidentiality", "consent_scope", "withheld")
    PERSON_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    REDISCLOSURE_NOTICE_FIELD_NUMBER: _ClassVar[int]
    CONSENT_ID_FIELD_NUMBER: _ClassVar[int]
    CONSENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    CONFIDENTIALITY_FIELD_NUMBER: _ClassVar[int]
    CONSENT_SCOPE_FIELD_NUMBER: _ClassVar[int]
    WITHHELD_FIELD_NUMBER: _ClassVar[int]
    person: Person
    place: str
    note: str
    redisclosure_notice: str
    consent_id: str
    consent_version: int
    confidentiality: str
    consent_scope: str
    withheld: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, person: _Optional[_Union[Person, _Mapping]] = ..., place: _Optional[str] = ..., note: _Optional[str] = ..., redisclosure_notice: _Optional[str] = ..., consent_id: _Optional[str] = ..., consent_version: _Optional[int] = ..., confidentiality: _Optional[str] = ..., consent_scope: _Optional[str] = ..., withheld: _Optional[_Iterable[str]] = ...) -> None: ...

class ListUnmappedCodesRequest(_message.Message):
    __slots__ = ("limit",)
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    limit: int
    def __init__(self, limit: _Optional[int] = ...) -> None: ...

class UnmappedCode(_message.Message):
    __slots__ = ("system", "code", "referrals")
    SYSTEM_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    REFERRALS_FIELD_NUMBER: _ClassVar[int]
    system: str
    code: str
    referrals: int
    def __init__(self, system: _Optional[str] = ..., code: _Optional[str] = ..., referrals: _Optional[int] = ...) -> None: ...

class ListUnmappedCodesResponse(_message.Message):
    __slots__ = ("codes", "rare_codes", "of_other_systems", "taxonomy_version")
    CODES_FIELD_NUMBER: _ClassVar[int]
    RARE_CODES_FIELD_NUMBER: _ClassVar[int]
    OF_OTHER_SYSTEMS_FIELD_NUMBER: _ClassVar[int]
    TAXONOMY_VERSION_FIELD_NUMBER: _ClassVar[int]
    codes: _containers.RepeatedCompositeFieldContainer[UnmappedCode]
    rare_codes: int
    of_other_systems: int
    taxonomy_version: str
    def __init__(self, codes: _Optional[_Iterable[_Union[UnmappedCode, _Mapping]]] = ..., rare_codes: _Optional[int] = ..., of_other_systems: _Optional[int] = ..., taxonomy_version: _Optional[str] = ...) -> None: ...
