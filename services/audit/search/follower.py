"""Keeps the search index near the log's head, in a thread of the api."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from chassis import logs

if TYPE_CHECKING:
    from services.audit.reading_room import ReadingRoom as Room

_IDLE_S = 0.5
log = logs.get()


class Follower:
    """Runs until it is stopped; whatever breaks it, it begins again where the index ends."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._stopped = threading.Event()

    def run(self) -> None:
        """Follows the published head."""
        while not self._stopped.is_set():
            if not self.step():
                self._stopped.wait(_IDLE_S)

    def step(self) -> bool:
        """One step; whether there is more to do."""
        heads = self._room.store.heads_now()
        if heads is None:
            return False
        size = self._room.store.place.first + heads.published.size
        if self._room.finds.reached() >= size:
            return False
        return self._room.finds.follow(size) < size

    def stop(self) -> None:
        """No further step is taken."""
        self._stopped.set()
