"""Passwords at the broker and the database: made once, kept as files, one folder for each process.

No password is an argument of a command or lies in an environment: a process is told the file that holds its address.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from cli.local import rights

MONGO, AMQP, PRUNER = "mongo.uri", "amqp.uri", "pruner.uri"
_KEY_FILE = "mongod.key"
# Where a process is told of a broker and never asks it.
NO_BROKER = "amqp://nobody@127.0.0.1:1/none"


def create(folder: Path) -> Path:
    """Every user has a password and mongod its key file; what is there is left alone. Returns the folder."""
    (folder / "passwords").mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    for name in (rights.OWNER, *(user.name for user in rights.users())):
        _once(folder / "passwords" / name, secrets.token_urlsafe(32))
    _once(folder / _KEY_FILE, secrets.token_hex(256))
    return folder


def key_file(folder: Path) -> Path:
    """What the members of the replica set know each other by, and the set-up acts with."""
    return folder / _KEY_FILE


def password(folder: Path, name: str) -> str:
    """The user's password."""
    return (folder / "passwords" / name).read_text(encoding="ascii").strip()


def passwords(folder: Path) -> dict[str, str]:
    """Every user's password, the owner's among them."""
    kept = sorted(path.name for path in (folder / "passwords").iterdir() if path.is_file())
    return {name: password(folder, name) for name in kept}


def as_user(uri: str, name: str, secret: str) -> str:
    """The address, with this user's name and password in place of whatever it had; of several, joined by ";", each."""
    named = [urlsplit(each.strip()) for each in uri.split(";")]
    return ";".join(
        urlunsplit(parts._replace(netloc=f"{name}:{secret}@{parts.netloc.rpartition('@')[2]}"))
        for parts in named
    )


def hand_out(folder: Path, to: Path, user: rights.User, mongo_uri: str, amqp_uri: str) -> None:
    """The process's folder holds its own addresses and nobody else's; `to` is that folder."""
    own = password(folder, user.name)
    give(to, MONGO, as_user(mongo_uri, user.name, own))
    give(to, AMQP, as_user(amqp_uri, user.name, own) if user.broker else NO_BROKER)
    if user.name == "audit-api":
        give(to, PRUNER, as_user(mongo_uri, rights.PRUNER, password(folder, rights.PRUNER)))


def give(to: Path, name: str, text: str) -> None:
    """The file is there with this content, readable by its owner only."""
    to.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = to / name
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        _write(path, text)


def _once(path: Path, text: str) -> None:
    if not path.exists():
        _write(path, text)


def _write(path: Path, text: str) -> None:
    draft = path.with_name(path.name + ".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
