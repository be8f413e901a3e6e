"""Security labels that came with a sending: on the Bundle, on its resources, and inline on their elements (DS4P)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from services.intake.domain import labels
from services.intake.domain.submission import Submission
from services.intake.fhir.parcel import Parcel

_DS4P = "http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/"
_INLINE, _BASIS = _DS4P + "extension-inline-sec-label", _DS4P + "extension-sec-label-basis"
_SYSTEMS = frozenset({labels.CONFIDENTIALITY, labels.ACT_CODE, labels.ACT_REASON})
# What a referral is made of; a label on anything else is a label on what is left out.
_READ = frozenset(
    {"ServiceRequest", "Task", "Patient", "Consent", "Encounter", "Condition", "Coverage", "Location"}
)


def read(parcel: Parcel) -> tuple[str, ...]:
    """The codes of every label, sorted; what no label we know says is passed over where labels are weighed."""
    found = {*_codes(parcel.security)}
    for laid in parcel.laid:
        if laid.resource["resourceType"] in _READ:
            found.update(of_resource(laid.resource))
    return tuple(sorted(found))


def of_resource(resource: dict[str, Any]) -> set[str]:
    """The codes of a resource's own labels, those on single elements of it, and the policies they rest on.

    The high-water mark is of the whole.
    """
    return {*_codes(resource.get("meta", {}).get("security", [])), *_inline(resource)}


def _codes(codings: list[dict[str, Any]]) -> Iterator[str]:
    yield from (one["code"] for one in codings if one.get("system") in _SYSTEMS and one.get("code"))
    for coding in codings:
        yield from _codes(
            [one["valueCoding"] for one in coding.get("extension", []) if one.get("url") == _BASIS]
        )


def _inline(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _inline(one)
    elif isinstance(value, dict):
        if value.get("url") == _INLINE:
            yield from _codes([value.get("valueCoding", {})])
        for key, one in value.items():
            if key != "contained" and isinstance(one, (dict, list)):
                yield from _inline(one)


def marked(resource: dict[str, Any], submission: Submission) -> dict[str, Any]:
    """The resource under the labels of the referral it shows."""
    security = labels.security(labels.of(submission))
    return {**resource, "meta": {**resource.get("meta", {}), "security": security}}


def mark_of_all(submissions: Iterable[Submission]) -> list[dict[str, str]]:
    """The high-water mark of a Bundle that shows these referrals."""
    return labels.security(labels.high_water(labels.of(one) for one in submissions))
