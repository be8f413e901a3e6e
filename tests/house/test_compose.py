"""deploy/compose.yaml keeps to the compose specification, and to the settings in the code."""

import json
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from cli.local import provision, rights
from services.audit.keepers.keeper import KeeperSettings

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
    given = {name.removesuffix("_FILE") for name in process["environment"]}
    assert process["command"] == [f"services.{service}", role]
    assert required <= given
    assert given <= set(known)
    assert process["volumes"][0] == f"keys-{service}:/keys:ro"
    assert process["volumes"][1] == f"access-{service}-{role}:/access:ro"
    assert set(process["volumes"][2:]) <= {"mirror:/mirror"}
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


def test_every_volume_of_addresses_is_one_process_and_made_for_a_known_user() -> None:
    """Nobody reads another's password; no password is in the file or asked of whoever starts it."""
    document = composed()
    text = (ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8")
    assert "PASSWORD" not in text.replace("KINDRED_SMTP_PASSWORD", "")
    for service, role in PROCESSES:
        volume = f"access-{service}-{role}"
        holders = [
            name
            for name, one in document["services"].items()
            if any(each.startswith(f"{volume}:") for each in one.get("volumes", []))
        ]
        assert sorted(holders) == sorted([f"{service}-{role}", "prepare"])
        assert f"{service}-{role}" in {user.name for user in rights.users()}


def test_the_set_up_of_the_containers_is_what_they_look_for(tmp_path: Path) -> None:
    """`prepare` writes, for every process, the files its settings name, each readable by its owner only."""
    provision.provision(tmp_path)
    for service, role in PROCESSES:
        process = composed()["services"][f"{service}-{role}"]
        named = [path for name, path in process["environment"].items() if name.endswith("_FILE")]
        for path in named:
            made = tmp_path / f"access-{service}-{role}" / Path(path).name
            assert made.stat().st_mode & 0o077 == 0
        mongo = (tmp_path / f"access-{service}-{role}" / "mongo.uri").read_text()
        assert mongo.startswith(f"mongodb://{service}-{role}:") and "@mongodb:27017/" in mongo
    definitions = json.loads((tmp_path / "broker" / "definitions.json").read_text())
    named = {user["name"] for user in definitions["users"]}
    assert named == {"kindred", *(user.name for user in rights.users() if user.broker)}
    assert not any("password" in user for user in definitions["users"])


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
    # What the day, the hour or a hash seed leaves in an image, no second build has (deploy/image.sh builds twice).
    assert (
        "PYTHONHASHSEED=0 /opt/kindred/bin/python -m compileall -qf --invalidation-mode unchecked-hash"
        in text
    )
    assert "RUN useradd" not in text and "&& useradd" not in text
    assert "USER 10001" in text
