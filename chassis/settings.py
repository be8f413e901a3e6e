"""Settings come from the environment into a frozen dataclass; every fault is reported at once."""

from __future__ import annotations

import dataclasses
import ipaddress
import os
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
REQUIRED: Any = object()


class SettingsFaults(Exception):  # noqa: N818  it holds every fault, each a sentence
    """What is wrong with the environment, one line each; never a secret's value."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class Secret(str):
    """Text that never prints itself; use it like a string where it is needed."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret(...)"


def setting(env_name: str, default: Any = REQUIRED, *, secret: bool = False) -> Any:
    """A dataclass field read from the environment variable `env_name`."""
    metadata = {"env": env_name, "secret": secret}
    if default is REQUIRED:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def _truth(text: str) -> bool:
    known = {
        "1": True,
        "true": True,
        "yes": True,
        "on": True,
        "0": False,
        "false": False,
        "no": False,
        "off": False,
    }
    return known[text.lower()]


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


_READERS: dict[Any, tuple[Callable[[str], Any], str]] = {
    str: (str, "text"),
    Secret: (Secret, "text"),
    int: (int, "a whole number"),
    float: (float, "a number"),
    bool: (_truth, "true or false"),
    Path: (lambda text: Path(text).expanduser(), "a path"),
    tuple[str, ...]: (_words, "words separated by commas"),
}


def _from_file(environ: Mapping[str, str], env_name: str) -> str:
    named = environ.get(f"{env_name}_FILE")
    return Path(named).expanduser().read_text(encoding="utf-8").strip() if named else ""


def read(cls: type[T], environ: Mapping[str, str] | None = None) -> T:
    """An instance of the settings class `cls`; raises SettingsFaults naming every unusable value.

    A secret may also be the content of a file that `<NAME>_FILE` names, so that no environment holds it.
    """
    environ = os.environ if environ is None else environ
    kinds = typing.get_type_hints(cls)
    values: dict[str, Any] = {}
    faults: list[str] = []
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        env_name = field.metadata.get("env")
        if env_name is None:
            continue
        try:
            text = environ.get(env_name) or (
                _from_file(environ, env_name) if field.metadata["secret"] else ""
            )
        except (OSError, UnicodeDecodeError) as unreadable:
            faults.append(f"{env_name}_FILE cannot be read: {type(unreadable).__name__}")
            continue
        if not text:
            if field.default is dataclasses.MISSING:
                faults.append(f"{env_name} is not set")
            continue
        reader, wanted = _READERS[kinds[field.name]]
        try:
            values[field.name] = reader(text)
        except (ValueError, KeyError):
            shown = "what it holds" if field.metadata["secret"] else repr(text)
            faults.append(f"{env_name} must be {wanted}, not {shown}")
    if faults:
        raise SettingsFaults(faults)
    return cls(**values)


_GRPC = "set KINDRED_GRPC_TLS_CERT and KINDRED_GRPC_TLS_CA, or KINDRED_GRPC_ALLOW_PLAIN=1 where the network is yours"
_HTTP = "set KINDRED_HTTP_TLS_CERT, or KINDRED_HTTP_ALLOW_PLAIN=1 where a proxy before it ends TLS"


def is_local(address: str) -> bool:
    """True where "host:port" can be reached from this machine only."""
    host, _, port = address.rpartition(":")
    if host == "localhost":
        return port.isdigit()
    try:
        return port.isdigit() and ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, kw_only=True)
class ProcessSettings:
    """What every process of every service needs; each service's Settings adds its own."""

    mongo_uri: Secret = setting("KINDRED_MONGO_URI", secret=True)
    mongo_database: str = setting("KINDRED_MONGO_DATABASE")
    amqp_uri: Secret = setting("KINDRED_AMQP_URI", secret=True)
    # Said where the network between this process and the database or the broker is one's own and has no TLS.
    mongo_allow_plain: bool = setting("KINDRED_MONGO_ALLOW_PLAIN", False)
    amqp_allow_plain: bool = setting("KINDRED_AMQP_ALLOW_PLAIN", False)
    # Whether a worker declares its queues and bindings itself; where the set-up did, it needs no right to.
    declares_topology: bool = setting("KINDRED_DECLARES_TOPOLOGY", True)
    keys_dir: Path = setting("KINDRED_KEYS_DIR")
    grpc_address: str = setting("KINDRED_GRPC_ADDRESS", "127.0.0.1:0")
    http_address: str = setting("KINDRED_HTTP_ADDRESS", "127.0.0.1:0")
    worker_host: str = setting("KINDRED_WORKER_HOST", "nameko")
    log_level: str = setting("KINDRED_LOG_LEVEL", "info")
    otlp_endpoint: str = setting("KINDRED_OTLP_ENDPOINT", "")
    spans_file: str = setting("KINDRED_SPANS_FILE", "")
    trace_ratio: float = setting("KINDRED_TRACE_RATIO", 1.0)
    failpoints: str = setting("KINDRED_FAILPOINTS", "")
    max_body_bytes: int = setting("KINDRED_MAX_BODY_BYTES", 1_000_000)
    # Mutual TLS of the gRPC door, and of calls to others: our key and certificate in one PEM file, and the authority of
    # whoever may speak with us. A door that can be reached from elsewhere does not open without, unless it is told to.
    grpc_tls_cert: str = setting("KINDRED_GRPC_TLS_CERT", "")
    grpc_tls_ca: str = setting("KINDRED_GRPC_TLS_CA", "")
    grpc_allow_plain: bool = setting("KINDRED_GRPC_ALLOW_PLAIN", False)
    # TLS of the HTTP door; or a proxy before it ends TLS on the same machine, which must then be said.
    http_tls_cert: str = setting("KINDRED_HTTP_TLS_CERT", "")
    http_allow_plain: bool = setting("KINDRED_HTTP_ALLOW_PLAIN", False)
    # Requests a second one organization may make of each door of each process, twice as many in one second.
    organization_per_s: float = setting("KINDRED_ORGANIZATION_PER_S", 500.0)


def check_doors(settings: ProcessSettings) -> None:
    """The gRPC and the HTTP door can be reached from elsewhere under TLS only; raises SettingsFaults."""
    doors = (
        (
            "KINDRED_GRPC_ADDRESS",
            settings.grpc_address,
            settings.grpc_tls_cert,
            settings.grpc_allow_plain,
            _GRPC,
        ),
        (
            "KINDRED_HTTP_ADDRESS",
            settings.http_address,
            settings.http_tls_cert,
            settings.http_allow_plain,
            _HTTP,
        ),
    )
    faults = [
        f"{name} can be reached from elsewhere: {remedy}"
        for name, address, certificate, may_be_plain, remedy in doors
        if not (certificate or may_be_plain or is_local(address))
    ]
    if settings.grpc_tls_cert and not settings.grpc_tls_ca:
        faults.append("KINDRED_GRPC_TLS_CERT needs KINDRED_GRPC_TLS_CA, the authority of those who may call")
    if faults:
        raise SettingsFaults(faults)
