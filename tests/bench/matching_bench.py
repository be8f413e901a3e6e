"""How fast one referral is ranked against a thousand to a million specialists, beside plain Python and MongoDB.

PYTHONPATH=.:gen python tests/bench/matching_bench.py [largest roster]
With MONGO_URI set also: the same query as a MongoDB aggregation, which must name the same ids, and
referrals opened a second, offers and events durable, in batches of 64 as the worker hears them.
Prints medians and the 99th percentile (ranking in CPU time); another machine has other numbers, so trust the ratios.
"""

from __future__ import annotations

import gc
import os
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from cli.demo import roster as demo
from services.matching import roster_rows
from services.matching.domain import rank as plain
from services.matching.domain.rank import Entry
from services.matching.domain.rules import Question
from services.matching.domain.score import Scale
from services.matching.ranking import RosterIndex
from services.matching.roster_file import RawRow
from tests.bench import aggregation_bench
from tests.unit.matching.matching_builders import TAXONOMY, a_need, a_standing, asked, scaled

SIZES = (1_000, 10_000, 100_000, 1_000_000)
MOST_DIFFERENT = 100_000
# A million documents take two minutes to insert.
MOST_IN_MONGO = 1_000_000
AGGREGATIONS = 5
NEEDS = 60
ROUNDS = 5
AT = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
WISHES = ("military.veteran", "gender.woman", "parenting", "pathway.medication", "faith.none")
LIVED = ("substance.opioids", "substance.alcohol", "overdose", "homelessness", "suicide.attempt")
BATCH = 64
BATCHES = 6


