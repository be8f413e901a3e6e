"""One signed POST to a rest-hook: no redirects, no proxy, one address that was checked, and an end in time.

Signed as Standard Webhooks says (https://www.standardwebhooks.com): webhook-id, webhook-timestamp, webhook-signature.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import secrets
import ssl
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from chassis.outbound import Endpoint, PinnedConnection
from services.intake.domain.outward import Outcome

SECRET_PREFIX = "whsec_"  # noqa: S105  how the standard marks a secret, and none itself
_SECRET_BYTES = 32
_MOST_ANSWER_BYTES = 65_536
_GONE, _TOO_MANY, _UNAVAILABLE = 410, 429, 503
_LONGEST_RETRY_AFTER_S = 3_600


@dataclass(frozen=True, slots=True)
class Told:
    """How the far side took it; `code` is a word for the logs and the subscription's error."""

    outcome: Outcome
    code: str
    retry_after_s: int = 0


def new_secret() -> str:
    """A signing secret, as the standard writes them."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of webhook-signature (symmetric, v1)."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def post(
    endpoint: Endpoint,
    addresses: Sequence[str],
    body: bytes,
    headers: Mapping[str, str],
    *,
    timeout_s: float,
    tls: ssl.SSLContext,
) -> Told:
    """What the far side answered within `timeout_s`, however slowly it drips."""
    connection = PinnedConnection(endpoint, addresses, timeout_s, tls)
    watchdog = threading.Timer(timeout_s, connection.cut)
    watchdog.daemon = True
    watchdog.start()
    try:
        connection.connect()
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        watchdog.cancel()
        connection.close()
        is_certificate = isinstance(error, ssl.SSLError) and not connection.is_cut
        return Told(Outcome.UNREACHABLE, "certificate" if is_certificate else "no-connection")
    try:
        connection.request("POST", endpoint.target, body, {**headers, "Connection": "close"})
        answer = connection.getresponse()
        if connection.is_cut:
            return Told(Outcome.UNKNOWN, "no-answer")  # an end of ours looks like the end of the headers
        told = _told(answer.status, answer.getheader("Retry-After", ""))
        with suppress(OSError, http.client.HTTPException):
            answer.read(_MOST_ANSWER_BYTES)
        return told
    except (OSError, http.client.HTTPException, ValueError):
        return Told(Outcome.UNKNOWN, "no-answer")
    finally:
        watchdog.cancel()
        connection.close()


def _told(status: int, retry_after: str) -> Told:
    if 200 <= status < 300:
        return Told(Outcome.DELIVERED, "ok")
    if status == _GONE:
        return Told(Outcome.GONE, "http-410")
    waits = retry_after.isdigit() and status in (_TOO_MANY, _UNAVAILABLE)
    retry_after_s = min(int(retry_after[:9]), _LONGEST_RETRY_AFTER_S) if waits else 0
    return Told(Outcome.DECLINED, f"http-{status}", retry_after_s)
