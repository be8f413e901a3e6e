"""Where a POST of ours may go: an address on the public network, checked when it is named and again on every connect.

Without this whoever names an endpoint could make us knock at doors behind our own walls (server-side request forgery).
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from chassis.errors import Fault, Kind, Refusal

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


def read(url: str, *, may_be_private: bool, place: str = "endpoint") -> Endpoint:
    """The endpoint; raises Refusal INVALID endpoint-invalid at `place`.  Plain http is for tests and demonstrations."""
    try:
        parts = urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").encode("ascii" if ":" in (parts.hostname or "") else "idna").decode()
    except ValueError:  # UnicodeError is one
        raise refusal(place, "endpoint-invalid", "The endpoint is not a URL.") from None
    if parts.scheme != "https" and not (parts.scheme == "http" and may_be_private):
        raise refusal(place, "endpoint-invalid", "The endpoint is an https URL.")
    is_plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= _LONGEST
    if not host or not is_plain or port == 0 or parts.username is not None or parts.fragment:
        raise refusal(
            place,
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
        if number.is_site_local:  # fec0::/10, private before fc00::/7 was (RFC 3879)
            return False
    is_inside = any(number in network for network in _INSIDE)
    return number.is_global and not (number.is_multicast or number.is_reserved or is_inside)


def system_lookup(host: str, port: int) -> Sequence[str]:
    """What the machine's resolver says; blocks, so a patched process hands it to a real thread."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(row[4][0]) for row in found))


def refusal(place: str, code: str, message: str) -> Refusal:
    """A fault of the endpoint that stands at `place`."""
    return Refusal(code, Kind.INVALID, message, faults=[Fault(place, code, message)])


class PinnedConnection(http.client.HTTPConnection):
    """A connection to one of the addresses that were checked; the name is only shown, never looked up again."""

    def __init__(
        self, endpoint: Endpoint, addresses: Sequence[str], timeout_s: float, tls: ssl.SSLContext
    ) -> None:
        super().__init__(endpoint.host, endpoint.port, timeout=timeout_s)
        self._endpoint, self._addresses, self._tls_context = endpoint, addresses, tls
        self.is_cut = False

    def connect(self) -> None:
        """Connected, with TLS where the endpoint wants it."""
        plain = _first(self._addresses, self.port, float(self.timeout or 0))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = plain  # from here on `close` closes it, and `cut` cuts it
        if self._endpoint.is_tls:
            host = self._endpoint.host
            self.sock = self._tls_context.wrap_socket(
                plain, server_hostname=host, do_handshake_on_connect=False
            )
        if self.is_cut:
            raise TimeoutError
        if isinstance(self.sock, ssl.SSLSocket):
            self.sock.do_handshake()  # a far side may drip it: `cut` ends it

    def cut(self) -> None:
        """Whatever waits on it ends."""
        self.is_cut = True
        with suppress(OSError, AttributeError):
            self.sock.shutdown(socket.SHUT_RDWR)


def _first(addresses: Sequence[str], port: int, timeout_s: float) -> socket.socket:
    trouble: OSError = OSError("no address")
    for address in addresses[:3]:
        try:
            return socket.create_connection((address, port), timeout_s / len(addresses[:3]))
        except OSError as error:
            trouble = error
    raise trouble
