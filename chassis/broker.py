"""How a process reaches the broker and the database: under TLS wherever the way leaves this machine."""

from __future__ import annotations

import random
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

from chassis.settings import ProcessSettings, SettingsFaults, is_local

if TYPE_CHECKING:
    from kombu import Connection

_AMQP = "use amqps:// (?cacertfile=FILE for an authority of yours), or KINDRED_AMQP_ALLOW_PLAIN=1 where the network is"
_MONGO = "add tls=true (tlsCAFile=FILE for an authority of yours), or KINDRED_MONGO_ALLOW_PLAIN=1 where the network is"
_TLS_ON = ("true", "True", "1")


def addresses(uri: str) -> list[str]:
    """The nodes of a broker whose addresses are joined by ";", beginning with any of them, so that none is crowded."""
    found = [each.strip() for each in uri.split(";") if each.strip()]
    first = random.randrange(len(found)) if found else 0
    return found[first:] + found[:first]


def connection(uri: str, **options: Any) -> Connection:
    """A kombu connection, not open yet; behind "amqps" the broker's certificate and its name are checked.

    `?cacertfile=`, `?certfile=` and `?keyfile=` name PEM files, as in RabbitMQ's URI query parameters.
    """
    from kombu import Connection

    parts = urlsplit(uri)
    if parts.scheme != "amqps":
        return Connection(uri, **options)
    asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    tls = {
        "cert_reqs": ssl.CERT_REQUIRED,
        "server_hostname": unquote(parts.hostname or ""),
        "ca_certs": asked.get("cacertfile"),
        "certfile": asked.get("certfile"),
        "keyfile": asked.get("keyfile"),
        "tls_minimum_version": ssl.TLSVersion.TLSv1_2,
    }
    plain = urlunsplit(parts._replace(scheme="amqp", query="", netloc=_with_port(parts)))
    return Connection(plain, ssl=tls, **options)


def check_lines(settings: ProcessSettings) -> None:
    """Broker and database off this machine are spoken to under TLS only, unless said otherwise; raises SettingsFaults."""
    faults = []
    if not settings.amqp_allow_plain and any(map(_is_plain_amqp, settings.amqp_uri.split(";"))):
        faults.append(f"KINDRED_AMQP_URI leaves this machine in clear: {_AMQP} yours")
    if not settings.mongo_allow_plain and _is_plain_mongo(settings.mongo_uri):
        faults.append(f"KINDRED_MONGO_URI leaves this machine in clear: {_MONGO} yours")
    if faults:
        raise SettingsFaults(faults)


def _with_port(parts: Any) -> str:
    return parts.netloc if parts.port else f"{parts.netloc}:5671"


def _is_plain_amqp(uri: str) -> bool:
    parts = urlsplit(uri.strip())
    return parts.scheme == "amqp" and not is_local(_address(parts.netloc, 5672))


def _is_plain_mongo(uri: str) -> bool:
    """mongodb+srv is under TLS unless it says no; a plain URI is not unless it says yes."""
    parts = urlsplit(uri)
    asked = parse_qs(parts.query)
    said = (asked.get("tls") or asked.get("ssl") or [""])[-1]
    if parts.scheme == "mongodb+srv":
        return said in ("false", "False", "0")
    hosts = parts.netloc.rpartition("@")[2].split(",")
    return said not in _TLS_ON and not all(is_local(_address(host, 27017)) for host in hosts)


def _address(netloc: str, port: int) -> str:
    host = netloc.rpartition("@")[2]
    has_port = host.rpartition("]")[2].startswith(":") if host.startswith("[") else ":" in host
    return host if has_port else f"{host}:{port}"
