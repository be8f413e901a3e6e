"""Prepares a container set-up once: every service's own keys, and the broker's definitions with its user.

`python -m cli.local.provision FOLDER` (deploy/compose.yaml runs it first) reads the broker's password from
KINDRED_BROKER_PASSWORD and writes `FOLDER/issuer`, `FOLDER/keys-<service>` and `FOLDER/broker`.
"""

import os
import sys
from pathlib import Path

from cli.local import keys, policy, rabbit
from cli.local.ports import SERVICES

# Our own witness; edit the policy file to name others, on other machines.
WITNESS_URL = "http://audit-witness:8080"


def provision(folder: Path, broker_password: str) -> None:
    """Everything is there afterwards; what was there already is kept, so it is safe to repeat."""
    issuer = keys.create(folder / "issuer")
    for holder in (*SERVICES, *keys.KEEPERS):
        keys.portion(issuer, holder, folder / f"keys-{holder}")
    policy.write(issuer, folder / "keys-audit", WITNESS_URL)
    broker = folder / "broker"
    broker.mkdir(parents=True, exist_ok=True)
    rabbit.write_definitions(broker / "definitions.json", broker_password)
    (broker / "definitions.json").chmod(0o644)  # the broker's image reads it as another user; it holds a hash


if __name__ == "__main__":
    if not os.environ.get("KINDRED_BROKER_PASSWORD"):
        sys.exit("KINDRED_BROKER_PASSWORD is not set.")
    provision(Path(sys.argv[1]), os.environ["KINDRED_BROKER_PASSWORD"])
