"""What became of the notices about a referral, as far as its own unit may know: no address, and nobody's id."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

MOST_KEPT = 200  # the oldest make room; a referral that is asked about so often has other troubles


class Step(StrEnum):
    """What notifications said of a notice."""

    SENT = "sent"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    FAILED = "failed"
    REPLIED = "replied"


class Group(StrEnum):
    """Whom a notice is for, as the unit may know it."""

    UNIT = "unit"
    SPECIALIST = "specialist"
    SUPERVISOR = "supervisor"
    PEER = "peer"


class Becoming(StrEnum):
    """What became of a notice."""

    TOLD = "told"
    ARRIVED = "arrived"
    RETURNED = "returned"  # it came back, and another way has its turn
    UNREACHED = "unreached"
    UNCERTAIN = "uncertain"
    ADDRESSLESS = "addressless"
    ANSWERED = "answered"
    MISDIRECTED = "misdirected"  # whoever answered says that the number is not the person's


# The notices that the unit's page tells of, by intent (the table is services/notifications/domain/intents.py).
# Nobody at the unit is to know whether a colleague's broken glass was told, or a specialist's certificate ends.
GROUPS = {
    "help-assigned": Group.UNIT,
    "help-sought-again": Group.UNIT,
    "referral-unfilled": Group.UNIT,
    "person-met": Group.UNIT,
    "person-not-met": Group.UNIT,
    "offer-made": Group.SPECIALIST,
    "request-given": Group.SPECIALIST,
    "supervisor-needed": Group.SUPERVISOR,
    "request-received": Group.PEER,
    "help-coming": Group.PEER,
    "help-later": Group.PEER,
    "call-coming": Group.PEER,
}
_FAILED_AS = {"fate-unknown": Becoming.UNCERTAIN, "no-address": Becoming.ADDRESSLESS}
_BOUNCED = "bounced"
WRONG_NUMBER = "wrong-number"


@dataclass(frozen=True, slots=True)
class Word:
    """One thing said of a notice; `number` counts what was said of it, from 1, in the order it happened."""

    step: Step
    at: datetime
    number: int
    channel: str = ""
    attempt: int = 0
    reason_code: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice by what was said of it: four places, each with its latest word, so that no order matters."""

    notice_id: str
    intent: str
    latest: Word | None = None  # sent, or given up
    bounced: Word | None = None
    delivered: Word | None = None
    replied: Word | None = None  # of what they wrote nothing is known here

    @property
    def group(self) -> Group:
        """Whom it is for."""
        return GROUPS[self.intent]

    @property
    def becoming(self) -> Becoming:
        """What became of it: who has heard has heard, whatever a later attempt met."""
        if self.delivered:
            return Becoming.ARRIVED
        if self.latest and self.latest.step is Step.FAILED:
            return _FAILED_AS.get(self.latest.reason_code, Becoming.UNREACHED)
        return Becoming.RETURNED if self._has_come_back() else Becoming.TOLD

    @property
    def shown(self) -> Word:
        """The word that says when, how and why: of an arrival the sending, which is what somebody looks for."""
        if self.delivered:
            is_its_sending = self._is_of(self.delivered.attempt)
            return self.latest if self.latest and is_its_sending else self.delivered
        if self.latest and self.latest.step is Step.FAILED:
            why = self.bounced.reason_code if self.bounced else _BOUNCED
            return replace(self.latest, reason_code=why) if self._failed_by_bounce() else self.latest
        shown = self.bounced if self._has_come_back() else self.latest or self.replied
        assert shown is not None  # a notice is kept from the first word on
        return shown

    def _has_come_back(self) -> bool:
        """An attempt came back, and none after it was taken."""
        taken = self.latest.attempt if self.latest else 0
        return self.bounced is not None and self.bounced.attempt >= taken

    def _is_of(self, attempt: int) -> bool:
        return self.latest is not None and self.latest.step is Step.SENT and self.latest.attempt == attempt

    def _failed_by_bounce(self) -> bool:
        return self.latest is not None and self.latest.reason_code == _BOUNCED


