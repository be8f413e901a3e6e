"""Whether an opened AuditEvent is what was asked for: every hit is compared, whatever the index said; pure."""

from __future__ import annotations

from typing import Any

from services.audit.search import marks
from services.audit.search.asked import Asked, Criterion, Value

Json = dict[str, Any]


def is_asked_for(document: Json, asked: Asked) -> bool:
    """Whether every criterion holds; dates are the index's, which are the leaf's."""
    return all(holds(document, each) for each in asked.criteria)


def holds(document: Json, criterion: Criterion) -> bool:
    """Whether one criterion does."""
    found = any(
        _is_one(each, value, criterion)
        for each in marks.values(document, criterion.parameter)
        for value in criterion.values
    )
    return found != (criterion.modifier == "not")


def _is_one(told: Any, wanted: Value, criterion: Criterion) -> bool:
    if criterion.parameter in marks.TOKENS:
        return any(_is_code(coding, wanted) for coding in _codings(told))
    if criterion.parameter in marks.STRINGS:
        return _is_text(str(told), wanted.text, criterion.modifier)
    if criterion.parameter in marks.URIS:
        return bool(told == wanted.text)
    return _is_reference(told, wanted, criterion.modifier)


def _codings(told: Any) -> list[Json]:
    if isinstance(told, str):
        return [{"code": told}]
    codings = told.get("coding") if isinstance(told, dict) else None
    return [one for one in (codings if isinstance(codings, list) else [told]) if isinstance(one, dict)]


def _is_code(coding: Json, wanted: Value) -> bool:
    """R4 search.html#token: code, system|code, |code (no system), system| (any code of it)."""
    code, system = str(coding.get("code", "")), coding.get("system")
    if wanted.text and code.lower() != wanted.text.lower():
        return False
    if wanted.system is None:
        return True
    is_plain_code = set(coding) == {"code"}
    return is_plain_code or (system or "") == wanted.system


def _is_text(told: str, wanted: str, modifier: str) -> bool:
    if modifier == "exact":
        return told == wanted
    text, look = marks.folded(told), marks.folded(wanted)
    return look in text if modifier == "contains" else text.startswith(look)


def _is_reference(told: Any, wanted: Value, modifier: str) -> bool:
    if not isinstance(told, dict):
        return False
    identifier = told.get("identifier")
    identifier = identifier if isinstance(identifier, dict) else {}
    if modifier == "identifier":
        is_value = not wanted.text or identifier.get("value") == wanted.text
        return is_value and (wanted.system is None or identifier.get("system", "") == wanted.system)
    named, wanted_id = set(marks.identities(told)), marks.last_step(wanted.text)
    if wanted_id not in named:
        return False
    head = wanted.text.partition("/_history/")[0].rpartition("/")[0].rpartition("/")[2]
    address = told.get("reference")
    shown = address.partition("/_history/")[0].split("/") if isinstance(address, str) else []
    kind = told.get("type") or (shown[-2] if len(shown) > 1 else "")
    return not head or not kind or head == kind
