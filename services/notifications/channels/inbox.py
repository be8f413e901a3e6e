"""The inbox of a person's own page: whatever is a notice of theirs can be read there, so nothing has to travel."""

from __future__ import annotations

from typing import Final

from services.notifications.channels import Parcel
from services.notifications.domain.intents import Channel
from services.notifications.domain.notices import Answer, Outcome


class InboxWay:
    """For who chose it: their page shows the notice from the moment it was opened."""

    channel: Final = Channel.IN_APP
    most_in_hand: Final = 32

    def compose(self, parcel: Parcel) -> str:
        """Nothing is written: the page renders the letter when it is read."""
        return parcel.notice.notice_id

    def open(self) -> InboxLine:
        """A line to nowhere else."""
        return InboxLine()


class InboxLine:
    """Always there."""

    def send(self, address: str, message: str) -> Answer:
        """The notice is in the inbox."""
        return Answer(Outcome.ACCEPTED)

    def close(self) -> None:
        """Nothing is kept open."""
