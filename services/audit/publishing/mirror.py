"""The log as a directory of files in C2SP tlog-tiles layout: hash tiles, entry bundles and, last, the checkpoint.

A static web server, a backup or another disk can hold it; nobody needs MongoDB to check the tree.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from services.audit.domain.entry import Head, LogBroken
from services.audit.domain.period import LogPlace
from services.audit.store.entries import Store
from services.audit.tlog.checkpoints import CheckpointRefused, parse_checkpoint
from services.audit.tlog.notes import NoteRefused, split_note
from services.audit.tlog.tiles import TILE_HEIGHT, TILE_WIDTH, TilePlace, bundle_path, encode_bundle

_SERVED = re.compile(
    r"(?:(?:root|\d{4}Q[1-4])/)?(checkpoint|newest|tile/(?:\d{1,2}|entries)/(?:x\d{3}/)*\d{3}(?:\.p/\d{1,3})?)"
)
NEWEST = "newest"


class Mirror:
    """The folder of one family of logs: the first in it, each other in a folder of its name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, store: Store, head: Head) -> None:
        """Every tile and bundle of the log under this head is a file, and then the cosigned checkpoint is one.

        A full tile is never written again: raises LogBroken("mirror-differs") where it is there and another one.
        """
        home = self._folder / store.place.name
        before = self._size(home)
        for path, content in _new_files(store, before, head.size):
            self._write_once(home / path, content)
        _replace(home / "checkpoint", head.checkpoint)

    def point_to(self, place: LogPlace) -> None:
        """Whoever looks finds the newest log's folder. A hint: an older log it names instead would be stale."""
        path = self._folder / NEWEST
        if self._content(path) != place.name.encode():
            _replace(path, place.name.encode())

    def forget(self, place: LogPlace) -> None:
        """The tiles of a pruned log are gone; its last checkpoint stays."""
        shutil.rmtree(self._folder / place.name / "tile", ignore_errors=True)

    def read(self, path: str) -> bytes | None:
        """A served path's content; None where there is none, or where the path is not one of the layout."""
        if not _SERVED.fullmatch(path):
            return None
        try:
            return (self._folder / path).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None

    def compare(self, store: Store, size: int) -> Iterator[str]:
        """The paths, of those below this size, where folder and database differ; missing ones too."""
        home = self._folder / store.place.name
        if not self._size(home):
            return
        for path, content in _new_files(store, 0, min(size, self._size(home))):
            if ".p/" not in path and self._content(home / path) != content:
                yield store.place.prefix + path

    def _size(self, home: Path) -> int:
        """How many entries the mirror's own checkpoint covers; 0 where it has none."""
        content = self._content(home / "checkpoint")
        try:
            return parse_checkpoint(split_note(content)[0]).size if content is not None else 0
        except (NoteRefused, CheckpointRefused):
            return 0

    def _write_once(self, path: Path, content: bytes) -> None:
        stored = self._content(path)
        if stored is None:
            _replace(path, content)
        elif stored != content:
            raise LogBroken("mirror-differs", str(path.relative_to(self._folder)))

    def _content(self, path: Path) -> bytes | None:
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None


def is_entries(path: str) -> bool:
    """Whether a served path holds leaves (times, services, kinds of deeds) and not only hashes."""
    return "tile/entries/" in path


def _new_files(store: Store, before: int, size: int) -> Iterator[tuple[str, bytes]]:
    """Path and content of every tile and bundle that is new since the tree had `before` entries."""
    level = 0
    while count := size >> (TILE_HEIGHT * level):
        first = (before >> (TILE_HEIGHT * level)) // TILE_WIDTH
        for index in range(first, -(-count // TILE_WIDTH)):
            place = TilePlace(level, index, min(count - index * TILE_WIDTH, TILE_WIDTH))
            content = store.tile(place, size)
            if content is None:
                raise LogBroken("tiles-missing", place.path())
            yield place.path(), content
        level += 1
    for index in range(before // TILE_WIDTH, -(-size // TILE_WIDTH)):
        end = min(size, (index + 1) * TILE_WIDTH)
        leaves = list(store.leaves(index * TILE_WIDTH, end))
        if len(leaves) != end - index * TILE_WIDTH:
            raise LogBroken("entries-missing", f"before {end}")
        yield bundle_path(index, len(leaves)), encode_bundle(leaves)


def _replace(path: Path, content: bytes) -> None:
    """The file is whole or the old one, whatever ends this process; two writers do not meet in one draft."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
