"""Who is asked next: the index proposes, the store confirms, the case gets its offers or is unfilled."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from chassis.ids import new_id
from services.matching.domain import case as cases
from services.matching.domain import closing
from services.matching.domain.case import Case, Changed, Link
from services.matching.domain.need import Need
from services.matching.domain.policy import Wave
from services.matching.domain.rank import Candidate, Entry, rank
from services.matching.domain.rules import Question, question
from services.matching.domain.score import Scale, scale

if TYPE_CHECKING:
    from services.matching.bootstrap import Room

_TOKEN_BYTES = 32


@dataclass(frozen=True)
class _Ask:
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
    """Late offers are expired; where nobody is left to answer, the next wave goes out or the case is unfilled."""
    case, events = cases.expire(case, now)
    if case.state != cases.SEEKING or case.open_offers:
        return case, events
    case, later = _next(room, case, now)
    return case, events + later


def revise(room: Room, case: Case, need: Need, revision: int, now: datetime) -> Changed:
    """The case with its new facts; where the ladder begins anew, its first wave is out at once."""
    number = max(case.wave, 1)
    wave = room.policy.wave(need.urgency, number) or room.policy.wave(need.urgency, 1)
    assert wave is not None
    asked = question(need, wave, now, room.policy, frozenset())
    holders = {offer.specialist_id for offer in case.offers if offer.state in (cases.OPEN, cases.ACCEPTED)}
    case, events = closing.revise(case, need, revision, asked, room.roster.entries(sorted(holders)))
    if case.state != cases.SEEKING or case.wave:
        return case, events
    again, later = _next(room, case, now)
    if again.state == cases.UNFILLED and case.open_offers:  # nobody new, and somebody may still say yes
        return replace(case, wave=number), events
    return again, [*events, *later]


def _first(room: Room, case: Case, ask: _Ask, entries: Iterable[Entry], now: datetime) -> Changed:
    best = _best(room, ask, entries) if case.need.is_consent_valid(now) else []
    return _offers(room, case, ask, best, now) if best else _next(room, case, now)


def _next(room: Room, case: Case, now: datetime) -> Changed:
    """The next wave somebody is found for; else the case is unfilled."""
    supervisor_id = room.roster_watch.nearest_supervisor_id(case.need)
    if not case.need.is_consent_valid(now):
        return cases.give_up(case, "consent-expired", supervisor_id, {})
    number, ask = case.wave + 1, None
    while room.policy.wave(case.need.urgency, number):
        ask = _ask(room, case, number, now)
        entries = room.roster.entries(room.index.propose(ask.question, ask.scale, ask.depth).specialist_ids)
        best = _best(room, ask, entries.values())
        if best:
            return _offers(room, case, ask, best, now)
        number += 1
    ask = ask or _ask(room, case, case.wave, now)
    reason = "ladder-exhausted" if case.offers else "nobody-eligible"
    return cases.give_up(case, reason, supervisor_id, room.index.exclusions(ask.question))


def _ask(room: Room, case: Case, number: int, now: datetime) -> _Ask:
    wave = room.policy.wave(case.need.urgency, number)
    assert wave is not None
    asked = question(case.need, wave, now, room.policy, case.asked_ids)
    return _Ask(wave, asked, scale(case.need, wave, room.policy, room.index.rarity(), room.taxonomy))


def _propose(room: Room, ask: _Ask) -> tuple[str, ...]:
    ids = room.index.propose(ask.question, ask.scale, ask.depth).specialist_ids
    room.roster_watch.note_asked(ids[: ask.wave.size])
    return ids


def _best(room: Room, ask: _Ask, entries: Iterable[Entry]) -> list[Candidate]:
    """The best by the plain rules and the store's facts; open offers as this process knows them."""
    now_open = [
        (specialist, replace(standing, open_milli=room.roster_watch.open_milli(specialist.specialist_id)))
        for specialist, standing in entries
    ]
    return rank(ask.question, ask.scale, now_open, ask.wave.size)


def _offers(room: Room, case: Case, ask: _Ask, best: Sequence[Candidate], now: datetime) -> Changed:
    room.roster_watch.note_asked([candidate.specialist_id for candidate in best])
    tokens = [secrets.token_urlsafe(_TOKEN_BYTES) for _ in best]
    links = [Link(new_id("off"), token, hashlib.sha256(token.encode()).digest()) for token in tokens]
    return cases.make_offers(case, ask.wave, best, links, now)
