"""What listens, in clear or not, how it was set, whether it is ready, and whose clock it has."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import struct
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

from chassis.settings import is_local
from cli.doctor.findings import Finding

CLOCKS_DIFFER = timedelta(seconds=5)
# As the alarms of docs/operations.md have them.
MOST_LAG_S, MOST_AGE_S = 10.0, 180.0
_ASK_S = 3.0
_LISTENS = "0A"
# Nobody outside of a cluster needs them, with or without TLS.
INNER = ("mongod", "rabbitmq", "epmd", "erlang")
_ADDRESSES = ("KINDRED_GRPC_ADDRESS", "KINDRED_HTTP_ADDRESS", "KINDRED_MLLP_ADDRESS")


def listening() -> set[tuple[str, int]]:
    """Every address and port somebody listens on, on this machine (proc(5), net/tcp)."""
    found = set()
    for name in ("tcp", "tcp6"):
        with suppress(FileNotFoundError):
            for line in Path(f"/proc/net/{name}").read_text(encoding="ascii").splitlines()[1:]:
                local, state = line.split()[1], line.split()[3]
                if state == _LISTENS:
                    host, _, port = local.partition(":")
                    found.add((_host(host), int(port, 16)))
    return found


def _host(text: str) -> str:
    words = [struct.pack("<I", int(text[at : at + 8], 16)) for at in range(0, len(text), 8)]
    return str(ipaddress.ip_address(b"".join(words)))


def open_doors(
    known: Mapping[str, int], heard: set[tuple[str, int]], speaks_tls: Callable[[str, int], bool]
) -> Iterator[Finding]:
    """Of our own ports (`known`, by name), those that can be reached from elsewhere and should not be."""
    for name, port in known.items():
        for host in sorted({host for host, at in heard if at == port}):
            address = ipaddress.ip_address(host)
            if getattr(address, "ipv4_mapped", None):
                address = address.ipv4_mapped  # type: ignore[assignment,union-attr]
            if address.is_loopback:
                continue
            if name.partition(" ")[0] in INNER:
                yield Finding("open-to-everybody", name, f"it listens on {host}:{port}")
            elif not speaks_tls(host, port):
                yield Finding("open-in-clear", name, f"it listens on {host}:{port} without TLS")


def speaks_tls(host: str, port: int) -> bool:
    """Whether whoever listens there begins with TLS; its certificate is not looked at here."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  an address that was found
    try:
        with socket.create_connection((here, port), _ASK_S) as plain, context.wrap_socket(plain):
            return True
    except ssl.SSLError as refused:
        return "CERTIFICATE_REQUIRED" in str(refused)
    except OSError:
        return False


def settings(name: str, env: Mapping[str, str], wanted_mode: str = "") -> Iterator[Finding]:
    """What a process was told that is for development, for tests, or weak; `wanted_mode` is whoever examines' own."""
    for setting in sorted(env):
        if setting.startswith("KINDRED_") and setting.endswith("_ALLOW_PLAIN") and _is_on(env[setting]):
            yield Finding("plain-allowed", name, f"{setting} lets it speak in clear off this machine")
    if env.get("KINDRED_FAILPOINTS"):
        yield Finding("failpoints-on", name, "KINDRED_FAILPOINTS is set")
    if env.get("KINDRED_LOG_LEVEL", "info").lower() == "debug":
        yield Finding("logs-too-much", name, "KINDRED_LOG_LEVEL is debug")
    reachable = [env[each] for each in _ADDRESSES if env.get(each) and not is_local(env[each])]
    if env.get("KINDRED_MODE") == "development" and reachable:
        yield Finding("development-in-the-open", name, "it can be reached from elsewhere")
    elif wanted_mode == "production" and _is_development(env, reachable):
        yield Finding("development-for-production", name, "KINDRED_MODE is not production there")


def _is_development(env: Mapping[str, str], reachable: Sequence[str]) -> bool:
    """As chassis/settings.py has it; a process without doors of ours knows no mode."""
    has_doors = any(env.get(each) for each in ("KINDRED_GRPC_ADDRESS", "KINDRED_HTTP_ADDRESS"))
    return env.get("KINDRED_MODE", "development" if has_doors and not reachable else "") == "development"


def _is_on(text: str) -> bool:
    return text.lower() in ("1", "true", "yes", "on")


def ready(states: Mapping[str, str]) -> Iterator[Finding]:
    """Of the processes that should run, those that do not or are not ready; the keepers have codes of their own."""
    keepers = {"audit-signer": "signer-away", "audit-witness": "witness-away"}
    for name, state in states.items():
        if state != "ready":
            yield Finding(keepers.get(name, "process-not-ready"), name, state)


def clock(name: str, theirs: datetime, ours: datetime) -> Iterator[Finding]:
    """Two clocks that differ by more than a few seconds."""
    if abs(theirs - ours) > CLOCKS_DIFFER:
        yield Finding(
            "clock-differs", name, f"its clock is {(theirs - ours).total_seconds():+.0f} s from ours"
        )


def clock_of(url: str) -> datetime | None:
    """What time a process says it is, from the Date of its answer; None where it says nothing."""
    try:
        with urllib.request.urlopen(url, timeout=_ASK_S) as answer:  # noqa: S310  our own address
            told = answer.headers.get("Date")
    except (OSError, urllib.error.URLError):
        return None
    return parsedate_to_datetime(told).astimezone(UTC) if told else None


def log_lag(metrics: str) -> Iterator[Finding]:
    """From the metrics of audit's api: entries that wait for a cosignature, or that were signed and are gone."""
    for line in metrics.splitlines():
        name, _, value = line.rpartition(" ")
        name = name.partition("{")[0]
        if name == "kindred_audit_lag_seconds" and float(value) > MOST_LAG_S:
            yield Finding("witness-not-signing", "audit", f"entries wait for {float(value):.0f} s")
        if name == "kindred_audit_checkpoint_age_seconds" and float(value) > MOST_AGE_S:
            yield Finding("witness-not-signing", "audit", f"the last cosignature is {float(value):.0f} s old")
        if name == "kindred_audit_signed_beyond_entries" and float(value) > 0:
            says = f"the signer vouched for {float(value):.0f} entries that are not there (rolled-back)"
            yield Finding("log-set-back", "audit", says)
