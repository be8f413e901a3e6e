"""Which systems may sign in: a JSON file that an operator edits, read again when it changes.

{"clients": [{"client_id": "mercy-epic", "organization": "er-mercy", "scopes": ["system/*.crus"], "purpose": "TREAT",
"jwks_url": "https://mercy.example/jwks.json"}]}; "jwks" in place of "jwks_url" holds the keys themselves.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chassis import logs
from chassis.identity import PURPOSES
from services.intake.smart import scopes

log = logs.get()
_FIELDS = {"client_id", "organization", "scopes", "purpose", "jwks", "jwks_url"}


class Unusable(Exception):  # noqa: N818  a sentence that says what is wrong
    """The file cannot be used; the message names the client and the field."""


@dataclass(frozen=True, slots=True)
class Client:
    """A system of one organization; `purpose` is what it acts for where a request names none."""

    client_id: str
    organization_id: str
    scopes: tuple[str, ...]
    purpose: str = "TREAT"
    jwks: Mapping[str, Any] = field(default_factory=dict)
    jwks_url: str = ""


class Clients:
    """The registrations of one file; where the file is "" there are none."""

    def __init__(self, path: str) -> None:
        self._path = Path(path) if path else None
        self._read_of: tuple[int, int] = (0, 0)
        self._by_id: Mapping[str, Client] = {}
        self._lock = threading.Lock()

    def find(self, client_id: str) -> Client | None:
        """The client, by the file as it is now; a file that is no such file changes nothing, and is logged."""
        with self._lock:
            self._refresh()
            return self._by_id.get(client_id)

    def _refresh(self) -> None:
        if self._path is None:
            return
        try:
            now = self._path.stat()
            seen = (now.st_mtime_ns, now.st_size)
            if seen != self._read_of:
                found, faults = read(self._path.read_text(encoding="utf-8"))
                self._by_id, self._read_of = {one.client_id: one for one in found}, seen
                for fault in faults:
                    log.error("smart client unusable", problem=fault)
        except FileNotFoundError:
            self._by_id, self._read_of = {}, (0, 0)
        except (OSError, ValueError, Unusable) as error:
            log.error("smart clients unusable", **logs.described(error))


def read(text: str) -> tuple[list[Client], list[str]]:
    """The clients a file names, and what is wrong with those that cannot be used; raises Unusable for no such file.

    One that is wrong keeps nobody else out, and one that is there twice is nobody.
    """
    try:
        rows = list(json.loads(text)["clients"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Unusable('The file is not JSON of the form {"clients": [...]}.') from None
    found: dict[str, Client] = {}
    faults: list[str] = []
    twice: set[str] = set()
    for number, row in enumerate(rows, start=1):
        try:
            one = _client(row, number)
        except Unusable as wrong:
            faults.append(str(wrong))
            continue
        if one.client_id in found:
            twice.add(one.client_id)
            faults.append(f"Client {number} has the client_id of another: both are left out.")
        found[one.client_id] = one
    return [one for one in found.values() if one.client_id not in twice], faults


def _client(row: Any, number: int) -> Client:
    where = f"Client {number}"
    if not isinstance(row, dict) or set(row) - _FIELDS:
        raise Unusable(f"{where} has other fields than {', '.join(sorted(_FIELDS))}.")
    for name in ("client_id", "organization"):
        if not isinstance(row.get(name), str) or not row[name]:
            raise Unusable(f"{where} has no {name}.")
    if not all(isinstance(row.get(name, ""), str) for name in ("purpose", "jwks_url")):
        raise Unusable(f"{where} has a purpose or a jwks_url that is no text.")
    wanted = row.get("scopes", [])
    if (
        not isinstance(wanted, list)
        or not wanted
        or not all(isinstance(one, str) and scopes.allowed(one) for one in wanted)
    ):
        raise Unusable(f"{where} has a scope that is none of a system.")
    if row.get("purpose", "TREAT") not in PURPOSES:
        raise Unusable(f"{where} has a purpose that is no HL7 PurposeOfUse code.")
    if ("jwks" in row) == ("jwks_url" in row):
        raise Unusable(f"{where} needs either jwks or jwks_url.")
    return Client(
        row["client_id"],
        row["organization"],
        tuple(wanted),
        row.get("purpose", "TREAT"),
        row.get("jwks", {}),
        row.get("jwks_url", ""),
    )
