"""P1 to P5 under fire: every process, the broker and the database are killed while 200 referrals go through."""

from __future__ import annotations

import email
import email.policy
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import grpc
import pytest

from kindred.intake.v1 import events_pb2
from tests.driving import PROCESSES, Er, Officer, Roster, Running, a_referral, at_once, until

REFERRALS = 200
SEED = 20261121
SETTLE_S = 150.0


@dataclass
class Journal:
    """The ground truth outside the system: what its users were told."""

    acknowledged: dict[str, str] = field(default_factory=dict)
    accepted: dict[str, str] = field(default_factory=dict)
    killed: list[str] = field(default_factory=list)


def _kill_each_once(running: Running, journal: Journal, stop: threading.Event) -> None:
    """Each part dies once, in a seeded order, and is started again."""
    victims = [*PROCESSES, "rabbitmq", "mongod"]
    random.Random(SEED).shuffle(victims)
    for victim in victims:
        if stop.wait(0.5):
            return
        running.signal(victim)
        journal.killed.append(victim)
        running.start()


def _accept_everything(roster: Roster, journal: Journal, stop: threading.Event) -> None:
    """Plays the specialists: whoever has an open offer of an unassigned referral accepts it."""
    while not stop.is_set():
        for referral_id in list(journal.acknowledged.values()):
            if referral_id not in journal.accepted:
                _try_to_accept(roster, journal, referral_id)
        time.sleep(0.2)


def _try_to_accept(roster: Roster, journal: Journal, referral_id: str) -> None:
    try:
        case = roster.case(referral_id)
        if case is None:
            return
        if case.state == "assigned":
            journal.accepted[referral_id] = case.assigned_specialist_id
        for offer in case.offers:
            if offer.state == "open":
                roster.accept(offer)
                journal.accepted[referral_id] = offer.specialist_id
                return
    except grpc.RpcError:
        return  # away or too late: the next round asks again, with the same key


@pytest.fixture(scope="module")
def journal(running: Running, er: Er, roster: Roster) -> Journal:
    """Two hundred referrals, submitted and accepted while everything dies once."""
    journal = Journal()
    stop = threading.Event()
    failures: list[BaseException] = []

    def guarded(work, *args):
        try:
            work(*args)
        except BaseException as error:  # noqa: BLE001  told to the test below
            failures.append(error)

    def submit(number: int) -> None:
        time.sleep(random.Random(SEED + number).random() * 2)
        # Urgent: its waves outlast the run, so that none climbs the ladder because its specialists were kept waiting.
        request = a_referral(f"load-{number}", urgency=events_pb2.URGENCY_URGENT)
        journal.acknowledged[f"key-load-{number}"] = er.submit_until_told(request)

    others = [
        threading.Thread(target=guarded, args=(_kill_each_once, running, journal, stop)),
        threading.Thread(target=guarded, args=(_accept_everything, roster, journal, stop)),
    ]
    for thread in others:
        thread.start()
    try:
        at_once(submit, list(range(REFERRALS)), threads=8)
        others[0].join(timeout=180)
        until("all accepted", lambda: failures or len(journal.accepted) == REFERRALS, within_s=SETTLE_S)
    except AssertionError as error:
        lost = sorted(set(journal.acknowledged.values()) - set(journal.accepted))
        raise AssertionError(f"{error}; not accepted: {[roster.case(one) for one in lost[:3]]}") from None
    finally:
        stop.set()
        for thread in others:
            thread.join(timeout=60)
    assert not failures, failures
    return journal


def test_every_part_was_killed(journal: Journal):
    """The run meant something: eleven processes, broker and database each died once."""
    assert sorted(journal.killed) == sorted([*PROCESSES, "rabbitmq", "mongod"])


def test_every_acknowledged_referral_is_there_once(journal: Journal, roster: Roster):
    """P1, P2: what was acknowledged is there, one referral for each key."""
    assert len(journal.acknowledged) == REFERRALS
    assert len(set(journal.acknowledged.values())) == REFERRALS
    for referral_id in journal.acknowledged.values():
        assert roster.case(referral_id) is not None


def test_every_referral_is_assigned_to_exactly_one(journal: Journal, roster: Roster):
    """P3: one accepted offer each, the one its specialist was told of; every other offer is closed."""
    load = Counter[str]()
    for referral_id, specialist_id in journal.accepted.items():
        case = roster.case(referral_id)
        states = Counter(offer.state for offer in case.offers)
        assert states["accepted"] == 1
        assert states["open"] == 0
        assert case.assigned_specialist_id == specialist_id
        load[specialist_id] += 1
    assert max(load.values()) <= 50


def test_every_notice_is_sent_once(journal: Journal, running: Running, officer: Officer):
    """P4: one mail for each notice that counts as sent; a repeat only where the log says it may be one."""
    ended = {"sent", "cancelled", "dead"}
    for referral_id in journal.acknowledged.values():
        until(
            f"notices of {referral_id}",
            lambda r=referral_id: _all_ended(officer, r, ended),
            within_s=SETTLE_S,
        )
    # First what counts as sent, then what arrived: the other way round a notice sent in between looks lost.
    told = [officer.notices(referral_id) for referral_id in journal.acknowledged.values()]
    arrived = Counter(_message_ids(running))
    for notices in told:
        for notice in notices:
            count = sum(n for message_id, n in arrived.items() if notice.notice_id in message_id)
            repeats = sum(1 for attempt in notice.attempts if attempt.is_possible_repeat)
            if notice.state == "sent":
                assert 1 <= count <= 1 + repeats, (notice.notice_id, count, repeats)
            else:
                assert count <= sum(1 for attempt in notice.attempts if attempt.outcome == "unknown")


def _all_ended(officer: Officer, referral_id: str, ended: set[str]) -> bool:
    notices = officer.notices(referral_id)
    return len(notices) >= 4 and all(notice.state in ended for notice in notices)


def _message_ids(running: Running) -> list[str]:
    parsed = (email.message_from_bytes(raw, policy=email.policy.default) for raw in running.mails())
    return [str(mail["Message-ID"]) for mail in parsed]


def test_everything_is_audited_once(journal: Journal, roster: Roster, officer: Officer):
    """P5: one entry for each thing that happened, no gap in any producer's sequence, and the log proves whole."""
    for referral_id in journal.acknowledged.values():
        case = roster.case(referral_id)
        wanted = Counter(
            {
                "referral.submitted.v1": 1,
                "offer.accepted.v1": 1,
                "offer.made.v1": len(case.offers),
                "offer.withdrawn.v1": sum(1 for offer in case.offers if offer.state == "withdrawn"),
                "offer.expired.v1": sum(1 for offer in case.offers if offer.state == "expired"),
            }
        )

        def counted(r: str = referral_id, w: Counter[str] = wanted) -> bool:
            found = Counter(entry.event_type for entry in officer.entries(referral_id=r))
            return all(found[event_type] == number for event_type, number in w.items())

        until(f"the trail of {referral_id}: {dict(wanted)}", counted, within_s=SETTLE_S)
    whole = until("no gaps", lambda: (c := officer.check()) and not any(p.missing for p in c.producers) and c)
    assert not whole.findings
    assert {producer.producer for producer in whole.producers} >= {"intake", "matching", "notifications"}
