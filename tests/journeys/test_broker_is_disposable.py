"""The broker's data folder is deleted while events wait in it: an empty broker and one command bring everything back."""

from __future__ import annotations

import email
import email.policy
import shutil
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import kombu
import pytest

from kindred.intake.v1 import events_pb2, intake_pb2
from kindred.operations.v1 import operations_pb2, operations_pb2_grpc
from tests.driving import SERVICES, Client, Er, Officer, Roster, Running, a_referral, until

SETTLE_S = 120.0
REPLAY_S = 30.0


@dataclass
class Journal:
    """The referrals by what the loss found them doing."""

    heard: list[str] = field(default_factory=list)
    accepted: str = ""
    lost: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    replayed: dict[str, int] = field(default_factory=dict)

    @property
    def everything(self) -> list[str]:
        return self.heard + self.lost + self.waiting


def _lasting(number: str) -> intake_pb2.SubmitReferralRequest:
    """Urgent: its waves outlast the run, so that nobody's offer expires because the broker was away."""
    return a_referral(number, urgency=events_pb2.URGENCY_URGENT)


def _depths(running: Running) -> dict[str, int]:
    """How many messages wait in each inbox."""
    with kombu.Connection(running.known.amqp_uri) as connection:
        channel = connection.channel()
        return {name: channel.queue_declare(f"{name}.inbox", passive=True).message_count for name in SERVICES}


def _unpublished(running: Running, service: str) -> int:
    database: Any = running.database(service)
    waiting = database.outbox.count_documents({"state": {"$ne": "published"}})
    return waiting + sum(
        database[name].count_documents({"ringing": {"$exists": True}})
        for name in database.list_collection_names(filter={"type": "collection"})
        if not name.startswith("system.")
    )


def _is_said(running: Running) -> bool:
    return not any(_unpublished(running, name) for name in SERVICES)


def _is_quiet(running: Running) -> bool:
    retried = sum(running.database(name).retry_events.count_documents({}) for name in SERVICES)
    unsent = running.database("notifications").notices.count_documents({"state": {"$in": ["due", "sending"]}})
    return _is_said(running) and not any(_depths(running).values()) and not retried and not unsent


def _replay(running: Running) -> dict[str, int]:
    """What `kindred replay all` does: how many events each service says again."""
    told = {}
    for name in SERVICES:
        token = running.token("engineer", "engineer-wei", "kindred")
        client = Client(running, name, token, "HOPERAT")
        stub = operations_pb2_grpc.OperationsServiceStub(client.channel)
        answer = stub.ReplayPublished(
            operations_pb2.ReplayPublishedRequest(), timeout=REPLAY_S, metadata=client.metadata
        )
        told[name] = answer.replayed
        client.channel.close()
    return told


def _lose_the_broker(running: Running, er: Er, roster: Roster, journal: Journal) -> None:
    """Events wait in every inbox, confirmed and marked as published; then the broker and its folder are gone."""
    for name in SERVICES:
        running.signal(f"{name}-worker")
    journal.accepted = journal.heard[0]
    roster.accept(roster.open_offers(journal.accepted)[0])
    journal.lost = [er.submit(_lasting(f"lost-{number}")).referral_id for number in range(4)]
    until("everything is published", lambda: _is_said(running))
    waiting = _depths(running)
    assert all(waiting.values()), waiting
    assert waiting["matching"] >= len(journal.lost)
    running.signal("rabbitmq")
    shutil.rmtree(running.place.var / "rabbit" / "mnesia")


