"""Makes the database's users, their roles, and the views of which audit sees no more than counts.

`python -m cli.local.database_users FOLDER ADDRESS` (deploy/compose.yaml runs it once) does it for a mongod elsewhere;
FOLDER is the one of `cli.local.access`.  With host:port it acts as the replica set itself, with its key file, so that no
process needs to hold the owner's password.  With mongodb:// and your options (TLS, the members of the set)
it acts as the owner, whom somebody else has made there, as an operator does (deploy/k8s/mongodb.yaml).
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from cli.local import access, rights

REPLICA_SET = "kindred"
READY_S = 60.0
_NOT_YET_INITIATED = 94
_NOT_IN_ITS_OWN_CONFIG = 93
_NO_SUCH_USER, _NO_SUCH_ROLE = 11, 31
Client = MongoClient[dict[str, Any]]


def as_the_set(address: str | Sequence[str], key_file: Path, **options: Any) -> Client:
    """A client that may do everything, known by the replica set's own key.

    `address` is host:port of one member, of which a client is asked for that alone; or those of all, for the primary.
    """
    key = "".join(key_file.read_text(encoding="ascii").split())
    alone = {"directConnection": True} if isinstance(address, str) else {"replicaSet": REPLICA_SET}
    return MongoClient(
        [address] if isinstance(address, str) else list(address),
        username="__system",
        password=key,
        authSource="local",
        authMechanism="SCRAM-SHA-256",
        **alone,
        **options,
    )


def initiate(client: Client, hosts: Sequence[str]) -> None:
    """These nodes are a replica set, also after their addresses changed; `client` is one of them."""
    members = [{"_id": number, "host": host} for number, host in enumerate(hosts)]
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


def establish(client: Client, passwords: Mapping[str, str], *, has_owner: bool = False) -> None:
    """Every user of the table exists with exactly its rights, and the owner; quick where nothing changed.

    With `has_owner` somebody else sees to the owner.
    """
    known = {user["user"]: user for user in client.admin.command("usersInfo", 1)["users"]}
    if not has_owner:
        root = [{"role": "root", "db": "admin"}]
        _put_user(client, known, rights.OWNER, passwords[rights.OWNER], root, "root")
    for user in rights.users():
        may = privileges(user)
        told = json.dumps(may, sort_keys=True)
        if _mark(told, passwords[user.name]) != known.get(user.name, {}).get("customData", {}).get("mark"):
            _put_role(client, user.name, may)
        role = [{"role": user.name, "db": "admin"}]
        _put_user(client, known, user.name, passwords[user.name], role, told)
    for service in rights.SERVICES:
        _show_counts(client, service)


def _put_role(client: Client, name: str, privileges: list[dict[str, Any]]) -> None:
    try:
        client.admin.command("updateRole", name, privileges=privileges, roles=[])
    except OperationFailure as refusal:
        if refusal.code != _NO_SUCH_ROLE:
            raise
        client.admin.command("createRole", name, privileges=privileges, roles=[])


def _put_user(
    client: Client, known: Mapping[str, Any], name: str, password: str, roles: list[dict[str, str]], told: str
) -> None:
    mark = _mark(told, password)
    if known.get(name, {}).get("customData", {}).get("mark") == mark:
        return
    verb = "updateUser" if name in known else "createUser"
    how: dict[str, Any] = {
        "pwd": password,
        "roles": roles,
        "mechanisms": ["SCRAM-SHA-256"],
        "customData": {"mark": mark},
    }
    client.admin.command(verb, name, **how)


def _mark(told: str, password: str) -> str:
    """Differs where rights or password do; the password has 256 random bits and cannot be found by trying."""
    return hashlib.sha256(f"{told}\n{password}".encode()).hexdigest()


def privileges(user: rights.User) -> list[dict[str, Any]]:
    """The user's rights as the database writes them."""
    return [
        {"resource": {"db": grant.database, "collection": name}, "actions": list(grant.actions)}
        for grant in user.database
        for name in grant.collections
    ]


def _show_counts(client: Client, service: str) -> None:
    database = client[rights.database_of(service)]
    there = set(database.list_collection_names(filter={"type": "view"}))
    for name in rights.AGGREGATES[service]:
        if rights.COUNTS + name not in there:
            pipeline = [{"$project": rights.COUNTS_SHOW}]
            database.command("create", rights.COUNTS + name, viewOn=name, pipeline=pipeline)


def as_the_owner(uri: str, folder: Path, **options: Any) -> Client:
    """A client of the replica set this address names, with its options, as the owner; at its primary."""
    secret = access.password(folder, rights.OWNER)
    return MongoClient(access.as_user(uri, rights.OWNER, secret), authMechanism="SCRAM-SHA-256", **options)


def main(folder: Path, address: str) -> None:
    """The replica set is there and takes writes, and so are its users; raises the last trouble after a minute."""
    deadline = time.monotonic() + READY_S
    is_theirs = address.startswith("mongodb")
    while True:
        try:
            if is_theirs:
                with as_the_owner(address, folder, serverSelectionTimeoutMS=2_000) as client:
                    return establish(client, access.passwords(folder), has_owner=True)
            with as_the_set(address, access.key_file(folder), serverSelectionTimeoutMS=2_000) as client:
                if client.admin.command("hello").get("isWritablePrimary"):
                    return establish(client, access.passwords(folder))
                initiate(client, [address])
        except PyMongoError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.5)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
