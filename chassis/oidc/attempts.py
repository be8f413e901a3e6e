"""Sign-ins on their way: each is bound to the browser that began it, and comes back once, within minutes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pymongo.database import Database

from chassis.at_rest import AtRest
from chassis.clock import Clock

_LASTS = timedelta(minutes=15)
# Longer than any token is believed that says somebody was signed out.
_SPENT_FOR = timedelta(hours=1)
_SEALED_FOR = "where they wanted to go"


@dataclass(frozen=True, slots=True)
class Attempt:
    """`fresh_for` is whose sign-in must be made anew ("" for a first one), `replaces` the session they had
    (its cookie does not come along from another site), `next_path` where they wanted to go.
    """

    begun_at: datetime
    next_path: str
    fresh_for: str
    replaces: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True)
class Begun:
    """What the browser and the provider are told of an attempt."""

    state: str
    nonce: str
    challenge: str


class Attempts:
    """The collection `<name>_sign_ins`; it holds hashes: neither the state nor the PKCE verifier can be read there.

    What nobody comes back to MongoDB forgets, by an index that WebSessions keeps.
    """

    def __init__(self, database: Database[dict[str, Any]], clock: Clock, name: str) -> None:
        self._rows, self._clock = database[f"{name}_sign_ins"], clock

    def begin(self, browser: str, next_path: str, fresh_for: str = "", replaces: str = "") -> Begun:
        """An attempt of the browser that keeps the secret `browser`."""
        state, now = secrets.token_urlsafe(32), self._clock.now()
        self._rows.insert_one(
            {
                "_id": _hashed(state),
                "browser": _hashed(browser),
                "begun_at": now,
                "gone_at": now + _LASTS,
                "next_path": AtRest(_bytes(browser)).seal(next_path.encode(), _SEALED_FOR),
                "fresh_for": fresh_for,
                "replaces": replaces,
            }
        )
        return Begun(
            state, _derived(browser, state, "nonce"), challenge_of(_derived(browser, state, "verifier"))
        )

    def is_spent(self, token_id: str) -> bool:
        """True where a token of the provider with this id was acted on before."""
        return self._rows.find_one({"_id": _hashed(f"spent {token_id}")}) is not None

    def spend(self, token_id: str) -> None:
        """A token with this id is acted on no more."""
        gone = {"gone_at": self._clock.now() + _SPENT_FOR}
        self._rows.update_one({"_id": _hashed(f"spent {token_id}")}, {"$set": gone}, upsert=True)

    def take(self, browser: str, state: str) -> Attempt | None:
        """The attempt, the first time; None for another browser, an unknown, used or old state."""
        if not browser or not state:
            return None
        row = self._rows.find_one_and_delete({"_id": _hashed(state), "browser": _hashed(browser)})
        if row is None or row["gone_at"] <= self._clock.now():
            return None
        nonce, verifier = (_derived(browser, state, use) for use in ("nonce", "verifier"))
        next_path = AtRest(_bytes(browser)).open(row["next_path"], _SEALED_FOR).decode()
        return Attempt(row["begun_at"], next_path, row["fresh_for"], row["replaces"], nonce, verifier)


def challenge_of(verifier: str) -> str:
    """S256 of RFC 7636."""
    return _text(hashlib.sha256(verifier.encode()).digest())


def _derived(browser: str, state: str, use: str) -> str:
    return _text(hmac.digest(_bytes(browser), _bytes(f"{use} {state}"), "sha256"))


def _hashed(secret: str) -> str:
    return hashlib.sha256(_bytes(secret)).hexdigest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
