"""What one referral leaves behind: `make bench B=capacity.stored` prints the lines for `measured.toml`.

A system of its own takes referrals until all offers are out and all is logged; then each database's documents are
counted as they are (`dataSize`, before compression) and their indexes as they lie on disk.  Ninety days of check-ins
come on top.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from cli.local.place import Place
from tests.bench import strangers
from tests.bench.system_bench import Numbers, cpu_s, is_quiet
from tests.driving import Er, Officer, Roster, Running, a_specialist, a_supervisor, at_once, roster_csv, until

REFERRALS = int(os.environ.get("BENCH_REFERRALS", "1000"))
SERVICES = ("intake", "matching", "notifications", "audit")


def main() -> None:
    """Measures and prints."""
    for name in ("MONGO_URI", "AMQP_URI"):
        os.environ.pop(name, None)
    with tempfile.TemporaryDirectory(prefix="kindred-bench-") as folder:
        running = Running(
            Place(Path(folder)), {"KINDRED_WAVE_SECONDS": "3600,3600", "KINDRED_LOG_LEVEL": "warning"}
        )
        try:
            running.start()
            _measure(running)
        finally:
            running.stop()


def _measure(running: Running) -> None:
    roster, er, officer, numbers = Roster(running), Er(running), Officer(running), Numbers()
    roster.load(
        roster_csv([a_supervisor(), *(a_specialist(f"spec-{n:04}", capacity="50") for n in range(500))])
    )
    _take(running, er, officer, numbers, 100)
    stored, used = _stored(running), cpu_s(running)
    _take(running, er, officer, numbers, REFERRALS)
    print(f"[measured.cpu_ms]  # {REFERRALS} referrals")
    for name, seconds in cpu_s(running).items():
        print(f'"{name}" = {(seconds - used[name]) / REFERRALS * 1e3:.1f}')
    print("[measured.bytes]")
    for service, size in _stored(running).items():
        print(f'"{service}" = {(size - stored[service]) / REFERRALS:.0f}')


def _take(running: Running, er: Er, officer: Officer, numbers: Numbers, count: int) -> None:
    before = officer.check_size()
    at_once(er.submit, [strangers.referral(number) for number in numbers.take(count)], threads=8)
    until("all audited", lambda: officer.check_size() - before >= count * 8, within_s=600)
    until("quiet", lambda: is_quiet(running), within_s=600)
    time.sleep(5)  # what is written once in a while, and no referral waits for, is written


def _stored(running: Running) -> dict[str, int]:
    running.database("intake").client.admin.command("fsync")
    found = {}
    for service in SERVICES:
        told = running.database(service).command("dbStats")
        found[service] = int(told["dataSize"] + told["indexSize"])
    return found


if __name__ == "__main__":
    main()
