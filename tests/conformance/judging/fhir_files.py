"""FHIR files judged: is it valid R4 (the validator), and would it become a referral (the reader and the domain)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chassis.errors import Fault, Refusal
from services.intake import taxonomy
from services.intake.domain.submission import faults_of
from services.intake.fhir import body, reading
from services.intake.r4 import validator
from tests.conformance.judging.rules import rule_of
from tests.conformance.judging.verdict import Reason, Verdict

# Consents expire and visits grow old: the files are judged as of the day they were collected.
AS_OF = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
SUBMITTED = ("Bundle", "ServiceRequest", "Task")


def judge_all(folder: Path) -> Iterator[Verdict]:
    """Every file under `fhir`, in order of its name."""
    for path in sorted(path for path in (folder / "fhir").rglob("*") if path.is_file()):
        yield judge(path, path.relative_to(folder).as_posix())


def judge(path: Path, name: str) -> Verdict:
    """One file."""
    if path.suffix == ".fsh":
        return Verdict(
            name, "FHIR Shorthand", "not sent", about="a profile's source: read for its meaning only"
        )
    if path.suffix != ".json":
        return Verdict(name, "no FHIR", "not sent", about="neither JSON nor FHIR Shorthand")
    raw = path.read_bytes()
    try:
        resource = body.parse(raw, "Resource")
    except Refusal as refused:
        return Verdict(name, "no JSON", "refused", _reasons(refused.faults))
    if not isinstance(resource, dict) or "resourceType" not in resource:
        reason = Reason("resource-type-unknown", "Resource.resourceType", rule_of("resource-type-unknown"))
        return Verdict(name, "no resource", "refused", (reason,), _first_words(resource))
    faults = validator.check(resource)
    if faults:
        return Verdict(name, "invalid R4", "refused", _reasons(faults), str(resource["resourceType"]))
    return _as_referral(name, resource, raw)


def _as_referral(name: str, resource: dict[str, Any], raw: bytes) -> Verdict:
    kind = resource["resourceType"]
    if kind not in SUBMITTED:
        return Verdict(
            name, "valid R4", "no submission", about=f"{kind}: goes along with an order in a Bundle"
        )
    about = f"Bundle of type {resource['type']}" if kind == "Bundle" else kind
    known = taxonomy.load()
    try:
        opened = reading.open_bundle(raw) if kind == "Bundle" else reading.open_single(raw, kind)
        submission = reading.read(opened, "er-1", known)
    except Refusal as refused:
        return Verdict(name, "valid R4", "refused", _reasons(refused.faults), about)
    faults = faults_of(submission, AS_OF, known.codes)
    return Verdict(name, "valid R4", "refused" if faults else "accepted", _reasons(faults), about)


def _reasons(faults: Any) -> tuple[Reason, ...]:
    return tuple(Reason(fault.code, fault.path, rule_of(fault.code)) for fault in _each(faults))


def _each(faults: Any) -> Iterator[Fault]:
    yield from faults


def _first_words(resource: Any) -> str:
    keys = list(resource)[:4] if isinstance(resource, dict) else []
    return "an object of " + ", ".join(json.dumps(key) for key in keys)
