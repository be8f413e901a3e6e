"""What a mail program may press for its reader (RFC 8058): a sealed token that says who wants routine mail no more."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from services.notifications.domain.intents import rule_of
from services.notifications.domain.notices import Notice

PATH = "/notices/leave"
_INFO = b"kindred one-click unsubscribing v1"
_WORKS_FOR_S = 90 * 24 * 3_600


@dataclass(frozen=True)
class Leaving:
    """Makes and reads the tokens; whoever looks at one sees no identifier. `own_url` is "" where nobody reaches us."""

    fernet: Fernet
    own_url: str

    @classmethod
    def under(cls, master_key: bytes, own_url: str) -> Leaving:
        """Tokens under a key derived from the service's own."""
        key = HKDF(algorithm=SHA256(), length=32, salt=None, info=_INFO).derive(master_key)
        return cls(Fernet(base64.urlsafe_b64encode(key)), own_url.rstrip("/"))

    def headers(self, notice: Notice) -> list[tuple[str, str]]:
        """What the mail says of it; nothing where the notice cannot wait, for that is no list."""
        if not self.own_url or not rule_of(notice.intent).may_wait:
            return []
        where = f"{self.own_url}{PATH}/{self.token(notice.recipient_id)}"
        return [("List-Unsubscribe", f"<{where}>"), ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")]

    def token(self, person_id: str) -> str:
        """Names the person to nobody but us."""
        return self.fernet.encrypt(person_id.encode()).decode().rstrip("=")

    def person_of(self, token: str) -> str:
        """Whose token it is, "" for one that is none of ours or 90 days old."""
        try:
            padded = token + "=" * (-len(token) % 4)
            return self.fernet.decrypt(padded.encode(), ttl=_WORKS_FOR_S).decode()
        except (InvalidToken, UnicodeEncodeError):
            return ""
