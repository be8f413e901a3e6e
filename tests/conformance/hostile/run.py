"""20,000 spoiled Bundles, orders and Tasks against a running intake: `make fuzz` (N=count S=seed)."""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from chassis import mongo
from cli.local import keys
from tests.conformance.hostile import driving
from tests.conformance.hostile.mutating import a_sending
from tests.integration.intake.intake_processes import Er, running

CLIENTS = 6
SHOWN = 15


def main(count: int, seed: int) -> int:
    """Prints what came of it; 0 where nothing is wrong."""
    uri, name = os.environ["MONGO_URI"], f"kindred_fuzz_{secrets.token_hex(4)}"
    client = mongo.connect(uri)
    try:
        with tempfile.TemporaryDirectory() as folder:
            keys_dir = keys.create(Path(folder) / "keys")
            environ = {
                "KINDRED_MONGO_URI": uri,
                "KINDRED_MONGO_DATABASE": name,
                "KINDRED_AMQP_URI": os.environ.get("AMQP_URI", "amqp://127.0.0.1:1/none"),
                "KINDRED_KEYS_DIR": str(keys_dir),
            }
            with running("api", environ, Path(folder)) as process:
                er = Er("", (keys_dir / "issuer.pem").read_bytes())
                headers = er.headers()
                target = driving.Target(process.ready()["http_port"], lambda: headers)
                return _told(target, client[name], count, seed)
    finally:
        client.drop_database(name)
        client.close()


def _told(target: driving.Target, database: object, count: int, seed: int) -> int:
    started = time.monotonic()

    def tick(number: int) -> None:
        if number and number % 1_000 == 0:
            print(f"{number:>7} of {count}, {number / (time.monotonic() - started):.0f} a second", flush=True)

    outcome = driving.run(target, partial(a_sending, seed), count, CLIENTS, tick)
    wrong = outcome.wrong + driving.afterwards(target, database, outcome, 500)
    print(f"{count} sent with seed {seed}; answers: {dict(sorted(outcome.statuses.items()))}")
    print(f"{outcome.asked_again} times told 503, and asked again")
    print(
        f"{len(outcome.told)} referrals, each told and stored; {len(outcome.codes)} codes, the most common:"
    )
    print("".join(f"  {code} {times}\n" for code, times in outcome.codes.most_common(SHOWN)), end="")
    print(f"{len(wrong)} wrong", *wrong[:SHOWN], sep="\n  ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
