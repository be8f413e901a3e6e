"""Accountings as documents a person can be handed: 45 CFR 164.528, 42 CFR 2.24 and 2.25."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from services.audit.reports.catalog import WORDS
from services.audit.search.finding import Hit

if TYPE_CHECKING:
    from services.audit.reports.running import Result

COLUMNS = ("first", "last", "count", "recipient", "description", "purpose", "consent", "number")
# 45 CFR 164.528(a)(1): treatment, payment, operations, and what goes to the person themselves, need no accounting.
_NOT_DUE = frozenset({"TREAT", "COC", "CAREMGT", "HPAYMT", "HOPERAT", "PATRQT"})


def listed(result: Result, hits: Sequence[Hit], suspended: set[str], reader: str) -> Result:
    """The document's lines: one for each recipient and purpose, repeats summed up (164.528(b)(3))."""
    lines: dict[tuple[str, str, str], list[Hit]] = {}
    excluded = held_back = 0
    for hit in hits:
        body = hit.body
        if body is None:
            continue
        recipient = dict(body.particulars).get("recipient_id", "")
        if recipient in suspended:
            held_back += 1
        elif not _is_due(result.report.document, hit):
            excluded += 1
        else:
            lines.setdefault((recipient, body.purpose_of_use, body.event_type), []).append(hit)
    rows = [_line(same, reader) for same in lines.values()]
    numbers = tuple(sorted(hit.number for same in lines.values() for hit in same))
    return replace(
        result, columns=COLUMNS, rows=rows, numbers=numbers, excluded=excluded, held_back=held_back
    )


def _is_due(document: str, hit: Hit) -> bool:
    """Whether the document lists it; an emergency's disclosure is always listed."""
    body = hit.body
    if body is None:
        return False
    if document == "164.528":
        return body.purpose_of_use not in _NOT_DUE or body.event_type == "emergency.declared.v1"
    return document != "2.24" or bool(dict(body.particulars).get("recipient_class"))


def _line(hits: Sequence[Hit], reader: str) -> dict[str, str]:
    first, last, words = hits[0], hits[-1], WORDS[reader]
    assert first.body is not None and last.body is not None
    told = dict(last.body.particulars)
    named = [
        told.get("recipient_id", ""),
        told.get("recipient_class") or told.get("recipient_affiliation", ""),
    ]
    consent = dict(last.body.particulars).get("consent_id", "")
    version = told.get("consent_version", "")
    kind = words.get(f"what.{last.body.event_type}", last.body.event_type)
    about = " ".join(part for part in (last.body.record_type, last.body.record_id) if part)
    detail = f" ({told['confidentiality']})" if told.get("confidentiality") else ""
    return {
        "first": first.recorded_at.strftime("%Y-%m-%d %H:%M"),
        "last": last.recorded_at.strftime("%Y-%m-%d %H:%M"),
        "count": str(len(hits)),
        "recipient_id": told.get("recipient_id", ""),
        "recipient": ", ".join(part for part in named if part) + f"; {words['doc.address-unknown']}",
        "description": f"{kind}: {about}{detail}",
        "purpose": " ".join(part for part in (last.body.purpose_of_use, last.body.reason) if part),
        "consent": f"{consent} v{version}" if consent else "",
        "number": ", ".join(str(hit.number) for hit in hits[:20]) + (" …" if len(hits) > 20 else ""),
    }
