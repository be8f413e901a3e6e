"""Does a rule speak of what is asked?  One function for each condition a rule may have, by R4's name of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from services.intake.domain import labels, sensitivity
from services.intake.domain.provisions.rules import (
    ACTIONS,
    Actor,
    Ask,
    Coding,
    Item,
    Match,
    Provision,
    Resource,
)

RESOURCE_TYPES = "http://hl7.org/fhir/resource-types"
_NO_CLASS_OF_OURS = frozenset(
    {"urn:ietf:bcp:13", "http://loinc.org"}
)  # kinds of documents; a referral is none
_SNOMED = frozenset({"http://snomed.info/sct", "urn:oid:2.16.840.1.113883.6.96"})
_DIAGNOSES = (
    sensitivity.ICD_10_CM | _SNOMED | {"http://hl7.org/fhir/sid/icd-10", "http://hl7.org/fhir/sid/icd-9-cm"}
)
# What these name is never the reason of a referral.
_NO_REASONS = frozenset(
    {
        "http://loinc.org",
        "http://www.nlm.nih.gov/research/umls/rxnorm",
        "http://hl7.org/fhir/sid/cvx",
        "http://hl7.org/fhir/sid/ndc",
        "http://www.ama-assn.org/go/cpt",
    }
)


def match(rule: Provision, ask: Ask, item: Item) -> Match:
    """Does the rule speak of this?  All its conditions must."""
    return min((found for _, found in conditions(rule, ask, item)), default=Match.YES)


def conditions(rule: Provision, ask: Ask, item: Item) -> Iterator[tuple[str, Match]]:
    """Each condition the rule has, by R4's name of the element, and whether it holds."""
    if rule.unread:
        yield rule.unread[0], Match.MAYBE
    for name, holds in _CONDITIONS:
        found = holds(rule, ask, item)
        if found is not None:
            yield name, found


def _period(rule: Provision, ask: Ask, _: Item) -> Match | None:
    return _between(rule.starts_at, ask.at, rule.ends_at)


def _data_period(rule: Provision, ask: Ask, _: Item) -> Match | None:
    """The data of a referral are of the moment it is made."""
    return _between(rule.data_from, ask.at, rule.data_until)


def _between(start: datetime | None, at: datetime, end: datetime | None) -> Match | None:
    if start is None and end is None:
        return None
    return Match.YES if (start is None or start <= at) and (end is None or at < end) else Match.NO


def _actor(rule: Provision, ask: Ask, _: Item) -> Match | None:
    """Recipients must be who asks, keepers must be the source; a denial that may mean them does."""
    recipients = [one for one in rule.actors if one.is_recipient]
    keepers = [one for one in rule.actors if one.is_keeper]
    found = [max(_is_asking(one, ask) for one in recipients)] if recipients else []
    found += [max(_is_source(one) for one in keepers)] if keepers else []
    return min(found, default=None)


def _is_asking(actor: Actor, ask: Ask) -> Match:
    if actor.who == "us" or set(actor.names) & {*ask.recipients, *ask.our_names}:
        return Match.YES
    return Match.MAYBE if actor.who == "unknown" else Match.NO


def _is_source(actor: Actor) -> Match:
    if actor.who == "source":
        return Match.YES
    return Match.MAYBE if actor.who == "unknown" else Match.NO


def _action(rule: Provision, ask: Ask, _: Item) -> Match | None:
    return _any(rule.actions, lambda one: _known(one in ask.actions, one in ACTIONS))


def _purpose(rule: Provision, ask: Ask, _: Item) -> Match | None:
    return _any(rule.purposes, lambda one: max(_is_purpose(one, asked) for asked in ask.purposes))


def _is_purpose(said: str, asked: str) -> Match:
    """A purpose holds for the narrower ones in it; whether for the wider one that it is part of, nobody can tell."""
    if said == asked or said in labels.PURPOSES.get(asked, ()):
        return Match.YES
    if said not in labels.PURPOSES_OF_USE or asked in labels.PURPOSES.get(said, ()):
        return Match.MAYBE
    return Match.NO


def _class(rule: Provision, _: Ask, item: Item) -> Match | None:
    def holds(one: Coding) -> Match:
        if one.system == RESOURCE_TYPES:
            return Match.YES if one.code == item.kind else Match.NO
        return Match.NO if one.system in _NO_CLASS_OF_OURS else Match.MAYBE

    return _any(rule.classes, holds)


def _code(rule: Provision, _: Ask, item: Item) -> Match | None:
    return _any(rule.codes, lambda one: _is_about(one, item))


def _is_about(said: Coding, item: Item) -> Match:
    """The same code or, in ICD-10-CM, one below it; another system's diagnosis may be the same illness."""
    if not said.code:
        return Match.MAYBE
    if not item.codes:
        return Match.NO if item.sensitivities is not None else Match.MAYBE
    found = Match.NO
    for code in item.codes:
        is_same = code == said or (
            {code.system, said.system} <= sensitivity.ICD_10_CM
            and code.code.replace(".", "").startswith(said.code.replace(".", ""))
        )
        are_both = {code.system, said.system} <= _DIAGNOSES
        may_be = said.system not in _DIAGNOSES | _NO_REASONS or (
            are_both and not {code.system, said.system} <= sensitivity.ICD_10_CM
        )
        found = max(found, Match.YES if is_same else Match.MAYBE if may_be else Match.NO)
    return found


def _label(rule: Provision, ask: Ask, item: Item) -> Match | None:
    """All fields of the label hold: YES; some: nobody can tell, for R4 does not say whether one is enough."""
    if not rule.labels:
        return None
    found = [_has_label(one, ask, item, is_permit=rule.is_permit is not False) for one in rule.labels]
    return min(found) if min(found) is Match.YES or max(found) is Match.NO else Match.MAYBE


def _has_label(said: Coding, ask: Ask, item: Item, *, is_permit: bool) -> Match:
    """Confidentiality is a high-water mark: R means "R or lower" (R4, provision.securityLabel).

    A denial of R may mean what is higher, too.
    """
    if said.code in labels.RANKS and said.system == labels.CONFIDENTIALITY:
        is_below = labels.RANKS.index(item.confidentiality) <= labels.RANKS.index(said.code)
        return Match.YES if is_below else Match.NO if is_permit else Match.MAYBE
    if said.system not in (labels.ACT_CODE, labels.CONFIDENTIALITY):
        return Match.MAYBE
    if said.code in sensitivity.WIDER:
        if item.sensitivities is None:
            return Match.MAYBE
        return Match.YES if said.code in sensitivity.with_wider(item.sensitivities) else Match.NO
    return Match.YES if said.code in ask.policies else Match.MAYBE


def _data(rule: Provision, _: Ask, item: Item) -> Match | None:
    def holds(one: Resource) -> Match:
        if one.is_here and (one.kind == item.kind or (one.kind == "Patient" and one.meaning == "related")):
            return Match.YES
        return Match.MAYBE if one.is_here or one.meaning != "instance" else Match.NO

    return _any(rule.data, holds)


def _any(said: tuple, holds: Callable) -> Match | None:
    return max((holds(one) for one in said), default=None)


def _known(is_so: bool, is_known: bool) -> Match:
    return Match.YES if is_so else Match.NO if is_known else Match.MAYBE


_CONDITIONS: tuple[tuple[str, Callable[[Provision, Ask, Item], Match | None]], ...] = (
    ("actor", _actor),
    ("action", _action),
    ("securityLabel", _label),
    ("purpose", _purpose),
    ("class", _class),
    ("code", _code),
    ("dataPeriod", _data_period),
    ("data", _data),
    ("period", _period),
)
