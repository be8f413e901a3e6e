"""A consent in BSON's types and back; documents of any earlier version are read (P10)."""

from __future__ import annotations

from typing import Any

from services.intake.domain.consent import Consent
from services.intake.domain.provisions import Actor, Coding, Provision, Resource
from services.intake.store.plain import plain

Document = dict[str, Any]
_CODINGS = ("classes", "codes", "labels")
_WORDS = ("actions", "purposes", "unread")
_LISTS = ("recipients", "purposes", "policies")


def document_of(consent: Consent) -> Document:
    """Everything the document said; what was not said is left out."""
    said: Document = plain(consent)
    optional = said.keys() - {"consent_id", "is_permitted", "signed_at", "version"}
    for name in optional:
        if said[name] in (None, "", [], False) and name != "is_revocation_told":
            del said[name]
    if consent.rule is not None:
        said["rule"] = _without_silence(said["rule"])
    return said


def _without_silence(rule: Document) -> Document:
    said = {name: value for name, value in rule.items() if value not in (None, [])}
    if "inner" in said:
        said["inner"] = [_without_silence(one) for one in said["inner"]]
    return said


def consent_of(document: Document) -> Consent:
    """The consent in a document."""
    said: Document = {name: tuple(document[name]) for name in _LISTS if name in document}
    if document.get("rule") is not None:
        said["rule"] = _rule(document["rule"])
    return Consent(**{**document, **said})


def _rule(document: Document) -> Provision:
    said: Document = dict(document)
    said |= {name: tuple(document[name]) for name in _WORDS if name in document}
    said |= {name: tuple(Coding(**one) for one in document[name]) for name in _CODINGS if name in document}
    if "actors" in document:
        actors = document["actors"]
        said["actors"] = tuple(Actor(**{**one, "names": tuple(one["names"])}) for one in actors)
    if "data" in document:
        said["data"] = tuple(Resource(**one) for one in document["data"])
    if "inner" in document:
        said["inner"] = tuple(_rule(one) for one in document["inner"])
    return Provision(**said)
