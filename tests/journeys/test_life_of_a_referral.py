"""The life of a referral, step by step; the numbers are those of docs/life-of-a-referral.md."""

from __future__ import annotations

import email
import email.policy
import json
import re

import grpc
import pytest

from tests.bundles import a_bundle
from tests.driving import Er, Officer, Roster, Running, until


def _mails_about(running: Running, referral_id: str, officer: Officer) -> list[email.message.EmailMessage]:
    """The mails of the referral's notices, known by their Message-ID."""
    notice_ids = {notice.notice_id for notice in officer.notices(referral_id)}
    parsed = [email.message_from_bytes(raw, policy=email.policy.default) for raw in running.mails()]
    return [mail for mail in parsed if any(notice_id in mail["Message-ID"] for notice_id in notice_ids)]


@pytest.fixture(scope="module")
def referral_id(er: Er, roster: Roster) -> str:
    """A referral that an ER's record system sent as a transaction Bundle."""
    answer = er.post(a_bundle("journey"))
    assert answer.status_code == 200, answer.text
    entries = answer.json()["entry"]
    locations = [one["response"].get("location", "") for one in entries]
    location = next(one for one in locations if "ServiceRequest/" in one)
    return location.split("ServiceRequest/")[1].split("/")[0]


def test_a_referral_lives(running: Running, er: Er, roster: Roster, officer: Officer, referral_id: str):
    """A referral goes from the ER's Bundle to an accepted offer, honest notices and a provable trail."""
    # 1, 2: it is stored and acknowledged; the ER can read where it stands, and sent again it is the same one
    task = er.task(referral_id)
    assert task.json()["resourceType"] == "Task"
    again = er.post(a_bundle("journey"))
    assert referral_id in again.text

    # 3: three specialists are offered it, with reasons that add up
    offers = until("three offers", lambda: (o := roster.open_offers(referral_id)) and len(o) == 3 and o)
    for offer in offers:
        terms = offer.explanation.terms
        assert sum(term.points_milli for term in terms) == offer.explanation.score_milli

    # 4: each hears once, without a word of PHI
    def offer_notices():
        sent = [n for n in officer.notices(referral_id) if n.intent == "offer-made" and n.state == "sent"]
        return len(sent) == 3 and sent

    assert {n.recipient_id for n in until("three notices", offer_notices)} == {
        o.specialist_id for o in offers
    }

    # 5: the first acceptance wins, the second is told so
    roster.accept(offers[0])
    with pytest.raises(grpc.RpcError) as too_late:
        roster.accept(offers[1])
    assert too_late.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    case = roster.case(referral_id)
    assert case.assigned_specialist_id == offers[0].specialist_id
    assert sorted(o.state for o in case.offers) == ["accepted", "withdrawn", "withdrawn"]

    # 7: the source's view moves
    until("the Task is accepted", lambda: "assigned" in json.dumps(er.task(referral_id).json()))
    assert er.task(referral_id).json()["status"] == "accepted"

    # 8: the ER hears what the specialist said
    until(
        "the ER's notice",
        lambda: [
            n for n in officer.notices(referral_id) if n.intent == "help-assigned" and n.state == "sent"
        ],
    )
    until("the ER's page says so", lambda: "help-assigned" in _kept(running, referral_id))
    assert "offer-made" in _kept(running, referral_id)
    mails = _mails_about(running, referral_id, officer)
    assert not any(
        re.search(r"Marlowe|MRN-journey|overdose|opioid|recovery", str(mail), re.I) for mail in mails
    )

    # 9: they meet, the source sees it, and a follow-up contact is made
    winner = offers[0].specialist_id
    planned = roster.record_handoff(winner, referral_id).checkins
    assert len(planned) == 6
    until("the Task is in progress", lambda: er.task(referral_id).json()["status"] == "in-progress")
    roster.record_checkin(winner, referral_id)
    until("the referral is followed up", lambda: "engaged" in json.dumps(er.task(referral_id).json()))

    # 10: it ends, with an outcome
    roster.complete(winner, referral_id, "connected-to-treatment")
    until("the Task is completed", lambda: er.task(referral_id).json()["status"] == "completed")
    assert roster.case(referral_id).state == "closed"

    # 11: all of it is in the log, once, and the log is whole
    def trail():
        entries = officer.entries(referral_id=referral_id)
        types = {entry.event_type for entry in entries}
        wanted = {
            "referral.submitted.v1", "offer.made.v1", "offer.accepted.v1", "offer.withdrawn.v1",
            "notice.sent.v1", "referral.status-changed.v1", "handoff.recorded.v1", "checkin.recorded.v1",
            "case.completed.v1", "referral.closed.v1", "record.read.v1", "submission.repeated.v1",
        }  # fmt: skip
        return wanted <= types and entries

    entries = until("the whole trail", trail)
    assert len({entry.event_id for entry in entries}) == len(entries)
    assert not officer.check().findings


def _kept(running: Running, referral_id: str) -> set[str]:
    """The news that intake knows to be sent."""
    kept = running.database("intake").referrals.find_one({"_id": referral_id}).get("notices", [])
    return {one["intent"] for one in kept if one["latest"]["step"] == "sent"}


def test_one_trace_runs_from_the_request_to_the_audit_entry(
    running: Running, officer: Officer, referral_id: str
):
    """The ER's request, the outbox, the bus, the listeners and the audit entry share one trace."""

    def submitted():
        return [
            e for e in officer.entries(referral_id=referral_id) if e.event_type == "referral.submitted.v1"
        ]

    (entry,) = until("the entry", submitted)
    offers = [e for e in officer.entries(referral_id=referral_id) if e.event_type == "offer.made.v1"]
    assert {one.trace_id for one in offers} == {entry.trace_id}
    spans = [json.loads(line) for line in (running.place.var / "spans.jsonl").read_text().splitlines()]
    ours = [span for span in spans if entry.trace_id in json.dumps(span)]
    services = " ".join(json.dumps(span) for span in ours)
    for service in ("intake", "matching", "notifications", "audit"):
        assert service in services


def test_nobody_in_time(running: Running, er: Er, roster: Roster, officer: Officer):
    """6: when nobody answers, the net goes wider, and in the end the supervisor hears; nothing is dropped."""
    answer = er.post(a_bundle("silent"))
    referral_id = re.search(r"Task/(ref-[0-9a-f]+)", answer.text)[1]
    case = until(
        "the ladder's end",
        lambda: (c := roster.case(referral_id)) and c.state == "unfilled" and c,
        within_s=90,
    )
    assert {o.wave for o in case.offers} == {1, 2}
    assert {o.state for o in case.offers} == {"expired"}
    until("the Task says so", lambda: "unfilled" in er.task(referral_id).text)

    def told():
        return {n.intent for n in officer.notices(referral_id) if n.state == "sent"} >= {
            "supervisor-needed",
            "referral-unfilled",
        }

    until("supervisor and source are told", told)
