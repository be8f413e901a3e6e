"""The issuer's signing keys: files of one folder, the newest signs, the one before it is still published."""

import json
import os
import secrets
import time
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

_PUBLISHED = 2
ALGORITHM = "ES256"


class SigningKeys:
    """`<number>.jwk` files; a key that `rotate` adds is used from the next token on, by a running issuer too."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: tuple[str, ...] = ()
        self._keys: list[ECKey] = []

    def rotate(self) -> str:
        """A new key signs from now on; the id of it. Keys before the last one are forgotten."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        number = max((int(path.stem) for path in self._paths()), default=0) + 1
        key = ECKey.generate_key("P-256", {"kid": f"dev-{number}-{secrets.token_hex(4)}", "use": "sig"})
        draft = self._folder / f"{number}.draft"
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(key.as_dict(private=True), file)
        draft.replace(self._folder / f"{number}.jwk")
        for path in self._paths()[:-_PUBLISHED]:
            path.unlink()
        return str(key.kid)

    def jwks(self) -> dict[str, Any]:
        """What anybody may see."""
        return {"keys": [{**key.as_dict(private=False), "alg": ALGORITHM} for key in self._current()]}

    def sign(self, claims: dict[str, Any], kind: str = "JWT") -> str:
        """A token with the newest key."""
        key = self._current()[-1]
        header = {"alg": ALGORITHM, "kid": key.kid, "typ": kind}
        return jwt.encode(header, {"iat": int(time.time()), **claims}, key, algorithms=[ALGORITHM])

    def is_ours(self, token: str) -> dict[str, Any]:
        """The claims of a token that was signed here, also one that is over; raises ValueError or JoseError."""
        return dict(jwt.decode(token, KeySet(list(self._current())), algorithms=[ALGORITHM]).claims)

    def _current(self) -> list[ECKey]:
        paths = self._paths()
        if not paths:
            self.rotate()
            paths = self._paths()
        names = tuple(path.name for path in paths)
        if names != self._seen:
            self._keys = [ECKey.import_key(json.loads(path.read_text())) for path in paths[-_PUBLISHED:]]
            self._seen = names
        return self._keys

    def _paths(self) -> list[Path]:
        return sorted(self._folder.glob("*.jwk"), key=lambda path: int(path.stem))
