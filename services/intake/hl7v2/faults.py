"""What is wrong with a message: our stable code, HL7's condition code (table 0357), and where in the message."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chassis.errors import HL7_ERR, Fault, Kind, Refusal

REJECT, ERROR = "AR", "AE"
_PATH = re.compile(r"([A-Z][A-Z0-9]{2})(?:\[(\d+)])?(?:-(\d+)(?:\[(\d+)])?(?:\.(\d+)(?:\.(\d+))?)?)?")
# Table 0357: 100 segment sequence, 101 field missing, 102 data type, 103 table value not found,
# 200 type, 201 event, 202 processing id, 203 version unsupported, 204 unknown key, 205 duplicate key.
_CONDITIONS = {
    "message-unreadable": "100",
    "segment-unreadable": "100",
    "segment-missing": "100",
    "segment-several": "100",
    "delimiters-unreadable": "102",
    "field-missing": "101",
    "person-not-findable": "101",
    "consent-missing": "101",
    "consent-unsigned": "101",
    "idempotency-key-missing": "101",
    "leaves-at-missing": "101",
    "character-set-unsupported": "103",
    "sender-unknown": "103",  # MSH-3 and MSH-4 are tables of the site (0361, 0362)
    "sender-not-certified": "103",
    "attribute-unknown": "103",
    "payer-unknown": "103",
    "modality-unknown": "103",
    "topic-unknown": "103",
    "reason-unknown": "103",
    "message-type-unsupported": "200",
    "event-unsupported": "201",
    "processing-id-unsupported": "202",
    "version-unsupported": "203",
    "referral-unknown": "204",
    "referral-not-found": "204",
    "referral-several": "204",
    "control-id-reused": "205",
    "idempotency-key-reused": "205",
    "message-too-large": "207",
    "internal-error": "207",
}
_REJECTED = frozenset(
    {
        "message-unreadable",
        "message-type-unsupported",
        "event-unsupported",
        "processing-id-unsupported",
        "version-unsupported",
        "sender-unknown",
        "sender-not-certified",
        "message-too-large",
    }
)
_CONDITION_TEXTS = {
    "0": "Message accepted",
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "200": "Unsupported message type",
    "201": "Unsupported event code",
    "202": "Unsupported processing id",
    "203": "Unsupported version id",
    "204": "Unknown key identifier",
    "205": "Duplicate key identifier",
    "206": "Application record locked",
    "207": "Application internal error",
}


class Unacceptable(Refusal):
    """A message that cannot be read as far as it would have to be; `path` names the field, in HL7's own numbers."""

    def __init__(self, path: str, code: str, message: str) -> None:
        super().__init__(code, Kind.INVALID, message, faults=[Fault(path, code, message)])


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a message (data type ERL): segment, which of them, field, repetition, component, subcomponent."""

    segment: str = ""
    sequence: str = ""
    field: str = ""
    repetition: str = ""
    component: str = ""
    subcomponent: str = ""


def located(path: str) -> Location:
    """The place a path like "PID[1]-5[2].1" names; empty where it names none."""
    match = _PATH.fullmatch(path)
    if match is None:
        return Location()
    segment, sequence, field, repetition, component, subcomponent = match.groups(default="")
    return Location(
        segment, sequence or "1", field, repetition or ("1" if field else ""), component, subcomponent
    )


def condition(code: str, kind: Kind = Kind.INVALID) -> tuple[str, str]:
    """Table 0357's code for a code of ours, and its text."""
    number = _CONDITIONS.get(code) or ("102" if code.endswith("-unreadable") else HL7_ERR[kind])
    return number, _CONDITION_TEXTS[number]


def verdict(refusal: Refusal) -> str:
    """AR where the message is of a kind that is not taken here or its sender is unknown, AE where its content is."""
    return REJECT if refusal.code in _REJECTED else ERROR


def faults_of(refusal: Refusal) -> tuple[Fault, ...]:
    """The refusal's faults; a refusal without any is one itself."""
    return refusal.faults or (Fault("", refusal.code, refusal.message),)
