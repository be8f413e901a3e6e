"""What each field of a gRPC request may hold: one table, and one walk that finds every violation at once.

The domain judges what a submission means; these rules say what may be read at all.  A test checks that no field of
any request is without a rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from chassis.errors import Fault, Kind, Refusal

_FIRST_SECOND, _LAST_SECOND, _MOST_NANOS = -62_135_596_800, 253_402_300_799, 999_999_999  # timestamp.proto
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_CONTROL_IN_NOTES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_MOST_LISTED = 200


@dataclass(frozen=True, slots=True)
class Rule:
    """`most_chars` of a text, `most` of a list, a closed set of words, and whether it has to be there."""

    most_chars: int = 0
    most: int = 1
    words: frozenset[str] = frozenset()
    is_needed: bool = False
    has_lines: bool = False


_ID = Rule(64, is_needed=True)
_NAME = Rule(200)
_NUMBER = Rule(255)
_SYSTEM = Rule(500)
_CODE = Rule(100)
_ANY = Rule()  # what its type allows: a flag, a number, a moment, another message
_PACKAGE = "kindred.intake.v1."
RULES: Mapping[str, Mapping[str, Rule]] = {
    "Person": {
        "family_name": _NAME,
        "given_name": _NAME,
        "birth_date": Rule(10),
        "record_number": _NUMBER,
        "record_system": _SYSTEM,
        "phones": Rule(64, most=20),
        "safe_contact": _ANY,
        "other_record_numbers": Rule(most=20),
        "sex": Rule(10, words=frozenset({"female", "male", "other"})),
        "suffix": Rule(20),
        "home_zip": Rule(20),
        "former_names": Rule(200, most=20),
    },
    "SafeContact": {"may_leave_message": _ANY, "do_not_contact": _ANY, "who_else_answers": Rule(500)},
    "RecordNumber": {"system": _SYSTEM, "value": Rule(255, is_needed=True)},
    "Consent": {
        "consent_id": _NUMBER,
        "is_permitted": _ANY,
        "signed_at": _ANY,
        "expires_at": _ANY,
        "discloser": _NAME,
        "scope": Rule(500),
        "recipients": Rule(200, most=20),
        "intermediary": _NAME,
        "purposes": Rule(32, most=20),
        "expiry_event": Rule(500),
        "is_revocation_told": _ANY,
        "signed_by": _NAME,
        "signature_method": Rule(20, words=frozenset({"written", "electronic", "verbal"})),
        "witness": _NAME,
        "policies": Rule(64, most=20),
    },
    "Contact": {"email": Rule(320), "language": _CODE, "time_zone": Rule(64)},
    "Preference": {"code": Rule(100, is_needed=True), "strength": Rule(is_needed=True)},
    "ClinicalCode": {"system": _SYSTEM, "code": Rule(100, is_needed=True), "display": Rule(500)},
    "Characteristic": {
        "topic": Rule(100, is_needed=True),
        "answered": Rule(is_needed=True),
        "code": _CODE,
        "said_by": Rule(20, words=frozenset({"peer", "family", "staff", "record"})),
        "how": Rule(20, words=frozenset({"asked", "form", "chart"})),
    },
    "Referrer": {"name": _NAME, "phone": Rule(64)},
    "SubmitReferralRequest": {
        "idempotency_key": _NUMBER,
        "person": _ANY,
        "consent": _ANY,
        "source_contact": _ANY,
        "visit_number": _NUMBER,
        "urgency": _ANY,
        "experience_codes": Rule(100, most=_MOST_LISTED),
        "preferences": Rule(most=_MOST_LISTED),
        "languages": Rule(100, most=_MOST_LISTED),
        "interpreter_agreed": _ANY,
        "facility_zip": Rule(20),
        "payer_code": Rule(32),
        "arrived_at": _ANY,
        "expected_departure_at": _ANY,
        "modalities": Rule(32, most=10),
        "excluded_specialist_ids": Rule(64, most=_MOST_LISTED),
        "note": Rule(20_000, has_lines=True),
        "place": Rule(500),
        "interpreter_needed": _ANY,
        "codes": Rule(most=_MOST_LISTED),
        "characteristics": Rule(most=_MOST_LISTED),
        "is_naloxone_given": _ANY,
        "referrer": _ANY,
        "placer_identifiers": Rule(most=20),
        "may_wait_for_consent": _ANY,
    },
    "GetReferralRequest": {"referral_id": _ID},
    "ListReferralsRequest": {
        "limit": _ANY,
        "status": Rule(32),
        "urgency": _ANY,
        "submitted_from": _ANY,
        "submitted_before": _ANY,
        "page_token": Rule(1_000),
    },
    "CancelReferralRequest": {
        "referral_id": _ID,
        "reason_code": Rule(64),
        "expected_version": _ANY,
        "is_by_peer": _ANY,
    },
    "CorrectReferralRequest": {
        "referral_id": _ID,
        "expected_version": _ANY,
        "submission": Rule(is_needed=True),
    },
    "ReportDepartureRequest": {"referral_id": _ID, "leaves_at": Rule(is_needed=True)},
    "RevokeConsentRequest": {"referral_id": _ID},
    "WatchReferralRequest": {"referral_id": _ID},
    "ResolvePersonRequest": {"referral_id": _ID},
    "ListUnmappedCodesRequest": {"limit": _ANY},
}


def check(request: Message) -> None:
    """Raises Refusal INVALID with every violation and its field path."""
    faults = faults_of(request)
    if faults:
        codes = {fault.code for fault in faults}
        code = codes.pop() if len(codes) == 1 else "request-invalid"
        raise Refusal(code, Kind.INVALID, "The request has faults.", faults=faults)


def faults_of(request: Message, prefix: str = "") -> list[Fault]:
    """Every violation in the request, in the order of its fields; no value that was sent is repeated."""
    return list(_of_message(request, prefix))


def _of_message(message: Message, prefix: str) -> Iterator[Fault]:
    name = message.DESCRIPTOR.full_name
    if name == "google.protobuf.Timestamp":
        yield from _of_moment(message, prefix)
        return
    rules = RULES[name.removeprefix(_PACKAGE)]
    for field in message.DESCRIPTOR.fields:
        yield from _of_field(message, field, rules[field.name], f"{prefix}.{field.name}".lstrip("."))


def _of_field(message: Message, field: Any, rule: Rule, path: str) -> Iterator[Fault]:
    value: Any = getattr(message, field.name)
    if field.is_repeated:
        if len(value) > rule.most:
            yield Fault(path, "too-many", f"At most {rule.most} may be given.")
        for number, one in enumerate(value[: rule.most]):
            yield from _of_value(field, one, rule, f"{path}[{number}]")
        return
    is_there = message.HasField(field.name) if field.has_presence else bool(value)
    if is_there:
        yield from _of_value(field, value, rule, path)
    elif rule.is_needed:
        yield Fault(path, "missing", "This is needed.")


def _of_value(field: Any, value: Any, rule: Rule, path: str) -> Iterator[Fault]:
    if field.message_type is not None:
        yield from _of_message(value, path)
    elif field.enum_type is not None:
        if value not in field.enum_type.values_by_number:
            yield Fault(path, f"{field.name}-unknown", "There is no such value.")
    elif isinstance(value, str):
        yield from _of_text(value, rule, path)


def _of_text(text: str, rule: Rule, path: str) -> Iterator[Fault]:
    if len(text) > rule.most_chars:
        yield Fault(path, "too-long", f"At most {rule.most_chars} characters may be given.")
    elif (_CONTROL_IN_NOTES if rule.has_lines else _CONTROL).search(text):
        yield Fault(path, "control-character", "A text holds no control characters.")
    elif rule.words and text not in rule.words:
        yield Fault(path, "word-unknown", "This is one of: " + ", ".join(sorted(rule.words)) + ".")


def _of_moment(message: Any, path: str) -> Iterator[Fault]:
    is_good = _FIRST_SECOND <= message.seconds <= _LAST_SECOND and 0 <= message.nanos <= _MOST_NANOS
    if not is_good:
        yield Fault(path, "time-unreadable", "This moment is not in the calendar.")
