"""Where a subscription's notifications may go: the rules of `chassis.outbound`, said at the place of the resource."""

from __future__ import annotations

from chassis import outbound
from chassis.errors import Refusal
from chassis.outbound import Endpoint, Lookup, NotPublic, addresses, is_public, system_lookup

__all__ = [
    "PLACE",
    "Endpoint",
    "Lookup",
    "NotPublic",
    "addresses",
    "is_public",
    "read",
    "refusal",
    "system_lookup",
]
PLACE = "Subscription.channel.endpoint"


def read(url: str, *, may_be_private: bool) -> Endpoint:
    """The endpoint; raises Refusal INVALID endpoint-invalid.  Plain http is for tests and demonstrations only."""
    return outbound.read(url, may_be_private=may_be_private, place=PLACE)


def refusal(code: str, message: str) -> Refusal:
    """A fault of the endpoint."""
    return outbound.refusal(PLACE, code, message)
