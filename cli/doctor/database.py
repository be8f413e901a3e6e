"""The database as it stands: who is let in, who may do more than the table says, which indexes are missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from cli.doctor.findings import Finding
from cli.local import database_users, rights

Client = MongoClient[dict[str, Any]]
# Those without which a promise breaks: something would be there twice, or never be forgotten. Named as the server does.
INDEXES = {
    ("kindred_intake", "referrals"): ("one_referral_per_claim",),
    ("kindred_intake", "people"): ("one_person_per_claim",),
    ("kindred_intake", "hl7_messages"): ("one_answer_per_control_id", "forgotten"),
    ("kindred_intake", "smart_assertions"): ("forgotten",),
    ("kindred_intake", "data_keys"): ("one_key_per_person",),
    ("kindred_notifications", "data_keys"): ("one_key_per_person",),
    ("kindred_matching", "cases"): ("offer", "token"),
    ("kindred_audit", "rows"): ("index_1",),
    ("kindred_audit", "periods"): ("turn_1",),
    ("kindred_audit_keys", "data_keys"): ("key_id_1",),
    **{(rights.database_of(each), "outbox"): ("seq", "forget") for each in rights.SERVICES},
}


def lets_nobody_in(address: str) -> Iterator[Finding]:
    """Whoever has no password learns nothing; `address` is host:port."""
    bare: Client = MongoClient(f"mongodb://{address}/", directConnection=True, serverSelectionTimeoutMS=2_000)
    with bare as client:
        try:
            client.admin.command("listDatabases")
        except PyMongoError:
            return  # refused, as it should be; whether it is there at all is asked with a password
    yield Finding("database-open", address, "it lists its databases to whoever asks")


def users(client: Client) -> Iterator[Finding]:
    """Every user of the table is there, may do what the table says, and there is nobody else."""
    wanted = {user.name: user for user in rights.users()}
    told = client.admin.command("usersInfo", {"forAllDBs": True}, showPrivileges=False)["users"]
    known = {user["user"]: user for user in told}
    for name in sorted(set(wanted) - set(known)):
        yield Finding("user-missing", name, "the database does not know this user")
    for name in sorted(set(known) - set(wanted) - {rights.OWNER}):
        yield Finding("user-unknown", name, "the table of rights does not know this user")
    for name in sorted(set(known) & set(wanted)):
        yield from _more_than(client, wanted[name], known[name])


def _more_than(client: Client, wanted: rights.User, known: Mapping[str, Any]) -> Iterator[Finding]:
    foreign = sorted({role["role"] for role in known["roles"]} - {wanted.name})
    if foreign:
        yield Finding("user-may-too-much", wanted.name, f"it has also the role {', '.join(foreign)}")
    asked = {"role": wanted.name, "db": "admin"}
    found = client.admin.command("rolesInfo", asked, showPrivileges=True)["roles"]
    may = {pair for role in found for pair in _pairs(role["privileges"])}
    may |= {("", inherited["role"], "") for role in found for inherited in role["roles"]}
    more = sorted(may - _pairs(database_users.privileges(wanted)))
    if more:
        says = ", ".join(
            f"{action} on {database}.{collection or '*'}" for database, collection, action in more
        )
        yield Finding("user-may-too-much", wanted.name, f"it may also {says}")


def _pairs(privileges: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    return {
        (each["resource"].get("db", "*"), each["resource"].get("collection", "*"), action)
        for each in privileges
        for action in each["actions"]
    }


def counts(client: Client) -> Iterator[Finding]:
    """The views are there through which audit compares what was said with what is in the log."""
    for service in rights.SERVICES:
        database = client[rights.database_of(service)]
        there = set(database.list_collection_names())
        for name in rights.AGGREGATES[service]:
            if rights.COUNTS + name not in there:
                yield Finding(
                    "counts-missing", f"{database.name}.{rights.COUNTS}{name}", "the view is not there"
                )


def indexes(client: Client) -> Iterator[Finding]:
    """Those that keep a promise are there, where there is anything to keep it for."""
    for (database, collection), names in INDEXES.items():
        kept = client[database][collection]
        there = set(kept.index_information())
        for name in names:
            if name not in there and there:
                yield Finding("index-missing", f"{database}.{collection}", f"the index {name} is not there")
