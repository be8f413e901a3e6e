"""Backups of all databases at one moment, and their way back."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from cli import show
from cli.backups import catalog, numbering, restoring, taking
from cli.backups.catalog import BrokenBackup
from cli.local import place, system
from cli.local.faults import LocalFault
from cli.local.ports import SERVICES

AUDIT = ("kindred_audit", "kindred_audit_keys")


def add_to(app: typer.Typer) -> None:
    """Adds these commands to the top level."""
    app.command()(backup)
    app.command()(restore)


def backup(
    to: Annotated[Path, typer.Option(help="A folder for the data; the backup is a new folder in it.")],
    keys_to: Annotated[
        Path, typer.Option(help="Another one, elsewhere, for the wrapped data keys: keep few of them.")
    ],
    as_json: show.AsJson = False,
) -> None:
    """Back up every database as of one moment while everything runs; master keys are in neither folder."""
    if to.resolve() == keys_to.resolve():
        raise show.fail(
            "The data and their keys go to two places.", "Who finds one of them must not find the other."
        )
    known = place.read_state(place.here())
    uri = os.environ.get("MONGO_URI") or (known.mongo_uri if known else "")
    if not uri:
        raise show.fail(
            "Nothing runs here.", "`make up` starts it, or set MONGO_URI to the replica set to back up."
        )
    with _client(uri) as client:
        try:
            data, keys = taking.take(
                client, _databases(SERVICES), to, keys_to, catalog.release(), _telling(as_json)
            )
        except taking.PointLost as trouble:
            raise show.fail(str(trouble)) from None
    name = catalog.name_of(data.point)
    show.record(
        {
            "moment": f"{data.moment:%Y-%m-%d %H:%M:%S} UTC",
            "data": f"{to / name}",
            "documents": data.documents,
            "keys": f"{keys_to / name}",
            "data_keys": keys.documents,
            "restore": f"kindred restore {to / name} --keys {keys_to / name} --replace",
            "not_in_it": "the master keys in var/keys, and what signer and witness remember in var/kept",
        },
        as_json=as_json,
    )


def restore(
    data: Annotated[Path, typer.Argument(help="The folder of one backup's data.")],
    keys: Annotated[Path, typer.Option(help="The folder of the newest backup of the data keys.")],
    only: Annotated[str, typer.Option(help="Services, separated by commas; audit only if it is named.")] = (
        "intake,matching,notifications"
    ),
    replace: Annotated[bool, typer.Option(help="Put it in the place of databases that are there.")] = False,
    as_json: show.AsJson = False,
) -> None:
    """Bring databases back as they were; everything must be down, and `make up` comes after."""
    services = [name.strip() for name in only.split(",") if name.strip()]
    if wrong := sorted(set(services) - set(SERVICES)):
        raise show.fail(f"There is no service {wrong[0]}.", f"Name some of {', '.join(SERVICES)}.")
    if "audit" in services and any((place.here().kept / "signer").glob("*.note")):
        raise show.fail(
            "The signer remembers a log that may be longer than the backup's, and would sign nothing any more.",
            "The log proves what the other services lost: leave it as it is (--only, docs/operations.md).",
            "Only where the log itself is lost: move var/kept aside first; outside monitors will say rolled-back.",
        )
    databases = _databases(services)
    try:
        found = restoring.read(data, keys)
        with system.database_alone(place.here(), lambda name, state: None) as uri, _client(uri) as client:
            there = restoring.standing(client, databases)
            if there and not replace:
                raise show.fail(
                    f"There are data already: {', '.join(there)}.",
                    "Add --replace to put the backup in their place.",
                )
            written = restoring.restore(
                client, list(zip(found, (data, keys), strict=True)), databases, _telling(as_json)
            )
            numbers = [] if "audit" in services else numbering.go_on(client, services)
    except (BrokenBackup, LocalFault) as trouble:
        raise show.fail(*_words(trouble)) from None
    show.record(
        {
            "moment": f"{found[0].moment:%Y-%m-%d %H:%M:%S} UTC",
            "services": services,
            "documents": written,
            "lost_events": {one.producer: one.vanished for one in numbers if one.vanished} or "none",
            "next": "make up; kindred replay all; kindred audit fsck",
        },
        as_json=as_json,
    )


def _databases(services: Sequence[str]) -> list[str]:
    named = [f"kindred_{name}" for name in services if name != "audit"]
    return named + (list(AUDIT) if "audit" in services else [])


def _words(trouble: Exception) -> tuple[str, ...]:
    return (trouble.problem, trouble.remedy) if isinstance(trouble, LocalFault) else (str(trouble),)


def _telling(as_json: bool) -> taking.Tell:
    def tell(name: str, documents: int) -> None:
        if not as_json:
            show.console.print(f"  {name:<48} {documents:>9,}")

    return tell


@contextmanager
def _client(uri: str) -> Iterator[MongoClient[dict[str, Any]]]:
    """A snapshot is read with no read concern of the client's beside it; an index may take long to build."""
    client: MongoClient[dict[str, Any]] = MongoClient(
        uri, w="majority", journal=True, serverSelectionTimeoutMS=5_000, tz_aware=True
    )
    try:
        yield client
    except PyMongoError as trouble:
        raise show.fail(
            f"The database did not take part: {type(trouble).__name__}.", str(trouble)[:200]
        ) from None
    finally:
        client.close()
