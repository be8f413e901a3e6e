"""Whom a connection's client certificate names: a hospital's certificate speaks for that hospital and for no other."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

from chassis.errors import Fault, Kind, Refusal

_FORM = "source=a name in its client certificate (DNS, URI or common name)"
# The names of the certificate that the connection being served was opened with; None where it came without TLS.
shown: ContextVar[frozenset[str] | None] = ContextVar("certificate names", default=None)


class NotCertified(Refusal):
    """The message names a sender that the connection's certificate does not speak for."""

    def __init__(self) -> None:
        message = "This connection's certificate does not speak for this facility (MSH-4)."
        fault = Fault("MSH[1]-4", "sender-not-certified", message)
        super().__init__("sender-not-certified", Kind.FORBIDDEN, message, faults=[fault])


def names_of(certificate: Mapping[str, Any] | None) -> frozenset[str]:
    """The DNS names, URIs and common names of a certificate as `ssl.SSLSocket.getpeercert` tells it."""
    told = certificate or {}
    alternative = {value for kind, value in told.get("subjectAltName", ()) if kind in ("DNS", "URI")}
    common = {value for part in told.get("subject", ()) for name, value in part if name == "commonName"}
    return frozenset(alternative | common)


def require(source_id: str, certificates: Mapping[str, frozenset[str]]) -> None:
    """The connection may speak for this source; raises NotCertified.

    A source with certificates is heard over one of them only; a certificate that is some source's is no other's.
    Without TLS only a listener on this machine, or one that was told that the network is its own, gets here.
    """
    names = shown.get()
    if not certificates or names is None:
        return
    if not names & certificates.get(source_id, frozenset()):
        raise NotCertified


@lru_cache(maxsize=16)
def read(entries: tuple[str, ...]) -> Mapping[str, frozenset[str]]:
    """Each source's certificate names of the setting; raises ValueError that names what is malformed."""
    found: dict[str, frozenset[str]] = {}
    for entry in entries:
        source_id, equals, name = (part.strip() for part in entry.partition("="))
        if not (source_id and equals and name):
            raise ValueError(f"KINDRED_HL7_CERTIFICATES: {entry!r} is not {_FORM}")
        found[source_id] = found.get(source_id, frozenset()) | {name}
    return found
