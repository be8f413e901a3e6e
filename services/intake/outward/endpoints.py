"""Where a notification may go: an address on the public network, checked when it is named and again on every connect.

Without this a subscription could make us knock at doors behind our own walls (server-side request forgery).
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from chassis.errors import Fault, Kind, Refusal

PLACE = "Subscription.channel.endpoint"
_LONGEST = 2_000
# Reached from inside a cloud only, though the numbers look public: Azure's wire server, Oracle's metadata (RFC 6890).
_INSIDE = tuple(map(ipaddress.ip_network, ("168.63.129.16/32", "192.0.0.0/24")))
# Carry an IPv4 address of anybody's choice (RFC 6052, RFC 3056, RFC 4380).
_WRAPPING = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")))

# (host, port) -> the numeric addresses; raises OSError.
Lookup = Callable[[str, int], Sequence[str]]


class NotPublic(Exception):  # noqa: N818
    """The name leads to an address that nobody outside may make us talk to."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An http(s) URL in its parts."""

    is_tls: bool
    host: str
    port: int
    target: str  # path and query

    @property
    def host_header(self) -> str:
        """The host, and the port where it is not the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_tls else 80) else f"{host}:{self.port}"


def read(url: str, *, may_be_private: bool) -> Endpoint:
    """The endpoint; raises Refusal INVALID endpoint-invalid.  Plain http is for tests and demonstrations only."""
    try:
        parts = urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").encode("ascii" if ":" in (parts.hostname or "") else "idna").decode()
    except ValueError:  # UnicodeError is one
        raise refusal("endpoint-invalid", "The endpoint is not a URL.") from None
    if parts.scheme != "https" and not (parts.scheme == "http" and may_be_private):
        raise refusal("endpoint-invalid", "The endpoint is an https URL.")
    is_plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= _LONGEST
    if not host or not is_plain or port == 0 or parts.username is not None or parts.fragment:
        raise refusal(
            "endpoint-invalid",
            "The endpoint has a host, no user, no fragment and 2,000 plain characters at most.",
        )
    is_tls = parts.scheme == "https"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Endpoint(is_tls, host, port or (443 if is_tls else 80), target)


def addresses(endpoint: Endpoint, lookup: Lookup, *, may_be_private: bool) -> Sequence[str]:
    """The numeric addresses of the endpoint's host.

    Raises NotPublic where one of them is not on the public network, OSError where there is none.
    """
    found = lookup(endpoint.host, endpoint.port)
    if not found:
        raise OSError("no address")
    if not may_be_private and not all(map(is_public, found)):
        raise NotPublic
    return found


def is_public(address: str) -> bool:
    """True for a unicast address of the public network that carries no other address inside."""
    number = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(number, ipaddress.IPv6Address):
        if number.ipv4_mapped is not None:
            return is_public(str(number.ipv4_mapped))
        if any(number in network for network in _WRAPPING):
            return False
    is_inside = any(number in network for network in _INSIDE)
    return number.is_global and not (number.is_multicast or number.is_reserved or is_inside)


def system_lookup(host: str, port: int) -> Sequence[str]:
    """What the machine's resolver says; blocks, so a patched process hands it to a real thread."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(row[4][0]) for row in found))


def refusal(code: str, message: str) -> Refusal:
    """A fault of the endpoint."""
    return Refusal(code, Kind.INVALID, message, faults=[Fault(PLACE, code, message)])
