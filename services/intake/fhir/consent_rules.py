"""The provisions of an R4 Consent to the domain's rules; who an actor is, as far as what was sent can tell."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from services.intake.domain.person import normalized
from services.intake.domain.provisions import ACTIONS, Actor, Coding, Provision
from services.intake.domain.provisions import Resource as Named
from services.intake.fhir.parcel import Laid, Parcel, end_of, start_of

Resource = dict[str, Any]
_ACTION_SYSTEM = "http://terminology.hl7.org/CodeSystem/consentaction"
_OPT_IN = frozenset({"OPTIN", "OPTINR"})
_OPT_OUT = frozenset({"OPTOUT", "OPTOUTE", "EMRGONLY"})
_TYPES = {"permit": True, "deny": False}
# Elements of a provision that are read; another one that R4 lets change its meaning is not passed over.
MOST_RULES = 100
_MODIFIERS = ("modifierExtension",)


@dataclass(frozen=True)
class Parties:
    """Who is who in a sending: what we are called, and what the source is referred to by."""

    parcel: Parcel
    recipients: frozenset[str]
    source: frozenset[str]  # literal references and paths of the one who sends

    @classmethod
    def of(cls, parcel: Parcel, recipients: Collection[str]) -> Parties:
        """The source is the requester, their organization, and who provides the visit."""
        found: set[str] = set()
        for laid in [*parcel.of_type("ServiceRequest"), *parcel.of_type("Encounter")]:
            for element in ("requester", "serviceProvider"):
                found |= _leads_to(parcel, laid.resource.get(element), laid)
        return cls(parcel, frozenset(recipients), frozenset(found))

    def actor(self, actor: Resource, owner: Laid) -> Actor:
        """The actor, with every name that came of them."""
        codes = [coding.get("code", "") for coding in actor.get("role", {}).get("coding", [])]
        reference = actor.get("reference", {})
        names = tuple(dict.fromkeys(self._names(reference, owner)))
        return Actor(role=next(iter(codes), ""), who=self._who(reference, owner, names), names=names)

    def _who(self, reference: Resource, owner: Laid, names: Collection[str]) -> str:
        if self.recipients & set(names):
            return "us"
        found = self.parcel.resolve(reference, owner)
        if self.source & {reference.get("reference", ""), found.path if found else ""} - {""}:
            return "source"
        return "unknown" if not names or self._sounds_like_us(names) else "other"

    def _sounds_like_us(self, names: Collection[str]) -> bool:
        """A longer spelling of our name may be us: neither a yes to us nor surely to somebody else."""
        ours = [f" {normalized(one)} " for one in self.recipients]
        return any(one.strip() and one in f" {normalized(name)} " for one in ours for name in names)

    def our_name(self, actor: Actor) -> str:
        """As whom the actor is us."""
        return next((name for name in actor.names if name in self.recipients), "")

    def first_name(self, references: list[Resource], owner: Laid) -> str:
        """What the first one with a name is called."""
        return next((name for one in references for name in self._names(one, owner)), "")

    def is_same(self, one: Resource, other: Resource | None, owner: Laid) -> bool:
        """True where two references lead to the same one."""
        first, second = self.parcel.resolve(one, owner), self.parcel.resolve(other, owner)
        literal = one.get("reference")
        return (first is not None and first is second) or bool(
            literal and literal == (other or {}).get("reference")
        )

    def _names(self, reference: Resource, owner: Laid) -> Iterator[str]:
        told = [reference.get("display"), reference.get("identifier", {}).get("value")]
        found = self.parcel.resolve(reference, owner)
        if found is not None:
            name = found.resource.get("name")
            told += [name] if isinstance(name, str) else []
            told += [_spelled(one) for one in name] if isinstance(name, list) else []
            told += [one.get("value") for one in found.resource.get("identifier", [])]
        yield from (one for one in told if one)


def _spelled(name: Resource) -> str:
    return name.get("text") or " ".join([*name.get("given", []), name.get("family", "")]).strip()


def _leads_to(parcel: Parcel, reference: Resource | None, owner: Laid) -> set[str]:
    """The reference's own words and where it leads: to a role, and from there to its organization."""
    if not reference:
        return set()
    found = parcel.resolve(reference, owner)
    words = {reference.get("reference", ""), found.path if found else ""} - {""}
    further = found.resource.get("organization") if found else None
    return words | _leads_to(parcel, further, found) if found and isinstance(further, dict) else words


def rules_of(resource: Resource, laid: Laid, parties: Parties) -> Provision:
    """The document's rules; the root's period is the document's own, unless the root is an exception to an opt-in."""
    codes = {coding.get("code") for coding in resource.get("policyRule", {}).get("coding", [])}
    base = False if codes & _OPT_OUT else True if codes & _OPT_IN else None
    provision = resource.get("provision", {})
    is_exception = base is True and provision.get("type") == "deny"
    if _count(provision) > MOST_RULES:  # nobody signs so many: not weighed, and so a denial
        return Provision(is_permit=None, unread=("provision",), base=base)
    without = provision if is_exception else {key: provision[key] for key in provision if key != "period"}
    return _rule(without, laid, parties, base)


def _count(provision: Resource) -> int:
    return 1 + sum(_count(one) for one in provision.get("provision", []))


def _rule(provision: Resource, laid: Laid, parties: Parties, base: bool | None = None) -> Provision:
    period, bounds = provision.get("period", {}), provision.get("dataPeriod", {})
    return Provision(
        is_permit=_TYPES.get(provision.get("type", "")),
        starts_at=start_of(period.get("start")),
        ends_at=end_of(period.get("end")),
        actors=tuple(parties.actor(one, laid) for one in provision.get("actor", [])),
        actions=tuple(_action(one) for one in provision.get("action", [])),
        purposes=tuple(one.get("code", "") for one in provision.get("purpose", [])),
        classes=tuple(_coding(one) for one in provision.get("class", [])),
        codes=tuple(coding for one in provision.get("code", []) for coding in _codings(one)),
        labels=tuple(_coding(one) for one in provision.get("securityLabel", [])),
        data_from=start_of(bounds.get("start")),
        data_until=end_of(bounds.get("end")),
        data=tuple(_named(one, laid, parties) for one in provision.get("data", [])),
        unread=tuple(name for name in _MODIFIERS if name in provision),
        inner=tuple(_rule(one, laid, parties) for one in provision.get("provision", [])),
        base=base,
    )


def _action(concept: Resource) -> str:
    """The action's code; "" for one that consentaction does not have, or that is only words."""
    codings = [one for one in concept.get("coding", []) if one.get("system") == _ACTION_SYSTEM]
    return next((one["code"] for one in codings if one.get("code") in ACTIONS), "")


def _coding(coding: Resource) -> Coding:
    return Coding(coding.get("system", ""), coding.get("code", ""))


def _codings(concept: Resource) -> list[Coding]:
    return [_coding(one) for one in concept.get("coding", [])] or [Coding("", "")]


def _named(data: Resource, laid: Laid, parties: Parties) -> Named:
    reference = data.get("reference", {})
    found = parties.parcel.resolve(reference, laid)
    kind = found.resource["resourceType"] if found else reference.get("reference", "").partition("/")[0]
    return Named(data.get("meaning", ""), kind, found is not None)
