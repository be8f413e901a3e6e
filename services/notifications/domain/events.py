"""What notifications says: how a notice went, what came back, and who changed how somebody is reached."""

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


@dataclass(frozen=True)
class NoticeDelivered:
    """A receipt says that the attempt arrived."""

    notice: Notice
    attempt: Attempt


@dataclass(frozen=True)
class NoticeBounced:
    """A receipt says that the attempt, which the far side had taken, never arrived."""

    notice: Notice
    attempt: Attempt
    reason_code: str


@dataclass(frozen=True)
class NoticeReplied:
    """Somebody answered where a notice went; what they wrote is not kept, only what it meant."""

    notice: Notice
    kind: str


@dataclass(frozen=True)
class ContactChanged:
    """A person's wishes changed; the names of the fields, never their values."""

    person_id: str
    fields: tuple[str, ...]


@dataclass(frozen=True)
class ContactErased:
    """A person's key is destroyed, and nobody writes to them any more."""

    person_id: str


Event = NoticeSent | NoticeFailed | NoticeDelivered | NoticeBounced | NoticeReplied
