"""From send to stored offers against the load, up to the knee: `make bench B=growth.knee_bench` (RATES=, SECONDS=10).

At each rate so many referrals a second are sent at their moments, whatever became of those before; the clock runs from
the moment at which it was to be sent until its case was opened, so that a sender who falls behind hides nothing
("coordinated omission").  Prints a JSON line for each rate, which `growth.drawn` keeps.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

from tests.bench import strangers
from tests.bench.system_bench import Numbers
from tests.bench.whole_system import a_whole_system
from tests.driving import Er, Roster, Running, a_specialist, a_supervisor, at_once, roster_csv, until
from tests.faults import evidence

RATES = [int(one) for one in os.environ.get("RATES", "5,10,20,40,60,80,100,120").split(",")]
SECONDS = float(os.environ.get("SECONDS", "10"))
SENDERS = 32


def main() -> None:
    """Measures and prints."""
    with a_whole_system() as running:
        roster, er, numbers = Roster(running), Er(running), Numbers()
        people = [a_supervisor(), *(a_specialist(f"spec-{n:04}", capacity="50") for n in range(500))]
        roster.load(roster_csv(people))
        sent(running, er, numbers, 40, 4.0)
        for rate in RATES:
            print(json.dumps({"knee": sent(running, er, numbers, rate, SECONDS)}), flush=True)


def sent(running: Running, er: Er, numbers: Numbers, rate: float, seconds: float) -> dict[str, Any]:
    """Quantiles of milliseconds to the answer and to the offers, at this rate."""
    taken = numbers.take(int(rate * seconds))
    items = [(position / rate, strangers.referral(number)) for position, number in enumerate(taken)]
    due_at: dict[str, float] = {}
    answered: list[float] = []
    load, begin = os.getloadavg()[0], time.time() + 0.5

    def send(item: tuple[float, Any]) -> None:
        due = begin + item[0]
        time.sleep(max(0.0, due - time.time()))
        due_at[er.submit(item[1]).referral_id] = due
        answered.append(time.time() - due)

    at_once(send, items, threads=SENDERS)
    cases, mine = running.database("matching").cases, {"_id": {"$in": list(due_at)}}
    until("all are offered", lambda: cases.count_documents(mine) == len(items), within_s=300)
    until("at rest", lambda: evidence.is_at_rest(running), within_s=300)
    rows = cases.find(mine, {"opened_at": 1})
    offered = sorted(row["opened_at"].timestamp() - due_at[row["_id"]] for row in rows)
    told = {"rate": rate, "load": round(load, 1)}
    return told | _shares("answer", sorted(answered)) | _shares("offers", offered)


def _shares(name: str, seconds: list[float]) -> dict[str, int]:
    last = len(seconds) - 1
    return {f"{name}_ms_p{int(share * 100)}": round(seconds[min(last, int(len(seconds) * share))] * 1e3)
            for share in (0.5, 0.95, 0.99)}  # fmt: skip


if __name__ == "__main__":
    main()
