"""kill -9 at every step of a send: no notice is lost, and what may be a repeat says so (P4)."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest

from kindred.matching.v1.events_pb2 import OfferMade, SpecialistEnrolled
from kindred.notifications.v1.events_pb2 import NoticeSent
from tests.integration.notifications.processes import running, until

OFFERS = 24
STEPS = (
    "notice.before_attempt_mark",
    "notice.after_attempt_mark_before_send",
    "notice.after_send_before_settle",
)


def enroll(broker, sealed, specialist_id="sp_ines"):
    contact = sealed(
        f"specialist-contact:{specialist_id}", email=f"{specialist_id}@example.org", language="en"
    )
    broker.say(
        SpecialistEnrolled(specialist_id=specialist_id, revision=1, sealed_contact=contact), specialist_id
    )


def an_offer_event(sealed, offer_id, specialist_id="sp_ines", seconds=300.0):
    event = OfferMade(
        offer_id=offer_id, referral_id=f"ref_{offer_id}", specialist_id=specialist_id, urgency="immediate"
    )
    event.sealed_link_token.CopyFrom(sealed.token(offer_id, f"tok-{offer_id}"))
    event.deadline_at.FromDatetime(datetime.now(UTC) + timedelta(seconds=seconds))
    return event


def make_offers(broker, sealed, count=OFFERS):
    enroll(broker, sealed)
    for number in range(count):
        broker.say(an_offer_event(sealed, f"off_{number:02}"), f"off_{number:02}")


def sent(database):
    return database.notices.count_documents({"state": "sent"})


def said(database):
    rows = [row for document in database.notices.find() for row in document["outbox"]]
    return [NoticeSent.FromString(row["data"]) for row in rows if row["type"] == "notice.sent.v1"]


def unmarked_repeats(taken):
    """Notices that reached the far side again without saying that they may be a repeat."""
    by_notice = defaultdict(list)
    for one in taken:
        by_notice[one.notice_id].append(one)
    return [
        notice_id
        for notice_id, ones in by_notice.items()
        if any(not one.is_marked_as_repeat for one in ones[1:])
    ]


def unknown(database):
    """Notices with an attempt whose fate nobody knows."""
    return {row["_id"] for row in database.notices.find({"attempts.outcome": "unknown"})}


def check(database, far_side):
    notice_ids = {document["_id"] for document in database.notices.find()}
    assert len(notice_ids) == OFFERS
    assert {taken.notice_id for taken in far_side.accepted()} == notice_ids, "lost"
    assert unmarked_repeats(far_side.taken) == []
    events = said(database)
    assert sorted(event.notice_id for event in events) == sorted(notice_ids), "one notice.sent each"
    marked = {taken.notice_id for taken in far_side.taken if taken.is_marked_as_repeat}
    assert marked == unknown(database), "marked where an attempt's fate is unknown, and nowhere else"
    assert {event.notice_id for event in events if event.is_possible_repeat} == marked


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step_of_a_send(process_environ, broker, database, far_side, sealed, tmp_path, step):
    """Killed at the third notice's step and started again: each notice arrived, repeats marked and only where needed."""
    make_offers(broker, sealed)
    with running("worker", process_environ, tmp_path, KINDRED_FAILPOINTS=f"{step}=kill@3") as process:
        assert process.ended() == -9
    before = len(far_side.taken)
    assert before < OFFERS
    with running("worker", process_environ, tmp_path):
        until("every notice sent", lambda: sent(database) == OFFERS)
    check(database, far_side)
    repeats = [taken for taken in far_side.taken if taken.is_marked_as_repeat]
    if step == "notice.after_send_before_settle":
        assert repeats, "at least the third notice had arrived, and nobody could know"


def test_the_check_finds_an_unmarked_repeat(process_environ, broker, database, far_side, sealed, tmp_path):
    """Negative control: with the attempt log wiped, as if nothing were recorded before a send, the check fails."""
    make_offers(broker, sealed)
    with running(
        "worker", process_environ, tmp_path, KINDRED_FAILPOINTS="notice.after_send_before_settle=kill@3"
    ) as process:
        assert process.ended() == -9
    database.notices.update_many({"state": "sending"}, {"$set": {"attempts": [], "state": "due"}})
    with running("worker", process_environ, tmp_path):
        until("every notice sent", lambda: sent(database) == OFFERS)
    assert unmarked_repeats(far_side.taken) != []
    with pytest.raises(AssertionError):
        check(database, far_side)


def test_killed_again_and_again(process_environ, broker, database, far_side, sealed, tmp_path):
    """Five kills in a row at changing steps of a send: still nothing lost, nothing unmarked.

    The events are heard before, with the mail server away: an event that is being heard in three processes that die
    is suspected of killing them and parked, which is another promise.
    """
    far_side.stop()
    make_offers(broker, sealed)
    with running("worker", process_environ, tmp_path) as process:
        until(
            "all heard", lambda: database.notices.count_documents({"attempts.0": {"$exists": True}}) == OFFERS
        )
        assert process.stop() == 0
    far_side.start()
    for nth, step in enumerate([*STEPS, STEPS[2], STEPS[1]], start=1):
        with running("worker", process_environ, tmp_path, KINDRED_FAILPOINTS=f"{step}=kill@{nth}") as process:
            until("killed or done", lambda: process.popen.poll() is not None or sent(database) == OFFERS)
    with running("worker", process_environ, tmp_path):
        until("every notice sent", lambda: sent(database) == OFFERS)
    check(database, far_side)


def test_a_clean_stop_sends_nothing_twice(process_environ, broker, database, far_side, sealed, tmp_path):
    """SIGTERM in the middle of the work: exit code 0, what was begun is settled, nothing is a repeat."""
    make_offers(broker, sealed)
    with running("worker", process_environ, tmp_path) as process:
        until("some sent", lambda: len(far_side.taken) >= 3)
        assert process.stop() == 0
    with running("worker", process_environ, tmp_path):
        until("every notice sent", lambda: sent(database) == OFFERS)
    check(database, far_side)
    assert not any(taken.is_marked_as_repeat for taken in far_side.taken)
