"""Prepares a container set-up once: every service's own keys, every process's own addresses, the broker's definitions.

`python -m cli.local.provision FOLDER` (deploy/compose.yaml runs it first) writes `issuer`, `keys-<service>`,
`access-<process>`, `mongod` and `broker` below FOLDER.  Passwords are made here; nobody has to choose one.
"""

import sys
from pathlib import Path

from cli.local import access, keys, policy, rabbit, rights
from cli.local.ports import SERVICES

# Our own witness; edit the policy file to name others, on other machines.
WITNESS_URL = "http://audit-witness:8080"
MONGO = "mongodb://mongodb:27017/?replicaSet=kindred&authSource=admin"
AMQP = "amqp://rabbitmq:5672/kindred"


def provision(folder: Path, mongo_uri: str = MONGO, amqp_uri: str = AMQP) -> None:
    """Everything is there afterwards; what was there already is kept, so it is safe to repeat."""
    issuer = keys.create(folder / "issuer", is_here=False)
    for holder in (*SERVICES, *keys.KEEPERS):
        keys.portion(issuer, holder, folder / f"keys-{holder}")
    policy.write(issuer, folder / "keys-audit", WITNESS_URL)
    kept = access.create(folder / "issuer" / "access")
    for user in rights.users():
        if user.name != rights.PRUNER:
            access.hand_out(kept, folder / f"access-{user.name}", user, mongo_uri, amqp_uri)
    access.give(folder / "mongod", "mongod.key", access.key_file(kept).read_text(encoding="ascii"))
    broker = folder / "broker"
    broker.mkdir(parents=True, exist_ok=True)
    known = access.passwords(kept)
    rabbit.write_definitions(broker / "definitions.json", known[rights.OWNER], passwords=known)
    (broker / "definitions.json").chmod(0o644)  # the broker's image reads it as another user; it holds hashes


if __name__ == "__main__":
    provision(Path(sys.argv[1]), *sys.argv[2:])
