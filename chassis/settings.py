"""Settings come from the environment into a frozen dataclass; every fault is reported at once."""

from __future__ import annotations

import dataclasses
import ipaddress
import os
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")
REQUIRED: Any = object()
# What asks twice who somebody is (exports, broken glass) asks for a sign-in of so long ago at most; one proof is good for
# that long, and what it opened closes when it is over.
STEP_UP_MINUTES = 5.0


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
    # "production" or "development"; where it is not said, a process that can be reached from elsewhere is production.
    mode: str = setting("KINDRED_MODE", "")
    # How people sign in (docs/sign-in-of-people.md): the OpenID provider, and who this service is to it.
    oidc_issuer: str = setting("KINDRED_OIDC_ISSUER", "")
    oidc_client_id: str = setting("KINDRED_OIDC_CLIENT_ID", "")
    # One of both: a shared secret, or our private key as a JSON Web Key (private_key_jwt). Read at each use.
    oidc_secret_path: str = setting("KINDRED_OIDC_SECRET_PATH", "")
    oidc_key_path: str = setting("KINDRED_OIDC_KEY_PATH", "")
    # The authority of the provider's certificate, where the system's own do not know it (PEM).
    oidc_ca: str = setting("KINDRED_OIDC_CA", "")
    oidc_scopes: tuple[str, ...] = setting("KINDRED_OIDC_SCOPES", ("openid",))
    # What the access tokens of people must be meant for; never the client id, so that an id token is none.
    oidc_audience: str = setting("KINDRED_OIDC_AUDIENCE", "kindred")
    # Where the provider says what: person, role, organization, programme; and its names of our roles.
    oidc_claims: tuple[str, ...] = setting("KINDRED_OIDC_CLAIMS", ())
    oidc_roles: tuple[str, ...] = setting("KINDRED_OIDC_ROLES", ())
    # How fresh a sign-in must be for what asks twice, and the authentication context it must have ("" for any).
    step_up_minutes: float = setting("KINDRED_STEP_UP_MINUTES", STEP_UP_MINUTES)
    step_up_acr: str = setting("KINDRED_STEP_UP_ACR", "")
    # The address of this service's pages as browsers know it ("https://desk.kindred.example").
    pages_url: str = setting("KINDRED_PAGES_URL", "")

    @property
    def is_production(self) -> bool:
        """True unless this is said to be development, or nobody can reach it, nor its provider, from elsewhere."""
        if self.mode:
            return self.mode != "development"
        doors = (self.grpc_address, self.http_address, urlsplit(self.oidc_issuer).netloc or "localhost:0")
        return not all(map(is_local, doors))

    @property
    def step_up(self) -> tuple[timedelta, str]:
        """How fresh a sign-in must be for what asks twice, and how strong; for chassis.identity.require_fresh."""
        return timedelta(minutes=self.step_up_minutes), self.step_up_acr

    @property
    def pages_origin(self) -> str:
        """Where browsers find the pages, without a slash at the end."""
        return self.pages_url.rstrip("/") or f"http{'s' if self.http_tls_cert else ''}://{self.http_address}"


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


def check_sign_in(settings: ProcessSettings) -> None:
    """People can sign in as the settings say, and in production nobody can without a provider; raises SettingsFaults."""
    faults = []
    if settings.mode not in ("", "production", "development"):
        faults.append("KINDRED_MODE is production or development")
    if settings.oidc_issuer:
        faults += _provider_faults(settings)
    elif settings.is_production:
        faults.append("KINDRED_OIDC_ISSUER is not set: in production people sign in at an OpenID provider")
    if faults:
        raise SettingsFaults(faults)


def _provider_faults(settings: ProcessSettings) -> list[str]:
    faults = []
    if urlsplit(settings.oidc_issuer).scheme != "https":
        faults.append("KINDRED_OIDC_ISSUER must be an https address")
    if not settings.oidc_client_id:
        faults.append("KINDRED_OIDC_CLIENT_ID is not set")
    if bool(settings.oidc_secret_path) == bool(settings.oidc_key_path):
        faults.append("set one of KINDRED_OIDC_SECRET_PATH and KINDRED_OIDC_KEY_PATH")
    if settings.oidc_audience == settings.oidc_client_id:
        faults.append(
            "KINDRED_OIDC_AUDIENCE must differ from KINDRED_OIDC_CLIENT_ID: an id token is no key to an API"
        )
    if "openid" not in settings.oidc_scopes:
        faults.append("KINDRED_OIDC_SCOPES must hold openid")
    if settings.is_production and urlsplit(settings.pages_url).scheme != "https":
        faults.append("KINDRED_PAGES_URL must be the https address of the pages")
    return faults
