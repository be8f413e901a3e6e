"""Who is asked next: the index proposes, the store confirms, the case gets its offers or is unfilled."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from chassis.ids import new_id
from services.matching import candidates
from services.matching.domain import arriving, closing, renewing
from services.matching.domain import case as cases
from services.matching.domain.case import Case, Changed, Link
from services.matching.domain.need import Need
from services.matching.domain.policy import Wave
from services.matching.domain.rank import Candidate, Entry, rank
from services.matching.domain.rules import CERTIFICATION, SHIFT, Question, excluded_by, question, ways
from services.matching.domain.score import Scale, scale

if TYPE_CHECKING:
    from services.matching.bootstrap import Room

_TOKEN_BYTES = 32
# Who may be asked, and how they are now.
Picked = tuple[Candidate, Entry]


@dataclass(frozen=True)
class Ask:
    """One wave of one case, ready to be put to the roster."""

    wave: Wave
    question: Question
    scale: Scale

    @property
    def depth(self) -> int:
        """How many to take from the index, so that enough remain when some turn out to have changed."""
        return 2 * self.wave.size + 4


def first(room: Room, needs: Sequence[Need], now: datetime) -> dict[str, Changed]:
    """The first wave of each referral; the store is asked once for all.

    Referrals that come together spread over the specialists: each proposal counts as an open offer for the next.
    """
    cases_by_id = {need.referral_id: Case(need, now) for need in needs}
    asks = {key: _ask(room, case, 1, now) for key, case in cases_by_id.items()}
    proposed = {key: _propose(room, ask) for key, ask in asks.items()}
    entries = room.roster.entries(sorted({one for ids in proposed.values() for one in ids}))
    room.roster_watch.forget_proposals()
    return {
        key: _first(room, case, asks[key], [entries[i] for i in proposed[key] if i in entries], now)
        for key, case in cases_by_id.items()
    }


def advance(room: Room, case: Case, now: datetime) -> Changed:
    """Late offers are expired; where nobody is left to answer, the next wave goes out or the case is unfilled.

    Whoever went off shift is replaced by the next best while others still think; an unfilled case is looked at again.
    """
    if case.state == cases.UNFILLED:
        return _look_again(room, case, now)
    before = case
    case, events = cases.expire(case, now)
    if case.state != cases.SEEKING:
        return case, events
    if case.open_offers:
        case, more = _refill(room, case, renewing.lost(case, before), now)
    else:
        case, more = _next(room, case, now)
    return case, events + more


def follow(room: Room, case: Case, entries: Mapping[str, Entry], now: datetime) -> Changed:
    """The case after some of those who were asked changed: who may not take it is asked no longer, others are.

    Only where this process can ask others; who holds the referral's region sees the same change.
    """
    if case.state != cases.SEEKING or not room.roster_watch.holds(case.need):
        return case, []
    before, asked = case, _asked_anew(room, case, now)
    case, events = renewing.withdraw_unfit(case, asked, entries, now)
    if not events:
        return before, []
    filled = (
        _refill(room, case, renewing.lost(case, before), now) if case.open_offers else _next(room, case, now)
    )
    return filled[0], [*events, *filled[1]]


def revise(room: Room, case: Case, need: Need, revision: int, now: datetime) -> Changed:
    """The case with its new facts; where the ladder begins anew, its first wave is out at once.

    A visit that is promised for after the peer will have left is a call instead (DOMAIN 2).
    """
    number = max(case.wave, 1)
    ladders = room.ladders.current
    wave = ladders.wave(need.source_id, need.urgency, number) or ladders.wave(need.source_id, need.urgency, 1)
    assert wave is not None
    wave, policy = candidates.rescued(room, need, wave)
    asked = question(need, wave, now, policy, frozenset())
    holders = {offer.specialist_id for offer in case.offers if offer.state in (cases.OPEN, cases.ACCEPTED)}
    roster = room.roster.entries(sorted(holders))
    case, events = closing.revise(case, need, revision, asked, roster)
    case, adapted = _adapt_to_departure(room, case, asked, roster)
    events = [*events, *adapted]
    if case.state != cases.SEEKING or case.wave:
        return case, events
    again, later = _next(room, case, now)
    if again.state == cases.UNFILLED and case.open_offers:  # nobody new, and somebody may still say yes
        return replace(case, wave=number), events
    return again, [*events, *later]


def _adapt_to_departure(room: Room, case: Case, asked: Question, roster: Mapping[str, Entry]) -> Changed:
    entry = roster.get(case.assigned_specialist_id)
    if entry is None:
        return case, []
    wide = replace(asked, modalities=asked.modalities | {"phone", "video"})
    supervisor_id = room.roster_watch.nearest_supervisor_id(case.need)
    return arriving.adapt_to_departure(case, ways(wide, entry[0]), supervisor_id)


def _look_again(room: Room, case: Case, now: datetime) -> Changed:
    """Whoever could come by now is asked: somebody came on shift, is free again, or is new."""
    if not case.need.is_consent_valid(now):
        return case, []
    last = len(room.ladders.current.of(case.need.source_id, case.need.urgency))
    ask = _ask(room, case, last, now)
    picked = _best(room, ask, _proposed(room, ask).values())
    return _offers(room, case, ask, picked) if picked else (case, [])


def _refill(room: Room, case: Case, gone: int, now: datetime) -> Changed:
    """As many others are asked, for as long as the wave still stands."""
    if not (gone and case.need.is_consent_valid(now) and room.roster_watch.holds(case.need)):
        return case, []
    ask = _ask(room, case, case.wave, now)
    picked = _best(room, ask, _proposed(room, ask).values())[:gone]
    until = max(offer.deadline_at for offer in case.open_offers)
    return _offers(room, case, ask, picked, until) if picked else (case, [])


def _asked_anew(room: Room, case: Case, now: datetime) -> Question:
    return replace(_ask(room, case, max(case.wave, 1), now).question, asked_ids=frozenset())


def _first(room: Room, case: Case, ask: Ask, entries: Iterable[Entry], now: datetime) -> Changed:
    best = _best(room, ask, entries) if case.need.is_consent_valid(now) else []
    return _offers(room, case, ask, best) if best else _next(room, case, now)


def _next(room: Room, case: Case, now: datetime) -> Changed:
    """The next wave somebody is found for; else the case is unfilled. What only another process can rank waits for it."""
    if not room.roster_watch.holds(case.need):
        return case, []
    supervisor_id = room.roster_watch.nearest_supervisor_id(case.need)
    if not case.need.is_consent_valid(now):
        return cases.give_up(case, "consent-expired", supervisor_id, {})
    number, ask = case.wave + 1, None
    while room.ladders.current.wave(case.need.source_id, case.need.urgency, number):
        ask = _ask(room, case, number, now)
        best = _best(room, ask, _proposed(room, ask).values())
        if best:
            return _offers(room, case, ask, best)
        number += 1
    ask = ask or _ask(room, case, case.wave, now)
    reason = "ladder-exhausted" if case.offers else "nobody-eligible"
    return cases.give_up(case, reason, supervisor_id, room.index.exclusions(ask.question))


def _ask(room: Room, case: Case, number: int, now: datetime) -> Ask:
    waves = room.ladders.current.of(case.need.source_id, case.need.urgency)
    wave = waves[min(number, len(waves)) - 1]  # a ladder may have become shorter since
    wave, policy = candidates.rescued(room, case.need, wave)
    asked = question(case.need, wave, now, policy, case.asked_ids)
    return Ask(
        wave, asked, scale(case.need, wave, room.policy, room.index.rarity(case.need.state), room.taxonomy)
    )


def _proposed(room: Room, ask: Ask) -> dict[str, Entry]:
    """The index proposes; the store says how they are now."""
    return room.roster.entries(room.index.propose(ask.question, ask.scale, ask.depth).specialist_ids)


def _propose(room: Room, ask: Ask) -> tuple[str, ...]:
    ids = room.index.propose(ask.question, ask.scale, ask.depth).specialist_ids
    room.roster_watch.note_asked(ids[: ask.wave.size])
    return ids


def _best(room: Room, ask: Ask, entries: Iterable[Entry]) -> list[Picked]:
    """The best by the plain rules and the store's facts; open offers as this process knows them."""
    now_open = {
        specialist.specialist_id: (
            specialist,
            replace(standing, open_milli=room.roster_watch.open_milli(specialist.specialist_id)),
        )
        for specialist, standing in entries
    }
    best = rank(ask.question, ask.scale, now_open.values(), ask.wave.size)
    return [(candidate, now_open[candidate.specialist_id]) for candidate in best]


def _offers(
    room: Room, case: Case, ask: Ask, picked: Sequence[Picked], until: datetime | None = None
) -> Changed:
    now, best = ask.question.at, [candidate for candidate, _ in picked]
    room.roster_watch.note_asked([candidate.specialist_id for candidate in best])
    ends = until or now + timedelta(seconds=ask.wave.seconds)
    free = replace(ask.question, asked_ids=frozenset())
    shift_ends = {
        candidate.specialist_id: renewing.end_of_shift(partial(_is_on, free, entry), now, ends)
        for candidate, entry in picked
    }
    links = [new_link() for _ in best]
    return cases.make_offers(case, ask.wave, best, links, now, shift_ends=shift_ends, until=until)


def new_link() -> Link:
    """A fresh offer's id and token."""
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    return Link(new_id("off"), token, hashlib.sha256(token.encode()).digest())


def _is_on(asked: Question, entry: Entry, at: datetime) -> bool:
    return excluded_by(replace(asked, at=at), *entry) not in (SHIFT, CERTIFICATION)
