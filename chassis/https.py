"""The certificate of an HTTP door; a renewed file is used without a restart.

The file is PEM with the private key, the certificate and what stands between it and its authority.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from chassis import logs

log = logs.get()


class HttpsContext:
    """The TLS of an HTTP door; `renew` takes a new file for the connections to come."""

    def __init__(self, own: Path) -> None:
        self._own = own
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.set_alpn_protocols(["http/1.1"])
        self.context.load_cert_chain(own)
        self._seen = own.stat().st_mtime_ns

    def renew(self) -> bool:
        """True where there was a new file; one that cannot be read changes nothing."""
        try:
            seen = self._own.stat().st_mtime_ns
            if seen == self._seen:
                return False
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(self._own)
            self.context.load_cert_chain(self._own)
        except OSError as error:  # ssl.SSLError is one
            log.error("certificate unreadable, the old one stays", **logs.described(error))
            return False
        self._seen = seen
        log.info("certificate renewed")
        return True
