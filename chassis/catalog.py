"""The wire name of every event and its message class, by convention from the protos alone.

`ReferralStatusChanged` in a `kindred.<service>.v1.events` proto is `referral.status-changed.v1` on the wire: the
first word is the noun, the others the verb, the package gives the version.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from functools import cache

from google.protobuf.message import Message

_WORD = re.compile(r"[A-Z][a-z0-9]*")


class UnknownEventType(Exception):  # noqa: N818
    """An event type that no proto of this version knows."""


def wire_name(message_name: str, version: str) -> str:
    """ "OfferMade", "v1" -> "offer.made.v1"."""
    noun, *verb = _WORD.findall(message_name)
    return f"{noun.lower()}.{'-'.join(verb).lower()}.{version}"


@cache
def all_types() -> dict[str, type[Message]]:
    """Every event type with its message class."""
    kindred = importlib.import_module("kindred")
    found: dict[str, type[Message]] = {}
    for module_info in pkgutil.walk_packages(kindred.__path__, "kindred."):
        if not module_info.name.endswith(".events_pb2"):
            continue
        module = importlib.import_module(module_info.name)
        version = module_info.name.split(".")[-2]
        for name, descriptor in module.DESCRIPTOR.message_types_by_name.items():
            if "provenance" in descriptor.fields_by_name:
                found[wire_name(name, version)] = getattr(module, name)
    return found


@cache
def _names() -> dict[str, str]:
    return {cls.DESCRIPTOR.full_name: event_type for event_type, cls in all_types().items()}


def type_of(message: Message) -> str:
    """The wire name of an event message, e.g. "offer.made.v1"."""
    return _names()[message.DESCRIPTOR.full_name]


def message_class(event_type: str) -> type[Message]:
    """The class that reads events of this type; raises UnknownEventType."""
    try:
        return all_types()[event_type]
    except KeyError:
        raise UnknownEventType(event_type) from None
