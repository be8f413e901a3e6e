"""The eleven processes of Kindred, the mail server and the issuer of sign-ins: how each is called, started and asked."""

import hashlib
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from cli.local import access, authority, children, ports, sign_ins
from cli.local.children import Child
from cli.local.faults import LocalFault
from cli.local.place import ROOT, SMART_CLIENTS, Addresses, Place

# Doors of a service's own, each a process.
MORE_ROLES = {"intake": ("mllp",), "audit": ("signer", "witness")}
# Those of audit that hold a key and a memory, and neither database nor broker.
KEEPERS = ("signer", "witness")
# Of these any number may run.
REPLICATED = ("api", "worker")
ORIGIN = "kindred.local/audit"
# The fictional hospitals of this machine's system: what the ER desk and HL7 v2 know of them.
HOSPITALS = Path(__file__).with_name("hospitals.json")
HL7_SOURCES = tuple(
    f"{one['facility']}={source_id}@{one['time_zone']}"
    for source_id, one in json.loads(HOSPITALS.read_text(encoding="utf-8")).items()
)
READY_S = 60.0
ASK_S = 2.0


@dataclass(frozen=True)
class Part:
    """One process to run: its command, its own environment, and where it says whether it is ready."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    ready_url: str
    address: str

    @property
    def fingerprint(self) -> str:
        """Changes when the command, the environment or an address does, so that `up` knows to restart it."""
        files = [Path(path) for name, path in self.env.items() if name.endswith("_URI_FILE")]
        held = [path.read_text(encoding="utf-8") for path in files if path.exists()]
        told = json.dumps([self.argv, dict(self.env), held], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:16]


def parts(place: Place, known: Addresses, overrides: Mapping[str, str]) -> list[Part]:
    """The mail server, the issuer, then the eleven processes; `overrides` are more settings for all of these."""
    issuer = [Part(sign_ins.NAME, *sign_ins.command(place, known), "", known.issuer)] if known.issuer else []
    own = [_process(place, known, name, role, overrides) for name, role in names()]
    return [_mail_server(known), *issuer, *own, *_replicas(place, known, overrides)]


def _replicas(place: Place, known: Addresses, overrides: Mapping[str, str]) -> Iterator[Part]:
    """Each further `api` and `worker`: the same user, keys and settings at doors of its own.

    Who signs in at a further replica goes on at the first: the issuer knows the pages by one address.
    """
    first = {"grpc": known.grpc, "http": known.http, "worker_http": known.worker_http}
    for number, doors in enumerate(known.replicas, start=2):
        others = [first, *(each for each in known.replicas if each is not doors)]
        there = replace(
            known, grpc=doors["grpc"], http=doors["http"], worker_http=doors["worker_http"], replicas=others
        )
        for service, role in names():
            if role in REPLICATED:
                part = _process(place, there, service, role, overrides)
                pages = {"KINDRED_PAGES_URL": f"http://{known.http[service]}"} if role == "api" else {}
                yield replace(part, name=f"{part.name}-{number}", env=pages | dict(part.env))


def names() -> list[tuple[str, str]]:
    """Every (service, role) this checkout has."""
    found = [name for name in ports.SERVICES if (ROOT / "services" / name / "__main__.py").exists()]
    return [(name, role) for name in found for role in ("api", "worker", *MORE_ROLES.get(name, ()))]


def start(place: Place, part: Part) -> tuple[Child, bool]:
    """The running process of this part, and whether it had to be started; never a second one.

    A process that runs with other settings than wanted is replaced.  Raises LocalFault if its port is taken.
    """
    running = children.recall(place.run, part.name)
    if running and running.fingerprint == part.fingerprint:
        return running, False
    if running:
        children.stop(place.run, running, grace_s=30.0)
    _require_free(part)
    env = _inherited() | dict(part.env)
    log = place.log / f"{part.name}.log"
    child = children.spawn(
        place.run, part.name, part.argv, env=env, log=log, cwd=ROOT, fingerprint=part.fingerprint
    )
    return child, True


def missing(part: Part) -> str:
    """What keeps the part from being ready, in its own words; empty if nothing does."""
    if not part.ready_url:
        return "it does not listen yet" if ports.is_free(int(part.address.rpartition(":")[2])) else ""
    try:
        with urllib.request.urlopen(part.ready_url, timeout=ASK_S) as answer:  # noqa: S310  our own address
            return "" if answer.status == 200 else f"HTTP {answer.status}"
    except urllib.error.HTTPError as refused:
        return f"it says {refused.read(300).decode(errors='replace').strip() or refused.code}"
    except (OSError, urllib.error.URLError):
        return "it does not listen yet"


def _mail_server(known: Addresses) -> Part:
    port = known.smtp.rpartition(":")[2]
    argv = (sys.executable, "-m", "cli.local.smtp", "--folder", known.mail_dir, "--port", port)
    return Part("mail", argv, {"PYTHONPATH": str(ROOT)}, "", known.smtp)


def _process(place: Place, known: Addresses, service: str, role: str, overrides: Mapping[str, str]) -> Part:
    if role in KEEPERS:
        return _keeper(place, known, role, overrides)
    part = _service(place, known, service, role, overrides)
    if service == "matching":
        return replace(part, env={"KINDRED_INTAKE_GRPC": known.grpc_of_all("intake")} | dict(part.env))
    if service != "audit":
        return part
    more = {
        "KINDRED_AUDIT_SIGNER_URL": f"http://{known.signer_http}",
        "KINDRED_AUDIT_PRODUCERS": ",".join(f"{name}=kindred_{name}" for name in ports.SERVICES),
        "KINDRED_AUDIT_MIRROR_DIR": str(place.mirror),
        "KINDRED_INTAKE_GRPC": known.grpc_of_all("intake"),
    }
    if role == "api":
        more["KINDRED_AUDIT_PRUNER_URI_FILE"] = str(place.access / part.name / access.PRUNER)
    return replace(part, env=more | dict(part.env))


def _keeper(place: Place, known: Addresses, role: str, overrides: Mapping[str, str]) -> Part:
    address = known.signer_http if role == "signer" else known.witness_http
    env = {
        "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}",
        "PYTHONUNBUFFERED": "1",
        "KINDRED_KEYS_DIR": str(Path(known.keys_dir) / role),
        "KINDRED_STATE_DIR": str(place.kept / role),
        "KINDRED_HTTP_ADDRESS": address,
        "KINDRED_AUDIT_ORIGIN": ORIGIN,
    }
    argv = (sys.executable, "-m", "services.audit", role)
    return Part(f"audit-{role}", argv, env | dict(overrides), f"http://{address}/readyz", address)


def _service(place: Place, known: Addresses, service: str, role: str, overrides: Mapping[str, str]) -> Part:
    own = place.access / f"{service}-{role}"
    http = {"api": known.http[service], "mllp": known.mllp_http}.get(role, known.worker_http[service])
    env = {
        "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}",
        "PYTHONUNBUFFERED": "1",
        "KINDRED_MONGO_URI_FILE": str(own / access.MONGO),
        "KINDRED_MONGO_DATABASE": f"kindred_{service}",
        "KINDRED_AMQP_URI_FILE": str(own / access.AMQP),
        "KINDRED_DECLARES_TOPOLOGY": "0" if known.extra.get("broker_is_set_up") else "1",
        "KINDRED_KEYS_DIR": str(Path(known.keys_dir) / service),
        "KINDRED_HTTP_ADDRESS": http,
        "KINDRED_PUBLIC_URL": known.public_url,
        "KINDRED_SMTP_HOST": known.smtp.rpartition(":")[0],
        "KINDRED_SMTP_PORT": known.smtp.rpartition(":")[2],
        "KINDRED_SMTP_FROM": "no-reply@kindred.example",
        "KINDRED_AUDIT_ORIGIN": ORIGIN,
    }
    if role == "api":
        env["KINDRED_GRPC_ADDRESS"] = known.grpc[service]
        env["KINDRED_GRPC_TLS_CERT"] = str(Path(known.keys_dir) / service / authority.file_of(service))
        env["KINDRED_GRPC_TLS_CA"] = str(Path(known.keys_dir) / service / authority.AUTHORITY)
    if role == "api":
        env |= sign_ins.settings(known, service)
    if service == "intake":
        env["KINDRED_HL7_SOURCES"] = ",".join(HL7_SOURCES)
        env["KINDRED_DESK_HOSPITALS"] = str(HOSPITALS)
        env["KINDRED_SMART_CLIENTS"] = str(Path(known.keys_dir) / service / SMART_CLIENTS)
    if service == "matching":
        env["KINDRED_HOSPITALS"] = str(HOSPITALS)
    if role == "mllp":
        env["KINDRED_MLLP_ADDRESS"] = known.mllp
    argv = (sys.executable, "-m", f"services.{service}", role)
    shown = known.mllp if role == "mllp" else http
    return Part(f"{service}-{role}", argv, env | dict(overrides), f"http://{http}/readyz", shown)


def _inherited() -> dict[str, str]:
    """The caller's environment; settings reach a process only through its part, so that they are all seen."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "KINDRED_"))}


def _require_free(part: Part) -> None:
    wanted = [part.address, *(part.env.get(f"KINDRED_{door}_ADDRESS", "") for door in ("GRPC", "HTTP"))]
    for address in filter(None, dict.fromkeys(wanted)):
        if not ports.becomes_free(int(address.rpartition(":")[2])):
            raise LocalFault(
                f"{address}, wanted for {part.name}, is taken.",
                "Stop what holds it, or set KINDRED_PORT_BASE to another block.",
            )
