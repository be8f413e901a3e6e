"""The checker: what clients were told, against what every store, every far side and the log hold; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.faults.journal import READ, TOLD, Journal

ENDED = ("sent", "cancelled", "dead", "folded")


@dataclass(frozen=True, slots=True)
class Case:
    """A referral as matching has it: who was asked, in which state each offer is."""

    referral_id: str
    state: str
    assigned_to: str
    offers: dict[str, tuple[str, str]]  # offer id: specialist, state


@dataclass(frozen=True, slots=True)
class Said:
    """An event in its service's outbox."""

    event_id: str
    event_type: str
    aggregate_id: str
    aggregate_seq: int
    producer: str
    is_published: bool = True

    @property
    def line(self) -> str:
        """Whose events these are in order: several services speak of the same referral."""
        return f"{self.producer}/{self.aggregate_id}"


@dataclass(frozen=True, slots=True)
class Notice:
    """One message to one person: how often it may have gone out beyond once, and how often it arrived."""

    notice_id: str
    referral_id: str
    intent: str
    about: str  # the offer, or ""
    recipient: str
    state: str
    possible_repeats: int
    arrived: int
    unknown_attempts: int = 0
    is_folded: bool = False


@dataclass(frozen=True, slots=True)
class Load:
    """What somebody carries and may carry, in thousandths of a referral, and the sum over their cases."""

    specialist_id: str
    load_milli: int
    capacity_milli: int
    carried_milli: int


@dataclass
class Evidence:
    """What the stores, the far sides and the log hold."""

    stored: dict[str, str] = field(default_factory=dict)  # referral id: whose visit, however it is written
    cases: dict[str, Case] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)
    audited: set[str] = field(default_factory=set)  # event ids
    reads_audited: Counter[tuple[str, str]] = field(default_factory=Counter)  # actor, referral
    notices: list[Notice] = field(default_factory=list)
    loads: list[Load] = field(default_factory=list)
    # What went over the bus in order of arrival: producer/aggregate, number; None where nobody could listen all the time.
    heard: list[tuple[str, int]] | None = None
    parked: int = 0
    log_findings: list[str] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)


@dataclass
class Verdict:
    """Each set must be empty; what is in it names the culprit by id."""

    lost: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    double: list[str] = field(default_factory=list)
    out_of_order: list[str] = field(default_factory=list)
    over_capacity: list[str] = field(default_factory=list)
    unaudited: list[str] = field(default_factory=list)
    # Not a fault: repeats that were marked as such, events that arrived more than once and were absorbed.
    absorbed: int = 0

    def counts(self) -> dict[str, int]:
        """How many there are of each."""
        return {name: len(held) for name, held in vars(self).items() if isinstance(held, list)}

    @property
    def is_clean(self) -> bool:
        """True where nothing is wrong."""
        return not any(self.counts().values())


def judge(journal: Journal, found: Evidence) -> Verdict:
    """The verdict over one run; the system has come to rest before."""
    verdict = Verdict()
    verdict.lost = [*_referrals_lost(journal, found), *_acceptances_lost(journal, found)]
    verdict.missing = [*_effects_missing(journal, found), *_notices_missing(found)]
    verdict.double = [
        *_referrals_twice(journal, found),
        *_winners_twice(found),
        *_said_twice(found),
        *_notices_twice(found),
    ]
    verdict.out_of_order = list(_out_of_order(found))
    verdict.over_capacity = list(_over_capacity(found))
    verdict.unaudited = [*_unaudited(found), *_reads_unaudited(journal, found), *found.gaps]
    verdict.unaudited += [f"the log: {finding}" for finding in found.log_findings]
    verdict.absorbed = _absorbed(found)
    return verdict


def _referrals_lost(journal: Journal, found: Evidence) -> Iterable[str]:
    """P1: told and not there."""
    for visit, ids in journal.acknowledged().items():
        yield from (f"{visit}: {one} is not stored" for one in sorted(ids - found.stored.keys()))


def _acceptances_lost(journal: Journal, found: Evidence) -> Iterable[str]:
    """Somebody was told that they have a referral, and they do not."""
    for referral_id, specialist_id in journal.accepted().items():
        case = found.cases.get(referral_id)
        if case is None or case.assigned_to != specialist_id:
            yield f"{referral_id}: {specialist_id} was told that it is theirs"


def _effects_missing(journal: Journal, found: Evidence) -> Iterable[str]:
    """What is stored has its case, and nothing that was said waits or lies parked."""
    yield from (
        f"{one} is stored and has no case" for one in sorted(found.stored.keys() - found.cases.keys())
    )
    yield from (f"{one.event_id} was never published" for one in found.said if not one.is_published)
    if found.parked:
        yield f"{found.parked} events are parked"
    if found.heard is not None:
        heard = set(found.heard)
        for one in found.said:
            if (one.line, one.aggregate_seq) not in heard:
                yield f"{one.event_id} is marked as published and never was on the bus"


