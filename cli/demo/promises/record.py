"""Promises about what was told to whom, and about the record of it."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC
from typing import Any

from cli.demo.bundles import marked
from cli.demo.post_office import message_id
from cli.demo.promises.seen import Seen, Verdict, verdict

# A notice whose offer closed before it was sent is cancelled: nobody is told of what is over.
ENDS = {"sent", "cancelled"}
# Before the stop, and after it only that no answer is needed any more.
MAY_HEAR = {"offer-made", "offer-withdrawn", "assignment-ended"}


def noticed_once(seen: Seen) -> Verdict:
    """The far side is the witness."""
    known = [notice for found in seen.notices.values() for notice in found]
    sent = Counter(notice.notice_id for notice in known if notice.state == "sent")
    ended = Counter(notice.state for notice in known)
    wrong = [
        f"{notice.notice_id} ({notice.intent}) is {notice.state}: {notice.reason_code}, {len(notice.attempts)} tries"
        for notice in known
        if notice.state not in ENDS
    ]
    arrived = Counter(message_id(mail) for mail in seen.mails)
    wrong += [f"{name} arrived {arrived[name]} times" for name in sent if arrived[name] != 1]
    wrong += [f"{name} listed {count} times" for name, count in sent.items() if count > 1]
    wrong += [
        f"{notice.notice_id} was cancelled, and arrived"
        for notice in known
        if notice.state == "cancelled" and arrived[notice.notice_id]
    ]
    for one in seen.acknowledged:
        offered = Counter(n.recipient_id for n in seen.notices[one.referral_id] if n.intent == "offer-made")
        wanted = Counter(offer.specialist_id for offer in one.offers)
        if offered != wanted:
            wrong.append(
                f"{one.story.key}: {sum(wanted.values())} offers, {sum(offered.values())} offer notices"
            )
    return verdict(
        "P4 each notice was sent once: the mails that arrived are the notices that were sent",
        wrong,
        f"{len(sent)} notices sent, {sum(arrived[name] for name in sent)} mails in the far side's own folder; "
        f"{ended['cancelled']} cancelled, because their offer closed first",
    )


def source_is_told(seen: Seen) -> Verdict:
    """One notice of how it ended."""
    wanted = {"assigned": "help-assigned", "unfilled": "referral-unfilled"}
    wrong = []
    for one in seen.acknowledged:
        if one.stopped_at is not None:
            continue  # see stopped_is_silent
        intents = [notice.intent for notice in seen.notices[one.referral_id]]
        if intents.count(wanted.get(one.outcome, "")) != 1:
            wrong.append(f"{one.story.key} is {one.outcome}, notices: {sorted(set(intents))}")
        if one.outcome == "unfilled" and "supervisor-needed" not in intents:
            wrong.append(f"{one.story.key}: no supervisor was told")
    return verdict(
        "the ER hears once how it ended, and a supervisor hears of every unfilled referral",
        wrong,
        f"{len(seen.acknowledged)} referrals",
    )


def stopped_is_silent(seen: Seen) -> Verdict:
    """What was stopped has no open offer, nobody comes, and nobody hears of it but whoever was asked."""
    wrong, seconds = [], []
    for one in (one for one in seen.acknowledged if one.stopped_at is not None):
        open_ones = [offer.offer_id for offer in one.offers if offer.state in ("open", "accepted")]
        told = [
            n.intent for n in seen.notices[one.referral_id] if n.state == "sent" and n.intent not in MAY_HEAR
        ]
        wrong += [f"{one.story.key}: offers still stand"] if open_ones else []
        wrong += [f"{one.story.key}: {intent} was sent" for intent in told]
        stops = [e for e in seen.entries[one.referral_id] if e.event_type == "case.closed.v1"]
        wrong += [f"{one.story.key}: {len(stops)} entries say that it is closed"] if len(stops) != 1 else []
        ended = [
            offer.answered_at.ToDatetime(tzinfo=UTC) for offer in one.offers if offer.state == "withdrawn"
        ]
        seconds += [(max(ended) - one.stopped_at).total_seconds()] if ended else []
    return verdict(
        "P7 a consent taken back, or a referral, stops what is in flight",
        wrong,
        f"{len(seconds)} stopped while offers were out; every offer withdrawn after "
        + ", ".join(f"{one:.2f} s" for one in seconds),
    )


def audited_once(seen: Seen) -> Verdict:
    """Counted by type against what happened."""
    wrong, total = [], 0
    for one in seen.acknowledged:
        entries = seen.entries[one.referral_id]
        total += len(entries)
        ids = Counter(entry.event_id for entry in entries)
        wrong += [f"{event} has {count} entries" for event, count in ids.items() if count > 1]
        kinds = Counter(entry.event_type for entry in entries)
        states = Counter(offer.state for offer in one.offers)
        wanted = {
            "referral.submitted.v1": 1,
            "offer.made.v1": len(one.offers),
            "offer.accepted.v1": states["accepted"],
            "offer.declined.v1": states["declined"],
            "offer.expired.v1": states["expired"],
            "offer.withdrawn.v1": states["withdrawn"],
            "notice.sent.v1": sum(notice.state == "sent" for notice in seen.notices[one.referral_id]),
            "submission.repeated.v1": len(one.repeat_ids),
        }
        wrong += [
            f"{one.story.key}: {kinds[kind]} of {count} {kind}"
            for kind, count in wanted.items()
            if kinds[kind] != count
        ]
    return verdict(
        "P5 every step has exactly one audit entry", wrong, f"{total} entries of these referrals compared"
    )


def reads_are_entries(seen: Seen) -> Verdict:
    """Reading a Task is in the log."""
    wrong = [
        one.story.key
        for one in seen.acknowledged
        if not any(
            entry.event_type == "record.read.v1"
            and entry.purpose_of_use == "TREAT"
            and entry.actor_id == "nurse-one"
            for entry in seen.entries[one.referral_id]
        )
    ]
    return verdict(
        "P5 every read is an entry with its purpose of use",
        wrong,
        f"{len(seen.acknowledged)} Tasks read by a nurse",
    )


def denied_is_an_entry(seen: Seen) -> Verdict:
    """So is being turned away."""
    wrong = [] if seen.denied_entries else ["no entry for the denied read"]
    if not seen.denied_read_code:
        wrong.append("a specialist was let in")
    return verdict(
        "P5 a denied read is an entry too",
        wrong,
        f"a specialist asked intake for a Task and was told {seen.denied_read_code}",
    )


def unreadable(seen: Seen) -> Verdict:
    """Marked names and numbers are looked for everywhere."""
    wrong, looked = [], 0
    places = {
        "mails": b"\n".join(seen.mails),
        "logs": seen.logs.encode(),
        "databases": seen.database_dump,
        "audit entries": "\n".join(_entry_texts(seen.entries)).encode(),
    }
    for one in seen.played:
        for mark in marked(one.story, seen.run):
            looked += 1
            wrong += [
                f"{one.story.key}'s {mark!r} in the {name}"
                for name, held in places.items()
                if mark.encode() in held
            ]
    size = sum(map(len, places.values()))
    return verdict(
        "P9 no name, record number or phone is readable in mails, logs, audit entries or the databases",
        wrong,
        f"{looked} marks looked for in {size / 1e6:.1f} MB",
    )


def _entry_texts(entries: dict[str, list[Any]]) -> Iterable[str]:
    return (str(entry) for found in entries.values() for entry in found)


def log_verifies(seen: Seen) -> Verdict:
    """By our own verifier, from the leaves up."""
    found = [
        f"{key}: {value}"
        for key, value in seen.audit.items()
        if key in {"code", "gaps", "findings"} and value
    ]
    return verdict(
        "P5, P6 the log's root is recomputed from its leaves, signed, and no producer's sequence has a gap",
        [] if seen.audit["verified"] else found or ["it does not verify"],
        f"{seen.audit.get('entries', 0)} entries, root {str(seen.audit.get('root', ''))[:16]}...",
    )
