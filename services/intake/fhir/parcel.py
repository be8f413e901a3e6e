"""A valid Bundle or single resource opened: its resources by type, by reference, and where each lies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from chassis.clock import to_millisecond

Resource = dict[str, Any]
_FULL_DATE = 10
# What they contain is part of the submission as if it lay beside them.
_CARRIERS = frozenset({"ServiceRequest", "Task"})


@dataclass(frozen=True)
class Laid:
    """A resource, its FHIRPath in what was sent, and the resource that contains it, if one does."""

    resource: Resource
    path: str
    home: Laid | None = None


@dataclass(frozen=True)
class Asked:
    """What a transaction asks to be done with an entry; empty where nothing was said."""

    method: str = "POST"
    url: str = ""
    if_match: str = ""
    if_none_exist: str = ""
    path: str = ""  # where it was asked


@dataclass
class Parcel:
    """The resources of one sending.  Build it only from what the validator found nothing wrong with."""

    bundle_type: str  # empty for a single resource
    identity: str  # what makes two sendings the same one
    fingerprint: str = ""  # of the very bytes
    entry_types: list[str] = field(default_factory=list)  # resource type of each entry, "" where it has none
    laid: list[Laid] = field(default_factory=list)
    security: list[Resource] = field(default_factory=list)  # labels of the sending as a whole
    by_reference: dict[str, Laid] = field(default_factory=dict)
    inside: dict[tuple[str, str], Laid] = field(default_factory=dict)  # (path of the container, id)
    asked: Asked = Asked()  # of the ServiceRequest's entry, or of the Task's where that says more
    logical: dict[tuple[str, str], Laid] = field(default_factory=dict)  # who is known by an identifier alone

    @classmethod
    def open(cls, bundle: Resource, identity: str) -> Parcel:
        """Every entry that has a resource."""
        parcel = cls(bundle.get("type", ""), identity, security=bundle.get("meta", {}).get("security", []))
        for position, entry in enumerate(bundle.get("entry", [])):
            parcel.entry_types.append(entry.get("resource", {}).get("resourceType", ""))
            if "resource" in entry:
                parcel._lay(entry, f"Bundle.entry[{position}].resource")
                parcel._ask(entry, f"Bundle.entry[{position}]")
        return parcel

    @classmethod
    def single(cls, resource: Resource, identity: str) -> Parcel:
        """One resource and what it contains."""
        parcel = cls("", identity, entry_types=[resource["resourceType"]])
        parcel._lay({"resource": resource}, resource["resourceType"])
        return parcel

    def _ask(self, entry: Resource, path: str) -> None:
        request = entry.get("request", {})
        said = Asked(
            request.get("method", "POST"),
            request.get("url", ""),
            request.get("ifMatch", ""),
            request.get("ifNoneExist", ""),
            f"{path}.request",
        )
        name = entry["resource"]["resourceType"]
        is_order = name == "ServiceRequest" and not self.asked.if_none_exist
        if is_order or (name == "Task" and said.if_none_exist):
            self.asked = said

    def _lay(self, entry: Resource, path: str) -> None:
        laid = Laid(entry["resource"], path)
        self.laid.append(laid)
        if "fullUrl" in entry:
            self.by_reference[entry["fullUrl"]] = laid
        if "id" in laid.resource:
            self.by_reference.setdefault(f"{laid.resource['resourceType']}/{laid.resource['id']}", laid)
        for position, resource in enumerate(laid.resource.get("contained", [])):
            within = Laid(resource, f"{path}.contained[{position}]", laid)
            self.inside.setdefault((path, resource.get("id", "")), within)
            if laid.resource["resourceType"] in _CARRIERS:
                self.laid.append(within)

    def of_type(self, name: str) -> list[Laid]:
        """All resources of the type, in the order they were sent."""
        return [laid for laid in self.laid if laid.resource["resourceType"] == name]

    def resolve(self, reference: Resource | None, owner: Laid) -> Laid | None:
        """The resource referred to: in the Bundle, contained, or known by its identifier; None where it is elsewhere."""
        literal = (reference or {}).get("reference", "")
        if not literal:
            return self._identified(reference or {})
        if literal[:1] == "#":
            return self.inside.get(((owner.home or owner).path, literal[1:]))
        found = self.by_reference.get(literal)
        if found is None and "://" in literal:
            found = self.by_reference.get("/".join(literal.split("/")[-2:]))
        return found

    def about(self, name: str, element: str, person: Laid) -> Iterator[Laid]:
        """Resources of the type whose reference `element` leads to the person."""
        for laid in self.of_type(name):
            if self.resolve(laid.resource.get(element), laid) is person:
                yield laid

    def know(self, identifier: Resource, path: str) -> Laid:
        """Somebody of whom only an identifier was sent; equal identifiers are the same one."""
        patient = {"resourceType": "Patient", "identifier": [identifier]}
        return self.logical.setdefault(_key(identifier), Laid(patient, path))

    def _identified(self, reference: Resource) -> Laid | None:
        identifier = reference.get("identifier", {})
        if not identifier.get("value") or reference.get("type", "Patient") != "Patient":
            return None
        for laid in self.of_type("Patient"):
            if any(_key(one) == _key(identifier) for one in laid.resource.get("identifier", [])):
                return laid
        return self.logical.get(_key(identifier))


def _key(identifier: Resource) -> tuple[str, str]:
    return identifier.get("system", ""), identifier.get("value", "")


def moment(text: str | None) -> datetime | None:
    """The instant of a whole dateTime, in UTC; None for a partial one or one outside the calendar's reach."""
    if not text or len(text) <= _FULL_DATE:
        return None
    leap = text[17:19] == "60"
    try:
        at = datetime.fromisoformat(text[:17] + "59" + text[19:] if leap else text)
        return to_millisecond(at)
    except (ValueError, OverflowError):
        return None


def start_of(text: str | None) -> datetime | None:
    """The first instant a date or dateTime can mean; days are taken in UTC."""
    if not text or len(text) > _FULL_DATE:
        return moment(text)
    year, month, day = [*(int(part) for part in text.split("-")), 1, 1][:3]
    return datetime(year, month, day, tzinfo=UTC)


def end_of(text: str | None) -> datetime | None:
    """The instant after the last one a date or dateTime can mean (a period's end includes its day)."""
    if not text or len(text) > _FULL_DATE:
        return moment(text)
    start = start_of(text)
    assert start is not None
    try:
        if len(text) == _FULL_DATE:
            return start + timedelta(days=1)
        if text.count("-") == 1 and start.month < 12:
            return start.replace(month=start.month + 1)
        return start.replace(year=start.year + 1, month=1)
    except (ValueError, OverflowError):
        return datetime.max.replace(tzinfo=UTC)
