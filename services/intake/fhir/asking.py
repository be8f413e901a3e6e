"""What a request says in HTTP's words: which format, which version it saw, and how it wants to be answered."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from chassis.errors import Fault, Kind, Refusal
from services.intake.fhir.outcome import CONTENT_TYPE

JSON = (CONTENT_TYPE, "application/json")
JSON_PATCH = "application/json-patch+json"
_FORMATS = frozenset({"json", "application/json", CONTENT_TYPE, "application/fhir json"})
_ACCEPTED = frozenset({"*/*", "application/*", "application/json", CONTENT_TYPE})
_VERSION_TAG = re.compile(r'(?:W/)?"?([0-9]{1,9})"?')
_PREFERENCE = re.compile(r"\s*(return|handling)\s*=\s*\"?([A-Za-z]+)\"?\s*", re.IGNORECASE)
_FHIR_VERSIONS = frozenset({"4.0", "4.0.1"})


@dataclass(frozen=True)
class Preferred:
    """The header Prefer; empty where nothing was said."""

    returns: str = ""  # minimal, representation or operationoutcome
    is_strict: bool = False


def json_wanted(request: Request) -> None:
    """The answer may be JSON of R4; raises Refusal INVALID format-unsupported (406)."""
    said = request.query_params.get("_format")
    if said is not None:
        is_fine = said.partition(";")[0].strip().lower() in _FORMATS
    else:
        is_fine = _accepts(request.headers.get("accept", "*/*"))
    if not is_fine:
        message = "Only JSON of FHIR R4 is spoken here: application/fhir+json."
        raise Refusal("format-unsupported", Kind.INVALID, message)


def _accepts(header: str) -> bool:
    """True where one of the ranges is JSON with a weight above zero, of our version or of none."""
    for part in header.split(","):
        kind, *said = [piece.strip().lower() for piece in part.split(";")]
        given = dict(piece.split("=", 1) for piece in said if "=" in piece)
        is_ours = given.get("fhirversion", "4.0") in _FHIR_VERSIONS
        if kind in _ACCEPTED and is_ours and given.get("q", "1").strip("0.") != "":
            return True
    return not header.strip()


def json_sent(request: Request, *kinds: str) -> None:
    """The body is called one of the kinds; raises Refusal INVALID content-type-unsupported (415)."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (kinds or JSON):
        message = f"Send {' or '.join(kinds or JSON[:1])}."
        raise Refusal("content-type-unsupported", Kind.INVALID, message)


def preferred(request: Request) -> Preferred:
    """What Prefer says; what it says beside that is not ours to know."""
    found = {}
    for part in re.split("[,;]", request.headers.get("prefer", "")):
        match = _PREFERENCE.fullmatch(part)
        if match is not None:
            found[match[1].lower()] = match[2].lower()
    return Preferred(found.get("return", ""), found.get("handling") == "strict")


def seen_version(if_match: str | None, sent: dict[str, Any], path: str) -> int:
    """The version an update was made from: If-Match, or the version of the resource as it was read.

    A client that cannot send If-Match sends back what it read, and `meta.versionId` says which version that was.
    Raises Refusal INVALID if-match-missing or if-match-unreadable; 400, as R4 asks (http.html#concurrency).
    """
    said = if_match if if_match is not None else sent.get("meta", {}).get("versionId")
    if said is None:
        message = "Say in If-Match which version was read."
        fault = Fault(path, "if-match-missing", message)
        raise Refusal("if-match-missing", Kind.INVALID, message, faults=[fault])
    match = _VERSION_TAG.fullmatch(said.strip())
    if match is None or not int(match[1]):
        message = "If-Match is the ETag of the resource as it was read."
        fault = Fault(path, "if-match-unreadable", message)
        raise Refusal("if-match-unreadable", Kind.INVALID, message, faults=[fault])
    return int(match[1])


def is_unchanged(request: Request, version: str) -> bool:
    """True where the caller has this version already (If-None-Match); with or without the quotes of a tag."""
    said = request.headers.get("if-none-match", "")
    tags = [_VERSION_TAG.fullmatch(part.strip()) for part in said.split(",")]
    return any(tag is not None and tag[1] == version for tag in tags)
