"""Who is signed in to the pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pymongo.database import Database

from chassis.clock import Clock
from chassis.web_session import Limits, WebSessions

# A phone in a pocket is picked up all through a shift; an open inbox that asks by itself keeps nobody signed in.
_IDLE, _LONGEST = timedelta(minutes=30), timedelta(hours=12)
# So that somebody who comes back to an ended session has its end put down.
_KNOWN_LONGER = timedelta(hours=24)
PURPOSE = "PATRQT"


class Sessions(WebSessions):
    """The collection `page_sessions`."""

    def __init__(self, database: Database[dict[str, Any]], clock: Clock) -> None:
        super().__init__(database, clock, "page", Limits(_IDLE, _LONGEST, _KNOWN_LONGER), lambda _: PURPOSE)
