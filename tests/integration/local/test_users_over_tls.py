"""The users of the table, made on a database that somebody else runs: over TLS, as its owner, without its key file."""

from __future__ import annotations

from pathlib import Path

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from cli.local import access, authority, children, database_users, mongod, ports, rights
from tests.driving import until

TLS = "--tlsMode requireTLS --tlsAllowConnectionsWithoutCertificates --tlsCertificateKeyFile {own} --tlsCAFile {ca}"


def test_the_users_are_made_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a cluster: the operator's database knows its owner alone; afterwards every process can sign in, under TLS."""
    keys = access.create(tmp_path / "access")
    authority.create(tmp_path, (authority.ISSUER,))
    own, ca = tmp_path / authority.file_of(authority.ISSUER), tmp_path / authority.AUTHORITY
    port = ports.any_free()
    child = mongod.launch(tmp_path, port, keys)
    try:
        until("it has an owner", lambda: _has_owner(port, keys))
        children.stop(tmp_path / "run", child, grace_s=30.0)
        monkeypatch.setenv("KINDRED_MONGOD_ARGS", TLS.format(own=own, ca=ca))
        child = mongod.launch(tmp_path, port, keys)
        uri = f"mongodb://127.0.0.1:{port}/?replicaSet=kindred&authSource=admin&tls=true&tlsCAFile={ca}"
        database_users.main(keys, uri)
        for user in rights.users():
            theirs = access.as_user(uri, user.name, access.password(keys, user.name))
            with MongoClient(theirs, serverSelectionTimeoutMS=10_000) as client:
                told = client.admin.command({"connectionStatus": 1})["authInfo"]["authenticatedUsers"]
            assert told == [{"user": user.name, "db": "admin"}]
        with (
            pytest.raises(PyMongoError),
            MongoClient(uri.partition("&tls=")[0], serverSelectionTimeoutMS=1_000) as plain,
        ):
            plain.admin.command("ping")
    finally:
        children.stop(tmp_path / "run", child, grace_s=15.0)


def _has_owner(port: int, keys: Path) -> bool:
    """The replica set is there with one user, made as an operator makes it."""
    with mongod.client_of(port, keys, 500) as client:
        try:
            if client.admin.command("hello").get("isWritablePrimary"):
                root = [{"role": "root", "db": "admin"}]
                client.admin.command(
                    "createUser", rights.OWNER, pwd=access.password(keys, rights.OWNER), roles=root
                )
                return True
            database_users.initiate(client, [f"127.0.0.1:{port}"])
        except PyMongoError:
            return False
    return False
