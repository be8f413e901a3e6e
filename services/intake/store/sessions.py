"""Who is signed in at the ER desk."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pymongo.database import Database

from chassis.clock import Clock
from chassis.web_session import Limits, Session, WebSessions

__all__ = ["Session", "Sessions"]
# A form that meets an ended session is kept for whoever typed it, so an ended session is known a day longer.
_KNOWN_LONGER = timedelta(hours=24)
PURPOSE = "TREAT"


class Sessions(WebSessions):
    """The collection `desk_sessions`."""

    def __init__(
        self, database: Database[dict[str, Any]], clock: Clock, idle: timedelta, longest: timedelta
    ) -> None:
        super().__init__(database, clock, "desk", Limits(idle, longest, _KNOWN_LONGER), lambda _: PURPOSE)
