"""One message on its way through: who sent it, what it says, and which referral it means."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from chassis.envelope import Cause
from chassis.errors import Fault, Kind, Refusal
from chassis.identity import Caller
from services.intake.domain.referral import Referral
from services.intake.domain.states import CLOSED
from services.intake.hl7v2 import identity, reading
from services.intake.hl7v2.message import Message
from services.intake.hl7v2.reading import Reading
from services.intake.hl7v2.senders import Sender

if TYPE_CHECKING:
    from services.intake.bootstrap import Room

_OUR_ID = "ref-"


class ReferralNotFound(Refusal):
    """The message names no referral of this source."""

    def __init__(self, path: str, code: str = "referral-not-found") -> None:
        messages = {
            "referral-not-found": "No referral of yours is known by these numbers.",
            "referral-several": "Several open referrals fit; name one by RF1-6 or RF1-11.",
        }
        super().__init__(code, Kind.NOT_FOUND, messages[code], faults=[Fault(path, code, messages[code])])


@dataclass(frozen=True)
class Call:
    """A message with its sender.  `key` is the mark of its content: the key by which a retry is known."""

    room: Room
    message: Message
    sender: Sender
    caller: Caller
    cause: Cause
    now: datetime
    key: str

    @cached_property
    def reading(self) -> Reading:
        """What it says of a referral."""
        return reading.read(self.message, self.sender, self.room.taxonomy, self.now)

    def referral(self) -> Referral:
        """The one referral it means; raises ReferralNotFound.

        By our id (RF1-11), by the source's number of the order (RF1-6), by the visit, by the person's record number;
        what names something that is not here means nothing else.  Open ones go before closed ones.
        """
        rf1 = self.message.first("RF1")
        ours = rf1.text(11) if rf1 else ""
        if ours.startswith(_OUR_ID):
            return self.room.referrals.load(ours).referral
        order = identity.entity(rf1.value(6), self.sender.source_id) if rf1 else None
        if order is not None:
            return self._newest(
                self.room.referrals.with_order(self.sender.source_id, order), "RF1[1]-6", is_one=True
            )
        found = self._of_visit()
        if found:
            return self._newest(found, "PV1[1]-19", is_one=True)
        return self._newest(self._of_person(), "PID[1]-3")

    def open_referrals(self) -> list[Referral]:
        """Every open referral of the visit; where the visit is not known here, of the person without another visit."""
        found = [one for one in self._of_visit() if one.state not in CLOSED]
        if found:
            return found
        visit = identity.visit_of(self.message, self.sender.source_id)
        of_person = [one for one in self._of_person() if one.state not in CLOSED]
        return [one for one in of_person if visit is None or not self._has_visit(one)]

    def open_of_person(self) -> list[Referral]:
        """Every open referral of the person, whatever the visit."""
        found = {one.referral_id: one for one in (*self._of_person(), *self._of_visit())}
        return [one for one in found.values() if one.state not in CLOSED]

    def _of_visit(self) -> list[Referral]:
        visit = identity.visit_of(self.message, self.sender.source_id)
        return self.room.referrals.of_visit(self.sender.source_id, visit) if visit else []

    def _of_person(self) -> list[Referral]:
        numbers = identity.person_said(self.message, self.sender.source_id).get("record_numbers", ())
        peers = {self.room.people.with_number(self.sender.source_id, number) for number in numbers} - {""}
        groups = {tuple(self.room.people.group(peer)) for peer in peers}
        if len(groups) != 1:  # nobody, or two people by their numbers: nobody is guessed at
            return []
        source_id = self.sender.source_id
        return [one for peer in groups.pop() for one in self.room.referrals.of_peer(source_id, peer)]

    def _has_visit(self, referral: Referral) -> bool:
        return (
            self.room.referrals.open(self.room.referrals.load(referral.referral_id)).submission.visit
            is not None
        )

    def _newest(self, found: Iterable[Referral], path: str, *, is_one: bool = False) -> Referral:
        ordered = sorted(found, key=lambda one: (one.state not in CLOSED, one.submitted_at), reverse=True)
        if not ordered:
            raise ReferralNotFound(path)
        is_doubtful = len(ordered) > 1 and ordered[1].state not in CLOSED and not is_one
        if is_doubtful:
            raise ReferralNotFound(path, "referral-several")
        return ordered[0]
