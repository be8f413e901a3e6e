"""What an AuditEvent can be found by: (parameter, value) pairs of every R4 search parameter; pure.

A pair only narrows the search: each hit is opened and compared with what was asked for (`matching.py`), so a pair MUST
never be missing, and may stand for more than one spelling.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from services.audit.fhir.names import EVENT_TYPE

Json = dict[str, Any]
Mark = tuple[str, str]

TOKENS = frozenset(
    {
        "_id",
        "action",
        "agent-role",
        "altid",
        "entity-role",
        "entity-type",
        "event-type",
        "outcome",
        "purpose",
        "site",
        "subtype",
        "type",
        "_tag",
    }
)
STRINGS = frozenset({"address", "agent-name", "entity-name"})
REFERENCES = frozenset({"agent", "entity", "patient", "source"})
URIS = frozenset({"policy"})
DATES = frozenset({"date", "_lastUpdated"})
# What nearly every entry says is no help in finding one: it is compared after opening, and not indexed.
COMMON: frozenset[Mark] = frozenset(
    {
        ("action", "c"),
        ("action", "e"),
        ("action", "r"),
        ("agent", "unknown"),
        ("agent-role", "nurse"),
        ("agent-role", "system"),
        ("entity-type", "servicerequest"),
        ("purpose", "treat"),
        ("subtype", "create"),
        ("subtype", "read"),
        ("subtype", "search"),
        ("type", "rest"),
        ("site", "kindred"),
        ("outcome", "0"),
        ("entity-type", "1"),
        ("entity-type", "2"),
        ("entity-type", "xrequestid"),
        ("entity-role", "1"),
        ("entity-role", "4"),
        ("entity-role", "24"),
    }
)
# A value that stands in both places has the second mark only, and a search of the first looks for either.
_SAID_AS = {"agent": "source", "subtype": "event-type", "entity": "patient"}
# How our own records are called: whole words, of which a beginning means all that begin so.  None may ever be left out.
_NOUNS = frozenset(
    {
        *("auditevent", "auditlog", "auditreport", "case", "consent", "match", "notice", "offer", "person"),
        *("referral", "review", "specialist"),
    }
)
# Where the elements of an event, of its agents and of its entities lead; the rest is looked for by `values`.
_OF_EVENT = (
    ("id", "_id"),
    ("action", "action"),
    ("outcome", "outcome"),
    ("subtype", "subtype"),
    ("type", "type"),
)
_OF_AGENT = (
    ("who", "agent"),
    ("name", "agent-name"),
    ("role", "agent-role"),
    ("altId", "altid"),
    ("policy", "policy"),
    ("purposeOfUse", "purpose"),
)
_OF_ENTITY = (("what", "entity"), ("name", "entity-name"), ("role", "entity-role"), ("type", "entity-type"))
# A string is found by its beginning: by these many of its characters, the longest that was given.
PREFIXES = (2, 4, 8, 16)


def values(document: Json, parameter: str) -> Iterator[Any]:
    """The elements of an AuditEvent a parameter looks at: codings, references, strings, as they stand."""
    yield from (value for value in _ELEMENTS[parameter](document) if value not in (None, "", {}))


def marks(document: Json) -> set[Mark]:
    """Everything the event is found by, common values left out: in one pass, because every entry passes here."""
    found: set[Mark] = set()
    for name, parameter in _OF_EVENT:
        _add(found, parameter, document.get(name))
    for agent in _each(document.get("agent")):
        for name, parameter in _OF_AGENT:
            if name in agent:
                _add(found, parameter, agent[name])
        if "address" in (network := _object(agent.get("network"))):
            _add(found, "address", network["address"])
    for entity in _each(document.get("entity")):
        for name, parameter in _OF_ENTITY:
            if name in entity:
                _add(found, parameter, entity[name])
    for parameter in ("_tag", "event-type", "patient", "site", "source"):
        for value in values(document, parameter):
            _add(found, parameter, value)
    found -= COMMON
    return found - {(name, text) for name, other in _SAID_AS.items() for by, text in found if by == other}


def under(parameter: str) -> tuple[str, ...]:
    """The parameters one of which an entry with a value at this one has a mark of."""
    return (parameter, _SAID_AS[parameter]) if parameter in _SAID_AS else (parameter,)


def beginning_with(parameter: str, text: str, *, is_whole: bool) -> list[Mark]:
    """The marks one of which every string has that is, or begins with, this one."""
    look = folded(text)
    if is_whole:
        return [(parameter, f"={look}")]
    length = max(each for each in PREFIXES if each <= len(look))
    nouns = [f"={noun}" for noun in sorted(_NOUNS) if noun.startswith(look) and parameter == "entity-name"]
    return [(parameter, f"{length}:{look[:length]}"), *((parameter, noun) for noun in nouns)]


def _add(found: set[Mark], parameter: str, node: Any) -> None:
    read = _READ.get(parameter)
    for value in node if isinstance(node, list) else (node,):
        if not value and value in (None, "", {}):
            continue
        if read is not None:
            for text in read(value):
                found.add((parameter, text))
        elif parameter in STRINGS:
            found.update(_beginnings(parameter, str(value)))
        else:
            found.add((parameter, str(value)))


def patients(document: Json) -> set[str]:
    """Every id or identifier the event names a patient by."""
    return {one for value in values(document, "patient") for one in identities(value)}


def codes(value: Any) -> Iterator[str]:
    """The codes of a code, Coding or CodeableConcept, in small letters."""
    if isinstance(value, str):
        yield value.lower()
    elif isinstance(value, dict):
        codings = value.get("coding")
        for one in codings if isinstance(codings, list) else (value,):
            if isinstance(one, dict) and isinstance(code := one.get("code"), str):
                yield code.lower()


def identities(reference: Any) -> Iterator[str]:
    """What a Reference names: the id at the end of its address, and its identifier's value."""
    if not isinstance(reference, dict):
        return
    if isinstance(reference.get("reference"), str):
        yield last_step(reference["reference"])
    identifier = reference.get("identifier")
    if isinstance(identifier, dict) and isinstance(identifier.get("value"), str):
        yield identifier["value"]