def entries(size: int) -> list[Entry]:
    """A roster of the demonstration's kind, all certified on the day, with different loads.

    Of a million a hundred thousand differ in what they share; the others are like one of them, under their own id.
    """
    dice = Random(size)
    rows = [row for row in demo.specialists(min(size, MOST_DIFFERENT), seed=7) if row["role"] == "specialist"]
    read = [roster_rows.read(RawRow(number, row)) for number, row in enumerate(rows)]
    people = [row for row in read if not isinstance(row, list)]
    return [
        (
            replace(row.specialist, specialist_id=f"sp-{number * len(people) + place:07}"),
            a_standing(capacity_milli=row.capacity * 1000, load_milli=dice.choice((0, 1000, 2000))),
        )
        for number in range(max(size // MOST_DIFFERENT, 1))
        for place, row in enumerate(people)
    ]


def milliseconds(work: Callable[[], object]) -> float:
    """How much CPU time the work takes: other processes on the machine count less."""
    started = time.process_time()
    work()
    return (time.process_time() - started) * 1000


def elapsed(work: Callable[[], object]) -> float:
    """How long the work takes, in milliseconds of the clock: the database's part counts."""
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def asks(people: list[Entry], index: RosterIndex) -> list[tuple[Question, Scale]]:
    """Referrals of different people, languages and places, the same for the same roster."""
    dice, rarity = Random(1), index.rarity("NY")
    places = [person.place for person, _ in people[:50]]
    found = []
    for _ in range(NEEDS):
        need = a_need(
            experience=tuple(dice.sample(LIVED, 2)),
            preferences={code: dice.choice(("some", "strong")) for code in dice.sample(WISHES, 2)},
            languages=(dice.choice(("en", "en", "es", "ase")),),
            place=dice.choice(places),
        )
        found.append((asked(need, at=AT), scaled(need, rarity=rarity)))
    return found


def at_other_moments(wanted: list[tuple[Question, Scale]], begin: int) -> list[tuple[Question, Scale]]:
    """The same referrals again and again, each at a millisecond of its own: nothing of another's answer can be reused."""
    moments = (AT + timedelta(milliseconds=begin * 1000 + n) for n in range(ROUNDS * len(wanted)))
    again = (one for _ in range(ROUNDS) for one in wanted)
    return [(replace(question, at=at), scale) for at, (question, scale) in zip(moments, again, strict=True)]


def rank_one(size: int) -> None:
    """Prints the index with the explanation of the best ten, against the plain rules, which must agree."""
    people = entries(size)
    by_id = {entry[0].specialist_id: entry for entry in people}
    index = RosterIndex(list(TAXONOMY.attributes))
    index.reserve(len(people))
    built = milliseconds(lambda: index.put(people))
    wanted = asks(people, index)

    def explained(question: Question, scale: Scale) -> list[plain.Candidate]:
        ids = index.propose(question, scale, 10).specialist_ids
        return plain.rank(question, scale, [by_id[one] for one in ids], 10)

    explained(*wanted[0])
    alone = [milliseconds(lambda a=a: index.propose(*a, 10)) for a in at_other_moments(wanted, 1)]
    times = [milliseconds(lambda a=a: explained(*a)) for a in at_other_moments(wanted, 2)]
    checked = wanted[: max(2, 20_000 // size)]
    plainly = []
    for question, scale in checked:
        found: list[plain.Candidate] = []
        plainly.append(
            milliseconds(lambda q=question, s=scale, f=found: f.extend(plain.rank(q, s, people, 10)))
        )
        assert explained(question, scale) == found
    median, slow = statistics.median(times), statistics.quantiles(times, n=100)[98]
    used = index.bytes_used()
    beyond = sum(used.values()) - used["codes"]
    print(
        f"rank 1 against {len(people):>9,}: {statistics.median(alone):7.3f} ms median, with the best 10 explained "
        f"{median:7.3f} ms median, {slow:7.3f} ms p99; plain "
        f"{statistics.median(plainly):9.1f} ms ({statistics.median(plainly) / median:,.0f} times); bytes each: "
        f"{used['codes'] / len(people):.0f} of attribute codes, {beyond / len(people):.1f} beyond "
        f"({used['ids'] / len(people):.1f} of them ids); index built in {built / 1000:.2f} s",
        flush=True,
    )
    if os.environ.get("MONGO_URI") and size <= MOST_IN_MONGO:
        aggregation_bench.compare(
            people, wanted[: min(AGGREGATIONS, max(2, AGGREGATIONS * 100_000 // size))], index
        )


def open_cases() -> None:
    """Prints how many referrals a second get their case and their offers, with a roster of 500."""
    from chassis import mongo
    from chassis.clock import TurnedClock
    from tests.matching_room import a_room, a_submission, enroll, submit

    client = mongo.connect(os.environ["MONGO_URI"])
    database = client[f"kindred_bench_{secrets.token_hex(4)}"]
    with a_room(os.environ["MONGO_URI"], database, TurnedClock(AT), Path(tempfile.mkdtemp())) as room:
        took = elapsed(lambda: enroll(room, demo.specialists(500, seed=7)))
        print(f"roster of 503 rows imported, durable and sealed: {503_000 / took:,.0f} rows/s")
        batches = [
            [a_submission(f"ref_{b}_{n}", facility_zip="12208") for n in range(BATCH)] for b in range(BATCHES)
        ]
        rates = [BATCH * 1000 / elapsed(lambda b=b: submit(room, *b)) for b in batches]
        offers = sum(len(case["offers"]) for case in database["cases"].find({}, {"offers.offer_id": 1}))
        print(
            f"cases opened in batches of {BATCH}: {statistics.median(rates):,.0f} referrals/s, {offers} offers"
        )
    client.drop_database(database.name)


def main() -> None:
    """Runs everything up to the largest roster asked for."""
    chosen = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("KINDRED_BENCH_LARGEST", "")
    largest = int(chosen or SIZES[-1])
    gc.disable()  # a roster of Python objects is large, and none of it goes away
    for size in SIZES:
        if size <= largest:
            rank_one(size)
    if os.environ.get("MONGO_URI"):
        open_cases()


if __name__ == "__main__":
    main()
