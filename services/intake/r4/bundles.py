"""What R4 asks of a Bundle as a whole, told at the entry at fault (R4 bundle.html)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from services.intake.r4.references import type_of

_REQUESTED = frozenset({"batch", "transaction", "history"})
_ANSWERED = frozenset({"batch-response", "transaction-response", "history"})
_FIRST = {"document": ("Composition", "bdl-11"), "message": ("MessageHeader", "bdl-12")}
_RESTFUL = re.compile(r"https?://.*/([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})")

Found = tuple[str, str]  # steps below the Bundle, code


def faults_of(bundle: dict[str, Any]) -> Iterator[Found]:
    """Each fault: bdl-3, bdl-4, bdl-7, bdl-11, bdl-12, and a fullUrl that disagrees with its resource's id."""
    kind, entries = bundle.get("type"), bundle.get("entry")
    if type(kind) is not str:
        return
    seen: set[tuple[str, str]] = set()
    for position, entry in enumerate(entries if type(entries) is list else []):
        if type(entry) is dict:
            for step, code in _of_entry(kind, entry, seen):
                yield f"entry[{position}].{step}", code
    if kind in _FIRST and type(entries) is list and entries:
        name, code = _FIRST[kind]
        first = entries[0].get("resource") if type(entries[0]) is dict else None
        if type_of(first) != name:
            yield "entry[0].resource", code
    elif kind in _FIRST:
        yield "entry", _FIRST[kind][1]


def _of_entry(kind: str, entry: dict[str, Any], seen: set[tuple[str, str]]) -> Iterator[Found]:
    if ("request" in entry) != (kind in _REQUESTED):
        yield "request", "bdl-3"
    if ("response" in entry) != (kind in _ANSWERED):
        yield "response", "bdl-4"
    url, resource = entry.get("fullUrl"), entry.get("resource")
    if type(url) is not str or type(resource) is not dict:
        return
    meta = resource.get("meta")
    version = meta.get("versionId") if type(meta) is dict else None
    if (url, str(version)) in seen and kind != "history":
        yield "fullUrl", "full-url-doubled"
    seen.add((url, str(version)))
    match = _RESTFUL.fullmatch(url)
    if match is not None and match[1] == type_of(resource) and match[2] != resource.get("id", match[2]):
        yield "fullUrl", "full-url-disagrees"
