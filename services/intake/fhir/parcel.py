"""A valid Bundle opened: its resources by type, by reference, and where each lies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from chassis.clock import to_millisecond

Resource = dict[str, Any]
_FULL_DATE = 10


@dataclass(frozen=True)
class Laid:
    """A resource and its FHIRPath in the Bundle."""

    resource: Resource
    path: str


@dataclass
class Parcel:
    """The resources of one Bundle.  Build it only from a Bundle the validator found nothing wrong with."""

    bundle_type: str
    identity: str  # what makes two Bundles the same one
    entry_types: list[str] = field(default_factory=list)  # resource type of each entry, "" where it has none
    laid: list[Laid] = field(default_factory=list)
    by_reference: dict[str, Laid] = field(default_factory=dict)

    @classmethod
    def open(cls, bundle: Resource, identity: str) -> Parcel:
        """Every entry that has a resource."""
        parcel = cls(bundle.get("type", ""), identity)
        for position, entry in enumerate(bundle.get("entry", [])):
            parcel.entry_types.append(entry.get("resource", {}).get("resourceType", ""))
            if "resource" in entry:
                parcel._lay(entry, f"Bundle.entry[{position}].resource")
        return parcel

    def _lay(self, entry: Resource, path: str) -> None:
        laid = Laid(entry["resource"], path)
        self.laid.append(laid)
        if "fullUrl" in entry:
            self.by_reference[entry["fullUrl"]] = laid
        if "id" in laid.resource:
            self.by_reference.setdefault(f"{laid.resource['resourceType']}/{laid.resource['id']}", laid)

    def of_type(self, name: str) -> list[Laid]:
        """All resources of the type, in the Bundle's order."""
        return [laid for laid in self.laid if laid.resource["resourceType"] == name]

    def resolve(self, reference: Resource | None, owner: Laid) -> Laid | None:
        """The resource referred to, in the Bundle or contained in `owner`; None where it is elsewhere."""
        literal = (reference or {}).get("reference", "")
        if literal[:1] == "#":
            return self._contained(literal[1:], owner)
        found = self.by_reference.get(literal)
        if found is None and "://" in literal:
            found = self.by_reference.get("/".join(literal.split("/")[-2:]))
        return found

    def about(self, name: str, element: str, person: Laid) -> Iterator[Laid]:
        """Resources of the type whose reference `element` leads to the person."""
        for laid in self.of_type(name):
            if self.resolve(laid.resource.get(element), laid) is person:
                yield laid

    @staticmethod
    def _contained(name: str, owner: Laid) -> Laid | None:
        for position, resource in enumerate(owner.resource.get("contained", [])):
            if resource.get("id") == name:
                return Laid(resource, f"{owner.path}.contained[{position}]")
        return None


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
