"""Each promise of the demonstration can fail: a broken evening is seen, and only the broken promise is blamed."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from cli.demo import promises, roster
from cli.demo.bundles import record_number
from cli.demo.cast import Played
from cli.demo.people import STORIES, Story
from cli.demo.promises import Seen
from kindred.audit.v1 import audit_pb2
from kindred.matching.v1 import matching_pb2
from kindred.notifications.v1 import notifications_pb2

NOW = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
ROWS = {row["specialist_id"]: row for row in roster.specialists(120, seed=7)}
ABLE = [
    name
    for name, row in ROWS.items()
    if row["role"] == "specialist"
    and "gender.woman:released" in row["attributes"]
    and "gender.man" not in row["attributes"]
]
CHANGES = {"accepted": "offer.accepted.v1", "declined": "offer.declined.v1", "expired": "offer.expired.v1"}


def an_offer(number: int, who: str, state: str, wave: int = 1) -> matching_pb2.Offer:
    explanation = matching_pb2.Explanation(
        score_milli=3000,
        terms=[
            matching_pb2.Term(code="a", points_milli=1000, text="Close by"),
            matching_pb2.Term(code="b", points_milli=2000, text="Speaks English"),
        ],
    )
    return matching_pb2.Offer(
        offer_id=f"off-{number}-{who}", specialist_id=who, state=state, wave=wave, explanation=explanation
    )


def states_of(story: Story) -> list[tuple[str, int]]:
    """The states and waves of the offers an honest evening would end with."""
    match story.answer:
        case "nobody":
            return []
        case "silent":
            return [("expired", 1), ("expired", 2)]
        case "second-wave":
            return [("expired", 1), ("accepted", 2), ("withdrawn", 2)]
        case "decline-first":
            return [("declined", 1), ("accepted", 1), ("withdrawn", 1)]
        case "cancelled" | "revoked":
            return [("withdrawn", 1), ("withdrawn", 1)]
    return [("accepted", 1), ("withdrawn", 1)]


def a_story_played(number: int, story: Story) -> Played:
    played = Played(story, NOW)
    if story.expected == "refused":
        played.http_status = 400
        played.refused_with = [f"{story.refusal} at Bundle.entry: a sentence"]
        return played
    played.http_status, played.referral_id, played.task_status = 201, f"ref-{number}", "accepted"
    offers = [
        an_offer(number, ABLE[(number + at) % len(ABLE)], state, wave)
        for at, (state, wave) in enumerate(states_of(story))
    ]
    winner = next((offer.specialist_id for offer in offers if offer.state == "accepted"), "")
    played.accepted_as = winner
    played.late = ["offer-already-closed"] if story.answer == "race" else []
    played.repeat_ids = [played.referral_id] * 2 if story.is_sent_twice else []
    is_stopped = story.answer in ("cancelled", "revoked")
    played.stopped_at = NOW if is_stopped else None
    played.case = matching_pb2.GetCaseResponse(
        referral_id=played.referral_id,
        state="closed" if is_stopped else story.expected,
        stop_code=story.expected if is_stopped else "",
        assigned_specialist_id=winner,
        offers=offers,
    )
    return played


def notices_of(played: Played) -> list[notifications_pb2.Notice]:
    wanted = [("offer-made", offer.specialist_id) for offer in played.offers]
    ends = {"assigned": "help-assigned", "unfilled": "referral-unfilled"}
    wanted += [(ends[played.outcome], "er")] if played.outcome in ends else []
    wanted += [("supervisor-needed", "sup")] if played.outcome == "unfilled" else []
    return [
        notifications_pb2.Notice(
            notice_id=f"ntc_{played.referral_id}_{at}", intent=intent, recipient_id=who, state="sent"
        )
        for at, (intent, who) in enumerate(wanted)
    ]


def entries_of(played: Played) -> list[audit_pb2.Entry]:
    kinds = ["referral.submitted.v1", *("offer.made.v1" for _ in played.offers)]
    kinds += [CHANGES.get(offer.state, "offer.withdrawn.v1") for offer in played.offers]
    kinds += ["case.closed.v1"] if played.stopped_at else []
    kinds += ["notice.sent.v1" for _ in notices_of(played)] + [
        "submission.repeated.v1" for _ in played.repeat_ids
    ]
    made = [
        audit_pb2.Entry(
            event_id=f"{played.referral_id}-{at}", event_type=kind, referral_id=played.referral_id
        )
        for at, kind in enumerate(kinds)
    ]
    read = audit_pb2.Entry(
        event_id=f"{played.referral_id}-read",
        event_type="record.read.v1",
        actor_id="nurse-one",
        purpose_of_use="TREAT",
    )
    return [*made, read]


def an_evening() -> Seen:
    """An evening on which every promise held."""
    played = [a_story_played(number, story) for number, story in enumerate(STORIES)]
    acknowledged = [one for one in played if one.referral_id]
    notices = {one.referral_id: notices_of(one) for one in acknowledged}
    mails = [
        f"Message-ID: <{notice.notice_id}@kindred.example>\r\n\r\nwords".encode()
        for found in notices.values()
        for notice in found
    ]
    refused = [one for one in played if one.outcome == "refused"]
    return Seen(
        run="run",
        played=played,
        roster=ROWS,
        entries={one.referral_id: entries_of(one) for one in acknowledged},
        notices=notices,
        mails=mails,
        logs="ids only",
        database_dump=b"sealed",
        audit={"verified": True, "entries": 9, "root": "ab" * 32},
        denied_read_code="HTTP 403",
        denied_entries=1,
        rejected_entries=[audit_pb2.Entry()] * len(refused),
    )


def one_of(seen: Seen, answer: str) -> Played:
    return next(one for one in seen.played if one.story.answer == answer)


def broken(seen: Seen) -> list[str]:
    return [verdict.promise for verdict in promises.judge(seen) if not verdict.held]


def test_an_honest_evening_holds() -> None:
    """Nothing is blamed where nothing is wrong."""
    assert broken(an_evening()) == []


def loses_a_case(seen: Seen) -> None:
    one_of(seen, "accept").case = None


def lets_two_win(seen: Seen) -> None:
    one_of(seen, "race").case.offers[1].state = "accepted"


def runs_no_race(seen: Seen) -> None:
    one_of(seen, "race").late = []


def breaks_an_avoid(seen: Seen) -> None:
    one = next(one for one in seen.played if one.story.wishes("avoid"))
    one.case.offers[1].specialist_id = next(
        n for n, r in ROWS.items() if "gender.man:released" in r["attributes"]
    )


def offers_who_may_be_avoided(seen: Seen) -> None:
    one = next(one for one in seen.played if one.story.wishes("avoid"))
    one.case.offers[1].specialist_id = next(
        n
        for n, r in ROWS.items()
        if "gender.woman:private" in r["attributes"] and r["agrees_to_private_use"] == "no"
    )


def has_nobody_who_may_be_avoided(seen: Seen) -> None:
    seen.roster = {n: r | {"agrees_to_private_use": "yes"} for n, r in ROWS.items()}


def adds_a_point(seen: Seen) -> None:
    one_of(seen, "accept").case.offers[0].explanation.score_milli += 1


def lets_silence_stand(seen: Seen) -> None:
    one_of(seen, "silent").case.offers[0].state = "open"


def sends_a_mail_twice(seen: Seen) -> None:
    seen.mails.append(seen.mails[0])


def sends_no_mail(seen: Seen) -> None:
    seen.mails.pop()


def mails_what_was_cancelled(seen: Seen) -> None:
    next(iter(seen.notices.values()))[0].state = "cancelled"


def forgets_the_supervisor(seen: Seen) -> None:
    found = seen.notices[one_of(seen, "silent").referral_id]
    found[-1].intent = "another"


def writes_an_entry_twice(seen: Seen) -> None:
    found = next(iter(seen.entries.values()))
    found.append(found[1])


def forgets_an_entry(seen: Seen) -> None:
    next(iter(seen.entries.values())).pop(1)


def forgets_a_read(seen: Seen) -> None:
    next(iter(seen.entries.values())).pop()


def lets_a_stranger_in(seen: Seen) -> None:
    seen.denied_read_code = ""


def leaks_a_name_into_logs(seen: Seen) -> None:
    seen.logs += STORIES[0].family


def leaks_a_number_into_the_database(seen: Seen) -> None:
    seen.database_dump += record_number(STORIES[0], "run").encode()


def stores_a_refused_person(seen: Seen) -> None:
    seen.database_dump += one_of(seen, "refused").story.family.encode()


def hides_where_the_fault_is(seen: Seen) -> None:
    one_of(seen, "refused").refused_with = ["something is wrong"]


def forks_the_log(seen: Seen) -> None:
    seen.audit = {"verified": False, "code": "history-differs"}


def opens_a_second_referral(seen: Seen) -> None:
    next(one for one in seen.played if one.story.is_sent_twice).repeat_ids[0] = "ref-other"


def overloads_somebody(seen: Seen) -> None:
    who = one_of(seen, "accept").case.assigned_specialist_id
    seen.roster = ROWS | {who: ROWS[who] | {"capacity": "0"}}


def mails_after_a_stop(seen: Seen) -> None:
    notice = notifications_pb2.Notice(notice_id="ntc_late", intent="help-assigned", state="sent")
    seen.notices[one_of(seen, "revoked").referral_id].append(notice)


def leaves_an_offer_standing(seen: Seen) -> None:
    one_of(seen, "cancelled").case.offers[0].state = "open"


def never_says_it_stopped(seen: Seen) -> None:
    stopped = one_of(seen, "revoked").referral_id
    seen.entries[stopped] = [e for e in seen.entries[stopped] if e.event_type != "case.closed.v1"]


@pytest.mark.parametrize(
    ("harm", "promise"),
    [
        (mails_after_a_stop, "stops what is in flight"),
        (leaves_an_offer_standing, "stops what is in flight"),
        (never_says_it_stopped, "stops what is in flight"),
        (loses_a_case, "P1"),
        (lets_two_win, "first acceptance wins"),
        (runs_no_race, "first acceptance wins"),
        (breaks_an_avoid, "P8"),
        (offers_who_may_be_avoided, "P8"),
        (has_nobody_who_may_be_avoided, "P8"),
        (adds_a_point, "P12"),
        (lets_silence_stand, "unanswered offer expires"),
        (sends_a_mail_twice, "P4"),
        (sends_no_mail, "P4"),
        (mails_what_was_cancelled, "P4"),
        (forgets_the_supervisor, "supervisor hears"),
        (writes_an_entry_twice, "exactly one audit entry"),
        (forgets_an_entry, "exactly one audit entry"),
        (forgets_a_read, "every read"),
        (lets_a_stranger_in, "denied read"),
        (leaks_a_name_into_logs, "P9"),
        (leaks_a_number_into_the_database, "P9"),
        (stores_a_refused_person, "P7, P11"),
        (hides_where_the_fault_is, "P7, P11"),
        (forks_the_log, "P5, P6"),
        (opens_a_second_referral, "one visit"),
        (overloads_somebody, "capacity"),
    ],
)
def test_every_kind_of_harm_is_seen(harm: Callable[[Seen], None], promise: str) -> None:
    """A check that cannot fail proves nothing: each of these breaks its promise."""
    seen = an_evening()
    harm(seen)
    assert any(promise in name for name in broken(seen)), broken(seen)