def last_step(address: str) -> str:
    """The id in a literal reference, without its type, server and version."""
    parts = address.partition("/_history/")[0].rstrip("/").split("/")
    return parts[-1]


def beginnings(parameter: str, value: Any) -> Iterator[Mark]:
    """A string's marks: its first characters, without case and accents (R4 search.html#string)."""
    text = folded(str(value))
    for length in PREFIXES if parameter != "entity-name" or text not in _NOUNS else ():
        if len(text) >= length:
            yield parameter, f"{length}:{text[:length]}"
    yield parameter, f"={text}"


@lru_cache(4_096)
def _beginnings(parameter: str, text: str) -> tuple[Mark, ...]:
    """Few names are said often: a record's type is one."""
    return tuple(beginnings(parameter, text))


_READ: dict[str, Callable[[Any], Iterator[str]]] = {
    **dict.fromkeys(TOKENS, codes),
    **dict.fromkeys(REFERENCES, identities),
}


def folded(text: str) -> str:
    """The text as strings are compared: no case, no accents, single spaces."""
    parts = unicodedata.normalize("NFKD", text).casefold()
    return " ".join("".join(each for each in parts if not unicodedata.combining(each)).split())


def _each(node: Any) -> list[Json]:
    return [one for one in node if isinstance(one, dict)] if isinstance(node, list) else []


def _object(node: Any) -> Json:
    return node if isinstance(node, dict) else {}


def _listed(node: Any) -> list[Any]:
    return node if isinstance(node, list) else [] if node is None else [node]


def _agents(document: Json, name: str) -> Iterator[Any]:
    for agent in _each(document.get("agent")):
        yield from _listed(agent.get(name))


def _entities(document: Json, name: str) -> Iterator[Any]:
    for entity in _each(document.get("entity")):
        yield from _listed(entity.get(name))


def _addresses(document: Json) -> Iterator[Any]:
    for agent in _each(document.get("agent")):
        yield _object(agent.get("network")).get("address")


def _event_types(document: Json) -> Iterator[Any]:
    """Our own name of the event: among the subtypes, or where a profile closes that list, among the details."""
    subtypes = _listed(document.get("subtype"))
    yield from (one for one in subtypes if _object(one).get("system") == EVENT_TYPE)
    for detail in _entities(document, "detail"):
        if _object(detail).get("type") == "event-type":
            yield detail.get("valueString")


def _patients(document: Json) -> Iterator[Any]:
    """R4: references to a Patient; one by identifier says its type, or stands for a person who is the patient."""
    for reference in _agents(document, "who"):
        if _is_patient(reference):
            yield reference
    for entity in _each(document.get("entity")):
        role = _object(entity.get("role"))
        is_named = str(role.get("system", "")).endswith("object-role") and role.get("code") == "1"
        reference = _object(entity.get("what"))
        if reference and (_is_patient(reference) or is_named):
            yield reference


def _is_patient(reference: Any) -> bool:
    if not isinstance(reference, dict):
        return False
    if reference.get("type") == "Patient":
        return True
    address = reference.get("reference")
    return isinstance(address, str) and "Patient/" in f"/{address}".replace("/Patient/", "Patient/")


_ELEMENTS: dict[str, Any] = {
    "_id": lambda one: [one.get("id")],
    "_tag": lambda one: _listed(_object(one.get("meta")).get("tag")),
    "action": lambda one: [one.get("action")],
    "address": _addresses,
    "agent": lambda one: _agents(one, "who"),
    "agent-name": lambda one: _agents(one, "name"),
    "agent-role": lambda one: _agents(one, "role"),
    "altid": lambda one: _agents(one, "altId"),
    "entity": lambda one: _entities(one, "what"),
    "entity-name": lambda one: _entities(one, "name"),
    "entity-role": lambda one: _entities(one, "role"),
    "entity-type": lambda one: _entities(one, "type"),
    "event-type": _event_types,
    "outcome": lambda one: [one.get("outcome")],
    "patient": _patients,
    "policy": lambda one: _agents(one, "policy"),
    "purpose": lambda one: _agents(one, "purposeOfUse"),
    "site": lambda one: [_object(one.get("source")).get("site")],
    "source": lambda one: [_object(one.get("source")).get("observer")],
    "subtype": lambda one: _listed(one.get("subtype")),
    "type": lambda one: [one.get("type")],
}
PARAMETERS = frozenset(_ELEMENTS) | DATES
