"""A consent is taken back with offers out and mail waiting: everything falls silent, and nothing leaves afterwards.

The goal is two seconds from the revocation to silence; what was measured is printed, and never asserted.
"""

from __future__ import annotations

import email
import email.policy
import time
from collections import Counter

import grpc
import pytest

from kindred.intake.v1 import intake_pb2
from tests.driving import Er, Officer, Roster, Running, a_referral, until

GOAL_S = 2.0
# Whoever had been asked hears that they need not answer; nothing else is said of a referral that is stopped.
LAST_WORDS = {"offer-withdrawn", "assignment-ended"}


def _waiting(officer: Officer, referral_id: str) -> list[str]:
    """Notices that would still bring the referral to somebody."""
    return [
        notice.notice_id
        for notice in officer.notices(referral_id)
        if notice.state in ("due", "sending") and notice.intent not in LAST_WORDS
    ]


def _is_silent(roster: Roster, officer: Officer, referral_id: str) -> bool:
    return not roster.open_offers(referral_id) and not _waiting(officer, referral_id)


def _mails_of(running: Running, officer: Officer, referral_id: str) -> Counter[str]:
    """How many mails of each intent arrived."""
    intents = {notice.notice_id: notice.intent for notice in officer.notices(referral_id)}
    ids = [
        str(email.message_from_bytes(raw, policy=email.policy.default)["Message-ID"])
        for raw in running.mails()
    ]
    return Counter(intent for notice_id, intent in intents.items() for one in ids if notice_id in one)


def _revoked(running: Running, er: Er, roster: Roster, officer: Officer, referral_id: str) -> float:
    """Seconds from the call to silence."""
    began = time.monotonic()
    request = intake_pb2.RevokeConsentRequest(referral_id=referral_id)
    told = er.client.call(er.stub.RevokeConsent, request)
    assert (told.summary.status, told.summary.reason_code) == ("cancelled", "consent-revoked")
    deadline = began + 60.0
    while not _is_silent(roster, officer, referral_id):
        assert time.monotonic() < deadline, "sixty seconds after the revocation it is not silent"
        time.sleep(0.01)
    return time.monotonic() - began


def test_a_revocation_silences_offers_and_waiting_mail(
    running: Running, er: Er, roster: Roster, officer: Officer
):
    """P7: offers out and told, offers out and mail waiting; both fall silent, and stay so."""
    told = er.submit_until_told(a_referral("told"))
    until(
        "three were asked",
        lambda: [n.state for n in officer.notices(told) if n.intent == "offer-made"].count("sent") == 3,
    )
    running.signal("mail")
    queued = er.submit_until_told(a_referral("queued"))
    until("its offers are out", lambda: len(roster.open_offers(queued)) == 3)
    until("its mail waits", lambda: any(n.attempts and n.state == "due" for n in officer.notices(queued)))
    offers = roster.open_offers(queued)

    took = {
        name: _revoked(running, er, roster, officer, referral_id)
        for name, referral_id in (("told", told), ("queued", queued))
    }
    for name, seconds in took.items():
        print(f"revocation to silence, {name}: {seconds:.3f} s (goal {GOAL_S:.0f} s)")
    before = {one: _mails_of(running, officer, one) for one in (told, queued)}

    with pytest.raises(grpc.RpcError) as too_late:
        roster.accept(offers[0])
    assert too_late.value.code() is grpc.StatusCode.FAILED_PRECONDITION

    # The mail server is back; another referral's mail arrives, and nothing of these two but the last words.
    running.start()
    later = er.submit_until_told(a_referral("later"))
    until("others are told", lambda: _mails_of(running, officer, later)["offer-made"] == 3)
    for referral_id in (told, queued):
        until(
            "nothing waits",
            lambda r=referral_id: all(n.state not in ("due", "sending") for n in officer.notices(r)),
        )
        after = _mails_of(running, officer, referral_id) - before[referral_id]
        assert not after.keys() - LAST_WORDS, (referral_id, after)
        assert not roster.open_offers(referral_id)
    assert _mails_of(running, officer, queued)["offer-made"] == 0
    types = {entry.event_type for entry in officer.entries(referral_id=queued)}
    assert {"consent.revoked.v1", "referral.stopped.v1"} <= types
