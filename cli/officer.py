"""The audit log's HTTP door as the command line uses it: a compliance officer's token, JSON or a file back."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

from cli import show
from cli.reach import Reach

_TIMEOUT_S = 60.0
# What the door calls a parameter, and the command an option.
_OPTIONS = {"from": "--from", "until": "--until", "format": "--to", "state": "--state"}
Pairs = Sequence[tuple[str, str]]


class OfficersDoor:
    """Asks as a compliance officer; a refusal ends the command in plain words."""

    def __init__(self, reach: Reach) -> None:
        self._base = f"http://{reach.http_address('audit')}"
        self._headers = {
            "authorization": f"Bearer {reach.token('compliance', 'cli-compliance', 'kindred')}",
            "x-purpose-of-use": reach.who.purpose or "HCOMPL",
        }

    def json(self, path: str, asked: Pairs = ()) -> Any:
        """What GET answers, read."""
        return json.loads(self.content(path, asked))

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """What POST answers, read."""
        return json.loads(self._asked(path, json.dumps(body).encode()))

    def content(self, path: str, asked: Pairs = ()) -> bytes:
        """What GET answers, as it came."""
        return self._asked(f"{path}?{urllib.parse.urlencode(asked)}" if asked else path, None)

    def _asked(self, path: str, body: bytes | None) -> bytes:
        request = urllib.request.Request(self._base + path, data=body, headers=self._headers)  # noqa: S310
        if body is not None:
            request.add_header("content-type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
                found: bytes = answer.read()
                return found
        except urllib.error.HTTPError as refused:
            raise show.fail(*_plain(refused)) from None
        except (urllib.error.URLError, TimeoutError):
            raise show.fail(
                "The audit service does not answer.", "Is it running? `kindred status` says."
            ) from None


def _plain(refused: urllib.error.HTTPError) -> list[str]:
    """A refusal's lines: what is wrong, and where."""
    try:
        told = json.loads(refused.read())
    except ValueError:
        return [f"Refused with HTTP {refused.code}."]
    if told.get("resourceType") == "OperationOutcome":
        return [
            _fault(" ".join(one.get("expression", ())), one.get("diagnostics", "")) for one in told["issue"]
        ]
    paths = [one["path"] for one in told.get("faults", ())]
    faults = [
        _fault(_OPTIONS.get(one["path"], one["path"]), one["message"]) for one in told.get("faults", ())
    ]
    lines = faults or [told.get("message") or told.get("code", "Refused.")]
    if told.get("code") == "report-parameter" and not set(paths) <= _OPTIONS.keys():
        lines.append("Write it as --with name=value; `kindred audit report` lists what each report takes.")
    return lines


def _fault(where: str, what: str) -> str:
    return f"{where}: {what}" if where else what
