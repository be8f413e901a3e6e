"""Who is signed in to the pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pymongo.database import Database

from chassis.clock import Clock
from chassis.web_session import Limits, WebSessions

# An open inbox is looked at without being touched, so it ends as a whole only.
_LONGEST = timedelta(hours=12)
PURPOSE = "PATRQT"


class Sessions(WebSessions):
    """The collections `page_sessions` and `page_tokens_spent`."""

    def __init__(self, database: Database[dict[str, Any]], clock: Clock) -> None:
        super().__init__(database, clock, "page", Limits(_LONGEST, _LONGEST), lambda _: PURPOSE)
