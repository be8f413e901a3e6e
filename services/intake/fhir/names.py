"""The systems by which codes and identifiers are named in FHIR: ours and the standards'."""

import re

_SPACE = re.compile(r"\s")
SYSTEM = "https://kindred.example/fhir/"
REFERRAL_ID = SYSTEM + "identifier/referral"
PEER_ID = SYSTEM + "identifier/peer"
SOURCE_ID = SYSTEM + "identifier/source"
SPECIALIST_ID = SYSTEM + "identifier/specialist"
PLATFORM_ID = SYSTEM + "identifier/platform"
# Keyed hashes that stand for a number in our links: nobody can read the number from them.
ORDER_MARK = SYSTEM + "identifier/order-mark"
PERSON_MARK = SYSTEM + "identifier/person-mark"
STATES = SYSTEM + "CodeSystem/referral-state"
REASONS = SYSTEM + "CodeSystem/referral-reason"
OUTPUTS = SYSTEM + "CodeSystem/task-output"
INPUTS = SYSTEM + "CodeSystem/task-input"
BUSINESS = "http://hl7.org/fhir/us/bser/CodeSystem/TaskBusinessStatusCS"
IDENTIFIER_TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"
TASK_CODES = "http://hl7.org/fhir/CodeSystem/task-code"


def uri(system: str) -> str:
    """A number the source gave without a system gets one that names the source."""
    spelled = SOURCE_ID + "/" + system.removeprefix("source:") if system.startswith("source:") else system
    return _SPACE.sub("%20", spelled)  # a URI has none, and other doors' systems may


def system_of(identifier_uri: str, source_id: str) -> str:
    """The system as it is kept: the inverse of `uri`; without one, a number is the source's own."""
    own = f"source:{source_id}"
    return own if identifier_uri == uri(own) else identifier_uri or own
