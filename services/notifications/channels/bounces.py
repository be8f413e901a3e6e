"""Reads a delivery status notification (RFC 3464): which notice did not arrive, and why."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Final

_STATUS: Final = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
_OURS: Final = re.compile(r"<(ntc_[0-9a-f]{32})@[^<>\s]+>")
_REASONS: Final = {"1.1": "no-mailbox", "1.2": "no-mailbox", "1.10": "no-mailbox", "2.2": "mailbox-full"}


@dataclass(frozen=True)
class Bounce:
    """One notice that did not arrive."""

    notice_id: str
    reason_code: str

    @property
    def is_no_mailbox(self) -> bool:
        """True where nothing will ever arrive there."""
        return self.reason_code == "no-mailbox"


def read(raw: bytes) -> Bounce | None:
    """The bounce a mail tells of; None for every other mail, and for a delay that may still end well."""
    mail = message_from_bytes(raw, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    if mail.get_content_type() != "multipart/report":
        return None
    status, notice_id = "", ""
    for part in mail.walk():
        if part.get_content_type() == "message/delivery-status":
            status = status or _failed_status(part)
        elif part.get_content_type() in ("message/rfc822", "text/rfc822-headers"):
            found = _OURS.search(str(part))
            notice_id = notice_id or (found[1] if found else "")
    return Bounce(notice_id, _reason(status)) if status and notice_id else None


def _failed_status(part: EmailMessage) -> str:
    text = "\n".join(str(group) for group in part.get_payload()) if part.is_multipart() else str(part)
    if not re.search(r"^Action:\s*failed\s*$", text, re.IGNORECASE | re.MULTILINE):
        return ""
    found = re.search(r"^Status:\s*(\S+)", text, re.IGNORECASE | re.MULTILINE)
    return found[1] if found else "5.0.0"


def _reason(status: str) -> str:
    found = _STATUS.search(status)
    if found is None:
        return "undelivered"
    return _REASONS.get(f"{found[2]}.{found[3]}", "undelivered")
