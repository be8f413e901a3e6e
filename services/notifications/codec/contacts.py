"""Wishes as the API says them; every fault names its field."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from google.protobuf.message import Message

from chassis.access import provenance as provenance_of
from chassis.errors import Fault, Kind, Refusal
from chassis.identity import Caller
from kindred.notifications.v1 import events_pb2, notifications_pb2
from services.notifications.codec.addresses import email_address, is_zone, phone_number
from services.notifications.domain.events import ContactChanged, ContactErased
from services.notifications.domain.intents import Channel
from services.notifications.domain.windows import Window
from services.notifications.handlers.people import Changed, Told


def contact_event_to_proto(event: ContactChanged | ContactErased, caller: Caller) -> Message:
    """Who changed how somebody is reached; names of fields, never values."""
    who = provenance_of(caller)
    if isinstance(event, ContactErased):
        return events_pb2.ContactErased(provenance=who, person_id=event.person_id)
    return events_pb2.ContactChanged(provenance=who, person_id=event.person_id, fields=event.fields)


def contact_to_proto(person_id: str, told: Told) -> notifications_pb2.GetContactResponse:
    """How a person is reached, for who may see it; the webhook's secrets are never shown again."""
    wishes = told.wishes
    shown = notifications_pb2.Wishes(
        is_do_not_contact=wishes.is_do_not_contact,
        email=wishes.email,
        phone=wishes.phone,
        webhook_url=wishes.webhook_url,
        apprise_url=wishes.apprise_url,
        language=wishes.language,
        time_zone=wishes.time_zone,
        channels=[channel.value for channel in wishes.channels],
        shared=[channel.value for channel in wishes.shared],
        quiet=[_window_to_proto(window) for window in wishes.quiet],
        unsafe=[_window_to_proto(window) for window in wishes.unsafe],
        digest_minute=wishes.digest_minute,
        is_routine_only_here=wishes.is_routine_only_here,
    )
    return notifications_pb2.GetContactResponse(
        person_id=person_id,
        wishes=shown,
        version=told.version,
        is_erased=wishes.is_erased,
        standings=dict(told.standings),
    )


def changed_to_proto(changed: Changed) -> notifications_pb2.ChangeContactResponse:
    """What a change did."""
    return notifications_pb2.ChangeContactResponse(
        version=changed.version, changed=changed.fields, webhook_secret=changed.webhook_secret
    )


def wanted_from_proto(request: notifications_pb2.ChangeContactRequest) -> dict[str, Any]:
    """The fields that are meant, as the domain knows them; raises Refusal INVALID naming every fault."""
    wanted, faults = {}, []
    for name in request.fields:
        reader = _READERS.get(name)
        if reader is None:
            faults.append(Fault(f"fields[{name}]", "unknown", f"Known are {', '.join(_READERS)}."))
            continue
        try:
            wanted[name] = reader(getattr(request.wishes, name))
        except ValueError as wrong:
            faults.append(Fault(f"wishes.{name}", "invalid", str(wrong)))
    if faults:
        raise Refusal("contact-invalid", Kind.INVALID, faults[0].message, faults=faults)
    return wanted


def _email(text: str) -> str:
    address = email_address(text)
    if text and not address:
        raise ValueError("This is not an e-mail address.")
    return address


def _phone(text: str) -> str:
    number = phone_number(text)
    if text and not number:
        raise ValueError("This is not a phone number.")
    return number


def _zone(text: str) -> str:
    if text and not is_zone(text):
        raise ValueError("This is not an IANA time zone, such as America/Chicago.")
    return text


def _language(text: str) -> str:
    primary = text.replace("_", "-").split("-")[0]
    if text and not (primary.isalpha() and primary.isascii() and 2 <= len(primary) <= 3 and len(text) <= 35):
        raise ValueError("This is not a BCP 47 language tag, such as es or es-MX.")
    return text


def _channels(names: Sequence[str]) -> tuple[Channel, ...]:
    known = {channel.value for channel in Channel}
    if not set(names) <= known:
        raise ValueError(f"Known channels are {', '.join(sorted(known))}.")
    return tuple(Channel(name) for name in names)


def _windows(rows: Sequence[notifications_pb2.Window]) -> tuple[Window, ...]:
    return tuple(Window(row.from_minute, row.until_minute, tuple(row.days)) for row in rows)


def _window_to_proto(window: Window) -> notifications_pb2.Window:
    return notifications_pb2.Window(
        from_minute=window.from_minute, until_minute=window.until_minute, days=window.days
    )


def _as_it_is(value: Any) -> Any:
    return value


_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "is_do_not_contact": _as_it_is,
    "email": _email,
    "phone": _phone,
    "webhook_url": _as_it_is,
    "apprise_url": _as_it_is,
    "language": _language,
    "time_zone": _zone,
    "channels": _channels,
    "shared": _channels,
    "quiet": _windows,
    "unsafe": _windows,
    "digest_minute": _as_it_is,
    "is_routine_only_here": _as_it_is,
}
