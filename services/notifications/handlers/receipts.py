"""What comes back from far sides: arrived, did not arrive, or somebody answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from services.notifications.channels import replies
from services.notifications.channels.bounces import Bounce
from services.notifications.channels.replies import Meaning
from services.notifications.domain import reach, receipts
from services.notifications.domain.events import Event, NoticeReplied
from services.notifications.domain.intents import Channel, rule_of
from services.notifications.domain.notices import Notice
from services.notifications.domain.standing import Standing
from services.notifications.handlers.invitations import invite_who_asks

if TYPE_CHECKING:
    from services.notifications.bootstrap import Room
    from services.notifications.store import Held

# https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks
_ARRIVED: Final = frozenset({"delivered", "read"})
_ON_ITS_WAY: Final = frozenset({"accepted", "scheduled", "queued", "sending", "sent"})
_NEVER_ARRIVED: Final = frozenset({"undelivered", "failed", "canceled"})
_NO_NUMBER: Final = frozenset({"30003", "30004", "30005", "30006"})
_TEACHES: Final[Mapping[Meaning, Standing]] = {
    Meaning.STOP: Standing.OPTED_OUT,
    Meaning.WRONG_NUMBER: Standing.WRONG_NUMBER,
}


def sms_receipt(room: Room, notice_id: str, number: int, status: str, error_code: str) -> None:
    """The receipt is in the notice's log and said, once however often it comes; an unknown notice is nobody's."""
    held = room.notices.load_many([notice_id]).get(notice_id)
    if held is None:
        return
    if status in _ARRIVED:
        if mark := _mark(held, number):
            room.addresses.verify(mark, room.clock.now())
        room.notices.revise(held, lambda notice: receipts.delivered(notice, number))
    elif status in _ON_ITS_WAY:
        room.notices.revise(held, lambda notice: receipts.taken(notice, number))
    elif status in _NEVER_ARRIVED:
        if error_code in _NO_NUMBER:
            _learn(room, held, number, Standing.BOUNCED)
        _bounced(room, held, number, f"sms-{error_code}" if error_code.isdigit() else "undelivered")


def mail_came_back(room: Room, bounce: Bounce) -> bool:
    """The bounce is in the notice's log and said; False where no notice of ours is meant."""
    held = room.notices.load_many([bounce.notice_id]).get(bounce.notice_id)
    if held is None:
        return False
    mails = [attempt for attempt in held.notice.attempts if attempt.channel is Channel.EMAIL]
    if not mails:
        return False
    if bounce.is_no_mailbox:
        _learn(room, held, mails[-1].number, Standing.BOUNCED)
    _bounced(room, held, mails[-1].number, bounce.reason_code)
    return True


def heard_back(room: Room, phone: str, words: str) -> str:
    """What an SMS means is heeded before it is answered; returns the answer, "" for none.

    STOP and "wrong number" close the number for everybody who has it, at once, also for what is queued.
    """
    meaning = replies.meaning_of(words)
    mark = room.people.mark(Channel.SMS, phone)
    if meaning in _TEACHES:
        room.addresses.learn(mark, _TEACHES[meaning], room.clock.now())
    elif meaning is Meaning.START:
        room.addresses.learn(mark, Standing.VERIFIED, room.clock.now())
    held = room.notices.last_to(mark)
    language, link = "", ""
    if held is not None:
        room.notices.revise(held, lambda notice: _replied(notice, meaning, room))
        around = room.people.around([held.notice])
        known = around.reaches.get(held.notice.notice_id)
        language = known.contact.language[:2] if known else ""
        if meaning is Meaning.CHOOSE:
            link = invite_who_asks(room, held.notice, mark)
    return replies.answer(meaning, is_spanish=replies.is_spanish(words, language), link=link)


def _replied(notice: Notice, meaning: Meaning, room: Room) -> tuple[Notice, list[Event]]:
    return receipts.noted_reply(notice, room.clock.now()), [NoticeReplied(notice, meaning.value)]


def _mark(held: Held, number: int) -> str:
    return next((one.address_mark for one in held.notice.attempts if one.number == number), "")


def _learn(room: Room, held: Held, number: int, standing: Standing) -> None:
    if mark := _mark(held, number):
        room.addresses.learn(mark, standing, room.clock.now())


def _bounced(room: Room, held: Held, number: int, reason_code: str) -> None:
    def decide(notice: Notice) -> tuple[Notice, list[Event]]:
        is_last = _is_last_way(room, notice, number)
        return receipts.bounced(
            notice, number, room.clock.now(), is_last_way=is_last, reason_code=reason_code
        )

    room.notices.revise(held, decide)


def _is_last_way(room: Room, notice: Notice, number: int) -> bool:
    known = room.people.around([notice]).reaches.get(notice.notice_id)
    gone = receipts.as_bounced(notice, number)
    return known is None or reach.next_channel(rule_of(notice.intent), known, gone) is None
