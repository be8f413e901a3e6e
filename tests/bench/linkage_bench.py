"""How often two people are joined and one person is missed, on generated pairs; then what it costs a submission.

`make bench B=linkage_bench`; the first argument is the number of hard pairs, 0 for the costs only.
"""

from __future__ import annotations

import os
import secrets
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from random import Random

from pymongo.write_concern import WriteConcern

from cli.local import keys
from services.intake import likeness
from services.intake.bootstrap import Room, build_room, prepare
from services.intake.domain.linkage import Outcome, Verdict, judge
from services.intake.domain.person import RecordNumber
from services.intake.settings import Settings
from services.intake.store.blind import BlindIndex
from services.intake.store.faces import Faces, Newcomer, new_document
from tests import linkage_people
from tests.linkage_people import Pair

SEED = 20261122
BLIND = BlindIndex(b"7" * 96)


def tally(pairs: Iterable[tuple[str, Pair]]) -> dict[str, Counter[str]]:
    """Outcomes by kind of pair, and how many pairs have a trail in common."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for name, (known, new, beside) in pairs:
        verdict = judge(known, new, beside, likeness.is_alike)
        is_met = bool(known.record_numbers) or not set(BLIND.trails(known)).isdisjoint(BLIND.trails(new))
        for row in (name, "all"):
            found[row][verdict.outcome.value] += 1
            found[row]["met"] += is_met
            found[row]["pairs"] += 1
    return found


def show(title: str, found: dict[str, Counter[str]]) -> None:
    print(f"\n{title}\n{'':<36}{'pairs':>8}{'certain':>10}{'to people':>10}{'apart':>8}{'found':>8}")
    for name, counts in sorted(found.items(), key=lambda one: one[0] == "all"):
        parts = [counts[outcome.value] / counts["pairs"] for outcome in Outcome]
        print(
            f"{name:<36}{counts['pairs']:>8}{counts['certain']:>6}{parts[0]:>5.0%} {parts[1]:>8.1%} {parts[2]:>7.1%}"
            f" {counts['met'] / counts['pairs']:>7.1%}"
        )


def rates(count: int) -> None:
    started = time.perf_counter()
    hard = tally(linkage_people.two_people(SEED, count))
    took = time.perf_counter() - started
    show("Two people (every certain one is a false join)", hard)
    show("One person, no number in common", tally(linkage_people.one_person(SEED, count // 5)))
    numbered = linkage_people.one_person(SEED, count // 10, with_number=True)
    show("One person, one hospital's record number", tally(numbered))
    joins = hard["all"]["certain"]
    print(f"\n{joins} false joins in {count} hard pairs; {took / count * 1e6:.0f} µs a pair, made and judged")


def thresholds(count: int) -> None:
    """What each threshold would do with the score alone, and as it is, with the twins' rule and the caveats."""
    two = [_judged(pair) for _, pair in linkage_people.two_people(SEED + 1, count)]
    one = [_judged(pair) for _, pair in linkage_people.one_person(SEED + 1, count // 5)]
    print(f"\n{'':<12}{'false joins of ' + str(count):>30}{'one person joined, no number':>38}")
    print(f"{'certain at':<12}{'score alone':>15}{'as it is':>15}{'score alone':>23}{'as it is':>15}")
    for bits in (15.0, 20.0, 24.0, 26.0, 28.0, 30.0, 34.0, 40.0, 46.0):
        alone = [sum(verdict.score >= bits for verdict in side) for side in (two, one)]
        kept = [sum(_is_kept(verdict, bits) for verdict in side) for side in (two, one)]
        print(f"{bits:<12}{alone[0]:>15}{kept[0]:>15}{alone[1] / len(one):>23.1%}{kept[1] / len(one):>15.1%}")


def _judged(pair: Pair) -> Verdict:
    return judge(*pair, likeness.is_alike)


def _is_kept(verdict: Verdict, bits: float) -> bool:
    return verdict.outcome is not Outcome.DIFFERENT and not verdict.caveats and verdict.score >= bits


PEOPLE = 100_000
NEWCOMERS = 400
_BATCH = 2_000
_KEYS = 2_000  # data keys among the stored people: one each would take minutes to make


def _room(uri: str, folder: Path) -> Room:
    settings = Settings(
        mongo_uri=uri,
        mongo_database=f"kindred_bench_{secrets.token_hex(4)}",
        amqp_uri="amqp://nowhere",
        keys_dir=keys.create(folder / "keys"),
    )
    room = build_room(settings)
    prepare(room)
    return room


def _fill(room: Room, random: Random) -> None:
    """So many people are known, each with marks, trails and a sealed identity."""
    faces, people = Faces(room.vault), room.database["people"].with_options(write_concern=WriteConcern(w=1))
    blind = BlindIndex((room.settings.keys_dir / "intake.master.key").read_bytes())
    for start in range(0, PEOPLE, _BATCH):
        batch = []
        for number in range(start, start + _BATCH):
            record = RecordNumber("urn:oid:2.999.1", f"BENCH-{number}")
            person = replace(linkage_people.someone(random), record_numbers=(record,))
            newcomer = Newcomer.of(person, "er-bench", "", blind)
            face = faces.sealed(f"key-{number % _KEYS}", newcomer)
            document = new_document(newcomer, frozenset(), face)
            # Namesakes of one birth date hold their number only, as they would.
            claims = [claim for claim in document["claims"] if claim != newcomer.marks.name]
            known_at = room.clock.now()
            batch.append({"_id": f"bench_{number}", **document, "claims": claims, "known_at": known_at})
        people.insert_many(batch, ordered=False)


def _milliseconds(work: Callable[[int], object], count: int) -> list[float]:
    taken = []
    for number in range(count):
        started = time.perf_counter()
        work(number)
        taken.append((time.perf_counter() - started) * 1e3)
    return taken


def _told(name: str, taken: list[float]) -> None:
    cuts = statistics.quantiles(taken, n=100)
    print(f"{name:<58}{cuts[49]:>7.2f} ms p50{cuts[94]:>8.2f} ms p95{cuts[98]:>8.2f} ms p99")


def latency(uri: str) -> None:
    """`known_as` of new and of known people among 100,000, beside what it is made of."""
    random = Random(SEED)
    with tempfile.TemporaryDirectory() as folder:
        room = _room(uri, Path(folder))
        try:
            _fill(room, random)
            _measure(room, random)
        finally:
            room.database.client.drop_database(room.database.name)


def _measure(room: Room, random: Random) -> None:
    new = [
        replace(linkage_people.someone(random), record_numbers=(RecordNumber("urn:oid:2.999.1", f"N-{one}"),))
        for one in range(NEWCOMERS)
    ]
    print(f"\n{room.database.people.estimated_document_count()} people")
    bare = room.database["bare"]
    _told(
        "bare insert_one, majority and journal",
        _milliseconds(lambda one: bare.insert_one({"n": one}), NEWCOMERS),
    )
    keyed = _milliseconds(lambda one: room.vault.seal(f"bare-{one}", {"n": one}, is_first=True), NEWCOMERS)
    _told("a person's data key, made and used", keyed)
    blind = BlindIndex((room.settings.keys_dir / "intake.master.key").read_bytes())
    newcomers = [Newcomer.of(person, "er-bench", "", blind) for person in new]
    lookout = room.people.lookout
    made = _milliseconds(lambda one: Newcomer.of(new[one], "er-bench", "", blind), NEWCOMERS)
    _told("marks and trails of a newcomer", made)
    keys_only = [replace(newcomer, trails=()) for newcomer in newcomers]
    _told("looked for by keys only", _milliseconds(lambda one: lookout.seen(keys_only[one]), NEWCOMERS))
    _told("looked for by keys and trails", _milliseconds(lambda one: lookout.seen(newcomers[one]), NEWCOMERS))
    seen = [lookout.seen(newcomer) for newcomer in newcomers]
    judged = _milliseconds(lambda one: lookout.judged(seen[one], newcomers[one]), NEWCOMERS)
    _told(f"compared with whoever is near ({statistics.mean(map(len, seen)):.2f} on average)", judged)
    known_as = _milliseconds(lambda one: room.people.known_as(new[one], "", "er-bench"), NEWCOMERS)
    _told("known_as, somebody new (all of the above but the bare one)", known_as)
    again = _milliseconds(lambda one: room.people.known_as(new[one], "", "er-bench"), NEWCOMERS)
    _told("known_as, the same again", again)


if __name__ == "__main__":
    asked = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    if asked:
        rates(asked)
        thresholds(asked // 5)
    latency(os.environ["MONGO_URI"])
