"""Who is told of broken glass, as the API says it; every fault names its field, and no address is ever answered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from chassis.errors import Fault, Kind, Refusal
from kindred.notifications.v1 import notifications_pb2
from services.notifications.codec.addresses import email_address, is_zone, phone_number
from services.notifications.domain.contacts import Contact
from services.notifications.domain.overseers import EVERYBODY_ELSE, Overseer, Part
from services.notifications.handlers.overseers import Shown

# An id stands in clear in the database and on the bus, so it is none that could be an address or a sentence.
_ID: Final = re.compile(r"[\w.:|-]{1,100}", re.ASCII)
_MOST: Final = 100


def overseers_from_proto(request: notifications_pb2.NameOverseersRequest) -> dict[Overseer, Contact]:
    """Who is to be told, and where; raises Refusal INVALID naming every fault."""
    faults = _organization_faults(request.organization_id)
    if len(request.overseers) > _MOST:
        faults.append(Fault("overseers", "too-many", f"At most {_MOST} people."))
    found = {}
    for position, row in enumerate(request.overseers[:_MOST]):
        wrong = _faults(row, f"overseers[{position}]")
        faults += wrong
        if not wrong:
            found[Overseer(row.person_id, Part(row.part))] = _contact(row)
    if faults:
        raise Refusal("overseers-invalid", Kind.INVALID, faults[0].message, faults=faults)
    return found


def organization_asked(request: notifications_pb2.ListOverseersRequest) -> str:
    """Whose list is asked for; raises Refusal INVALID."""
    if faults := _organization_faults(request.organization_id):
        raise Refusal("overseers-invalid", Kind.INVALID, faults[0].message, faults=faults)
    return request.organization_id


def overseers_to_proto(shown: Sequence[Shown]) -> notifications_pb2.ListOverseersResponse:
    """Who is told, and by which ways they can be."""
    rows = [
        notifications_pb2.Overseer(
            person_id=one.overseer.person_id,
            part=one.overseer.part.value,
            channels=[channel.value for channel in one.channels],
            language=one.language,
            time_zone=one.time_zone,
        )
        for one in shown
    ]
    return notifications_pb2.ListOverseersResponse(overseers=rows)


def _organization_faults(organization_id: str) -> list[Fault]:
    if organization_id == EVERYBODY_ELSE or _ID.fullmatch(organization_id):
        return []
    told = 'Name an organization by its id, or "*" for all that have nobody of their own.'
    return [Fault("organization_id", "invalid", told)]


def _contact(row: notifications_pb2.Overseer) -> Contact:
    return Contact(
        address=email_address(row.email),
        language=row.language or "en",
        time_zone=row.time_zone or "UTC",
        phone=phone_number(row.phone),
    )


def _faults(row: notifications_pb2.Overseer, path: str) -> list[Fault]:
    parts = ", ".join(part.value for part in Part)
    checks = (
        ("person_id", bool(_ID.fullmatch(row.person_id)), "invalid", "The id they sign in with, no address."),
        ("part", row.part in set(Part), "unknown", f"Known are {parts}."),
        (
            "email",
            not row.email or bool(email_address(row.email)),
            "invalid",
            "This is not an e-mail address.",
        ),
        ("phone", not row.phone or bool(phone_number(row.phone)), "invalid", "This is not a phone number."),
        ("email", bool(row.email or row.phone), "missing", "An e-mail address or a phone number is needed."),
        (
            "time_zone",
            not row.time_zone or is_zone(row.time_zone),
            "invalid",
            "This is not an IANA time zone, such as America/Chicago.",
        ),
    )
    return [Fault(f"{path}.{name}", code, told) for name, is_right, code, told in checks if not is_right]
