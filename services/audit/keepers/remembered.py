"""What a signer or a witness remembers: per log the last note it vouched for, a file each, in a folder of its own.

Files and not MongoDB: whoever administers the log's database has no hand in this.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class RememberedNotes:
    """The folder. Reading and writing one log's note is one turn, in this process and between processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def last(self, origin: str) -> bytes | None:
        """The note that was kept last for this log; None where there never was one."""
        try:
            return self._path(origin).read_bytes()
        except FileNotFoundError:
            return None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Nobody else keeps anything meanwhile. What is kept between `last` and `keep` cannot be overtaken."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._lock, (self._folder / ".turn").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def keep(self, origin: str, note: bytes) -> None:
        """The note is on the disk, whole, whatever ends this process; call it within a turn."""
        path = self._path(origin)
        draft = path.with_suffix(".draft")
        with draft.open("wb") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def notes(self) -> list[bytes]:
        """Every note that is kept."""
        return [path.read_bytes() for path in sorted(self._folder.glob("*.note"))]

    def _path(self, origin: str) -> Path:
        return self._folder / f"{hashlib.sha256(origin.encode()).hexdigest()[:32]}.note"
