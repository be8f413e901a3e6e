"""Webhooks as Standard Webhooks says (standardwebhooks.com): one id for every try, two secrets while one is rotated."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chassis import outbound
from chassis.errors import Refusal
from services.notifications.channels import Parcel
from services.notifications.channels.posting import Poster, PostLine, Replied
from services.notifications.domain.intents import Channel
from services.notifications.domain.notices import Answer, Outcome
from services.notifications.domain.standing import Standing

SECRET_PREFIX: Final = "whsec_"  # noqa: S105  how the standard marks a secret, and none itself
_SECRET_BYTES: Final = 32
_GONE: Final = 410


@dataclass(frozen=True)
class Hook:
    """One message, signed when it is posted."""

    message_id: str
    timestamp: int
    body: bytes
    secrets: Sequence[str]

    def headers(self) -> dict[str, str]:
        """Signed with every secret that still counts, the newest first."""
        return {
            "Content-Type": "application/json",
            "webhook-id": self.message_id,
            "webhook-timestamp": str(self.timestamp),
            "webhook-signature": " ".join(
                signature(secret, self.message_id, self.timestamp, self.body) for secret in self.secrets
            ),
        }


class WebhookWay:
    """POSTs to the address somebody named for themselves."""

    channel: Final = Channel.WEBHOOK
    most_in_hand: Final = 16

    def __init__(self, poster: Poster) -> None:
        self.poster = poster

    def compose(self, parcel: Parcel) -> Hook:
        """The message; its id comes from the notice alone, so a repeat is known as one."""
        notice, letter = parcel.notice, parcel.letter
        said = {
            # Not the intent: its name would tell whoever looks at the endpoint's log what this is about.
            "type": "notice.created",
            "timestamp": parcel.now.isoformat(timespec="seconds"),
            "data": {
                "notice_id": notice.notice_id,
                "urgency": notice.urgency.value,
                "language": letter.language,
                "subject": letter.subject,
                "text": letter.text,
                "is_possible_repeat": parcel.attempt.is_possible_repeat,
            },
        }
        body = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
        return Hook(notice.notice_id, int(parcel.now.timestamp()), body, parcel.reach.secrets)

    def open(self) -> WebhookLine:
        """A line of one's own, not connected yet."""
        return WebhookLine(self.poster)


class WebhookLine:
    """Posts one message after the other."""

    def __init__(self, poster: Poster) -> None:
        self._may_be_private = poster.may_be_private
        self._line = PostLine(poster)

    def send(self, address: str, message: Hook) -> Answer:
        """What the endpoint said."""
        try:
            endpoint = outbound.read(address, may_be_private=self._may_be_private)
        except Refusal:
            return Answer(Outcome.REFUSED, standing=Standing.DISABLED)
        return understood(self._line.post(endpoint, message.body, message.headers()))

    def close(self) -> None:
        """The connection is gone."""
        self._line.close()


def understood(replied: Replied) -> Answer:
    """2xx is a yes; 410 disables the endpoint at once; anything else is tried again."""
    if not replied.status:
        return Answer(replied.trouble)
    if 200 <= replied.status < 300:
        return Answer(Outcome.ACCEPTED, replied.status)
    if replied.status == _GONE:
        return Answer(Outcome.REFUSED, replied.status, standing=Standing.DISABLED)
    return Answer(Outcome.DEFERRED, replied.status, retry_after_s=replied.retry_after_s)


def new_secret() -> str:
    """A signing secret, as the standard writes them."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """One value of webhook-signature (symmetric, v1)."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