@pytest.fixture(scope="module")
def journal(running: Running, er: Er, roster: Roster) -> Journal:
    """Nine referrals around the loss of everything the broker had."""
    journal = Journal()
    journal.heard = [er.submit(_lasting(f"heard-{number}")).referral_id for number in range(3)]
    for referral_id in journal.heard:
        until("offers", lambda r=referral_id: roster.open_offers(r))
    until("quiet", lambda: _is_quiet(running), within_s=SETTLE_S)
    _lose_the_broker(running, er, roster, journal)
    journal.waiting = [
        er.submit_until_told(_lasting(f"waiting-{number}")) for number in range(2)
    ]  # there is no broker
    running.start()
    for referral_id in journal.waiting:
        until("what waited in the outbox arrives", lambda r=referral_id: roster.open_offers(r))
    until("quiet", lambda: _is_quiet(running), within_s=SETTLE_S)
    # The loss was one: the new broker knows nothing of these, and nobody would ever say them again by himself.
    assert [roster.case(referral_id) for referral_id in journal.lost] == [None] * len(journal.lost)
    journal.replayed = _replay(running)
    _replay(running)  # somebody impatient does it twice
    return journal


def test_everything_published_is_said_again(journal: Journal):
    """Each service that said something in this journey says at least that again."""
    assert journal.replayed["intake"] >= len(journal.everything)
    assert journal.replayed["matching"] >= 3 * len(journal.heard)
    assert journal.replayed["notifications"] >= 3 * len(journal.heard)


def test_every_referral_is_offered_and_assigned_once(journal: Journal, er: Er, roster: Roster):
    """The lost ones too: one wave, different specialists, one acceptance, and the source is told."""
    for referral_id in journal.everything:
        until(f"{referral_id} is offered", lambda r=referral_id: roster.case(r), within_s=SETTLE_S)
        if referral_id != journal.accepted:
            roster.accept(until("offers", lambda r=referral_id: roster.open_offers(r))[0])
    for referral_id in journal.everything:
        until(
            f"the source of {referral_id} is told",
            lambda r=referral_id: er.task(r).json()["businessStatus"]["text"] == "assigned",
            within_s=SETTLE_S,
        )
        case = roster.case(referral_id)
        states = Counter(offer.state for offer in case.offers)
        assert (states["accepted"], states["open"], case.wave) == (1, 0, 1)
        assert len({offer.specialist_id for offer in case.offers}) == len(case.offers) == 3


def test_everybody_is_notified_once(journal: Journal, running: Running, officer: Officer):
    """One mail for each notice: offered, withdrawn, and the source told of the assignment."""
    until("quiet", lambda: _is_quiet(running), within_s=SETTLE_S)
    arrived = Counter(
        str(email.message_from_bytes(raw, policy=email.policy.default)["Message-ID"])
        .strip("<>")
        .split("@")[0]
        for raw in running.mails()
    )
    for referral_id in journal.everything:
        notices = officer.notices(referral_id)
        intents = Counter(notice.intent for notice in notices)
        assert intents["offer-made"] == 3, intents
        assert intents["help-assigned"] == 1, intents
        for notice in notices:
            assert arrived[notice.notice_id] == (1 if notice.state == "sent" else 0), notice
            assert notice.state in {"sent", "cancelled"}, notice


def test_everything_is_audited_once(journal: Journal, running: Running, roster: Roster, officer: Officer):
    """One entry for each thing that happened, also for what was lost on its way to the log, and no gap."""
    for referral_id in journal.everything:
        found = Counter(entry.event_type for entry in officer.entries(referral_id=referral_id))
        offers = roster.case(referral_id).offers
        assert found["referral.submitted.v1"] == 1, found
        assert found["offer.made.v1"] == len(offers), found
        assert found["offer.accepted.v1"] == 1, found
        assert found["offer.withdrawn.v1"] == len(offers) - 1, found
    whole = until("no gaps", lambda: (c := officer.check()) and not any(p.missing for p in c.producers) and c)
    assert not whole.findings


def test_who_replayed_is_in_the_log(journal: Journal, officer: Officer):
    """Every replay of every service names the engineer who asked for it."""
    entries = officer.entries(actor_id="engineer-wei", event_type="record.read.v1")
    assert len(entries) == 2 * len(SERVICES)
