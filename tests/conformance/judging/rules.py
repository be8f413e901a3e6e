"""Which rule each refusal comes from: a page of the standard, a law, or a sentence of our own documents."""

from __future__ import annotations

from services.intake.r4 import messages

_JSON = "R4 json.html"
_README = "services/intake/README.md, Over FHIR R4"
_ORDER = f"{_README}: a sending holds one active order and its Patient"
_TASK = "R4 task.html and BSeR: a Task that asks is requested (2.0); contradictions are refused (DOMAIN 1)"
_CONSENT = "42 CFR 2.31 and R4 consent.html"
_OURS = f"{_README}: what was said to us is never passed over"
_PARSED = "RFC 8259 and R4 json.html"

RULES = {
    # JSON
    "json-invalid": _PARSED,
    "json-not-utf8": "RFC 8259, 8.1: JSON is UTF-8",
    "json-key-doubled": "R4 json.html: property names are unique; RFC 8259, 4",
    "json-number-too-large": "R4 datatypes.html#decimal: implementations bound their numbers",
    # structure
    "resource-type-unknown": f"{_JSON}: a resource names its resourceType, which R4 knows",
    "unknown-element": f"{_JSON}: an unknown element is not ignored; what R4 lacks is an extension",
    "empty": "R4 ele-1: an element has a value or children; json.html: no empty arrays or objects",
    "blank": "R4 datatypes.html#string: a value has content that is not white space",
    "missing": "R4 conformance-rules.html#cardinality: min is 1",
    "not-a-list": f"{_JSON}: an element that repeats is an array",
    "is-a-list": "R4 conformance-rules.html#cardinality: max is 1",
    "not-an-object": f"{_JSON}: a complex element is an object",
    "wrong-json-type": f"{_JSON}#primitive: numbers, booleans and texts have their own JSON types",
    "bad-format": "R4 datatypes.html#primitive: the type's regular expression",
    "no-such-day": "R4 datatypes.html#date: a date of the calendar",
    "choice-doubled": "R4 formats.html#choice: one type of value[x]",
    "code-not-in-value-set": "R4 terminologies.html#required: a required binding",
    "reference-malformed": "R4 references.html#literal",
    "reference-wrong-type": "R4 references.html: the element's target types",
    "reference-unresolved": "R4 ref-1, bundle.html#references: a # or urn reference is resolved inside",
    "extension-value": "R4 ext-1",
    "extension-url": "R4 extensibility.html#Extension: url is absolute",
    "period-reversed": "R4 per-1",
    "full-url-doubled": "R4 bdl-7",
    "full-url-disagrees": "R4 bundle.html: fullUrl does not disagree with the id",
    "id-missing": "R4 dom-3, references.html#contained: referred to by #id",
    "id-doubled": "R4 references.html#contained: ids are unique in their container",
    "too-deep": "DESIGN 8: no body is made to hurt (40 levels)",
    "too-many-faults": "DESIGN 8: answers are bounded (100 faults)",
    # what a sending must be
    "bundle-wanted": _README,
    "resource-type-wanted": _README,
    "bundle-type": f"{_README}: transaction, collection or message; R4 bundle.html#bundle-type",
    "method-unsupported": "R4 http.html#trules: only what is created or updated can be part of an order",
    "service-request-missing": _ORDER,
    "service-request-several": _ORDER,
    "request-not-active": "R4 valueset-request-status.html: only active authorizes an act",
    "request-not-an-order": "R4 valueset-request-intent.html: only an order asks for an act; doNotPerform forbids it",
    "subject-not-in-bundle": _ORDER,
    "person-deceased": "R4 patient.html: deceased; nobody is sent to a person who has died",
    "person-not-findable": "DOMAIN 3: one way to find the person again",
    "modifier-unknown": "R4 extensibility.html#modifierExtension: what is not understood is not processed",
    "extension-unknown": _OURS,
    "extension-misplaced": _OURS,
    "extension-unreadable": _OURS,
    "attribute-unknown": f"{_README}: the taxonomy's codes",
    "preference-doubled": f"{_README}: one attribute, one strength",
    "arrival-in-future": "DOMAIN 3: when they arrived",
    "arrival-too-long-ago": "DOMAIN 3: when they arrived; no visit lasts two years",
    "departure-before-arrival": "DOMAIN 3; R4 per-1",
    "birth-date-in-future": "R4 patient.html: birthDate",
    "birth-date-unreadable": "R4 datatypes.html#date",
    "language-unreadable": "R4 valueset-languages.html: BCP 47",
    "zip-unreadable": f"{_README}: facility-zip",
    "email-unreadable": "RFC 5321",
    # tasks
    "task-several": _TASK,
    "task-not-requested": _TASK,
    "task-status-contradictory": _TASK,
    "task-code": "R4 task.html: a Task of code fulfill asks for its focus to be done",
    "task-focus": "R4 task.html: focus is what the Task acts on",
    "task-for-other": "R4 task.html: for is who benefits",
    "priority-contradictory": "DOMAIN 1: contradictory input is refused, not guessed at",
    # consent
    "consent-missing": f"{_CONSENT}: nothing leaves without one (P7)",
    "consent-refused": f"{_CONSENT}: provision.type deny",
    "consent-restricted": f"{_CONSENT}: a narrower permission is not passed over",
    "consent-inactive": f"{_CONSENT}: only an active consent permits",
    "consent-expired": "42 CFR 2.31(c): expired consents are not acted on",
    "consent-revoked": "42 CFR 2.31(a)(6): revocation acts at once",
    "consent-not-yet-valid": f"{_CONSENT}: provision.period",
    "consent-unsigned": "42 CFR 2.31(a)(8): the date on which it was signed",
    "consent-silent": f"{_CONSENT}: it neither permits nor denies",
    "consent-false": "42 CFR 2.31(c)(4): known to be false",
    "consent-dated-ahead": "42 CFR 2.31(a)(8): the date on which it was signed",
    "consent-incomplete": "42 CFR 2.31(a): the elements of a consent",
    # HL7 v2
    "message-unreadable": "HL7 v2 2.5.1: a message begins with MSH",
    "segment-unreadable": "HL7 v2 2.5: a segment begins with its three-letter id and a field separator",
    "segment-missing": "HL7 v2 11.3 and 3.3: the segment is required in this event",
    "field-missing": "HL7 v2 2.14.9 (MSH): the field is required",
    "message-type-unsupported": "HL7 v2 table 0357, 200: REF and ADT are what this application takes",
    "event-unsupported": "HL7 v2 table 0357, 201",
    "version-unsupported": "HL7 v2 table 0357, 203: 2.3 to 2.8",
    "processing-id-unsupported": "HL7 v2 table 0103: T and D are not production; a test must call nobody",
    "referral-not-found": "HL7 v2 table 0357, 204: no referral of this sender has these numbers",
    "referral-several": "DOMAIN 3: nobody is guessed at",
    "merge-without-pair": "HL7 v2 3.3.40: MRG-1 and PID-3 name the same person of one authority",
    "time-unreadable": "HL7 v2 2A.3.22 (DTM): YYYYMMDDHHMMSS with an offset",
    "character-set-unsupported": "HL7 v2 table 0211",
    "delimiters-unreadable": "HL7 v2 2.14.9.2: MSH-2",
    "control-id-reused": "HL7 v2 2.14.9.10: MSH-10 identifies the message",
    "sender-unknown": "HL7 v2 2.14.9.3: MSH-3 and MSH-4; 45 CFR 164.312(d)",
    "consent-without-person": "42 CFR 2.31(a)(1): whose it is",
}


def rule_of(code: str) -> str:
    """The rule; HL7's own keys speak for themselves; empty where no rule is written."""
    if code in RULES:
        return RULES[code]
    words = messages.MESSAGES.get(code, "")
    return f"R4 {code}: {words}" if words else f"R4 {code}" if messages.issue_type(code) else ""
