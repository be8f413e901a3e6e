"""The wheel holds everything the code reads, and works where nothing else of the checkout is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from cli.local import keys

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("intake", "matching", "notifications", "audit")
# What a build reads; built from a copy, so that nothing an earlier build left behind is taken for a source.
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "chassis", "services", "cli", "gen", "deploy")
# For readers of the checkout only.
NOT_SHIPPED = ("README.md",)

# Only the unpacked wheel and the libraries are on the path: -I ignores PYTHONPATH and the current folder.
BUILD_ROOM = """
import sys
sys.path.insert(0, {unpacked!r})
from importlib import import_module
import os
from chassis import settings
bootstrap = import_module("services.{service}.bootstrap")
room = bootstrap.build_room(settings.read(bootstrap.Settings, os.environ))
import_module("services.{service}.api")
ours = ("chassis", "services", "cli", "kindred")
for name, module in list(sys.modules.items()):
    if name.split(".")[0] in ours and getattr(module, "__file__", None):
        assert module.__file__.startswith({unpacked!r}), module.__file__
print("built", type(room).__name__)
"""
RUN_COMMAND = """
import sys
from pathlib import Path
sys.path.insert(0, {unpacked!r})
from importlib.metadata import distribution
from cli.local import place, processes, rabbit
rabbit.write_definitions(Path({written!r}), "secret")
print(place.here({{"HOME": "/nobody"}}).var.relative_to(Path.home().resolve()), len(processes.names()))
(command,) = [entry for entry in distribution("kindred").entry_points if entry.group == "console_scripts"]
sys.argv = [command.name, "--help"]
command.load()()
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the sources without a network."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / name, source / name)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet"]
    command = [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(built), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    (wheel,) = built.glob("kindred-*.whl")
    return wheel


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the wheel puts beside the libraries."""
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def wanted() -> set[str]:
    """Every file beside or below the code, as the wheel names it; the broker's definitions are read too."""
    found = {"deploy/rabbitmq/definitions.json"}
    for folder in ("chassis", "services", "cli", "gen"):
        for path in (ROOT / folder).rglob("*"):
            is_left_out = "__pycache__" in path.parts or path.name in NOT_SHIPPED
            if path.is_file() and not is_left_out:
                found.add(path.relative_to(ROOT).as_posix().removeprefix("gen/"))
    return found


def run(script: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-c", script]
    clean = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        command, cwd=cwd, env=clean | environ, capture_output=True, text=True, check=False, timeout=60
    )


def test_the_wheel_holds_what_the_code_reads_and_nothing_else(wheel: Path) -> None:
    """Modules, stubs, templates, wording, policy, definitions, dictionary and taxonomy; no test, no cache."""
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert "kindred/taxonomy/taxonomy.v1.json" in held
    assert sorted(wanted() - held) == []
    assert sorted(held - wanted()) == []


def test_the_taxonomy_of_the_package_is_the_one_of_the_protos() -> None:
    """gen/ carries a copy; the two never differ."""
    kept = ROOT / "protos" / "kindred" / "taxonomy" / "taxonomy.v1.json"
    assert (ROOT / "gen" / "kindred" / "taxonomy" / kept.name).read_bytes() == kept.read_bytes()


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_can_be_built_from_the_wheel_alone(service: str, unpacked: Path, tmp_path: Path) -> None:
    """Its bootstrap and its api import, and its room with policy, definitions and wording is built."""
    environ = {
        "KINDRED_MONGO_URI": "mongodb://127.0.0.1:1/",
        "KINDRED_MONGO_DATABASE": "none",
        "KINDRED_AMQP_URI": "amqp://nobody@127.0.0.1:1/none",
        "KINDRED_KEYS_DIR": str(keys.create(tmp_path / "keys")),
        "KINDRED_PUBLIC_URL": "https://answers.example.org",
        "KINDRED_SMTP_HOST": "127.0.0.1",
        "KINDRED_SMTP_FROM": "notices@kindred.example.org",
        "KINDRED_AUDIT_ORIGIN": "kindred.example.org/audit",
    }
    done = run(BUILD_ROOM.format(unpacked=str(unpacked), service=service), tmp_path, **environ)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("built")


def test_the_command_works_from_the_wheel_alone(unpacked: Path, tmp_path: Path) -> None:
    """`kindred` starts, knows the eleven processes and the broker's definitions, and keeps its state at home."""
    written = tmp_path / "definitions.json"
    done = run(RUN_COMMAND.format(unpacked=str(unpacked), written=str(written)), tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(".local/state/kindred 11\n")
    assert "Usage: kindred" in done.stdout
    assert "kindred.events" in written.read_text(encoding="utf-8")