@dataclass(frozen=True, slots=True)
class Book:
    """The notices of one referral, by their first word's coming; `version` rises with every change, from 0."""

    notices: tuple[Notice, ...] = ()
    version: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the page: whose notice, what became of it, when; of specialists only how many."""

    group: Group
    becoming: Becoming
    at: datetime
    intent: str = ""
    channel: str = ""
    reason_code: str = ""
    count: int = 1
    arrived: int = 0
    answered: int = 0


def is_kept(intent: str, step: Step) -> bool:
    """True where the unit's page tells of it; of messages to the peer only that somebody answered.

    Whether a peer is written to at all stays between them and whoever asked them: a page that says so says, by its
    silence, who may not be written to.
    """
    return intent in GROUPS and (GROUPS[intent] is not Group.PEER or step is Step.REPLIED)


def heard(book: Book, notice_id: str, intent: str, word: Word) -> Book:
    """The book with this word; a word that is known, overtaken or not for the unit changes nothing."""
    if not is_kept(intent, word.step):
        return book
    known = next((one for one in book.notices if one.notice_id == notice_id), None)
    if known is None:
        noted = _noted(Notice(notice_id, intent), word)
        return Book((*book.notices, noted)[-MOST_KEPT:], book.version + 1)
    noted = _noted(known, word)
    if noted is known:
        return book
    return Book(tuple(noted if one is known else one for one in book.notices), book.version + 1)


def story(book: Book) -> list[Line]:
    """What the page says of the notices, oldest first."""
    known = [one for one in book.notices if one.intent in GROUPS]  # a newer version may have kept others
    of = {group: [one for one in known if one.group is group] for group in Group}
    told = [_line(one) for one in (*of[Group.UNIT], *of[Group.SUPERVISOR])]
    more = (*_asked(of[Group.SPECIALIST]), *_answered(of[Group.PEER]))
    return sorted([*_once_addressless(told), *more], key=lambda line: line.at)


def _noted(notice: Notice, word: Word) -> Notice:
    """The latest word of each place stands, however late an older one comes."""
    if word.step is Step.BOUNCED:
        return notice if _is_known(notice.bounced, word) else replace(notice, bounced=word)
    if word.step is Step.DELIVERED:
        return notice if _is_known(notice.delivered, word) else replace(notice, delivered=word)
    if word.step is Step.REPLIED:
        return notice if _is_known(notice.replied, word) else replace(notice, replied=word)
    return notice if _is_known(notice.latest, word) else replace(notice, latest=word)


def _is_known(known: Word | None, word: Word) -> bool:
    return known is not None and known.number >= word.number


def _line(notice: Notice) -> Line:
    """A notice to the unit with all of it; of one to somebody else neither the way nor the reason."""
    shown, becoming = notice.shown, notice.becoming
    if notice.group is not Group.UNIT:
        return Line(notice.group, becoming, shown.at, notice.intent, answered=int(notice.replied is not None))
    reason = "" if becoming in (Becoming.TOLD, Becoming.ARRIVED) else shown.reason_code
    return Line(Group.UNIT, becoming, shown.at, notice.intent, shown.channel, reason)


def _once_addressless(lines: Iterable[Line]) -> list[Line]:
    """That the unit gave no address is news once."""
    shown: list[Line] = []
    for line in sorted(lines, key=lambda one: one.at):
        known = [(one.group, one.becoming) for one in shown]
        if line.becoming is not Becoming.ADDRESSLESS or (line.group, line.becoming) not in known:
            shown.append(line)
    return shown


def _asked(notices: list[Notice]) -> list[Line]:
    """How many messages asked specialists, and how many reached nobody: two lines, however many were asked."""
    asked = [one for one in notices if one.becoming in (Becoming.TOLD, Becoming.ARRIVED)]
    missed = [
        one
        for one in notices
        if one.becoming in (Becoming.RETURNED, Becoming.UNREACHED, Becoming.ADDRESSLESS)
    ]
    lines = []
    if asked:
        arrived = sum(one.becoming is Becoming.ARRIVED for one in asked)
        first = min(one.shown.at for one in asked)
        answered = sum(one.replied is not None for one in asked)
        line = Line(
            Group.SPECIALIST, Becoming.TOLD, first, count=len(asked), arrived=arrived, answered=answered
        )
        lines.append(line)
    if missed:
        last = max(one.shown.at for one in missed)
        lines.append(Line(Group.SPECIALIST, Becoming.UNREACHED, last, count=len(missed)))
    return lines


def _answered(notices: list[Notice]) -> list[Line]:
    """That somebody answered messages to the peer, and that a number is not theirs: the newest of each."""
    lines: dict[Becoming, Line] = {}
    for word in sorted((one.replied for one in notices if one.replied), key=lambda word: word.at):
        is_wrong = word.reason_code == WRONG_NUMBER
        becoming = Becoming.MISDIRECTED if is_wrong else Becoming.ANSWERED
        lines[becoming] = Line(Group.PEER, becoming, word.at)
    return list(lines.values())
