"""Who is signed in at the console, and what their browser keeps."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pymongo.database import Database

from chassis.clock import Clock
from chassis.web_cookies import Cookies
from chassis.web_session import Limits, Session, WebSessions

__all__ = ["COOKIES", "Session", "Sessions"]
COOKIES = Cookies("kindred-console")
IDLE, LONGEST = timedelta(minutes=15), timedelta(hours=9)
# So that somebody who comes back to an ended session has its end put down.
_KNOWN_LONGER = timedelta(hours=24)


class Sessions(WebSessions):
    """The collection `console_sessions`."""

    def __init__(self, database: Database[dict[str, Any]], clock: Clock) -> None:
        limits = Limits(IDLE, LONGEST, _KNOWN_LONGER)
        super().__init__(database, clock, "console", limits, lambda _: "HCOMPL")
