"""What the sender is told of each fault, and which kind of issue it is in R4 (http://hl7.org/fhir/issue-type)."""

from __future__ import annotations

# Code -> (issue type, words).  An invariant of HL7 has its own key as its code, and HL7's words.
FAULTS = {
    "empty": ("structure", "An element must have a value or children (ele-1)."),
    "blank": ("value", "A value must not be empty or nothing but white space."),
    "unknown-element": ("structure", "R4 has no such element here."),
    "missing": ("required", "This element is required."),
    "not-a-list": ("structure", "This element repeats: it must be a JSON array."),
    "is-a-list": ("structure", "This element does not repeat: it must not be a JSON array."),
    "not-an-object": ("structure", "This element must be a JSON object."),
    "wrong-json-type": ("structure", "The JSON type does not fit the element's type."),
    "bad-format": ("value", "The value does not have the format of the element's type."),
    "no-such-day": ("value", "This day is not in the calendar."),
    "choice-doubled": ("structure", "Only one of the types of this element may be given."),
    "code-not-in-value-set": ("code-invalid", "The code is not in the required value set."),
    "reference-malformed": ("value", "This is not a reference that R4 knows."),
    "reference-wrong-type": ("value", "A resource of this type may not be referred to here."),
    "reference-unresolved": ("not-found", "The resource referred to is not in this Bundle or resource."),
    "resource-type-unknown": ("structure", "R4 has no resource of this type."),
    "id-missing": ("required", "A contained resource needs an id, or nothing can refer to it."),
    "id-doubled": ("invariant", "Two contained resources have the same id."),
    "full-url-doubled": ("invariant", "Two entries have the same fullUrl (bdl-7)."),
    "full-url-disagrees": ("invariant", "The fullUrl says another id than the resource (R4 bundle.html)."),
    "extension-value": ("invariant", "An extension has either a value or extensions, and not both (ext-1)."),
    "extension-url": ("value", "The url of an extension is absolute, except inside another extension."),
    "period-reversed": ("invariant", "The period ends before it starts (per-1)."),
    "txt-1": ("invariant", "The narrative holds only basic HTML formatting, links and images (txt-1)."),
    "txt-2": ("invariant", "The narrative has some content (txt-2)."),
    "dom-2": ("invariant", "A contained resource must not contain others (dom-2)."),
    "dom-3": ("invariant", "A contained resource is referred to, or refers to its container (dom-3)."),
    "dom-4": ("invariant", "A contained resource has no meta.versionId or meta.lastUpdated (dom-4)."),
    "dom-5": ("invariant", "A contained resource has no security label (dom-5)."),
    "bdl-3": (
        "invariant",
        "An entry has a request in a batch, transaction or history, and only there (bdl-3).",
    ),
    "bdl-4": ("invariant", "An entry has a response in a response or history, and only there (bdl-4)."),
    "bdl-11": ("invariant", "The first resource of a document is a Composition (bdl-11)."),
    "bdl-12": ("invariant", "The first resource of a message is a MessageHeader (bdl-12)."),
    "obs-7": (
        "invariant",
        "An Observation's value is not given again in a component of the same code (obs-7).",
    ),
    "too-deep": ("too-costly", "The elements are nested too deep."),
    "too-many-faults": ("too-costly", "There are more faults than are told here."),
}
MESSAGES = {code: words for code, (_, words) in FAULTS.items()}


def issue_type(code: str) -> str | None:
    """The R4 issue type of a fault this package tells; None for a code that is not of this package.

    Every code with a number behind a hyphen that R4 publishes ("pat-1") is an invariant.
    """
    if code in FAULTS:
        return FAULTS[code][0]
    stem, _, number = code.partition("-")
    return "invariant" if stem.isalpha() and number[:1].isdigit() else None
