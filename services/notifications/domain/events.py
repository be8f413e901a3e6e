"""What notifications says: a far side took a notice, or it was given up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.notifications.domain.notices import Attempt, Notice


@dataclass(frozen=True)
class NoticeSent:
    """The far side took the notice on this attempt."""

    notice: Notice
    attempt: Attempt


@dataclass(frozen=True)
class NoticeFailed:
    """The notice was given up; `notice.reason_code` says why."""

    notice: Notice


Event = NoticeSent | NoticeFailed
