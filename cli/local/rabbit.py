"""A RabbitMQ node of our own beside whatever else runs here, set up from one definitions file."""

import base64
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import amqp

from cli.local import access, children, ports, rights
from cli.local.children import Child
from cli.local.faults import LocalFault
from cli.local.readiness import wait_ready

DEFINITIONS = Path(__file__).resolve().parents[2] / "deploy" / "rabbitmq" / "definitions.json"
INSTALLED = Path("/usr/lib/rabbitmq/lib")
NODE = "kindred@localhost"
USER = rights.OWNER
VHOST = "kindred"
READY_S = 120.0
_LOOPBACK_ONLY = "-kernel inet_dist_use_interface {127,0,0,1}"


@dataclass(frozen=True)
class Node:
    """One node: its record here, its Erlang name, its own folder, its two ports, and what it alone is told."""

    record: str
    name: str
    folder: Path
    amqp_port: int
    erlang_port: int
    settings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rabbit:
    """A running broker of ours; `epmd` is the Erlang port mapper it needs, on a port of its own."""

    child: Child
    epmd: Child
    uri: str


def start(
    var: Path,
    amqp_port: int,
    erlang_port: int,
    epmd_port: int,
    more_vhosts: Sequence[str] = (),
    *,
    keys: Path | None = None,
) -> Rabbit:
    """Starts (or finds running) the node of this var folder; returns when a client can publish.

    Data lives in `var/rabbit`.  Users, the virtual host and the policies come from
    `deploy/rabbitmq/definitions.json` at every start; `more_vhosts` are set up like the first.
    With `keys`, a folder of `cli.local.access`, the users of `cli.local.rights` are there too; the address is the
    owner's.  Raises LocalFault if RabbitMQ is not installed, a port is taken or it does not come up.
    """
    server()  # said before anything is started
    own = only_node(var, amqp_port, erlang_port)
    secret = password(own.folder)
    epmd = port_mapper(var, epmd_port)
    child = launch(var, own, epmd_port, more_vhosts, keys=keys)
    wait_ready(child, lambda: missing(amqp_port, secret), READY_S)
    return Rabbit(child, epmd, address(own, secret))


def only_node(var: Path, amqp_port: int, erlang_port: int) -> Node:
    """The one node of a system that has no cluster."""
    return Node("rabbitmq", NODE, var / "rabbit", amqp_port, erlang_port)


def launch(
    var: Path, node: Node, epmd_port: int, more_vhosts: Sequence[str] = (), *, keys: Path | None = None
) -> Child:
    """The running node, started where it does not run, or runs with other users or definitions than wanted."""
    run, home = var / "run", var / "rabbit"
    program = server()
    secrets_of = access.passwords(keys) if keys else {}
    told = _told(secrets_of)
    child = children.recall(run, node.record)
    if child and child.fingerprint != told:
        children.stop(run, child, grace_s=30.0)
        child = None
    if child:
        return child
    _require_free(node.amqp_port, node.erlang_port)
    write_definitions(home / "definitions.json", password(home), more_vhosts, secrets_of)
    _configure(home, node)
    env = environment(var, node, epmd_port)
    log = var / "log" / f"{node.record}.log"
    return children.spawn(run, node.record, [str(program)], env=env, log=log, cwd=var, fingerprint=told)


def address(node: Node, secret: str) -> str:
    """The owner's address at this node."""
    return f"amqp://{USER}:{secret}@127.0.0.1:{node.amqp_port}/{VHOST}"


def server() -> Path:
    """The `rabbitmq-server` script itself, not the wrapper that insists on its own user."""
    found = sorted(INSTALLED.glob("rabbitmq_server-*/sbin/rabbitmq-server"))
    elsewhere = os.environ.get("RABBITMQ_HOME", "")
    if elsewhere:
        found.append(Path(elsewhere) / "sbin" / "rabbitmq-server")
    if found and found[-1].is_file():
        return found[-1]
    raise LocalFault(
        "RabbitMQ is not installed here.",
        "Run `sudo apt-get update && sudo apt-get install -y rabbitmq-server`, set RABBITMQ_HOME to an "
        "unpacked one, or set AMQP_URI to a broker of yours.",
    )


def port_mapper(var: Path, port: int) -> Child:
    """Erlang's port mapper, running; started by ourselves, since the one Erlang would start is a daemon nobody stops."""
    if child := children.recall(var / "run", "epmd"):
        return child
    found = shutil.which("epmd")
    if found is None:
        raise LocalFault(
            "Erlang's epmd is not on the PATH.",
            "Run `sudo apt-get install -y erlang-base`, or put Erlang's bin folder on the PATH.",
        )
    _require_free(port)
    argv = [found, "-port", str(port), "-address", "127.0.0.1"]
    log = var / "log" / "epmd.log"
    child = children.spawn(var / "run", "epmd", argv, env=os.environ, log=log, cwd=var)
    wait_ready(child, lambda: "" if not ports.is_free(port) else "it does not listen yet", 10.0)
    return child


