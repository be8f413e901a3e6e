"""Promises about referrals, offers and the people they go to."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from cli.demo.cast import Played
from cli.demo.promises.seen import Seen, Verdict, counted, verdict
from cli.demo.roster import Row


def ended_as_expected(seen: Seen) -> Verdict:
    """Each story has one right end."""
    wrong = [
        f"{one.story.key} ended {one.outcome}" for one in seen.played if one.outcome != one.story.expected
    ]
    ends = Counter(one.outcome for one in seen.played)
    return verdict("every referral ended as its story says", wrong, counted(ends))


def nothing_lost(seen: Seen) -> Verdict:
    """Who was acknowledged is found on both sides."""
    wrong = [one.referral_id for one in seen.acknowledged if one.case is None or not one.task_status]
    return verdict(
        "P1 every acknowledged referral is still there, at intake and at matching",
        wrong,
        f"{len(seen.acknowledged)} acknowledged, {len(seen.acknowledged) - len(wrong)} found on both sides",
    )


def refused_without_trace(seen: Seen) -> Verdict:
    """A refused submission leaves an audit entry and nothing else."""
    wrong = [
        f"{one.story.key} was told {one.refused_with}"
        for one in seen.refused
        if not any(fault.startswith(one.story.refusal) and " at " in fault for fault in one.refused_with)
    ]
    if len(seen.rejected_entries) < len(seen.refused):
        wrong.append(f"{len(seen.rejected_entries)} audit entries for {len(seen.refused)} refusals")
    named = [one.story.family for one in seen.refused if one.story.family.encode() in seen.database_dump]
    wrong += [f"{name} was stored" for name in named]
    return verdict(
        "P7, P11 without a valid consent, or with a fault, nothing is stored; the fault is named with its place",
        wrong,
        "; ".join(fault.partition(":")[0] for one in seen.refused for fault in one.refused_with),
    )


def one_visit_one_referral(seen: Seen) -> Verdict:
    """Both senders were told the same id."""
    twice = [one for one in seen.played if one.story.is_sent_twice]
    wrong = [one.story.key for one in twice if set(one.repeat_ids) != {one.referral_id}]
    total = sum(1 + len(one.repeat_ids) for one in twice)
    return verdict(
        "one visit is one referral, however often it is sent",
        wrong,
        f"{total} submissions, {len(twice)} referral",
    )


# What whoever was too late is told; anything else is no proof that somebody else won.
TOO_LATE = {"offer-already-closed", "offer-expired", "HTTP 409", "HTTP 404"}


def one_winner(seen: Seen) -> Verdict:
    """One acceptance, the assigned one; the others were told."""
    wrong, late = [], 0
    for one in seen.acknowledged:
        accepted = [offer.specialist_id for offer in one.offers if offer.state == "accepted"]
        still_open = [offer.offer_id for offer in one.offers if offer.state == "open"]
        late += len(one.late)
        wrong += [f"{one.story.key}: was told {code}" for code in one.late if code not in TOO_LATE]
        if len(accepted) != (1 if one.outcome == "assigned" else 0):
            wrong.append(f"{one.referral_id} has {len(accepted)} acceptances")
        elif accepted and accepted != [one.case.assigned_specialist_id]:
            wrong.append(f"{one.referral_id} is assigned to somebody else")
        elif one.outcome == "assigned" and (still_open or one.accepted_as not in accepted):
            wrong.append(f"{one.referral_id} left offers open")
    racers = [one for one in seen.acknowledged if one.story.answer == "race"]
    wrong += [f"{one.story.key}: no race took place" for one in racers if not one.late]
    won = sum(one.outcome == "assigned" for one in seen.acknowledged)
    return verdict(
        "P3 the first acceptance wins, exactly once",
        wrong,
        f"{won} assigned, {late} acceptances told they were late",
    )


def capacity(seen: Seen) -> Verdict:
    """The roster file says how many each can carry."""
    load = Counter(one.case.assigned_specialist_id for one in seen.acknowledged if one.outcome == "assigned")
    wrong = [
        who
        for who, carried in load.items()
        if who in seen.roster and carried > int(seen.roster[who]["capacity"])
    ]
    most = max(load.values(), default=0)
    return verdict(
        "P3 nobody carries more than their capacity", wrong, f"most carried by one tonight: {most}"
    )


def wishes_kept(seen: Seen) -> Verdict:
    """Compared with the roster file, not with what matching says of itself."""
    wrong, looked = [], 0
    keep_gender = {who for who, row in seen.roster.items() if "gender" in withheld_categories(row)}
    avoid_gender = [one for one in seen.acknowledged if "gender" in categories(one.story.wishes("avoid"))]
    if avoid_gender and not keep_gender:
        wrong.append("nobody in the roster file keeps their gender private, so nothing was shown")
    for one in seen.acknowledged:
        musts, avoids = one.story.wishes("must"), one.story.wishes("avoid")
        for offer in one.offers:
            row = seen.roster.get(offer.specialist_id)
            if row is None:  # somebody from another roster file, imported here before
                continue
            looked += 1
            attributes = dict(part.rsplit(":", 1) for part in row["attributes"].split(";") if part)
            released = {code for code, shown in attributes.items() if shown == "released"}
            held = set(attributes) if row["agrees_to_private_use"] == "yes" else released
            meets = any(is_within(code, avoided) for code in held for avoided in avoids)
            if not musts <= released or meets or withheld_categories(row) & categories(avoids):
                wrong.append(f"{offer.specialist_id} for {one.story.key}")
    wishes = sum(bool(one.story.wishes("must") | one.story.wishes("avoid")) for one in seen.acknowledged)
    return verdict(
        "P8 no 'must' and no 'avoid' is broken, in any wave",
        wrong,
        f"{looked} offers compared with the roster file, {wishes} referrals with such a wish; "
        f"{len(keep_gender)} specialists keep their gender private, {counted_offers(avoid_gender, keep_gender)} of "
        f"{sum(len(one.offers) for one in avoid_gender)} offers to somebody who avoids a gender went to them",
    )


def categories(codes: Iterable[str]) -> set[str]:
    """The first part of each code."""
    return {code.partition(".")[0] for code in codes}


def is_within(code: str, wider: str) -> bool:
    """True for the attribute itself and for all below it."""
    return code == wider or code.startswith(f"{wider}.")


def withheld_categories(row: Row) -> set[str]:
    """Where a specialist has something that even matching may not know."""
    if row["agrees_to_private_use"] == "yes":
        return set()
    parts = (part.rsplit(":", 1) for part in row["attributes"].split(";") if part)
    return categories(code for code, shown in parts if shown == "private")


def counted_offers(asked_for: Sequence[Played], to: Collection[str]) -> int:
    """How many offers for these referrals went to these specialists."""
    return sum(offer.specialist_id in to for one in asked_for for offer in one.offers)


def explanations_add_up(seen: Seen) -> Verdict:
    """To the last thousandth."""
    wrong, looked = [], 0
    for one in seen.acknowledged:
        for offer in one.offers:
            looked += 1
            total = sum(term.points_milli for term in offer.explanation.terms)
            if total != offer.explanation.score_milli or not offer.explanation.terms:
                wrong.append(offer.offer_id)
    return verdict("P12 every explanation adds up to its score", wrong, f"{looked} explanations added up")


def waves_expire(seen: Seen) -> Verdict:
    """Silence ends a wave and begins the next."""
    patient = [one for one in seen.acknowledged if one.story.answer in {"second-wave", "silent"}]
    wrong = []
    for one in patient:
        first = [offer for offer in one.offers if offer.wave == 1]
        if not first or any(offer.state != "expired" for offer in first):
            wrong.append(f"{one.story.key}: {[offer.state for offer in first]}")
        if not any(offer.wave == 2 for offer in one.offers):
            wrong.append(f"{one.story.key}: no second wave")
    expired = sum(offer.state == "expired" for one in patient for offer in one.offers)
    return verdict(
        "an unanswered offer expires and the next wave goes wider",
        wrong,
        f"{expired} offers expired by due-work",
    )