def _notices_missing(found: Evidence) -> Iterable[str]:
    """Everybody who was asked has a notice; what counts as sent has arrived; nothing waits for ever."""
    told = Counter(one.about for one in found.notices if one.intent == "offer-made")
    for case in found.cases.values():
        yield from (f"{offer}: nobody was told" for offer in case.offers if not told[offer])
    for one in found.notices:
        if one.state not in ENDED:
            yield f"{one.notice_id} is still {one.state}"
        if one.state == "sent" and not one.is_folded and one.arrived == 0:
            yield f"{one.notice_id} counts as sent and never arrived"


def _referrals_twice(journal: Journal, found: Evidence) -> Iterable[str]:
    """One visit, one referral, whatever was retried; and one answer for one key."""
    visits = Counter(found.stored.values())
    if len(found.stored) > len(journal.visits()):
        yield f"{len(journal.visits())} visits, {len(found.stored)} referrals"
    yield from (f"{visit} is stored {count} times" for visit, count in visits.items() if count > 1)
    for visit, ids in journal.acknowledged().items():
        if len(ids) > 1:
            yield f"{visit} was answered with {len(ids)} ids"


def _winners_twice(found: Evidence) -> Iterable[str]:
    """P3."""
    for case in found.cases.values():
        winners = [who for who, state in case.offers.values() if state == "accepted"]
        if len(winners) > 1 or (winners and winners != [case.assigned_to]):
            yield f"{case.referral_id} has {len(winners)} acceptances and is {case.assigned_to}'s"


ONCE = ("referral.submitted.v1", "offer.made.v1", "offer.accepted.v1")


def _said_twice(found: Evidence) -> Iterable[str]:
    """One number of an aggregate is one event; a referral is submitted once, an offer made once and accepted once."""
    numbers = Counter((one.line, one.aggregate_seq) for one in found.said)
    yield from (f"{key} was said {count} times" for key, count in numbers.items() if count > 1)
    submitted = Counter(one.aggregate_id for one in found.said if one.event_type == ONCE[0])
    yield from (f"{key} was submitted {count} times" for key, count in submitted.items() if count > 1)


def _notices_twice(found: Evidence) -> Iterable[str]:
    """P4: one notice for one intent; a mail more than once only where an attempt says that it may be."""
    intents = Counter((n.referral_id, n.intent, n.about, n.recipient) for n in found.notices if n.about)
    yield from (f"{key} has {count} notices" for key, count in intents.items() if count > 1)
    for one in found.notices:
        allowed = 1 + one.possible_repeats if one.state == "sent" else one.unknown_attempts
        if one.arrived > allowed:
            yield f"{one.notice_id} ({one.state}) arrived {one.arrived} times, {allowed} allowed"


def _out_of_order(found: Evidence) -> Iterable[str]:
    """The first arrivals of an aggregate's events are in the order in which it said them."""
    last: dict[str, int] = {}
    for aggregate_id, seq in found.heard or ():
        before = last.get(aggregate_id, 0)
        if seq > before + 1 and before:
            yield f"{aggregate_id}: {seq} came after {before}"
        last[aggregate_id] = max(before, seq)


def _over_capacity(found: Evidence) -> Iterable[str]:
    """P3: nobody carries more than they may, and the count is what they carry."""
    for one in found.loads:
        if one.load_milli > one.capacity_milli or one.carried_milli > one.capacity_milli:
            yield f"{one.specialist_id} carries {one.carried_milli} of {one.capacity_milli}"
        elif one.load_milli != one.carried_milli:
            yield f"{one.specialist_id} counts {one.load_milli} and carries {one.carried_milli}"


def _unaudited(found: Evidence) -> Iterable[str]:
    """P5: everything that was said is an entry."""
    yield from (f"{one.event_type} {one.event_id}" for one in found.said if one.event_id not in found.audited)


def _reads_unaudited(journal: Journal, found: Evidence) -> Iterable[str]:
    """Every read that was answered has an entry; an entry more is a read whose answer got lost."""
    served = Counter((line.facts["actor"], line.facts["referral"]) for line in journal.lines(READ, TOLD))
    for key, count in served.items():
        if found.reads_audited[key] < count:
            yield f"{key} was read {count} times, {found.reads_audited[key]} are in the log"


def _absorbed(found: Evidence) -> int:
    again = len(found.heard) - len(set(found.heard)) if found.heard else 0
    return again + sum(max(0, one.arrived - 1) for one in found.notices)