def write_definitions(
    path: Path, password: str, more_vhosts: Sequence[str] = (), passwords: Mapping[str, str] | None = None
) -> None:
    """The committed definitions plus the owner and, of `passwords`, every user of the table with its rights.

    Only the passwords' hashes are written.  What is said of the first virtual host is said of each of `more_vhosts`
    too, but for the users.
    """
    definitions = json.loads(DEFINITIONS.read_text(encoding="utf-8"))
    for part, rows in definitions.items():
        key = "name" if part == "vhosts" else "vhost"
        rows += [row | {key: vhost} for vhost in more_vhosts for row in list(rows) if row[key] == VHOST]
    definitions["users"] = [_user(USER, password, "administrator")]
    definitions["topic_permissions"] = []
    for user in rights.users() if passwords else ():
        if user.broker:
            definitions["users"].append(_user(user.name, (passwords or {})[user.name], ""))
            _permit(definitions, user.name, user.broker)
    _write_private(path, json.dumps(definitions, indent=1))


def _user(name: str, password: str, tags: str) -> dict[str, str]:
    return {
        "name": name,
        "password_hash": _hashed(password),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": tags,
    }


def _permit(definitions: dict[str, Any], name: str, may: rights.BrokerRights) -> None:
    """Nobody but the owner configures; at the exchange of all events, only one's own routing keys are written."""
    who = {"user": name, "vhost": VHOST}
    definitions["permissions"].append(who | {"configure": "^$", "write": may.write, "read": may.read})
    topics = {"exchange": rights.EVENTS, "write": may.topics, "read": "^$"}
    definitions["topic_permissions"].append(who | topics)


def _told(passwords: Mapping[str, str]) -> str:
    """Differs where the users, their rights or what is declared do, so that a running node is set up anew."""
    if not passwords:
        return ""
    known = [DEFINITIONS.read_text(encoding="utf-8"), repr(rights.users()), sorted(passwords.items())]
    return hashlib.sha256(repr(known).encode()).hexdigest()[:16]


def _configure(home: Path, node: Node) -> None:
    node.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings = [
        f"listeners.tcp.1 = 127.0.0.1:{node.amqp_port}",
        f"load_definitions = {home / 'definitions.json'}",
        "heartbeat = 15",
        "consumer_timeout = 900000",
        "disk_free_limit.absolute = 200MB",
        "log.console = true",
        "log.console.level = info",
        "log.file = false",
        *node.settings,
        "",
    ]
    _write_private(node.folder / "rabbitmq.conf", "\n".join(settings))
    _write_private(node.folder / "enabled_plugins", "[].\n")


def environment(var: Path, node: Node, epmd_port: int) -> dict[str, str]:
    """What the node, and whoever asks it how it is set up, are told."""
    ours = {
        "RABBITMQ_NODENAME": node.name,
        "RABBITMQ_MNESIA_BASE": str(node.folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(var / "log"),
        "RABBITMQ_CONFIG_FILE": str(node.folder / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(node.folder / "enabled_plugins"),
        "RABBITMQ_NODE_PORT": str(node.amqp_port),
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_DIST_PORT": str(node.erlang_port),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": _LOOPBACK_ONLY,
        "ERL_EPMD_PORT": str(epmd_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        # Erlang's cookie lies there, by which the nodes of a cluster know each other.
        "HOME": str(var / "rabbit"),
        # The script then becomes the Erlang machine instead of staying in front of it, so that the pid we
        # keep is the broker's own and a TERM reaches it.
        "RUNNING_UNDER_SYSTEMD": "true",
    }
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("RABBITMQ_", "NOTIFY_", "ERL_"))}
    return inherited | ours


def missing(port: int, secret: str) -> str:
    """What keeps a client from using the broker, in words; empty if nothing does."""
    connection = amqp.Connection(
        f"127.0.0.1:{port}", userid=USER, password=secret, virtual_host=VHOST, connect_timeout=2
    )
    try:
        connection.connect()
        connection.channel().close()
    except (OSError, amqp.AMQPError) as trouble:
        return f"it does not answer ({type(trouble).__name__})"
    finally:
        connection.collect()
    return ""


def _require_free(*wanted: int) -> None:
    for port in wanted:
        if not ports.becomes_free(port):
            raise LocalFault(
                f"Port {port}, wanted for RabbitMQ, is taken.",
                "Stop what holds it, or set KINDRED_PORT_BASE to another block.",
            )


def password(folder: Path) -> str:
    """The owner's password, made once."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    kept = folder / "password"
    if not kept.exists():
        _write_private(kept, secrets.token_urlsafe(24))
    return kept.read_text(encoding="utf-8").strip()


def _hashed(password: str) -> str:
    """RabbitMQ's own form: base64 of a four-byte salt and SHA-256 over salt and password."""
    salt = secrets.token_bytes(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def _write_private(path: Path, text: str) -> None:
    draft = path.with_name(path.name + ".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(
        os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
    ) as file:
        file.write(text)
    draft.replace(path)
