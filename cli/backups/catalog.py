"""What stands in a backup: one file for each collection, and a list of them that is written last."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bson import json_util

FORMAT = "kindred-backup/1"
LIST = "backup.json"
BLOCK_BYTES = 1 << 20

DATA = "data"
KEYS = "keys"


class BrokenBackup(Exception):  # noqa: N818  said to a person: what is wrong, and with which file
    """A folder that holds no whole backup."""


@dataclass(frozen=True)
class Held:
    """One collection: its file (BSON documents one after another, gzip), and what must be found in it."""

    database: str
    collection: str
    file: str
    sha256: str
    documents: int
    indexes: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Backup:
    """One kind (data or keys) of one moment; `point` is MongoDB's cluster time as seconds and a counter in them."""

    kind: str
    point: tuple[int, int]
    release: str
    held: tuple[Held, ...]

    @property
    def moment(self) -> datetime:
        """The point as a time, UTC, to the second."""
        return datetime.fromtimestamp(self.point[0], UTC)

    @property
    def documents(self) -> int:
        return sum(one.documents for one in self.held)


def name_of(point: tuple[int, int]) -> str:
    """The folder of a backup: its moment, so that the newest sorts last."""
    return f"{datetime.fromtimestamp(point[0], UTC):%Y%m%dT%H%M%SZ}-{point[1]}"


def release() -> str:
    """The version of Kindred that made the backup."""
    return version("kindred")


def write(backup: Backup, folder: Path) -> None:
    """Ends a backup: without this list the folder is none."""
    draft = folder / f"{LIST}.draft"
    # Index options may hold BSON values (partial filters with dates); documents of the list itself hold none.
    text = json_util.dumps({"format": FORMAT} | asdict(backup), indent=1)
    with os.fdopen(
        os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
    ) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / LIST)


def read(folder: Path, kind: str) -> Backup:
    """The backup of this kind in `folder`, its files as they were written; BrokenBackup says what is wrong."""
    try:
        told = json_util.loads((folder / LIST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BrokenBackup(f"{folder} holds no backup, or one that was never finished: no {LIST}.") from None
    except (OSError, json.JSONDecodeError, UnicodeDecodeError) as trouble:
        raise BrokenBackup(f"{folder / LIST} cannot be read: {type(trouble).__name__}.") from None
    if told.get("format") != FORMAT or told.get("kind") != kind:
        raise BrokenBackup(
            f"{folder} holds {told.get('kind') or 'something else'} ({told.get('format')}), not {kind} ({FORMAT})."
        )
    held = tuple(Held(**row | {"indexes": tuple(row["indexes"])}) for row in told["held"])
    backup = Backup(kind, tuple(told["point"]), told["release"], held)
    _require_untouched(backup.held, folder)
    return backup


def _require_untouched(held: Sequence[Held], folder: Path) -> None:
    for one in held:
        path = folder / one.file
        if path.parent != folder or not path.is_file():
            raise BrokenBackup(f"{one.file} is missing in {folder}.")
        if digest(path) != one.sha256:
            raise BrokenBackup(f"{path} is not what was backed up: its SHA-256 differs.")


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    sum_ = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            sum_.update(block)
    return sum_.hexdigest()
