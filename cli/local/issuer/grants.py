"""What the development issuer gave and still waits for: sign-ins, codes, devices, refresh tokens; in memory only."""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from cli.local.issuer.personas import Persona

CODE_S, ASKED_S, DEVICE_S, REFRESH_S = 60.0, 900.0, 600.0, 43_200.0
INTERVAL_S = 1.0
# Letters that nobody takes for one another (RFC 8628 section 6.1).
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"


T = TypeVar("T")


@dataclass(frozen=True)
class Asked:
    """An authorization request that was found good; somebody still has to say who they are."""

    client_id: str
    redirect_uri: str
    state: str
    nonce: str
    challenge: str
    acr: str


@dataclass(frozen=True)
class Given:
    """Somebody signed in: who, when, for which client, and what the request asked for."""

    persona: Persona
    authenticated_at: int
    client_id: str
    redirect_uri: str = ""
    nonce: str = ""
    challenge: str = ""
    acr: str = ""

    def is_verified_by(self, verifier: str) -> bool:
        """PKCE, S256 only."""
        made = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
        return hmac.compare_digest(made, self.challenge.encode())


@dataclass
class Device:
    """A command line that waits for its person at a page; `given` stays None until they came."""

    client_id: str
    user_code: str
    ends_at: float
    given: Given | None = None
    is_denied: bool = False
    asked_at: float = float("-inf")


@dataclass
class Grants:
    """Everything that is not a signed token; a restart forgets it."""

    now: Callable[[], float] = time.time
    _asked: dict[str, tuple[float, Asked]] = field(default_factory=dict)
    _codes: dict[str, tuple[float, Given]] = field(default_factory=dict)
    _refreshes: dict[str, tuple[float, Given]] = field(default_factory=dict)
    _devices: dict[str, Device] = field(default_factory=dict)

    def ask(self, asked: Asked) -> str:
        """The ticket under which the page comes back with somebody."""
        return self._keep(self._asked, asked, ASKED_S)

    def asked(self, ticket: str) -> Asked | None:
        """The request of a ticket, once."""
        return self._take(self._asked, ticket)

    def code(self, given: Given) -> str:
        """A code that buys tokens once, within a minute."""
        return self._keep(self._codes, given, CODE_S)

    def redeemed(self, code: str) -> Given | None:
        """What the code stood for, the first time."""
        return self._take(self._codes, code)

    def refresh(self, given: Given) -> str:
        """A refresh token for one use."""
        return self._keep(self._refreshes, given, REFRESH_S)

    def refreshed(self, token: str) -> Given | None:
        """What the refresh token stood for, the first time."""
        return self._take(self._refreshes, token)

    def revoke(self, token: str) -> None:
        """A refresh token buys nothing any more."""
        self._refreshes.pop(token, None)

    def device(self, client_id: str) -> tuple[str, Device]:
        """A device's own code, and what is shown to its person."""
        letters = "".join(secrets.choice(_LETTERS) for _ in range(8))
        made = Device(client_id, f"{letters[:4]}-{letters[4:]}", self.now() + DEVICE_S)
        code = secrets.token_urlsafe(32)
        self._devices = {key: one for key, one in self._devices.items() if one.ends_at > self.now()} | {
            code: made
        }
        return code, made

    def device_of(self, code: str) -> Device | None:
        """The device with this code of its own."""
        return self._devices.get(code)

    def device_shown(self, user_code: str) -> Device | None:
        """The waiting device that showed this code to its person."""
        wanted = "".join(user_code.upper().split()).replace("-", "")
        waiting = (one for one in self._devices.values() if one.given is None and one.ends_at > self.now())
        return next((one for one in waiting if one.user_code.replace("-", "") == wanted), None)

    def forget_device(self, code: str) -> None:
        """It got its tokens, or never will."""
        self._devices.pop(code, None)

    def _keep(self, rows: dict[str, tuple[float, T]], what: T, lasts_s: float) -> str:
        for old in [name for name, (ends_at, _) in rows.items() if ends_at <= self.now()]:
            del rows[old]
        name = secrets.token_urlsafe(32)
        rows[name] = self.now() + lasts_s, what
        return name

    def _take(self, rows: dict[str, tuple[float, T]], name: str) -> T | None:
        ends_at, what = rows.pop(name, (0.0, None))
        return what if ends_at > self.now() else None
