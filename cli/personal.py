"""Who is signed in on this command line: asked for by the device flow (RFC 8628), kept in a file of theirs alone."""

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chassis.errors import Refusal
from chassis.oidc.client import Client, NotGranted
from chassis.oidc.fetching import Away, Fetcher
from chassis.oidc.provider import Provider
from chassis.oidc.tokens import Expected, Judge
from cli.local import authority, place
from cli.local.place import Addresses

_DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
_RENEWED_BEFORE_S = 60
_SLOWER_S = 5.0


class NotSignedIn(Exception):  # noqa: N818
    """Nobody signed in; the sentence says why."""


@dataclass(frozen=True)
class SignIn:
    """A person's tokens; `person` and `role` as the provider says them, for showing only."""

    issuer: str
    person: str
    role: str
    access_token: str
    ends_at: float
    refresh_token: str = ""


@dataclass(frozen=True)
class Asking:
    """What a person is told while the command line waits for them."""

    address: str
    code: str
    full_address: str


class SignInService:
    """The provider: KINDRED_OIDC_ISSUER, else the development issuer of the system that runs here."""

    def __init__(self, known: Addresses | None) -> None:
        here = f"https://{known.issuer}" if known and known.issuer else ""
        self.issuer = os.environ.get("KINDRED_OIDC_ISSUER", "") or here
        if not self.issuer:
            raise NotSignedIn("Nobody said where to sign in: start a system, or set KINDRED_OIDC_ISSUER.")
        ours = Path(known.keys_dir) / authority.AUTHORITY if known and self.issuer == here else None
        trusted = os.environ.get("KINDRED_OIDC_CA", "") or (str(ours) if ours else "")
        self._asks = Fetcher(self.issuer, trusted)
        self._provider = Provider(self.issuer, self._asks)
        self._client = Client(os.environ.get("KINDRED_OIDC_CLI_CLIENT_ID", "kindred-cli"))

    def ask(self, tell: Callable[[Asking], None], pause: Callable[[float], None] = time.sleep) -> SignIn:
        """Tells where to go and with which code, and waits until somebody did; raises NotSignedIn."""
        try:
            return self._asked(tell, pause)
        except Away:
            raise NotSignedIn("The sign-in service does not answer.") from None
        except Refusal as refusal:
            raise NotSignedIn(f"{refusal.code}: {refusal.message}") from None

    def renewed(self, held: SignIn) -> SignIn | None:
        """The same person's next tokens; None where they must sign in again."""
        asked = {"grant_type": "refresh_token", "refresh_token": held.refresh_token}
        try:
            return self._sign_in(self._client.tokens(self._provider, self._asks, asked), held)
        except (NotGranted, Away, Refusal):
            return None

    def revoke(self, held: SignIn) -> bool:
        """The provider forgets it; False where it could not be told."""
        try:
            endpoint = self._provider.endpoint("revocation_endpoint")
            told = {"token": held.refresh_token, "client_id": self._client.client_id}
            return bool(endpoint) and self._asks.post(endpoint, told)[0] == 200
        except Away:
            return False

    def _asked(self, tell: Callable[[Asking], None], pause: Callable[[float], None]) -> SignIn:
        endpoint = self._provider.endpoint("device_authorization_endpoint")
        if not endpoint:
            raise NotSignedIn("This sign-in service has no device flow; use --token.")
        scope = os.environ.get("KINDRED_OIDC_SCOPES", "openid").replace(",", " ")
        status, body = self._asks.post(endpoint, {"client_id": self._client.client_id, "scope": scope})
        if status != 200:
            raise NotSignedIn("The sign-in service does not know this command line.")
        told = json.loads(body)
        address = str(told["verification_uri"])
        tell(Asking(address, str(told["user_code"]), str(told.get("verification_uri_complete", address))))
        ends_at, wait_s = time.monotonic() + float(told["expires_in"]), float(told.get("interval", 5))
        asked = {"grant_type": _DEVICE, "device_code": str(told["device_code"])}
        while time.monotonic() < ends_at:
            pause(wait_s)
            try:
                return self._sign_in(self._client.tokens(self._provider, self._asks, asked), None)
            except NotGranted as no:
                if no.error == "slow_down":
                    wait_s += _SLOWER_S
                elif no.error != "authorization_pending":
                    raise NotSignedIn(f"Nobody was signed in: {no.error}.") from None
        raise NotSignedIn("The time is over, and nobody signed in.")

    def _sign_in(self, granted: Mapping[str, Any], before: SignIn | None) -> SignIn:
        access = str(granted["access_token"])
        said: Mapping[str, Any] = {}
        if granted.get("id_token"):
            expected = Expected(self._client.client_id, "")
            said = Judge(self._provider).id_token(str(granted["id_token"]), expected, access)
        return SignIn(
            self.issuer,
            str(said.get("sub", before.person if before else "")),
            str(said.get("role", before.role if before else "")),
            access,
            time.time() + float(granted.get("expires_in", 300)),
            str(granted.get("refresh_token", "")),
        )


def keep(signed_in: SignIn) -> None:
    """The next commands speak as this person."""
    path = _file()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(asdict(signed_in), file)
    draft.replace(path)


def held() -> SignIn | None:
    """Who is signed in here; None for nobody."""
    try:
        return SignIn(**json.loads(_file().read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def forget() -> None:
    """Nobody is signed in here."""
    _file().unlink(missing_ok=True)


def token(known: Addresses | None) -> str:
    """The access token of who is signed in here, renewed where it is nearly over; "" for nobody."""
    found = held()
    if found is None:
        return ""
    if found.ends_at - time.time() > _RENEWED_BEFORE_S:
        return found.access_token
    try:
        again = SignInService(known).renewed(found) if found.refresh_token else None
    except NotSignedIn:
        again = None
    if again is None:
        forget()
        return ""
    keep(again)
    return again.access_token


def _file() -> Path:
    return place.here().var / "sign-in.json"
