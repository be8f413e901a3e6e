"""What wraps the keys of people: which keys there are, and wrapping everything anew while the system runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from pymongo import MongoClient
from pymongo.errors import EncryptionError

from chassis import mongo
from chassis.access import AccessLog
from chassis.clock import SystemClock
from chassis.envelope import Cause
from chassis.identity import Caller
from chassis.ids import new_id
from chassis.key_providers import (
    LOCAL,
    KeyFolder,
    KeyProviders,
    ProviderUnusable,
    tried,
    wrap_anew,
    wrapped_otherwise,
)
from chassis.vault import KEYS
from cli import show
from cli.local import keys, place, rights
from cli.local.place import Place, read_state

app = typer.Typer(no_args_is_help=True)
# Those that keep a key for each person in MongoDB's form.
SERVICES = ("intake", "notifications")
_MOST_SAID = 400
Service = Annotated[str, typer.Argument(help=f"{' or '.join(SERVICES)}")]
Client = MongoClient[dict[str, Any]]


@app.command("show")
def show_all(as_json: show.AsJson = False) -> None:
    """How many keys of people each wrapping key wraps; the one for new keys is marked."""
    here, client = _reached()
    rows = []
    for service in SERVICES:
        providers = _read(KeyFolder(here.keys, service))
        counted = _counted(client, service)
        for name in sorted({*providers.unwrapping, *counted}):
            is_present = name == providers.wrapping
            row = {"service": service, "wrapped_by": name, "keys": counted.get(name, 0)}
            rows.append(row | {"for_new_keys": is_present, "is_here": name in providers.unwrapping})
    show.rows(rows, ("service", "wrapped_by", "keys", "for_new_keys", "is_here"), as_json=as_json)


@app.command()
def rotate(service: Service, as_json: show.AsJson = False) -> None:
    """Wrap every person's key with a new wrapping key, while the system runs; killed, say it again and it goes on.

    Where `<service>.provider.json` names a key management service, its key is used instead of a new file of ours, after
    it was tried; to leave a service call its file `<service>.provider.<name of yours>.json` and rotate.
    """
    here, client = _reached()
    providers = _providers(here, client, service)
    _say(client, service, "rotate-begun", providers)
    done = 0
    with show.console.status("wrapping") as status, _plainly():
        while some := wrap_anew(client, _namespace(service), providers):
            done += some
            status.update(f"wrapped {done}")
    _say(client, service, "rotate-ended", providers)
    show.record({"service": service, "wrapped_by": providers.wrapping, "keys": done}, as_json=as_json)


@app.command()
def retire(
    service: Service,
    yes: Annotated[
        bool, typer.Option("--yes", help="No backup from before the last rotation is needed.")
    ] = False,
    as_json: show.AsJson = False,
) -> None:
    """Forget the wrapping keys that wrap nothing any more; backups from before the rotation cannot be read without."""
    here, client = _reached()
    providers, counted = _read(KeyFolder(here.keys, _checked(service))), _counted(client, service)
    kept = (LOCAL, providers.wrapping)
    gone = [name for name in providers.unwrapping if not counted.get(name) and name not in kept]
    if gone and not yes:
        raise show.fail(
            "Backups from before the last rotation need these keys.", "Say --yes if none is kept."
        )
    _say(client, service, "retire", providers)
    for each in gone:
        for where in (here.keys / service, here.keys):
            (where / providers.files[each]).unlink(missing_ok=True)
    names = [each.removeprefix(f"{LOCAL}:") for each in gone]
    show.record({"service": service, "forgotten": names}, as_json=as_json)


def _providers(here: Place, client: Client, service: str) -> KeyProviders:
    """What to wrap with: the newest key where its rotation was interrupted or is a service's, else a new one."""
    folder = KeyFolder(here.keys, _checked(service))
    providers = _read(folder)
    is_ours = providers.wrapping.partition(":")[0] == LOCAL
    is_done = _keys(client, service).count_documents(wrapped_otherwise(providers), limit=1) == 0
    if is_ours and (is_done or providers.wrapping == LOCAL):
        keys.new_wrapping_key(here.keys, service, datetime.now(UTC))
    with _plainly():  # no process is told of a service that does not work
        tried(client, _read(folder))
    # Before the first key is wrapped with it, every process can unwrap: each looks at its folder when it meets one.
    keys.portion(here.keys, service, here.keys / service)
    return _read(folder)


def _read(folder: KeyFolder) -> KeyProviders:
    try:
        return folder.read()
    except ProviderUnusable as wrong:
        raise show.fail(f"{wrong}.", "docs/operations.md, Wrapping keys, says what stands in it.") from None


@contextmanager
def _plainly() -> Iterator[None]:
    """Whatever the key management service says instead of wrapping ends the command, in its own words."""
    try:
        yield
    except EncryptionError as no:
        said = " ".join(str(no).split())[:_MOST_SAID]
        raise show.fail(
            f"What wraps keys did not: {said}", "Nothing is lost; mend the file and say it again."
        ) from None


def _checked(service: str) -> str:
    if service not in SERVICES:
        raise show.fail(f"{service} keeps no keys of people.", f"Name {' or '.join(SERVICES)}.")
    return service


def _reached() -> tuple[Place, Client]:
    here = place.here()
    known = read_state(here)
    if known is None:
        raise show.fail("Nothing runs here.", "`make up` starts it.")
    return here, mongo.connect(known.mongo_uri)


def _namespace(service: str) -> str:
    return f"{rights.database_of(service)}.{KEYS}"


def _keys(client: Client, service: str) -> Any:
    return client[rights.database_of(service)][KEYS]


def _counted(client: Client, service: str) -> dict[str, int]:
    found = _keys(client, service).aggregate(
        [{"$group": {"_id": "$masterKey.provider", "keys": {"$sum": 1}}}]
    )
    return {each["_id"]: each["keys"] for each in found}


def _say(client: Client, service: str, action: str, providers: KeyProviders) -> None:
    """Who did what with which key is an event of the service, and so an entry of the log, before anything is done."""
    database = client[rights.database_of(service)]
    caller = Caller("cli-engineer", "engineer", "kindred", "HOPERAT")
    AccessLog(database, SystemClock(), service).record_read(
        caller,
        record_type="WrappingKey",
        record_id=providers.wrapping,
        action=action,
        cause=Cause(new_id("cor")),
    )
