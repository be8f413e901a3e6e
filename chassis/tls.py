"""Certificates of the gRPC doors: mutual TLS; a renewed file is used without a restart.

A certificate file is PEM with the private key, the certificate and what stands between it and its authority.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import grpc

from chassis import logs

log = logs.get()


@dataclass(frozen=True, slots=True)
class Files:
    """`own` is who we are, `authority` signs whoever may speak with us."""

    own: Path
    authority: Path

    def changed_at(self) -> tuple[int, int]:
        """What differs after a renewal; raises OSError."""
        return self.own.stat().st_mtime_ns, self.authority.stat().st_mtime_ns

    def read(self) -> tuple[bytes, bytes]:
        """Both files; raises OSError."""
        return self.own.read_bytes(), self.authority.read_bytes()


def files(own: str, authority: str) -> Files | None:
    """The files of two settings; None where no certificate is named."""
    return Files(Path(own), Path(authority)) if own else None


def server_credentials(named: Files) -> grpc.ServerCredentials:
    """A gRPC server's: only who shows a certificate of the authority is let in; raises OSError.

    The files are looked at for every new connection; where the new ones cannot be read, the old ones go on.
    """
    renewing = _Renewing(named)
    # The fetcher may say None where nothing changed, which its type does not tell.
    fetch = cast("Callable[[], grpc.ServerCertificateConfiguration]", renewing.renewed)
    return grpc.dynamic_ssl_server_credentials(
        renewing.configuration(), fetch, require_client_authentication=True
    )


def channel_credentials(named: Files) -> grpc.ChannelCredentials:
    """A gRPC client's: it shows who it is and speaks only with a server of the authority; raises OSError."""
    own, authority = named.read()
    return grpc.ssl_channel_credentials(authority, own, own)


class _Renewing:
    def __init__(self, named: Files) -> None:
        self._named = named
        self._seen = named.changed_at()
        self._lock = threading.Lock()

    def configuration(self) -> grpc.ServerCertificateConfiguration:
        own, authority = self._named.read()
        _check(self._named)
        return grpc.ssl_server_certificate_configuration([(own, own)], authority)

    def renewed(self) -> grpc.ServerCertificateConfiguration | None:
        with self._lock:
            try:
                seen = self._named.changed_at()
                if seen == self._seen:
                    return None
                made = self.configuration()
            except (OSError, ValueError) as error:
                log.error("certificate unreadable, the old one stays", **logs.described(error))
                return None
            self._seen = seen
            log.info("certificate renewed")
            return made


def _check(named: Files) -> None:
    """Raises ssl.SSLError, an OSError, where a file is half written: grpc would take it and let nobody in."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(named.authority))
    context.load_cert_chain(named.own)
