"""What notifications needs from its environment."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.settings import ProcessSettings, Secret, setting


@dataclass(frozen=True, kw_only=True)
class Settings(ProcessSettings):
    """The far side of e-mail, where answer pages are, and how hard to send."""

    # Where answer pages are served: a link is <public_url>/answer/<token>.
    public_url: str = setting("KINDRED_PUBLIC_URL")
    smtp_host: str = setting("KINDRED_SMTP_HOST")
    smtp_port: int = setting("KINDRED_SMTP_PORT", 25)
    # An address, or a name and an address; the name must not tell what this is about.
    smtp_from: str = setting("KINDRED_SMTP_FROM")
    # With true a server that offers no TLS, or a wrong certificate, gets nothing: there is no plaintext fallback.
    # An authority of your own is named to OpenSSL by SSL_CERT_FILE.
    smtp_starttls: bool = setting("KINDRED_SMTP_STARTTLS", False)
    smtp_user: str = setting("KINDRED_SMTP_USER", "")
    smtp_password: Secret = setting("KINDRED_SMTP_PASSWORD", Secret(""), secret=True)
    # The longest wait for one answer of the server.
    smtp_timeout_s: float = setting("KINDRED_SMTP_TIMEOUT_S", 10.0)
    # Connections kept open, each with a sender of its own.
    smtp_connections: int = setting("KINDRED_SMTP_CONNECTIONS", 4)
    # How long a claimed notice belongs to one worker; after a crash it is due again then.
    notice_lease_s: float = setting("KINDRED_NOTICE_LEASE_S", 30.0)
