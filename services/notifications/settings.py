"""What notifications needs from its environment."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from chassis.settings import ProcessSettings, Secret, SettingsFaults, setting
from services.notifications.channels import apprise


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
    # TLS from the first byte (RFC 8314, port 465) instead of STARTTLS.
    smtp_implicit_tls: bool = setting("KINDRED_SMTP_IMPLICIT_TLS", False)
    # With a user or password and no TLS nothing starts.
    smtp_user: str = setting("KINDRED_SMTP_USER", "")
    smtp_password: Secret = setting("KINDRED_SMTP_PASSWORD", Secret(""), secret=True)
    # The longest wait for one answer of the server.
    smtp_timeout_s: float = setting("KINDRED_SMTP_TIMEOUT_S", 10.0)
    # Connections kept open, each with a sender of its own.
    smtp_connections: int = setting("KINDRED_SMTP_CONNECTIONS", 4)
    # How long a claimed notice belongs to one worker; after a crash it is due again then.
    notice_lease_s: float = setting("KINDRED_NOTICE_LEASE_S", 30.0)
    # Where this service is reached from outside: callbacks of the SMS account, one-click unsubscribing.
    notices_url: str = setting("KINDRED_NOTICES_URL", "")
    # A Twilio-compatible API: its address, the account, and a number or messaging service to send from.
    sms_url: str = setting("KINDRED_SMS_URL", "")
    sms_account: str = setting("KINDRED_SMS_ACCOUNT", "")
    sms_token: Secret = setting("KINDRED_SMS_TOKEN", Secret(""), secret=True)
    sms_from: str = setting("KINDRED_SMS_FROM", "")
    # Services of Apprise that may be used, separated by spaces: "slack:// ntfys://ntfy.example.org". Empty: none.
    apprise_allowed: str = setting("KINDRED_APPRISE_ALLOWED", "")
    # The longest wait for one answer of an SMS account or a webhook.
    post_timeout_s: float = setting("KINDRED_POST_TIMEOUT_S", 10.0)
    # Lets webhooks and the SMS API be plain http and on a private network: for tests and demonstrations.
    post_allow_private: bool = setting("KINDRED_POST_ALLOW_PRIVATE", False)
    # A webhook that fails so often in a row is disabled.
    webhook_most_failures: int = setting("KINDRED_WEBHOOK_MOST_FAILURES", 20)
    # What one address gets on one channel in an hour of what can wait; offers and immediate news are not counted.
    notices_per_hour: int = setting("KINDRED_NOTICES_PER_HOUR", 60)
    # What an account bears in a minute, all workers together; 0: not limited. Immediate news count and never wait.
    email_per_minute: int = setting("KINDRED_EMAIL_PER_MINUTE", 0)
    sms_per_minute: int = setting("KINDRED_SMS_PER_MINUTE", 0)
    apprise_per_minute: int = setting("KINDRED_APPRISE_PER_MINUTE", 0)

    def __post_init__(self) -> None:
        """Raises SettingsFaults where a secret would cross a wire in the clear, or a channel is half configured."""
        faults = [*self._smtp_faults(), *self._sms_faults(), *self._apprise_faults()]
        if faults:
            raise SettingsFaults(faults)

    def _smtp_faults(self) -> list[str]:
        faults = []
        has_tls = self.smtp_starttls or self.smtp_implicit_tls
        if (self.smtp_user or self.smtp_password) and not has_tls:
            faults.append(
                "KINDRED_SMTP_USER and KINDRED_SMTP_PASSWORD need KINDRED_SMTP_STARTTLS or KINDRED_SMTP_IMPLICIT_TLS:"
                " without TLS the password would cross the network in the clear"
            )
        if bool(self.smtp_user) != bool(self.smtp_password):
            faults.append("KINDRED_SMTP_USER and KINDRED_SMTP_PASSWORD belong together")
        if self.smtp_starttls and self.smtp_implicit_tls:
            faults.append("KINDRED_SMTP_STARTTLS and KINDRED_SMTP_IMPLICIT_TLS exclude each other")
        return faults

    def _sms_faults(self) -> list[str]:
        if not self.sms_url:
            return []
        needed = {
            "KINDRED_SMS_ACCOUNT": self.sms_account,
            "KINDRED_SMS_TOKEN": self.sms_token,
            "KINDRED_SMS_FROM": self.sms_from,
            "KINDRED_NOTICES_URL": self.notices_url,
        }
        faults = [f"KINDRED_SMS_URL needs {name}" for name, value in needed.items() if not value]
        if urlsplit(self.sms_url).scheme != "https" and not self.post_allow_private:
            faults.append("KINDRED_SMS_URL must be https: the account's token goes there")
        return faults

    def _apprise_faults(self) -> list[str]:
        faults = []
        for one in self.apprise_allowed.split():
            try:
                apprise.check_service(urlsplit(one))
            except ValueError as wrong:
                faults.append(f"KINDRED_APPRISE_ALLOWED: {wrong}")
        return faults
