"""Where one checkout keeps what it runs: folders, ports and the addresses others ask for."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cli.local import ports
from cli.local.ports import Ports

# The checkout, or the folder the wheel was installed into: the code is laid out the same in both.
ROOT = Path(__file__).resolve().parents[2]
# The registered systems of the FHIR door, beside intake's keys.
SMART_CLIENTS = "smart-clients.json"


@dataclass(frozen=True)
class Place:
    """The folders of one checkout's running system, all below `var`."""

    var: Path

    @property
    def run(self) -> Path:
        return self.var / "run"

    @property
    def log(self) -> Path:
        return self.var / "log"

    @property
    def keys(self) -> Path:
        return self.var / "keys"

    @property
    def issuer(self) -> Path:
        """The development issuer's signing keys and registrations, and what our pages prove themselves with to it."""
        return self.keys / "issuer"

    @property
    def access(self) -> Path:
        """Passwords at the broker and the database, a folder for each process."""
        return self.var / "access"

    @property
    def kept(self) -> Path:
        """What the signer and the witness remember, a folder each; not in any database."""
        return self.var / "kept"

    @property
    def mirror(self) -> Path:
        """The audit log's tiles as files."""
        return self.var / "mirror"

    @property
    def mail(self) -> Path:
        return self.var / "mail"

    @property
    def state(self) -> Path:
        return self.var / "state.json"

    @property
    def settings(self) -> Path:
        return self.var / "settings.json"

    def make(self) -> None:
        """Makes the folders, readable by their owner only."""
        self.var.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.var.chmod(0o700)
        for folder in (self.run, self.log, self.mail):
            folder.mkdir(exist_ok=True, mode=0o700)


def here(environ: Mapping[str, str] = os.environ) -> Place:
    """The place `KINDRED_VAR` names, else `var` in the checkout, else (installed) `~/.local/state/kindred`."""
    return Place(Path(environ.get("KINDRED_VAR") or _usual(environ)).expanduser().resolve())


def _usual(environ: Mapping[str, str]) -> Path:
    """Nothing is written beside installed code: the next upgrade would take it away (XDG Base Directory)."""
    if (ROOT / "pyproject.toml").exists():
        return ROOT / "var"
    return Path(environ.get("XDG_STATE_HOME") or "~/.local/state") / "kindred"


@dataclass(frozen=True)
class Addresses:
    """What `kindred up` writes to `var/state.json`; broker and database addresses may hold secrets."""

    mongo_uri: str
    amqp_uri: str
    grpc: dict[str, str]
    http: dict[str, str]
    worker_http: dict[str, str]
    smtp: str
    keys_dir: str
    mail_dir: str
    public_url: str = ""
    mllp: str = ""
    mllp_http: str = ""
    signer_http: str = ""
    witness_http: str = ""
    issuer: str = ""
    # The doors of each further replica: "grpc", "http" and "worker_http", by service.
    replicas: list[dict[str, dict[str, str]]] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)

    def grpc_of_all(self, service: str) -> str:
        """The gRPC doors of every replica, joined by commas (chassis/grpc_client.py, `target`)."""
        return ",".join(sorted([self.grpc[service], *(doors["grpc"][service] for doors in self.replicas)]))


def addresses(place: Place, chosen: Ports, mongo_uri: str, amqp_uri: str, replicas: int = 1) -> Addresses:
    """The addresses of a system on this machine with these ports, and so many of each `api` and `worker`."""
    return Addresses(
        mongo_uri=mongo_uri,
        amqp_uri=amqp_uri,
        **_doors(chosen),
        replicas=[_doors(chosen.further(number)) for number in range(1, replicas)],
        smtp=f"127.0.0.1:{chosen.smtp}",
        keys_dir=str(place.keys),
        mail_dir=str(place.mail),
        public_url=f"http://127.0.0.1:{chosen.http('matching')}",
        mllp=f"127.0.0.1:{chosen.mllp}",
        mllp_http=f"127.0.0.1:{chosen.mllp_http}",
        signer_http=f"127.0.0.1:{chosen.signer}",
        witness_http=f"127.0.0.1:{chosen.witness}",
        issuer=f"127.0.0.1:{chosen.issuer}",
    )


def _doors(chosen: Ports) -> dict[str, dict[str, str]]:
    asked = {"grpc": chosen.grpc, "http": chosen.http, "worker_http": chosen.worker_http}
    return {
        door: {name: f"127.0.0.1:{port_of(name)}" for name in ports.SERVICES}
        for door, port_of in asked.items()
    }


def write_state(place: Place, known: Addresses) -> None:
    """Leaves the addresses for later commands, readable by the owner only."""
    _write_private(place.state, asdict(known))


def read_state(place: Place) -> Addresses | None:
    """The addresses of the running system, or None where none was started here."""
    if not place.state.exists():
        return None
    return Addresses(**json.loads(place.state.read_text(encoding="utf-8")))


def remember(place: Place, settings: Mapping[str, str]) -> None:
    """Keeps the extra settings the system was started with, for whoever restarts a part of it."""
    _write_private(place.settings, dict(settings))


def recalled(place: Place) -> dict[str, str] | None:
    """The settings of the last `up`, None after a `down`."""
    if not place.settings.exists():
        return None
    found: dict[str, str] = json.loads(place.settings.read_text(encoding="utf-8"))
    return found


def _write_private(path: Path, content: Any) -> None:
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(
        os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
    ) as file:
        json.dump(content, file, indent=1)
    draft.replace(path)
