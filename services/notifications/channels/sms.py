"""SMS over a Twilio-compatible HTTP API: send, and tell apart what was taken, refused, or nobody knows.

The API has no idempotency key for messages: after a silence the message may be sent again, and the log says so (P4).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote_plus

from chassis import outbound
from services.notifications.channels import Parcel, segments
from services.notifications.channels.posting import Poster, PostLine, Replied
from services.notifications.domain.intents import Channel
from services.notifications.domain.notices import Answer, Outcome
from services.notifications.domain.standing import Standing

# https://www.twilio.com/docs/api/errors
_OPTED_OUT: Final = frozenset({21610})
_NO_NUMBER: Final = frozenset({21211, 21214, 21217, 21407, 21614, 21408, 21612})


@dataclass(frozen=True)
class SmsAccount:
    """The far side, as the settings name it; /2010-04-01 is below `base_url`, and its callbacks reach us at `own_url`."""

    base_url: str
    account_sid: str
    auth_token: str = field(repr=False)
    sender: str
    own_url: str

    @property
    def messages_url(self) -> str:
        """Where a message is posted."""
        return f"{self.base_url.rstrip('/')}/2010-04-01/Accounts/{self.account_sid}/Messages.json"

    def status_url(self, notice_id: str, attempt: int) -> str:
        """Where the far side tells what became of an attempt."""
        return f"{self.own_url.rstrip('/')}/sms/status/{notice_id}/{attempt}"


class SmsWay:
    """SMS over one account."""

    channel: Final = Channel.SMS
    # A killed worker's messages are told by their status callbacks before anybody sends them again.
    most_in_hand: Final = 16

    def __init__(self, account: SmsAccount, poster: Poster) -> None:
        self.account = account
        self.poster = poster
        self.endpoint = outbound.read(account.messages_url, may_be_private=poster.may_be_private)

    def compose(self, parcel: Parcel) -> dict[str, str]:
        """The fields of the request."""
        sender = self.account.sender
        notice, attempt = parcel.notice, parcel.attempt
        return {
            ("MessagingServiceSid" if sender.startswith("MG") else "From"): sender,
            "Body": body(parcel),
            "StatusCallback": self.account.status_url(notice.notice_id, attempt.number),
        }

    def open(self) -> SmsLine:
        """A line of one's own, not connected yet."""
        return SmsLine(self)


class SmsLine:
    """Posts one message after the other."""

    def __init__(self, way: SmsWay) -> None:
        account = way.account
        login = base64.b64encode(f"{account.account_sid}:{account.auth_token}".encode()).decode()
        self._headers = {
            "Authorization": f"Basic {login}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        self._endpoint = way.endpoint
        self._line = PostLine(way.poster)

    def send(self, address: str, message: dict[str, str]) -> Answer:
        """What the API said to the message."""
        body = f"To={quote_plus(address)}&{form_of(message)}".encode()
        return understood(self._line.post(self._endpoint, body, self._headers))

    def close(self) -> None:
        """The connection is gone."""
        self._line.close()


def form_of(message: Mapping[str, str]) -> str:
    """The fields as a form posts them (application/x-www-form-urlencoded)."""
    return "&".join(f"{name}={_quoted(words)}" for name, words in message.items())


def _quoted(words: str) -> str:
    return "%0A".join(
        [quote_plus(line) if "://" in line else _known_line(line) for line in words.split("\n")]
    )


# A wave has the same words but for its links, which are secrets and not remembered; no number comes by here.
_known_line = lru_cache(maxsize=4_096)(quote_plus)


def body(parcel: Parcel) -> str:
    """The words of one SMS: the subject, the link where there is one, and how to stop them."""
    return segments.plain(parcel.letter.short)


def understood(replied: Replied) -> Answer:
    """What the API's answer means for the attempt."""
    if not replied.status:
        return Answer(replied.trouble)
    said = _json(replied.body)
    if 200 <= replied.status < 300:
        return _taken(replied, said.get("sid"))
    return _declined(replied, said.get("code"))


def _taken(replied: Replied, sid: Any) -> Answer:
    """A yes names the message; one that is cut off half-way, or comes from no such API, is no yes."""
    if isinstance(sid, str) and sid:
        return Answer(Outcome.ACCEPTED, replied.status, far_id=sid)
    return Answer(Outcome.UNKNOWN, replied.status)


def _declined(replied: Replied, code: Any) -> Answer:
    if code in _OPTED_OUT or code in _NO_NUMBER:
        standing = Standing.OPTED_OUT if code in _OPTED_OUT else Standing.BOUNCED
        return Answer(Outcome.REFUSED, replied.status, standing=standing)
    if replied.status >= 500 and replied.status != 503:
        # It may have failed before or after it took the message.
        return Answer(Outcome.UNKNOWN, replied.status, retry_after_s=replied.retry_after_s)
    # 401, 403, 404 are our account's trouble and no recipient's; 400 with another code is this message's.
    outcome = Outcome.REFUSED if replied.status == 400 else Outcome.DEFERRED
    return Answer(outcome, replied.status, retry_after_s=replied.retry_after_s)


def _json(text: bytes) -> dict[str, Any]:
    try:
        said = json.loads(text)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
