"""No PHI reaches a logger, a span, a metric, an exception's text or an event unsealed: rules read from the code."""

from __future__ import annotations

import ast
import dataclasses
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.descriptor import FieldDescriptor

from chassis import catalog

ROOT = Path(__file__).resolve().parents[2]
# What the code calls the facts of a person, wherever it holds them.
PHI = frozenset(
    {
        "person", "persons", "given_name", "family_name", "former_names", "birth_date", "phones", "phone",
        "email", "address", "street", "home_zip", "record_numbers", "record_number", "note", "safe_contact",
        "kept", "submission", "contact", "letter", "body", "patient", "bundle", "resource", "given", "family",
        "sent", "content",
    }
)  # fmt: skip
# Where a name of that list is something else: a note here is a signed checkpoint (C2SP).
HARMLESS = ("services/audit/offline/",)
LOGGERS = frozenset({"debug", "info", "warning", "error", "critical", "exception"})
NAMES_OF_PHI = (
    "given_name",
    "family_name",
    "birth_date",
    "phone",
    "email",
    "street",
    "record_number",
    "note",
)


def sources() -> Iterator[Path]:
    """Every file of the services and the chassis."""
    for top in ("chassis", "services"):
        yield from (path for path in sorted((ROOT / top).rglob("*.py")) if "__pycache__" not in path.parts)


def leaving(node: ast.AST) -> list[ast.expr]:
    """The arguments of a call by which words leave: a log line, a span's attribute, a metric's label, an exception."""
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        return [*node.exc.args, *(one.value for one in node.exc.keywords)]
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return []
    owner = node.func.value
    named = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
    is_log = named in ("log", "logger", "logging") and node.func.attr in LOGGERS
    is_span = named in ("telemetry", "span") and node.func.attr in ("add", "span", "set_attribute", "fail")
    is_metric = node.func.attr == "labels"
    return [*node.args, *(one.value for one in node.keywords)] if is_log or is_span or is_metric else []


def phi_in(expression: ast.expr) -> set[str]:
    """The names of PHI whose value the expression would show; how many there are, or of which type, shows nothing."""
    if isinstance(expression, ast.Call):
        called = expression.func.id if isinstance(expression.func, ast.Name) else ""
        if called in ("len", "type", "bool", "isinstance", "sum"):
            return set()
        parts: list[ast.expr] = [*expression.args, *(one.value for one in expression.keywords)]
    elif isinstance(expression, ast.JoinedStr):
        parts = [one.value for one in expression.values if isinstance(one, ast.FormattedValue)]
    elif isinstance(expression, ast.Attribute):
        return {expression.attr} & PHI
    elif isinstance(expression, ast.Name):
        return {expression.id} & PHI
    else:
        parts = [one for one in ast.iter_child_nodes(expression) if isinstance(one, ast.expr)]
    return set().union(*map(phi_in, parts))


def test_no_fact_of_a_person_is_handed_to_a_log_a_span_a_metric_or_an_error():
    """Codes, ids and numbers are; names, notes and bodies never are."""
    found = []
    for path in sources():
        named = str(path.relative_to(ROOT))
        if named.startswith(HARMLESS):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call | ast.Raise):
                continue
            told = set().union(*map(phi_in, leaving(node)))
            if told:
                found.append(f"{named}:{node.lineno}: {', '.join(sorted(told))}")
    assert found == []


def test_the_rule_finds_what_it_is_for():
    """A name in a log line, a note in an error and a body in a span are found; a count of them is not."""
    wrong = (
        "log.info('stored', name=person.family_name)",
        "raise ValueError(f'odd: {submission.note}')",
        "telemetry.add(body=request.body)",
        "metrics.SEEN.labels(kept.person.given_name).inc()",
        "log.error('x', extra=[one.phones for one in found])",
    )
    for line in wrong:
        nodes = list(ast.walk(ast.parse(line)))
        assert any(phi_in(one) for node in nodes for one in leaving(node)), line
    right = "log.info('stored', count=len(person.phones), referral_id=referral.referral_id)"
    assert not any(phi_in(one) for node in ast.walk(ast.parse(right)) for one in leaving(node))


TYPES = (
    ("services.intake.domain.person", "Person"),
    ("services.intake.domain.submission", "Submission"),
    ("services.intake.domain.disclosure", "Disclosure"),
    ("services.notifications.domain.contacts", "Contact"),
    ("services.intake.domain.person", "RecordNumber"),
    ("services.intake.domain.person", "SafeContact"),
    ("services.intake.domain.submission", "Referrer"),
    ("services.intake.store.documents", "Kept"),
)


@pytest.mark.parametrize(("module", "name"), TYPES)
def test_a_type_that_holds_phi_shows_nothing_of_it(module: str, name: str):
    """Whoever prints one by mistake, in a trace or an error, prints no fact of a person."""
    made = getattr(importlib.import_module(module), name)
    mark = "Quillfeather"
    fields = {one.name: mark for one in dataclasses.fields(made)}
    shown = repr(made(**fields))
    assert mark not in shown or not _is_told(made, shown, mark), shown


def _is_told(made: type, shown: str, mark: str) -> bool:
    """Ids and codes may be shown; facts of a person may not."""
    harmless = (
        "_id",
        "id",
        "revision",
        "language",
        "time_zone",
        "code",
        "version",
        "urgency",
        "labels",
        "at",
    )
    told = [one.name for one in dataclasses.fields(made) if f"{one.name}='{mark}'" in shown]
    return any(not name.endswith(harmless) for name in told)


def test_no_event_has_a_place_for_a_name_in_clear():
    """A field of an event that is called after a fact of a person is sealed bytes, never a text."""
    found = []
    for made in catalog.all_types().values():
        message = made.DESCRIPTOR
        for field in _fields(message, set()):
            if field.type == FieldDescriptor.TYPE_STRING and field.name in NAMES_OF_PHI:
                found.append(f"{field.full_name}")
    assert found == []


def _fields(message: object, seen: set[str]) -> Iterator[FieldDescriptor]:
    if message.full_name in seen:  # type: ignore[attr-defined]
        return
    seen.add(message.full_name)  # type: ignore[attr-defined]
    for field in message.fields:  # type: ignore[attr-defined]
        yield field
        if field.message_type is not None:
            yield from _fields(field.message_type, seen)
