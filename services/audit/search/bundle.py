"""Answers in FHIR: searchset Bundles whose every entry carries its proof, OperationOutcomes, the CapabilityStatement."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from chassis.errors import HTTP_STATUS, OUTCOME_TYPE, Refusal
from services.audit.search import marks
from services.audit.search.asked import Asked, link
from services.audit.search.finding import Hit, Page
from services.audit.search.proving import Proof

Json = dict[str, Any]
CONTENT_TYPE = "application/fhir+json"
_OURS = "https://kindred.example/fhir/StructureDefinition/"
CODES = "https://kindred.example/fhir/CodeSystem/refusal"


def searchset(request: Request, given: Sequence[tuple[str, str]], asked: Asked, page: Page) -> Json:
    """The page as a Bundle; its last entry says what was searched, under which checkpoint."""
    base = str(request.url.replace(query="", fragment="")).removesuffix("/_search")
    links = [{"relation": "self", "url": _address(base, given)}]
    if page.next_cursor:
        links.append({"relation": "next", "url": _address(base, link(given, page.next_cursor))})
    entries = [_entry(base, hit, page.proofs.get(hit.number)) for hit in page.hits]
    entries.append({"resource": _what_was_searched(asked, page), "search": {"mode": "outcome"}})
    bundle: Json = {
        "resourceType": "Bundle",
        "type": "searchset",
        "meta": {"extension": [checkpoint(each) for each in _checkpoints(page)]},
    }
    if page.total is not None:
        bundle["total"] = page.total
    return bundle | {"link": links, "entry": entries}


def checkpoint(signed: bytes) -> Json:
    """A signed checkpoint (C2SP tlog-checkpoint) an answer was made under, unchanged."""
    return {"url": f"{_OURS}audit-checkpoint", "valueString": signed.decode()}


def _checkpoints(page: Page) -> list[bytes]:
    """The newest log's, and those of earlier periods that hits lie in."""
    signed = [page.covered.head.checkpoint, *(proof.checkpoint for proof in page.proofs.values())]
    return list(dict.fromkeys(signed))


def proof_extension(hit: Hit, proof: Proof) -> Json:
    """RFC 6962: the leaf as it was hashed, its index, the tree's size and the audit path."""
    parts = [
        {"url": "index", "valueInteger64" if proof.index > 2**31 - 1 else "valueInteger": proof.index},
        {"url": "treeSize", "valueInteger": proof.size},
        {"url": "leaf", "valueBase64Binary": _text(hit.leaf)},
    ]
    parts += [{"url": "hash", "valueBase64Binary": _text(each)} for each in proof.hashes]
    return {"url": f"{_OURS}audit-proof", "extension": parts}


def _entry(base: str, hit: Hit, proof: Proof | None) -> Json:
    extension = [proof_extension(hit, proof)] if proof else []
    search: Json = {"mode": "match"} | ({"extension": extension} if extension else {})
    return {"fullUrl": f"{base}/{hit.document['id']}", "resource": hit.document, "search": search}


def _what_was_searched(asked: Asked, page: Page) -> Json:
    until = "" if asked.until.year == 9999 else f" before {asked.until.isoformat()}"
    since = "" if asked.since.year == 1 else f" from {asked.since.isoformat()}"
    until = until or (" on" if since else " at any time")
    found = "Nothing was found." if not page.hits and not page.total else "Entries were found."
    said = f"{found} Searched: entries 0 to {page.covered.size - 1}, recorded{since}{until}."
    under = f" Under the checkpoint of size {page.covered.head.size}."
    if page.covered.size < page.covered.whole:
        under += f" Entries from {page.covered.size} on are not yet in the search index."
    return outcome([("information", "informational", "searched", said + under, "")])


def outcome(issues: Sequence[tuple[str, str, str, str, str]]) -> Json:
    """An OperationOutcome of (severity, type, code, words, place) issues."""
    return {
        "resourceType": "OperationOutcome",
        "issue": [
            {"severity": severity, "code": kind, "details": {"coding": [{"system": CODES, "code": code}]}}
            | ({"diagnostics": words} if words else {})
            | ({"expression": [place]} if place else {})
            for severity, kind, code, words, place in issues
        ],
    }


def render_refusal(request: Request, refusal: Refusal) -> Response:
    """A refusal as FHIR says it; on other paths as this service says it everywhere."""
    kind = OUTCOME_TYPE[refusal.kind]
    issues = [("error", kind, fault.code, fault.message, fault.path) for fault in refusal.faults]
    issues = issues or [("error", kind, refusal.code, refusal.message, "")]
    return answer(outcome(issues), HTTP_STATUS[refusal.kind])


def answer(resource: Json, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """The resource as application/fhir+json."""
    content = json.dumps(resource, ensure_ascii=False, separators=(",", ":"))
    return Response(content, status, headers, CONTENT_TYPE)


def capability(base: str) -> Json:
    """What the audit log's FHIR door offers."""
    kinds = {**dict.fromkeys(marks.TOKENS, "token"), **dict.fromkeys(marks.STRINGS, "string")}
    kinds |= {**dict.fromkeys(marks.REFERENCES, "reference"), **dict.fromkeys(marks.URIS, "uri")}
    kinds |= dict.fromkeys(marks.DATES, "date")
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-11-22",
        "kind": "instance",
        "implementation": {"description": "Kindred's privacy audit log", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [
            {
                "mode": "server",
                "resource": [
                    {
                        "type": "AuditEvent",
                        "interaction": [{"code": code} for code in ("read", "create", "search-type")],
                        "conditionalCreate": False,
                        "searchParam": [{"name": name, "type": kinds[name]} for name in sorted(kinds)],
                    }
                ],
            }
        ],
    }


def _address(base: str, given: Sequence[tuple[str, str]]) -> str:
    return f"{base}?{urlencode(given)}" if given else base


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
