"""Every refusal as an R4 OperationOutcome: each fault with its place, a stable code and a severity."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from chassis.errors import HTTP_STATUS, OUTCOME_TYPE, Refusal
from services.intake.r4.messages import issue_type

CONTENT_TYPE = "application/fhir+json"
CODES = "https://kindred.example/fhir/CodeSystem/refusal"

# Fault code -> IssueType (http://hl7.org/fhir/issue-type); a code that is not here says what its refusal says.
_TYPES = {
    "missing": "required",
    "empty": "structure",
    "unknown-element": "structure",
    "not-a-list": "structure",
    "is-a-list": "structure",
    "not-an-object": "structure",
    "wrong-json-type": "structure",
    "choice-doubled": "structure",
    "too-deep": "structure",
    "resource-type-unknown": "structure",
    "bundle-wanted": "structure",
    "json-invalid": "structure",
    "json-not-utf8": "structure",
    "json-key-doubled": "structure",
    "json-number-too-large": "value",
    "bad-format": "value",
    "no-such-day": "value",
    "period-reversed": "invariant",
    "extension-value": "invariant",
    "full-url-doubled": "invariant",
    "code-not-in-value-set": "code-invalid",
    "attribute-unknown": "code-invalid",
    "payer-unknown": "code-invalid",
    "modality-unknown": "code-invalid",
    "reference-unresolved": "not-found",
    "subject-not-in-bundle": "not-found",
    "reference-malformed": "value",
    "reference-wrong-type": "value",
    "service-request-missing": "required",
    "person-not-findable": "required",
    "modifier-unknown": "extension",
    "extension-unknown": "extension",
    "extension-misplaced": "extension",
    "extension-unreadable": "value",
    "method-unsupported": "not-supported",
    "bundle-type": "not-supported",
    "birth-date-in-future": "value",
    "birth-date-unreadable": "value",
    "arrival-in-future": "value",
    "consent-missing": "required",
    "consent-refused": "suppressed",
    "consent-restricted": "suppressed",
    "consent-inactive": "suppressed",
    "consent-expired": "expired",
    "too-many-faults": "too-costly",
    "version-stale": "conflict",
    "several-match": "multiple-matches",
    "no-such-method": "not-supported",
    "format-unsupported": "not-supported",
    "content-type-unsupported": "not-supported",
    "search-parameter-unknown": "not-supported",
    "search-modifier-unsupported": "not-supported",
    "search-value-unreadable": "value",
    "if-match-missing": "required",
    "if-match-unreadable": "value",
    "task-not-requested": "business-rule",
    "task-status-contradictory": "business-rule",
    "task-code": "business-rule",
    "task-focus": "business-rule",
    "task-for-other": "business-rule",
    "priority-contradictory": "business-rule",
    "status-not-settable": "business-rule",
    "element-not-settable": "business-rule",
    "reason-missing": "required",
    "reason-unknown": "code-invalid",
    "patch-unsupported": "not-supported",
    "history-not-kept": "not-supported",
}

# Refusal code -> HTTP status where R4 asks for another than its kind's (http.html).
_STATUSES = {
    "version-stale": 412,
    "several-match": 412,
    "format-unsupported": 406,
    "content-type-unsupported": 415,
    "status-not-settable": 422,
    "element-not-settable": 422,
}
_NOTHING_DELETED = "Nothing is deleted here: cancel the Task, or set it to entered-in-error."


def of(refusal: Refusal) -> dict[str, Any]:
    """The outcome: one issue for each fault, or one for the refusal itself."""
    kind = OUTCOME_TYPE[refusal.kind]
    issues = [
        _issue(
            _TYPES.get(fault.code) or issue_type(fault.code) or kind, fault.code, fault.message, fault.path
        )
        for fault in refusal.faults
    ]
    whole = _issue(_TYPES.get(refusal.code, kind), refusal.code, refusal.message, "")
    return {"resourceType": "OperationOutcome", "issue": issues or [whole]}


def _issue(kind: str, code: str, message: str, path: str) -> dict[str, Any]:
    issue: dict[str, Any] = {
        "severity": "error",
        "code": kind,
        "details": {"coding": [{"system": CODES, "code": code}], "text": message},
        "diagnostics": f"{path}: {message}" if path else message,
    }
    if path:
        issue["expression"] = [path]
    return issue


def render_refusal(request: Request, refusal: Refusal) -> Response:
    """The refusal as intake's HTTP door tells it."""
    headers = {"Retry-After": str(refusal.retry_after_s)} if refusal.retry_after_s is not None else {}
    told = of(refusal)
    if refusal.code == "no-such-method" and request.method == "DELETE":
        told = of(Refusal(refusal.code, refusal.kind, _NOTHING_DELETED))
    status = _STATUSES.get(refusal.code, HTTP_STATUS[refusal.kind])
    return answer(told, status, headers, is_pretty=is_pretty(request))


def told(text: str) -> dict[str, Any]:
    """An outcome that finds nothing wrong."""
    issue = {"severity": "information", "code": "informational", "details": {"text": text}}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def is_pretty(request: Request) -> bool:
    """True where the answer is for somebody's eyes."""
    return request.query_params.get("_pretty") == "true"


def answer(
    resource: dict[str, Any],
    status: int = 200,
    headers: dict[str, str] | None = None,
    *,
    is_pretty: bool = False,
) -> Response:
    """A resource as an HTTP response."""
    layout: dict[str, Any] = {"indent": 2} if is_pretty else {"separators": (",", ":")}
    body = json.dumps(resource, ensure_ascii=False, **layout).encode()
    return Response(body, status, headers, media_type=CONTENT_TYPE)
