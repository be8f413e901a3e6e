"""deploy/compose.yaml keeps to the compose specification, and to the settings in the code."""

from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from services.audit.keeper import KeeperSettings

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("intake", "matching", "notifications", "audit")
KEEPERS = ("signer", "witness")
PROCESSES = [*((service, role) for service in SERVICES for role in ("api", "worker")), ("intake", "mllp")]


def composed() -> dict[str, Any]:
    """The file with its anchors merged."""
    return yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))


def check(document: dict[str, Any]) -> None:
    """Raises ValueError where the document breaks the compose specification."""
    PyCompose.from_yaml(yaml.safe_dump(document))


def test_the_file_keeps_to_the_specification() -> None:
    """An independent, strict parser of the specification accepts the file."""
    check(composed())


@pytest.mark.parametrize(
    ("service", "broken"),
    [
        ("mongodb", {"comand": ["mongod"]}),
        ("audit-api", {"ports": ["eighty:80"]}),
        ("rabbitmq", {"healthcheck": {"test": ["CMD", "true"], "interval": "soon"}}),
        ("intake-api", {"depends_on": {"mongodb": {"condition": "when-ready"}}}),
    ],
)
def test_the_check_can_fail(service: str, broken: dict[str, Any]) -> None:
    """A misspelled key, a bad port, a bad duration, an unknown condition: each is refused."""
    document = composed()
    document["services"][service] |= broken
    with pytest.raises(ValueError, match=service):
        check(document)


@pytest.mark.parametrize(("service", "role"), PROCESSES)
def test_every_process_is_there_with_what_its_settings_ask_for(service: str, role: str) -> None:
    """Each of the nine processes has every required setting and no setting the code does not know."""
    process = composed()["services"][f"{service}-{role}"]
    settings = import_module(f"services.{service}.settings").Settings
    known = {field.metadata["env"]: field for field in fields(settings) if "env" in field.metadata}
    required = {name for name, field in known.items() if field.default is field.default_factory}
    given = set(process["environment"])
    assert process["command"] == [f"services.{service}", role]
    assert required <= given
    assert given <= set(known)
    assert process["volumes"][0] == f"keys-{service}:/keys:ro"
    assert set(process["volumes"][1:]) <= {"mirror:/mirror"}
    assert process["environment"]["KINDRED_MONGO_DATABASE"] == f"kindred_{service}"


@pytest.mark.parametrize("role", KEEPERS)
def test_a_keeper_has_its_own_key_its_own_memory_and_no_database(role: str) -> None:
    """The signer and the witness know neither database nor broker, and share no volume with anybody."""
    services = composed()["services"]
    process = services[f"audit-{role}"]
    known = {field.metadata["env"] for field in fields(KeeperSettings)}
    assert set(process["environment"]) <= known
    assert process["volumes"] == [f"keys-{role}:/keys:ro", f"kept-{role}:/kept"]
    own = {volume.partition(":")[0] for volume in process["volumes"]}
    for name, other in services.items():
        if name not in ("prepare", f"audit-{role}"):
            assert own.isdisjoint(volume.partition(":")[0] for volume in other.get("volumes", []))


@pytest.mark.parametrize(("service", "role"), [*PROCESSES, *(("audit", role) for role in KEEPERS)])
def test_every_process_is_confined_and_watched(service: str, role: str) -> None:
    """No process may write to its image or gain rights, and each says whether it is ready."""
    process = composed()["services"][f"{service}-{role}"]
    assert process["read_only"] is True
    assert process["cap_drop"] == ["ALL"]
    assert process["security_opt"] == ["no-new-privileges:true"]
    assert "/readyz" in process["healthcheck"]["test"][-1]


def test_ports_are_open_on_this_machine_only() -> None:
    """What the file publishes, it publishes to 127.0.0.1."""
    published = [port for one in composed()["services"].values() for port in one.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_the_image_holds_what_the_processes_need() -> None:
    """The Dockerfile copies every package the services import, installs by hash, and is not root."""
    text = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    for package in ("chassis", "services", "gen", "cli"):
        assert f"COPY {package} /app/{package}" in text
    assert "--require-hashes -r runtime.txt" in text
    assert "USER 10001" in text
