"""Kindred's extensions that would be passed over: misspelt, where they mean nothing, or with a value nobody can read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from chassis.errors import Fault
from services.intake.domain.submission import Answered
from services.intake.fhir import extensions as ext
from services.intake.fhir.parcel import moment

# Spelled in any way, this is meant for us.
_OURS = "//kindred.example/"
_AT_TELECOM = frozenset(
    {("Practitioner", "telecom"), ("PractitionerRole", "telecom"), ("Organization", "telecom")}
)
_AT_REQUEST = frozenset({("ServiceRequest", "")})
_AT_PATIENT = frozenset({("Patient", "")})
# Where each extension means something: (resource type, element; "" is the resource itself).
_PLACES: dict[str, frozenset[tuple[str, str]]] = {
    ext.PREFERENCE: _AT_REQUEST,
    ext.LIVED_EXPERIENCE: _AT_REQUEST,
    ext.MODALITY: _AT_REQUEST,
    ext.EXCLUDED_SPECIALIST: _AT_REQUEST,
    ext.FACILITY_ZIP: _AT_REQUEST,
    ext.PAYER: _AT_REQUEST,
    ext.EXPECTED_DEPARTURE: frozenset({("Encounter", "")}),
    ext.INTERPRETER_AGREED: _AT_PATIENT,
    ext.SAFE_CONTACT: _AT_PATIENT,
    ext.CONTACT_LANGUAGE: _AT_TELECOM,
    ext.CHARACTERISTIC: _AT_PATIENT,
    ext.NALOXONE_GIVEN: _AT_REQUEST,
    ext.CONSENT_ELEMENTS: frozenset({("Consent", "")}),
}
_PARTS = {
    ext.PREFERENCE: frozenset({"attribute", "strength"}),
    ext.SAFE_CONTACT: frozenset({"may-leave-message", "do-not-contact", "who-else-answers"}),
    ext.CHARACTERISTIC: frozenset({"topic", "answered", "code", "said-by", "how"}),
    ext.CONSENT_ELEMENTS: frozenset(
        {"scope", "expiry-event", "revocation-told", "signature-method", "witness", "version"}
    ),
}
MESSAGES = {
    "extension-unknown": "Kindred has no extension of this name.",
    "extension-misplaced": "This extension means nothing on this element.",
    "extension-unreadable": "The value of this extension cannot be read.",
}


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_moment(value: Any) -> bool:
    return isinstance(value, str) and moment(value) is not None


# Values that are refused here; those of the other extensions are refused where the submission is judged.
_READABLE: dict[str, Callable[[Any], bool]] = {
    ext.FACILITY_ZIP: _is_text,
    ext.PAYER: _is_text,
    ext.CONTACT_LANGUAGE: _is_text,
    ext.EXPECTED_DEPARTURE: _is_moment,
    ext.INTERPRETER_AGREED: lambda value: isinstance(value, bool),
    ext.NALOXONE_GIVEN: lambda value: isinstance(value, bool),
}
_ANSWERS = frozenset(answered.value for answered in Answered)


def _is_characteristic(one: dict[str, Any]) -> bool:
    """A topic, and an answer; a code comes with what was stated and with nothing else."""
    answered, code = ext.text(one, "answered") or "stated", ext.text(one, "code")
    return bool(ext.text(one, "topic")) and answered in _ANSWERS and bool(code) == (answered == "stated")


def faults(resource: dict[str, Any]) -> list[Fault]:
    """One for each extension of ours that would be dropped without a word; for a valid resource only."""
    found = _below(resource, resource["resourceType"], ("", ""))
    return [Fault(path, code, MESSAGES[code]) for path, code in found]


def _below(value: Any, path: str, at: tuple[str, str]) -> Iterator[tuple[str, str]]:
    """`at` is the resource type and the element in it, joined by dots, that `value` is."""
    if isinstance(value, list):
        for position, item in enumerate(value):
            yield from _below(item, f"{path}[{position}]", at)
    elif isinstance(value, dict):
        if "resourceType" in value:
            at = (value["resourceType"], "")
        for key, item in value.items():
            shown = key.removeprefix("_")
            inner = f"{path}.{shown}"
            if key in ("extension", "modifierExtension"):
                yield from _listed(item, inner, at if key == "extension" else ("", key))
            elif isinstance(item, (dict, list)):
                yield from _below(item, inner, (at[0], f"{at[1]}.{key}".lstrip(".")))


def _listed(listed: list[dict[str, Any]], path: str, at: tuple[str, str]) -> Iterator[tuple[str, str]]:
    for position, one in enumerate(listed):
        here = f"{path}[{position}]"
        code = _fault_of(one, at)
        if code:
            yield here, code
        elif one.get("url") in _PARTS:
            for inner, part in enumerate(one.get("extension", [])):
                if part.get("url") not in _PARTS[one["url"]]:
                    yield f"{here}.extension[{inner}]", "extension-unknown"
        else:
            yield from _below(one, here, ("", ""))


def _fault_of(one: dict[str, Any], at: tuple[str, str]) -> str:
    url = one.get("url", "")
    if _OURS not in url.lower():
        return ""
    if url not in _PLACES:
        return "extension-unknown"
    if at not in _PLACES[url]:
        return "extension-misplaced"
    if url == ext.CHARACTERISTIC and not _is_characteristic(one):
        return "extension-unreadable"
    is_readable = _READABLE.get(url)
    return "extension-unreadable" if is_readable and not is_readable(ext.value_of(one)) else ""
